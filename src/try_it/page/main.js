// The page at /try: from the door to the end of the window.

import { Directory } from "./directory.js";
import { element } from "./dom.js";
import { explain, Refused } from "./failure.js";
import { Gateway, look } from "./gateway.js";
import { short } from "./ids.js";
import { Inbox } from "./inbox.js";
import { requireBrowser } from "./keys.js";
import { send } from "./outbox.js";
import { enter, forget, isMine, leave, remember, remembered, signInAgain } from "./person.js";
import { shown } from "./shown.js";
import * as chat from "./view-chat.js";
import { show } from "./view-gateway.js";
import { tell } from "./view-story.js";

/** Milliseconds between two looks at who is here, where somebody sees it and where nobody does. */
const LOOK = 2000;
const LOOK_UNSEEN = 15_000;

/** One of them stands in the field for the name. */
const NAMES = ["Ada", "Ben", "Cleo", "Dora", "Emil", "Fay", "Gus", "Hana", "Ines", "Jon", "Kira"];

/** What this page knows of its gateway: `{ api, server_public_key, echo }`. */
let about;
let gateway;
let directory;
let inbox;
/** Who sits here, once somebody does. */
let me;
/** What is sent goes one after the other, so that it comes in order. */
let sending = Promise.resolve();

async function begin() {
  try {
    await requireBrowser();
    about = await look("/try/gateway");
  } catch (error) {
    fail(error);
    return;
  }
  gateway = new Gateway(about.api, show);
  directory = new Directory(gateway);
  inbox = new Inbox(gateway, directory, {
    nameOf: chat.nameOf,
    message: chat.showOther,
    step: (id, step) => tell(step, id),
    ended,
    trouble,
  });
  chat.prepare((to, text) => {
    const message = { id: crypto.randomUUID(), to, toName: chat.nameOf(to), text };
    const say = chat.showOwn(to, message.id, text);
    sending = sending.then(() => sendOne(message, say));
  });
  element("again").addEventListener("click", () => busy(element("again"), again));
  element("leave").addEventListener("click", () => busy(element("leave"), goAway));
  element("enter-form").addEventListener("submit", (event) => {
    event.preventDefault();
    void busy(element("enter-button"), comeIn);
  });
  const before = await remembered(about.server_public_key);
  if (before === undefined) showDoor();
  else await settleIn(before);
  document.documentElement.dataset.ready = "yes";
}

function showDoor() {
  element("guest-name").value = NAMES[Math.floor(Math.random() * NAMES.length)];
  element("door").hidden = false;
}

async function comeIn() {
  const person = await enter(gateway, about.server_public_key, element("guest-name").value);
  await isMine(person.userId);
  await settleIn(person);
  tell({
    kind: "signed-in",
    title: `You came in as ${shown(person.name)}; your key was made in this window`,
    facts: [["Device", short(person.sessionId)]],
  });
  element("text").focus();
}

async function settleIn(person) {
  be(person);
  element("door").hidden = true;
  element("me").hidden = false;
  element("panels").hidden = false;
  inbox.readFor(person);
  await lookAround();
  void keepLooking();
}

/** From now on, this is who sits here. */
function be(person) {
  me = person;
  remember(person);
  element("me-name").textContent = shown(person.name);
  element("me-session").textContent = short(person.sessionId);
}

async function sendOne(message, say) {
  say("sealing…", "sealing");
  const hear = (step) => {
    if (step.kind === "refused") say("refused, the list was stale: sealing again…", "again");
    tell(step, message.id);
  };
  try {
    const count = await send({ gateway, directory, person: () => me }, message, hear);
    say(chat.storedFor(count), "stored");
  } catch (error) {
    say(explain(error), "failed");
    tell({ kind: "trouble", title: explain(error), facts: [] }, message.id);
  }
}

async function again() {
  await sending;
  // The old device's reader would be told that it is signed out.
  inbox.close();
  const old = me;
  try {
    be(await signInAgain(gateway, old));
  } finally {
    inbox.readFor(me);
  }
  tell({
    kind: "signed-in",
    title: "You signed in again on this device, with a new key",
    facts: [
      ["Signed out", short(old.sessionId)],
      ["Signed in", short(me.sessionId)],
      ["So", "whoever remembers your list meets a stale one with the next message to you"],
    ],
  });
}

async function goAway() {
  inbox.close();
  try {
    await leave(gateway, me);
  } finally {
    forget();
    location.reload();
  }
}

/** The gateway knows this device no more. */
function ended() {
  forget();
  inbox.close();
  element("again").disabled = true;
  element("leave").disabled = true;
  element("compose-fields").disabled = true;
  element("over").hidden = false;
}

async function keepLooking() {
  for (;;) {
    const pause = document.visibilityState === "visible" ? LOOK : LOOK_UNSEEN;
    await new Promise((resolve) => {
      setTimeout(resolve, pause);
    });
    await lookAround();
  }
}

async function lookAround() {
  try {
    const { guests } = await look("/try/guests");
    const others = guests.filter((guest) => guest.user_id !== me.userId);
    chat.showPeople([about.echo, ...others]);
    element("trouble").textContent = "";
  } catch (error) {
    trouble(error);
  }
}

function trouble(error) {
  element("trouble").textContent = explain(error);
}

/** Runs what a button does, which cannot be pressed meanwhile. */
async function busy(button, work) {
  button.disabled = true;
  element("trouble").textContent = "";
  try {
    await work();
  } catch (error) {
    trouble(error);
    if (error instanceof Refused && error.status === 401 && me) ended();
  } finally {
    // Nothing can be done once the device is signed out.
    button.disabled = !element("over").hidden;
  }
}

function fail(error) {
  element("unsupported").textContent = explain(error);
  element("unsupported").hidden = false;
}

await begin();
