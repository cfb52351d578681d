// "What the gateway sees": every request and its answer, as they went.

import { element } from "./dom.js";
import { summary } from "./exchange.js";
import { append, copyOf, facts } from "./parts.js";
import { timeOfDay } from "./words.js";

/** How many exchanges are kept. */
const MOST = 100;

/** Shows an exchange: `{ method, path, session, request, status, answer }`. */
export function show(exchange) {
  const item = copyOf("exchange-template");
  const { pairs, verdict, isGood, messages } = summary(exchange);
  item.dataset.messages = messages.join(" ");
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

/** Points at all that the gateway was given of a message, and leads there. */
export function pointAt(message) {
  const all = [...element("exchanges").children];
  const found = all.filter((item) => item.dataset.messages.split(" ").includes(message));
  for (const item of all) item.classList.toggle("pointed-at", found.includes(item));
  const [first] = found;
  first?.scrollIntoView({ block: "nearest", behavior: "smooth" });
  first?.focus({ preventScroll: true });
}

function written(body) {
  return body === undefined ? "(no body)" : JSON.stringify(body, null, 2);
}
