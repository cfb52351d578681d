// What the views share: finding elements, running work of a form, saying what happened. Text goes
// into the page as text only.

import { explain } from "./failure.js";

/** The element with this id, which the page has. */
export function element(id) {
  return document.getElementById(id);
}

/**
 * Runs `work` when the form is sent, one at a time. It is given a function that says how far it is;
 * what it returns is said at the end, what it throws is explained.
 */
export function onSubmit(form, work) {
  const fieldset = form.querySelector("fieldset");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    fieldset.disabled = true;
    form.setAttribute("aria-busy", "true");
    await attempt(form, work);
    form.removeAttribute("aria-busy");
    fieldset.disabled = false;
  });
}

/** Runs `work` when the button is pressed, saying what happens in `place`. */
export function onPress(button, place, work) {
  button.addEventListener("click", async () => {
    button.disabled = true;
    await attempt(place, work);
    button.disabled = false;
  });
}

/** Runs `work`, saying in `place` how far it is and what went wrong. */
export async function attempt(place, work) {
  const status = place.querySelector(".status");
  const failure = place.querySelector(".failure");
  const say = (text) => {
    status.textContent = text;
  };
  failure.textContent = "";
  try {
    say((await work(say)) ?? "");
  } catch (error) {
    say("");
    failure.textContent = explain(error);
  }
}

/** Forgets what was said in `place`. */
export function hush(place) {
  place.querySelector(".status").textContent = "";
  place.querySelector(".failure").textContent = "";
}

/** Has the button copy what the field shows. */
export function copies(button, field) {
  const name = button.textContent;
  field.addEventListener("focus", () => field.select?.());
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(field.value ?? field.textContent);
      button.textContent = "Copied";
    } catch {
      field.focus();
      button.textContent = "Press Ctrl+C";
    }
    setTimeout(() => {
      button.textContent = name;
    }, 3000);
  });
}

/** Asks before something that cannot be undone. */
export function isSure(question) {
  const dialog = element("sure");
  element("sure-question").textContent = question;
  element("sure-yes").onclick = () => dialog.close("yes");
  element("sure-no").onclick = () => dialog.close("no");
  return new Promise((resolve) => {
    dialog.returnValue = "no";
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    dialog.showModal();
  });
}

/** Fills a list of names and values; what has no value is left out. */
export function showFacts(list, facts) {
  const parts = [];
  for (const [name, value] of facts) {
    if (!value) continue;
    const term = document.createElement("dt");
    const description = document.createElement("dd");
    term.textContent = name;
    description.textContent = value;
    parts.push(term, description);
  }
  list.replaceChildren(...parts);
}

/** A time of the gateway's, as people write it here; empty for none. */
export function when(time) {
  const date = new Date(time ?? NaN);
  if (Number.isNaN(date.getTime())) return "";
  return date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/** A size in bytes, as people write it. */
export function size(bytes) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte"];
  const power = bytes < 1 ? 0 : Math.min(3, Math.floor(Math.log10(bytes) / 3));
  const format = { style: "unit", unit: units[power], unitDisplay: "short" };
  const number = bytes / 1000 ** power;
  return new Intl.NumberFormat(undefined, { ...format, maximumFractionDigits: 1 }).format(number);
}

const DECEIVING = /[\p{Cc}\p{Zl}\p{Zp}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu;

/**
 * A name that somebody else chose, fit to be shown: with characters that break lines, or turn the
 * direction of what follows, it could look like another.
 */
export function shown(name) {
  return name.replace(DECEIVING, "\uFFFD");
}
