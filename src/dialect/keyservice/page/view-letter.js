// Leaving a letter that destroys itself.

import { element } from "./dom.js";
import { Failure, Refused } from "./failure.js";
import { copies, onSubmit, showFacts } from "./forms.js";
import * as gateway from "./gateway.js";
import { makeLetter } from "./letter.js";
import { letterLink, parseLetter } from "./link.js";
import { when } from "./shown.js";

const text = element("letter-text");
const made = element("letter-made");

/** Prepares the view. */
export function prepareLetter() {
  copies(element("letter-copy"), element("letter-link"));
  onSubmit(element("letter-form"), leave);
}

/** Forgets the link that was shown. */
export function forgetLetter() {
  made.hidden = true;
  element("letter-link").value = "";
}

async function leave(say) {
  forgetLetter();
  if (text.value === "") throw new Failure("Write the letter first.");
  say("Sealing…");
  const { secret, request } = await makeLetter(text.value);
  const answer = await sent(request, Number(element("letter-life").value));
  const link = letterLink(answer.messageid, secret);
  if (!parseLetter(new URL(link).hash)) {
    throw new Failure("The gateway gave the letter no proper name.");
  }
  text.value = "";
  element("letter-link").value = link;
  showFacts(element("letter-facts"), [["Gone unread after", when(answer.expiresat)]]);
  made.hidden = false;
  made.querySelector("h2").focus();
}

async function sent(request, seconds) {
  try {
    return await gateway.putLetter(request, seconds);
  } catch (error) {
    if (error instanceof Refused && error.status === 404) {
      throw new Failure("This gateway takes no letters.");
    }
    throw error;
  }
}
