// Receiving by long polls: each message is opened, its sender proved, handled, and acknowledged.

import { fromBase64, fromUtf8, type Bytes } from "./bytes.js";
import type { Directory } from "./directory.js";
import { open, parse, type WrapKeys } from "./envelope.js";
import { Refused, Unreachable, backoff, dataOf, sleep, type Gateway, type Schemas } from "./gateway.js";
import { RecentMap } from "./recent.js";

/** A message whose sender is proved: its key is one that was listed for the account. */
export interface Incoming {
  messageId: string;
  conversationId: string;
  /** The account that sealed it. */
  sender: string;
  category: string;
  content: Bytes;
}

/** What receiving needs. */
export interface Receiver {
  sessionId: string;
  gateway: Gateway;
  directory: Directory;
  wrapKeys: WrapKeys;
}

/** What to do meanwhile. */
export interface Listener {
  /** Takes care of a message. If it throws, the message is not acknowledged and comes again. */
  handle(message: Incoming): Promise<void>;
  /** Hears once that messages are listened for. */
  ready(): void;
  /** Hears of what cannot be read, and of failures. */
  trouble(what: string, error: unknown): void;
}

/** Seconds that a poll waits for messages. */
const WAIT = 30;
const HANDLED = 20_000;

/** Listens until `signal` ends it, or the gateway refuses the session. */
export async function receive(receiver: Receiver, listener: Listener, signal: AbortSignal): Promise<void> {
  // Since messages come again: what was handled is only acknowledged.
  const handled = new RecentMap<string, true>(HANDLED);
  let wait = 0;
  for (let failures = 0; !signal.aborted; ) {
    try {
      const messages = await poll(receiver.gateway, wait, signal);
      if (wait === 0) listener.ready();
      wait = WAIT;
      await acknowledge(receiver.gateway, await handleAll(receiver, listener, handled, messages));
      failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refused && error.status === 401) throw error;
      listener.trouble("receiving", error);
      failures += 1;
      await sleep(backoff(failures));
    }
  }
}

async function poll(
  gateway: Gateway,
  wait: number,
  signal: AbortSignal,
): Promise<Schemas["InboxMessage"][]> {
  const params = { query: { wait, limit: 100 } };
  return dataOf(await gateway.api.GET("/inbox", { params, signal }));
}

/** Handles messages in their order and gives back the ids of those that are taken care of. */
async function handleAll(
  receiver: Receiver,
  listener: Listener,
  handled: RecentMap<string, true>,
  messages: Schemas["InboxMessage"][],
): Promise<string[]> {
  const done: string[] = [];
  for (const message of messages) {
    const id = message.message_id;
    if (handled.has(id) || (await handleOne(receiver, listener, message))) {
      handled.set(id, true);
      done.push(id);
    }
  }
  return done;
}

/** Whether the message is taken care of. */
async function handleOne(
  receiver: Receiver,
  listener: Listener,
  message: Schemas["InboxMessage"],
): Promise<boolean> {
  // Nothing that the gateway could have written is taken for somebody's word.
  if (!message.category.startsWith("ENCRYPTED_")) return true;
  let incoming: Incoming;
  try {
    incoming = await openMessage(receiver, message);
  } catch (error) {
    listener.trouble(`message ${message.message_id}`, error);
    // It is no better when it comes again, unless it was the gateway that could not be asked.
    return !(error instanceof Refused || error instanceof Unreachable);
  }
  try {
    await listener.handle(incoming);
    return true;
  } catch (error) {
    listener.trouble(`message ${message.message_id}`, error);
    return false;
  }
}

async function openMessage(receiver: Receiver, message: Schemas["InboxMessage"]): Promise<Incoming> {
  const { sessionId, directory, wrapKeys } = receiver;
  const envelope = fromBase64(message.data_base64 || message.data || "");
  const sender = message.user_id ?? "";
  const senders = await directory.sendersOf(sender, parse(envelope).senderKey);
  return {
    messageId: message.message_id,
    conversationId: message.conversation_id ?? "",
    sender,
    category: message.category,
    content: await open(envelope, sessionId, wrapKeys, senders),
  };
}

async function acknowledge(gateway: Gateway, ids: string[]): Promise<void> {
  if (ids.length === 0) return;
  const body = ids.map((message_id) => ({ message_id, status: "READ" }) as const);
  dataOf(await gateway.api.POST("/acknowledgements", { body }));
}

/** The text of a message, if it is one. */
export function textOf(message: Incoming): string | undefined {
  if (message.category !== "ENCRYPTED_TEXT") return undefined;
  try {
    return fromUtf8(message.content);
  } catch {
    return undefined;
  }
}
