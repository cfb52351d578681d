// Which devices people have, as far as this bot knows, and whose keys were ever on their lists.
//
// An old list is harmless: the gateway compares it with the truth and hands back the fresh one.

import { hex, same, type Bytes } from "./bytes.js";
import { dataOf, type Gateway, type Schemas } from "./gateway.js";
import { KeyError, readPublicKey } from "./keys.js";
import { RecentMap } from "./recent.js";

type SessionInfo = Schemas["SessionInfo"];

/** How many accounts one request may ask for. */
const FETCH_LIMIT = 500;
const ACCOUNTS = 100_000;

export class Directory {
  readonly #gateway: Gateway;
  readonly #lists = new RecentMap<string, SessionInfo[]>(ACCOUNTS);
  readonly #keys = new RecentMap<string, Bytes[]>(ACCOUNTS);

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  /** The sessions of an account, as they were last heard of. */
  listOf(user: string): SessionInfo[] {
    return this.#lists.get(user) ?? [];
  }

  /** Every key that was ever on a list of this account, ended sessions' too. */
  keysOf(user: string): Bytes[] {
    return this.#keys.get(user) ?? [];
  }

  /** Asks for the lists of those who are unknown. */
  async load(users: string[]): Promise<void> {
    const unknown = [...new Set(users)].filter((user) => !this.#lists.has(user));
    for (let at = 0; at < unknown.length; at += FETCH_LIMIT) {
      await this.fetch(unknown.slice(at, at + FETCH_LIMIT));
    }
  }

  /** Asks for lists afresh, for up to 500 accounts. Who has no session is not remembered. */
  async fetch(users: string[]): Promise<void> {
    const listed = dataOf(await this.#gateway.api.POST("/sessions/fetch", { body: users }));
    for (const user of users) {
      this.#lists.delete(user);
      const sessions = listed.filter(({ user_id }) => user_id === user);
      if (sessions.length > 0) this.learn(user, sessions);
    }
  }

  /** Remembers the list that somebody has now. */
  learn(user: string, sessions: SessionInfo[]): void {
    this.#lists.set(user, sessions);
    const known = this.keysOf(user);
    const fresh = sessions.flatMap(keyOf).filter((key) => !known.some((old) => same(old, key)));
    this.#keys.set(user, [...known, ...fresh]);
  }

  /** The keys that a message of this account may be sealed with, given the one that it is. */
  async sendersOf(user: string, key: Bytes): Promise<Bytes[]> {
    const name = hex(key);
    if (!this.keysOf(user).some((known) => hex(known) === name)) await this.fetch([user]);
    return this.keysOf(user);
  }

  /** Which of these accounts exist. */
  async existing(users: string[]): Promise<Set<string>> {
    if (users.length === 0) return new Set();
    const found = dataOf(await this.#gateway.api.POST("/users/fetch", { body: users }));
    return new Set(found.map(({ user_id }) => user_id));
  }
}

/** The key of a session, if it has one that can be read. */
function keyOf(session: SessionInfo): Bytes[] {
  try {
    return [readPublicKey(session.public_key ?? "")];
  } catch (error) {
    if (error instanceof KeyError) return [];
    throw error;
  }
}
