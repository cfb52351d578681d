// "What the gateway sees": every request and its answer, as they went.

import { append, copyOf, element, facts } from "./dom.js";
import { summary } from "./exchange.js";
import { timeOfDay } from "./words.js";

/** How many exchanges are kept. */
const MOST = 100;

/** Shows an exchange: `{ method, path, session, request, status, answer, about }`. */
export function show(exchange) {
  const item = copyOf("exchange-template");
  const { pairs, verdict, isGood } = summary(exchange);
  item.dataset.about = exchange.about ?? "";
  item.querySelector(".what").textContent = `${exchange.method} ${exchange.path}`;
  const badge = item.querySelector(".verdict");
  badge.textContent = verdict;
  badge.classList.add(isGood ? "good" : "bad");
  item.querySelector("time").textContent = timeOfDay(new Date());
  facts(item.querySelector("dl"), pairs);
  item.querySelector(".request").textContent = written(exchange.request);
  item.querySelector(".answer").textContent = written(exchange.answer);
  append(element("exchanges"), item, MOST);
}

/** Leads to the last exchange about a message, and points at it. */
export function pointAt(message) {
  const about = [...element("exchanges").children].filter((item) => item.dataset.about === message);
  for (const old of document.querySelectorAll(".pointed-at")) old.classList.remove("pointed-at");
  if (about.length === 0) return;
  for (const item of about) item.classList.add("pointed-at");
  about[0].scrollIntoView({ block: "nearest", behavior: "smooth" });
  about[0].focus({ preventScroll: true });
}

function written(body) {
  return body === undefined ? "(no body)" : JSON.stringify(body, null, 2);
}
