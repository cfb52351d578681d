// One message of an open box.

import { element, isSure } from "./dom.js";
import { Failure, Refused } from "./failure.js";
import { openFile, plainSize } from "./file.js";
import { attempt, onPress } from "./forms.js";
import * as gateway from "./gateway.js";
import { openName, openText, unwrap } from "./message.js";
import { shown, size, when } from "./shown.js";

/** How long the browser may take to begin with a download, milliseconds. */
const BEGIN = 60_000;

/** The list's item for a message; what cannot be opened says so there. */
export async function showMessage(reading, message) {
  const template = element("message-template");
  const item = template.content.firstElementChild.cloneNode(true);
  item.dataset.messageid = message.messageid;
  const until = when(message.expiresat);
  item.querySelector(".when").textContent =
    when(message.createdat) + (until && `, kept until ${until}`);
  onPress(item.querySelector(".delete"), item, () => remove(reading, message, item));
  await attempt(item, () => fill(reading, message, item));
  return item;
}

async function fill(reading, message, item) {
  const { box, privateKey } = reading;
  const key = await unwrap(box, privateKey, gateway.bytesOf(message, "encryptionkey"));
  if (message.kind === "file") {
    const name = await openName(key, box.token, gateway.bytesOf(message, "name"));
    offer(reading, { messageid: message.messageid, size: plainSize(message.length), key, name }, item);
    return;
  }
  const text = item.querySelector(".text");
  text.textContent = await openText(key, box.token, gateway.bytesOf(message, "message"));
  text.hidden = false;
}

function offer(reading, file, item) {
  const heading = item.querySelector(".name");
  heading.textContent = `${shown(file.name)} (${size(file.size)})`;
  heading.hidden = false;
  const button = item.querySelector(".save");
  button.hidden = false;
  onPress(button, item, async (say) => {
    const progress = item.querySelector("progress");
    progress.hidden = false;
    try {
      return await fetchAndSave(reading, file, say, progress);
    } finally {
      progress.hidden = true;
    }
  });
}

async function fetchAndSave({ box, auth }, file, say, progress) {
  // A box that deletes what was read gives a file away once.
  if (!file.blob) {
    say("Fetching and opening…");
    const body = await understood(gateway.fileBody(box.token, auth, file.messageid));
    file.blob = await openFile(file.key, box.token, body, (bytes) => {
      progress.value = file.size > 0 ? bytes / file.size : 1;
    });
  }
  save(file.blob, file.name);
  return "Handed to your browser to save.";
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = shown(name);
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), BEGIN);
}

async function remove({ box, auth }, message, item) {
  if (!(await isSure("Delete this message? This cannot be undone."))) return;
  try {
    await gateway.deleteMessage(box.token, auth, message.messageid);
  } catch (error) {
    // Somebody else, or the gateway by itself, has deleted it already.
    if (!(error instanceof Refused && error.status === 404)) throw error;
  }
  const list = item.parentElement;
  item.remove();
  list.focus();
}

async function understood(answer) {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Refused && error.status === 404) {
      throw new Failure("This file is not in the box any more.");
    }
    throw error;
  }
}
