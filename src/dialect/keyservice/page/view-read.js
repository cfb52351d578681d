// Reading a box with its passphrase. Keys and messages are in this page's memory only, for as long
// as it shows the box.

import { openPrivateKey, ownerKeys } from "./box.js";
import { element, isSure } from "./dom.js";
import { explain, Failure, Refused } from "./failure.js";
import { hush, onPress, onSubmit } from "./forms.js";
import * as gateway from "./gateway.js";
import { requireUsable } from "./kdf.js";
import { when } from "./shown.js";
import { showMessage } from "./view-message.js";

const form = element("read-form");
const fields = form.querySelector("fieldset");
const passphrase = element("read-passphrase");
const result = element("read-result");
const list = element("read-messages");
const more = element("read-more");

const ONLY_HERE =
  "What you have read is deleted: the texts are on this page only, files can be fetched again for " +
  "an hour.";

/** The box that is shown. */
let box = null;
/** What its passphrase opened, `{ box, auth, privateKey, seen, last }`; null while it is closed. */
let opened = null;

/** Prepares the view. */
export function prepareRead() {
  onSubmit(form, open);
  onPress(more, form, () => showMore(opened));
  onPress(element("read-delete"), form, deleteBox);
  element("read-close").addEventListener("click", () => {
    close();
    passphrase.focus();
  });
}

/** Shows another box, or none; whatever was open is closed. */
export function readFrom(other) {
  box = other;
  close();
  if (other === null) return;
  try {
    requireUsable(other.kdf);
  } catch (error) {
    fields.hidden = true;
    form.querySelector(".failure").textContent = explain(error);
  }
}

function close() {
  opened = null;
  form.reset();
  hush(form);
  list.replaceChildren();
  result.hidden = true;
  fields.hidden = false;
}

async function open(say) {
  const of = box;
  say("Working out the keys…");
  const keys = await ownerKeys(of.kdf, passphrase.value);
  say("Asking the gateway…");
  const page = await understood(gateway.messages(of.token, keys.auth));
  const sealed = gateway.bytesOf(page, "privatekey");
  const privateKey = await openPrivateKey(keys.seal, of, sealed);
  // The person may be looking at another box by now.
  if (of !== box) return "";
  opened = { box: of, auth: keys.auth, privateKey, seen: new Set(), last: undefined };
  passphrase.value = "";
  fields.hidden = true;
  result.hidden = false;
  await show(opened, page);
  return count(page);
}

/**
 * Adds the next messages to the list. After one that is gone the gateway begins with the first
 * again, so there may be pages with nothing new.
 */
async function showMore(reading) {
  let page;
  let known;
  do {
    known = reading.seen.size;
    page = await understood(gateway.messages(reading.box.token, reading.auth, reading.last));
    await show(reading, page);
  } while (reading === opened && page.more && reading.seen.size === known);
  return reading === opened ? count(page) : "";
}

async function show(reading, page) {
  for (const message of page.messages) {
    reading.last = message.messageid;
    if (reading.seen.has(message.messageid)) continue;
    reading.seen.add(message.messageid);
    const item = await showMessage(reading, message);
    if (reading !== opened) return;
    list.append(item);
  }
  more.hidden = !page.more;
}

/** How many messages are shown, in words. */
function count(page) {
  const number = list.childElementCount;
  if (number === 0) return "The box is open, and empty.";
  const unit = number === 1 ? "message" : "messages";
  const text = `The box is open: ${number} ${unit}${page.more ? " so far" : ""}.`;
  // Who closes the page should know.
  return page.deletemessagesafterreading ? `${text} ${ONLY_HERE}` : text;
}

async function deleteBox() {
  const reading = opened;
  if (!(await isSure("Delete this box and everything in it? This cannot be undone."))) {
    return undefined;
  }
  await understood(gateway.deleteBox(reading.box.token, reading.auth));
  close();
  fields.hidden = true;
  return "The box and everything in it are deleted.";
}

async function understood(answer) {
  try {
    return await answer;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (error.status === 404) throw new Failure("No such box, or not its passphrase.");
    if (error.status !== 403) throw error;
    const from = when(error.problem.releasedate);
    throw new Failure(`Nobody can read this box yet${from && `, only from ${from}`}.`);
  }
}
