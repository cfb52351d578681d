// What became of a message, read from its receipt.

import type { Schemas } from "./gateway.js";

/** What was decided about a message. */
export type Outcome =
  /** The gateway has it, by this try or an earlier one. */
  | { kind: "delivered" }
  /** The account does not exist any more: stop sending. */
  | { kind: "gone" }
  /** Not now: nobody signed in, or a full inbox. Send it again later under the same id. */
  | { kind: "deferred"; retryAfter?: number }
  /** Never as it is. */
  | { kind: "rejected"; reason: string }
  /** Devices changed faster than the message could be sealed again. Later is right. */
  | { kind: "still stale" }
  /** A device has a key that nothing can be sealed to, and nobody is left out silently. */
  | { kind: "unsealed"; reason: string };

/** A list of devices that was old, and the fresh one. */
export interface Stale {
  kind: "stale";
  sessions: Schemas["SessionInfo"][];
}

/** What a receipt says, of our gateway or of one that knows the published members alone. */
export function verdict(receipt: Schemas["Receipt"]): Outcome | Stale {
  const { state, outcome, sessions = [], error, retry_after: retryAfter } = receipt;
  if (state === "SUCCESS") return { kind: "delivered" };
  if (outcome === "recipient_gone") return { kind: "gone" };
  if (outcome === "deferred") return { kind: "deferred", ...(retryAfter && { retryAfter }) };
  if (outcome === "stale_sessions" && sessions.length === 0) return { kind: "deferred" };
  if (outcome === "stale_sessions") return { kind: "stale", sessions };
  // An earlier run lost the answer, and its envelope with it. It was delivered, once.
  if (error?.extra?.reason === "message_id_used") return { kind: "delivered" };
  if (outcome || error) {
    // "Gone" makes bots stop for ever, so a word that is not known is never read as that.
    return { kind: "rejected", reason: error?.description ?? "the gateway gave no reason" };
  }
  return sessions.length > 0 ? { kind: "stale", sessions } : { kind: "gone" };
}

/** An outcome in one line. */
export function inWords(outcome: Outcome): string {
  return "reason" in outcome ? `${outcome.kind}: ${outcome.reason}` : outcome.kind;
}
