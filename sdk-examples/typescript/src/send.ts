// The whole loop of sending: find the devices, seal, post in batches, and again for whom the list of
// devices was old, until everything is decided.

import { base64url, type Bytes } from "./bytes.js";
import type { Directory } from "./directory.js";
import { SealError, seal, type WrapKeys } from "./envelope.js";
import { backoff, dataOf, sleep, type Gateway, type Schemas } from "./gateway.js";
import { KeyError, readPublicKey } from "./keys.js";
import { contactConversationId, sessionChecksum } from "./names.js";
import { verdict, type Outcome, type Stale } from "./outcome.js";

/** A message to all devices of one account. */
export interface Message {
  to: string;
  /** Such as `ENCRYPTED_TEXT`. */
  category: string;
  content: Bytes;
  /** Sending under the same id again delivers once. A random one unless given. */
  id?: string;
  /** The conversation with the recipient unless given. */
  conversationId?: string;
  quoteMessageId?: string;
}

/** Hears that a list was old: how many sessions it had, and how many there are. */
export type OnStale = (message: Message, before: number, after: number) => void;

/** What sending needs. */
export interface Sender {
  userId: string;
  gateway: Gateway;
  directory: Directory;
  wrapKeys: WrapKeys;
}

/** A message on its way. */
interface Job {
  /** Its place among the outcomes. */
  index: number;
  id: string;
  message: Message;
}

interface Sealed {
  job: Job;
  item: Schemas["OutgoingMessage"];
}

/** How often a message is sealed. */
const ROUNDS = 5;
const BATCH_LIMIT = 100;
/** Characters of base64 in a request; the rest of an item is small. A gateway takes 8 MiB. */
const BATCH_SIZE = 4 * 1024 * 1024;

/** Sends messages and gives back what became of each, in their order. Throws when no answer comes. */
export async function sendAll(sender: Sender, messages: Message[], onStale: OnStale): Promise<Outcome[]> {
  const outcomes: Outcome[] = messages.map(() => ({ kind: "still stale" }));
  let jobs = messages.map((message, index) => newJob(message, index));
  for (let round = 1; round <= ROUNDS && jobs.length > 0; round += 1) {
    // A list that was old once is sealed for again at once; one that stays old is given time.
    if (round > 2) await sleep(backoff(round));
    await sender.directory.load(jobs.map(({ message }) => message.to));
    const again: Job[] = [];
    for (let at = 0; at < jobs.length; at += BATCH_LIMIT) {
      for (const [job, result] of await sendBatch(sender, jobs.slice(at, at + BATCH_LIMIT))) {
        if (result.kind !== "stale") {
          outcomes[job.index] = result;
          continue;
        }
        learn(sender.directory, job, result, onStale);
        again.push(job);
      }
    }
    jobs = again;
  }
  return outcomes;
}

function newJob(message: Message, index: number): Job {
  return { index, id: message.id ?? crypto.randomUUID(), message };
}

function learn(directory: Directory, { message }: Job, { sessions }: Stale, onStale: OnStale): void {
  onStale(message, directory.listOf(message.to).length, sessions.length);
  directory.learn(message.to, sessions);
}

/** Takes every job one round further. */
async function sendBatch(sender: Sender, jobs: Job[]): Promise<[Job, Outcome | Stale][]> {
  const { directory } = sender;
  const [reachable, others] = [jobs.filter(hasDevices), jobs.filter((job) => !hasDevices(job))];
  const existing = await directory.existing(others.map(({ message }) => message.to));
  const settled: [Job, Outcome | Stale][] = others.map((job) => [
    job,
    { kind: existing.has(job.message.to) ? "deferred" : "gone" },
  ]);
  const sealed: Sealed[] = [];
  for (const result of await Promise.all(reachable.map((job) => sealJob(sender, job)))) {
    if ("item" in result) sealed.push(result);
    else settled.push([result.job, { kind: "unsealed", reason: result.reason }]);
  }
  for (const request of bySize(sealed)) settled.push(...(await post(sender.gateway, request)));
  return settled;

  function hasDevices({ message }: Job): boolean {
    return directory.listOf(message.to).length > 0;
  }
}

async function sealJob(sender: Sender, job: Job): Promise<Sealed | { job: Job; reason: string }> {
  const { message } = job;
  const sessions = sender.directory.listOf(message.to);
  try {
    const recipients = sessions.map(({ session_id: session, public_key: key }) => ({
      session,
      key: readPublicKey(key ?? ""),
    }));
    const envelope = await seal(message.content, sender.wrapKeys, recipients);
    return { job, item: itemOf(sender, job, envelope, recipients.map(({ session }) => session)) };
  } catch (error) {
    if (error instanceof KeyError || error instanceof SealError) return { job, reason: error.message };
    throw error;
  }
}

function itemOf(
  { userId }: Sender,
  { id, message }: Job,
  envelope: Bytes,
  sessions: string[],
): Schemas["OutgoingMessage"] {
  return {
    conversation_id: message.conversationId ?? contactConversationId(userId, message.to),
    recipient_id: message.to,
    message_id: id,
    category: message.category,
    data_base64: base64url(envelope),
    checksum: sessionChecksum(sessions),
    recipient_sessions: sessions.map((session_id) => ({ session_id })),
    ...(message.quoteMessageId && { quote_message_id: message.quoteMessageId }),
  };
}

/** Splits a batch where its body would grow beyond what a gateway takes; mostly not at all. */
function bySize(sealed: Sealed[]): Sealed[][] {
  const requests: Sealed[][] = [];
  let size = BATCH_SIZE;
  for (const one of sealed) {
    const length = one.item.data_base64?.length ?? 0;
    if (size + length > BATCH_SIZE) {
      requests.push([]);
      size = 0;
    }
    requests.at(-1)?.push(one);
    size += length;
  }
  return requests;
}

async function post(gateway: Gateway, request: Sealed[]): Promise<[Job, Outcome | Stale][]> {
  const body = request.map(({ item }) => item);
  const receipts = dataOf(await gateway.api.POST("/encrypted_messages", { body }));
  return request.map(({ job }, at) => {
    const receipt = receipts[at];
    // Receipts come in the order of the request; the id is looked at all the same.
    if (receipt?.message_id === job.id) return [job, verdict(receipt)];
    throw new Error(`the gateway's answer holds no receipt for message ${job.id}`);
  });
}
