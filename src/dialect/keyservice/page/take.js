// The page at /selfdestruct/read: shows a letter when the person asks for it, never by itself,
// because programs follow links to look for harm before a person does.

import { element } from "./dom.js";
import { explain, Failure, Refused } from "./failure.js";
import { copies, hush, onSubmit } from "./forms.js";
import * as gateway from "./gateway.js";
import { letterKeys, openLetter } from "./letter.js";
import { parseLetter } from "./link.js";
import { when } from "./shown.js";
import { requireBrowser } from "./x25519.js";

const form = element("take-form");
const taken = element("taken");

async function take(say) {
  const letter = parseLetter(location.hash);
  if (!letter) throw new Failure("This link is not whole. Ask for it again.");
  say("Fetching the letter…");
  const keys = await letterKeys(letter.secret);
  const answer = await understood(gateway.takeLetter(letter.id, keys.auth));
  // There is no second time, so neither button nor link has a use any more.
  form.querySelector("fieldset").hidden = true;
  history.replaceState(null, "", location.pathname);
  const text = await openLetter(keys.key, gateway.bytesOf(answer, "message"));
  element("taken-text").textContent = text;
  element("taken-when").textContent = `Written ${when(answer.createdat)}`;
  taken.hidden = false;
  element("taken-text").focus();
}

async function understood(answer) {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Refused && error.status === 404) {
      throw new Failure(
        "There is no such letter: it was read already, its time is over, or the link is not whole.",
      );
    }
    throw error;
  }
}

function show() {
  const isLetter = parseLetter(location.hash) !== null;
  form.querySelector("fieldset").hidden = !isLetter;
  form.hidden = false;
  taken.hidden = true;
  element("taken-text").textContent = "";
  hush(form);
  if (!isLetter) {
    form.querySelector(".failure").textContent = "This link is not whole. Ask for it again.";
  }
}

async function begin() {
  try {
    await requireBrowser();
  } catch (error) {
    element("unsupported").textContent = explain(error);
    element("unsupported").hidden = false;
    return;
  }
  onSubmit(form, take);
  copies(element("taken-copy"), element("taken-text"));
  addEventListener("hashchange", show);
  show();
  document.documentElement.dataset.ready = "yes";
}

await begin();
