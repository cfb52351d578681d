// What the views share: making elements, and writing numbers and times as people do. Text goes into
// the page as text only.

import { when } from "./shown.js";

/** A new element with these properties, and children that are elements or texts. */
export function make(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** A row of a table; what is no element becomes the text of a cell. */
export function row(...cells) {
  const made = cells.map((cell) => make("td", {}, cell));
  return make("tr", {}, ...made);
}

/** A number in a table. */
export function number(value) {
  return make("span", { className: "number" }, amount(value));
}

/** Names and values, as pairs of a list; what has no value is left out. */
export function pairs(facts) {
  const known = facts.filter(([, value]) => value !== undefined && value !== "");
  return known.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)));
}

/** A number, as people write it. */
export function amount(value) {
  const isSmall = Math.abs(value) < 10;
  const format = isSmall ? { maximumSignificantDigits: 3 } : { maximumFractionDigits: 0 };
  return new Intl.NumberFormat(undefined, format).format(value);
}

/** A time of the gateway's, to the second; empty for none. */
export function whenExactly(time) {
  return when(time, "medium");
}

/** The same as an element, which is not broken into lines. */
export function moment(time) {
  return make("time", { dateTime: time ?? "" }, whenExactly(time));
}

const UNITS = [
  ["d", 86_400],
  ["h", 3_600],
  ["min", 60],
  ["s", 1],
];

/** A time in seconds in its largest two units. */
export function lasting(seconds) {
  const words = [];
  let left = Math.max(0, Math.round(seconds));
  for (const [unit, length] of UNITS) {
    const count = Math.floor(left / length);
    left -= count * length;
    if (count > 0) words.push(`${count} ${unit}`);
  }
  return words.slice(0, 2).join(" ") || "0 s";
}

/** A time in milliseconds. */
export function brief(milliseconds) {
  if (milliseconds >= 10_000) return lasting(milliseconds / 1000);
  if (milliseconds >= 1000) return `${amount(milliseconds / 1000)} s`;
  return `${amount(milliseconds)} ms`;
}
