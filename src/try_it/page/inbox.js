// Receiving: ask what waits, open it, and say that it was taken care of, after which the gateway
// deletes it.

import { fromBase64, fromUtf8 } from "./bytes.js";
import { open, senderKeyOf, Unreadable } from "./envelope.js";
import { Refused } from "./failure.js";
import { short } from "./ids.js";

/** Seconds that the gateway waits for messages before it answers that there are none. */
const WAIT = 25;
/** Milliseconds after which an answer will not come any more. */
const PATIENCE = 40_000;
/** Milliseconds to wait after the nth failure in a row, at most so many. */
const LONGEST_PAUSE = 10_000;
/** How many messages are remembered: one may come again. */
const REMEMBERED = 1000;

/** One person's inbox, for as long as the window is open. */
export class Inbox {
  #gateway;
  #directory;
  #hear;
  #stop = new AbortController();
  #handled = new Set();

  /**
   * `hear` has `message`, for what was opened; `step`, told of what happens to which message;
   * `ended`, when the gateway does not know the device any more; and `trouble`.
   */
  constructor(gateway, directory, hear) {
    this.#gateway = gateway;
    this.#directory = directory;
    this.#hear = hear;
  }

  /** Reads for a person from now on, and for nobody else any more. */
  readFor(person) {
    this.close();
    this.#stop = new AbortController();
    void this.#read(person, this.#stop.signal);
  }

  /** Reads for nobody any more. */
  close() {
    this.#stop.abort();
  }

  async #read(person, closed) {
    for (let failures = 0; !closed.aborted; ) {
      try {
        const messages = await this.#poll(person, closed);
        const ids = [];
        for (const message of messages) ids.push(await this.#take(person, message));
        if (ids.length > 0) await this.#acknowledge(person, ids);
        failures = 0;
      } catch (error) {
        if (closed.aborted) return;
        if (error instanceof Refused && error.status === 401) return this.#hear.ended();
        failures += 1;
        if (failures > 1) this.#hear.trouble(error);
        await pause(Math.min(LONGEST_PAUSE, 250 * 2 ** failures));
      }
    }
  }

  async #poll(person, closed) {
    const poll = new AbortController();
    const stop = () => poll.abort();
    closed.addEventListener("abort", stop);
    const timer = setTimeout(stop, PATIENCE);
    try {
      const isShown = (answer) => answer.error !== undefined || answer.data?.length > 0;
      const options = { signal: poll.signal, isShown };
      return await this.#gateway.ask(person, "GET", `/inbox?wait=${WAIT}`, undefined, options);
    } finally {
      clearTimeout(timer);
      closed.removeEventListener("abort", stop);
    }
  }

  /** Takes care of a message and gives back its id. */
  async #take(person, message) {
    const { message_id: id, category } = message;
    if (this.#handled.has(id)) return id;
    const tell = (step) => this.#hear.step(id, step);
    if (category === "ENCRYPTED_TEXT") await this.#open(person, message, tell);
    else if (category.startsWith("SYSTEM_")) tell(noteOf(message));
    else tell(this.#otherKind(message));
    this.#handled.add(id);
    if (this.#handled.size > REMEMBERED) this.#handled.delete(this.#handled.values().next().value);
    return id;
  }

  /** What others may send as well, and what this page has no use for. Its content is anybody's. */
  #otherKind({ category, user_id: from }) {
    const title = `A message of another kind came from ${this.#hear.nameOf(from)}`;
    return { kind: "came", title, facts: [["Category", category]] };
  }

  async #open(person, message, tell) {
    const { message_id: id, user_id: from } = message;
    const envelope = fromBase64(message.data_base64);
    const title = `A sealed message came from ${this.#hear.nameOf(from)}`;
    const size = ["Envelope", `${envelope.length} bytes, with one slot: this device's`];
    tell({ kind: "came", title, facts: [size] });
    try {
      const isProved = await this.#proves(person, from, senderKeyOf(envelope), tell);
      const text = fromUtf8(await open(envelope, person.sessionId, person.keys));
      tell({ kind: "opened", title: "Opened with this device's key", facts: [] });
      this.#hear.message({ id, from, text, isProved });
    } catch (error) {
      // It is no better when it comes again, unless the gateway could not be asked.
      if (!(error instanceof Unreadable || error instanceof TypeError)) throw error;
      tell({ kind: "refused", title: `It cannot be read: ${error.message}`, facts: [] });
    }
  }

  /** Whether the key that sealed a message is one that was listed for the account it is from. */
  async #proves(person, from, key, tell) {
    if (this.#directory.hasKey(from, key)) return true;
    await this.#directory.fetch(person, from);
    const isListed = this.#directory.hasKey(from, key);
    const title = isListed
      ? "The key that sealed it was new here: it is on the sender's list"
      : "The key that sealed it is on no list: perhaps the sender signed in again since";
    tell({ kind: isListed ? "looked-up" : "refused", title, facts: [] });
    return isListed;
  }

  async #acknowledge(person, ids) {
    const body = ids.map((id) => ({ message_id: id, status: "READ" }));
    await this.#gateway.ask(person, "POST", "/acknowledgements", body);
    const title = "Acknowledged: the gateway deletes this device's copy";
    for (const id of ids) {
      this.#hear.step(id, { kind: "stored", title, facts: [["Message", short(id)]] });
    }
  }
}

/** What the gateway itself says, unsealed: nobody else may send what begins with `SYSTEM_`. */
function noteOf({ category, data_base64: data }) {
  const text = fromUtf8(fromBase64(data));
  return { kind: "came", title: `A note of the gateway, ${category}`, facts: [["It says", text]] };
}

function pause(milliseconds) {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
