// Writing to a box.

import { element } from "./dom.js";
import { Failure, Refused } from "./failure.js";
import { sealFile } from "./file.js";
import { hush, onSubmit } from "./forms.js";
import * as gateway from "./gateway.js";
import { newMessageKey, sealName, sealText } from "./message.js";
import { shown, when } from "./shown.js";

const form = element("write-form");
const text = element("write-text");
const files = element("write-files");
const progress = element("write-progress");
const sent = element("write-sent");

/** The box that is shown. */
let box = null;

/** Prepares the view. */
export function prepareWrite() {
  onSubmit(form, async (say) => {
    try {
      return await send(say);
    } finally {
      progress.hidden = true;
    }
  });
}

/** Shows another box, or none. */
export function writeTo(other) {
  box = other;
  form.reset();
  hush(form);
  sent.replaceChildren();
}

/** What went through is taken out of the form, so that a second try sends only the rest. */
async function send(say) {
  const to = box;
  const waiting = Array.from(files.files);
  if (text.value === "" && waiting.length === 0) {
    throw new Failure("Write a message or choose a file first.");
  }
  if (text.value !== "") {
    say("Sending the message…");
    const answer = await sendText(to, text.value);
    text.value = "";
    note(to, "Message", answer);
  }
  while (waiting.length > 0) {
    const answer = await sendFile(to, waiting[0], say);
    note(to, waiting.shift().name, answer);
    keepOnly(waiting);
  }
  return "Sent.";
}

async function sendText(to, plain) {
  const { key, encryptionKey } = await newMessageKey(to);
  const message = await sealText(key, to.token, plain);
  return understood(gateway.putText(to.token, encryptionKey, message));
}

async function sendFile(to, file, say) {
  const { key, encryptionKey } = await newMessageKey(to);
  progress.hidden = false;
  say(`Sealing ${shown(file.name)}…`);
  const name = await sealName(key, to.token, file.name);
  const body = await sealFile(key, to.token, file, (share) => {
    progress.value = share;
  });
  say(`Sending ${shown(file.name)}…`);
  return understood(
    gateway.putFile(to.token, encryptionKey, name, body, (share) => {
      progress.value = share;
    }),
  );
}

async function understood(answer) {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Refused && error.status === 403) {
      throw new Failure("Nothing can be left in this box any more.");
    }
    throw error;
  }
}

function note(to, name, answer) {
  // The person may be looking at another box by now.
  if (to !== box) return;
  const until = when(answer.expiresat);
  const item = document.createElement("li");
  item.textContent = `✓ ${shown(name)}${until && `, kept until ${until}`}`;
  sent.append(item);
}

/** The field keeps the files that are still to be sent. */
function keepOnly(waiting) {
  const transfer = new DataTransfer();
  for (const file of waiting) transfer.items.add(file);
  files.files = transfer.files;
}
