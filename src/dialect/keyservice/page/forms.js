// What the views share: running the work of a form, saying what happened. Text goes into the page as
// text only.

import { explain } from "./failure.js";

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
