// Making a box.

import { makeBox } from "./box.js";
import { element } from "./dom.js";
import { Failure, Refused } from "./failure.js";
import { copies, onSubmit, showFacts } from "./forms.js";
import * as gateway from "./gateway.js";
import { shareLink } from "./link.js";
import { when } from "./shown.js";
import { hint, LEAST } from "./strength.js";

const passphrase = element("create-passphrase");
const again = element("create-again");

/** Prepares the view. */
export function prepareCreate() {
  passphrase.addEventListener("input", () => {
    element("create-strength").textContent = hint(passphrase.value);
  });
  copies(element("created-copy"), element("created-link"));
  onSubmit(element("create-form"), create);
}

async function create(say) {
  element("created").hidden = true;
  if ([...passphrase.value].length < LEAST) {
    throw new Failure(`Choose a passphrase of at least ${LEAST} characters.`);
  }
  if (passphrase.value !== again.value) throw new Failure("The two passphrases are not the same.");
  const choices = chosen();
  say("Making keys…");
  const { token, request } = await makeBox(passphrase.value);
  const answer = await sent({ ...request, ...choices });
  if (answer.token !== token) {
    throw new Failure("The gateway gave the box another name than its own. Do not use it.");
  }
  show(token, answer);
}

async function sent(request) {
  try {
    return await gateway.createBox(request);
  } catch (error) {
    if (error instanceof Refused && error.status === 404) {
      throw new Failure("This gateway makes no boxes.");
    }
    throw error;
  }
}

/** The members of the request that the person chose. */
function chosen() {
  const choices = {
    releasedate: timeOf("create-release"),
    lockdate: timeOf("create-lock"),
    deletemessagesafterreading: element("create-delete-messages").checked,
    deletekeyafterreading: element("create-delete-box").checked,
  };
  // What was not chosen is not said.
  return Object.fromEntries(Object.entries(choices).filter(([, choice]) => choice));
}

/** A time in UTC; the field has it as the clock on the wall shows it. */
function timeOf(id) {
  const text = element(id).value;
  return text === "" ? null : new Date(text).toISOString();
}

function show(token, answer) {
  element("create-form").reset();
  element("create-strength").textContent = "";
  element("created-link").value = shareLink(token);
  element("created-go").href = `#${token}`;
  showFacts(element("created-facts"), [
    ["Readable from", when(answer.releasedate)],
    ["Writable until", when(answer.lockdate)],
    ["Kept until", when(answer.expiresat)],
    ["Messages", answer.deletemessagesafterreading ? "deleted once read" : ""],
    ["The box", answer.deletekeyafterreading ? "deleted once all of it was read" : ""],
  ]);
  const created = element("created");
  created.hidden = false;
  created.querySelector("h2").focus();
}
