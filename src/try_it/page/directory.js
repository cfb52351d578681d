// Which devices people have, as far as this window knows, and whose keys were ever on their lists.
//
// An old list does no harm: the gateway compares it with the truth and hands the fresh one back.

import { fromBase64, hex } from "./bytes.js";

export class Directory {
  #gateway;
  /** By account: the sessions that it had when it was last heard of. */
  #lists = new Map();
  /** By account: the keys of all sessions that it ever had, in hexadecimal. */
  #keys = new Map();

  constructor(gateway) {
    this.#gateway = gateway;
  }

  /** The sessions of an account as they are remembered, if they are. */
  known(user) {
    return this.#lists.get(user);
  }

  /** Asks for the sessions of an account afresh. */
  async fetch(person, user) {
    const sessions = await this.#gateway.ask(person, "POST", "/sessions/fetch", [user]);
    this.learn(user, sessions);
    return sessions;
  }

  /** Remembers the sessions that an account has now. */
  learn(user, sessions) {
    this.#lists.set(user, sessions);
    const keys = this.#keys.get(user) ?? new Set();
    for (const session of sessions) keys.add(hex(fromBase64(session.public_key)));
    this.#keys.set(user, keys);
  }

  /** Whether a key was ever on the list of an account, as far as this window knows. */
  hasKey(user, key) {
    return this.#keys.get(user)?.has(hex(key)) ?? false;
  }
}
