// A bot: its keys, and what it can do with them.

import { utf8 } from "./bytes.js";
import { Directory } from "./directory.js";
import { WrapKeys } from "./envelope.js";
import { Gateway } from "./gateway.js";
import { AgreementPair, SigningKey } from "./keys.js";
import { KeystoreError, readKeystore } from "./keystore.js";
import type { Outcome } from "./outcome.js";
import { receive, type Listener } from "./receive.js";
import { sendAll, type Message, type OnStale } from "./send.js";

export class Bot {
  readonly userId: string;
  readonly sessionId: string;
  readonly gateway: Gateway;
  readonly directory: Directory;
  readonly wrapKeys: WrapKeys;

  private constructor(userId: string, sessionId: string, gateway: Gateway, pair: AgreementPair) {
    this.userId = userId;
    this.sessionId = sessionId;
    this.gateway = gateway;
    this.directory = new Directory(gateway);
    this.wrapKeys = new WrapKeys(pair);
  }

  /** The bot of a keystore's text, at the gateway at `url`, or else where the keystore says. */
  static async fromKeystore(text: string, url?: string): Promise<Bot> {
    const { userId, sessionId, seed, baseUrl } = await readKeystore(text);
    const address = url || baseUrl;
    if (!address) throw new KeystoreError("the keystore does not say where the gateway is");
    const signing = await SigningKey.fromSeed(seed);
    const pair = await AgreementPair.fromSeed(seed);
    seed.fill(0);
    return new Bot(userId, sessionId, new Gateway({ userId, sessionId, signing }, address), pair);
  }

  /** Sends messages; one outcome for each, in their order. */
  sendAll(messages: Message[], onStale: OnStale = () => {}): Promise<Outcome[]> {
    return sendAll(this, messages, onStale);
  }

  /** Listens for messages until `signal` ends it. */
  receive(listener: Listener, signal: AbortSignal): Promise<void> {
    return receive(this, listener, signal);
  }
}

/** A text to all devices of somebody. */
export function textTo(user: string, text: string): Message {
  return { to: user, category: "ENCRYPTED_TEXT", content: utf8(text) };
}
