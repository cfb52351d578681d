// What the views share. Text goes into the page as text only.

import { element } from "./dom.js";

/** A new element of this kind with a text in it. */
export function made(kind, text, className = "") {
  const fresh = document.createElement(kind);
  fresh.textContent = text;
  fresh.className = className;
  return fresh;
}

/** A copy of what is in a template. */
export function copyOf(template) {
  return element(template).content.firstElementChild.cloneNode(true);
}

/** Ids, keys and words of the protocol, one or several. */
const CODE = /^[\w…-]+(, [\w-]+)*$/;

/** A list of names and values; what has no value is left out. */
export function facts(list, pairs) {
  const parts = [];
  for (const [name, value] of pairs) {
    if (value) parts.push(made("dt", name), made("dd", value, CODE.test(value) ? "code" : ""));
  }
  list.replaceChildren(...parts);
  list.hidden = parts.length === 0;
}

/** Adds an item at the end of a list, and goes down to it unless somebody reads further up. */
export function append(list, item, most) {
  const box = list.parentElement;
  const isAtEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 60;
  list.append(item);
  while (list.childElementCount > most) list.firstElementChild.remove();
  if (isAtEnd) box.scrollTop = box.scrollHeight;
}
