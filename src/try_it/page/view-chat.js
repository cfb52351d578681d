// "What you see": the people who are here, and what was said with each of them.

import { element } from "./dom.js";
import { short } from "./ids.js";
import { copyOf, made } from "./parts.js";
import { shown } from "./shown.js";
import { pointAt } from "./view-gateway.js";
import { devices, timeOfDay } from "./words.js";

/** By account: `{ name, isHere, unread, messages, button }`. */
const people = new Map();
let chosen = "";

/** Prepares the view; `send` is given an account and a text. */
export function prepare(send) {
  element("compose").addEventListener("submit", (event) => {
    event.preventDefault();
    const field = element("text");
    const text = field.value.trim();
    if (text === "" || chosen === "") return;
    field.value = "";
    send(chosen, text);
  });
}

/** The name of an account, as far as anybody told it. */
export function nameOf(user) {
  return people.get(user)?.name ?? "somebody";
}

/** Shows who is here, in this order; whoever one has talked with stays on the list. */
export function showPeople(present) {
  const here = new Set(present.map(({ user_id: user }) => user));
  for (const { user_id: user, full_name: name } of present) person(user, shown(name)).isHere = true;
  for (const [user, entry] of people) {
    entry.isHere = here.has(user);
    if (!entry.isHere && entry.messages.childElementCount === 0 && user !== chosen) drop(user);
    else label(entry);
  }
  if (chosen === "" && people.size > 0) choose(people.keys().next().value);
  element("alone").hidden = people.size > 1;
}

/** Shows a text of one's own; gives back a function that says what became of it. */
export function showOwn(to, id, text) {
  const item = bubble(id, text, "own");
  add(person(to), item);
  const state = item.querySelector(".state");
  return (said, kind) => {
    state.textContent = said;
    item.dataset.state = kind;
  };
}

/** Shows what somebody wrote. */
export function showOther({ id, from, text, isProved }) {
  const item = bubble(id, text, "other");
  if (!isProved) item.querySelector(".state").textContent = "not confirmed";
  const entry = person(from);
  add(entry, item);
  const hasSaidNothing = people.get(chosen)?.messages.childElementCount === 0;
  const isIdle = hasSaidNothing && element("text").value === "";
  if (from !== chosen && isIdle) choose(from);
  if (from === chosen) return;
  entry.unread += 1;
  label(entry);
}

/** How a text is described once it is stored. */
export function storedFor(count) {
  return `✓ stored for ${devices({ length: count })}`;
}

function person(user, name) {
  let entry = people.get(user);
  if (entry === undefined) {
    const item = document.createElement("li");
    const button = made("button", "");
    button.type = "button";
    button.dataset.user = user;
    button.addEventListener("click", () => {
      choose(user);
      element("text").focus();
    });
    item.append(button);
    element("people").append(item);
    const messages = made("ol", "", "messages plain");
    name ??= `somebody (${short(user)})`;
    entry = { name, isHere: true, unread: 0, messages, button };
    people.set(user, entry);
  }
  if (name !== undefined) entry.name = name;
  label(entry);
  return entry;
}

function label({ name, isHere, unread, button }) {
  const parts = [made("span", name)];
  if (!isHere) parts.push(made("span", "away", "away"));
  if (unread > 0) parts.push(made("span", `${unread} new`, "unread"));
  const spaced = parts.flatMap((part) => [part, " "]);
  button.replaceChildren(...spaced.slice(0, -1));
}

function choose(user) {
  const entry = people.get(user);
  people.get(chosen)?.button.removeAttribute("aria-current");
  chosen = user;
  entry.button.setAttribute("aria-current", "true");
  entry.unread = 0;
  label(entry);
  element("talk").replaceChildren(entry.messages);
  element("text-label").textContent = `Write to ${entry.name}`;
  toEnd();
}

function drop(user) {
  people.get(user).button.parentElement.remove();
  people.delete(user);
}

function bubble(id, text, whose) {
  const item = copyOf("message-template");
  item.classList.add(whose);
  item.querySelector(".text").textContent = text;
  item.querySelector("time").textContent = timeOfDay(new Date());
  item.querySelector("button").addEventListener("click", () => pointAt(id));
  return item;
}

function add(entry, item) {
  entry.messages.append(item);
  toEnd();
}

function toEnd() {
  const talk = element("talk");
  talk.scrollTop = talk.scrollHeight;
}
