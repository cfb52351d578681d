// What everybody must compute alike: the checksum of a set of sessions, and ids of conversations.

import { FormError, hex, uuidText } from "./bytes.js";
import { md5 } from "./md5.js";

/**
 * Which sessions a message covers, in short: MD5 over their ids as lower-case text, each once,
 * sorted, joined with nothing. The empty set has the empty text.
 */
export function sessionChecksum(sessions: Iterable<string>): string {
  const ids = [...new Set(sessions)].sort();
  return ids.length === 0 ? "" : hex(md5(ids.join("")));
}

/** Gives back a checksum from the wire; throws `FormError` when it is none. */
export function requireChecksum(text: string): string {
  if (!/^([0-9a-f]{32})?$/.test(text)) throw new FormError("not a checksum");
  return text;
}

/** The id of the conversation of two accounts; their order does not matter. */
export function contactConversationId(one: string, other: string): string {
  return combine(one, other);
}

/** The id of a group that is made with `randomId`; the owner is not among the participants. */
export function groupConversationId(
  owner: string,
  name: string,
  randomId: string,
  participants: string[],
): string {
  const salted = combine(combine(owner, name), randomId);
  return participants.toSorted().reduce(combine, salted);
}

/** MD5 of both texts, the smaller one first, with the bits of a version 3 UUID. */
export function combine(one: string, other: string): string {
  const digest = md5(isFirst(one, other) ? one + other : other + one);
  digest[6] = ((digest[6] ?? 0) & 0x0f) | 0x30;
  digest[8] = ((digest[8] ?? 0) & 0x3f) | 0x80;
  return uuidText(digest);
}

/** Whether `one` comes first by the bytes of its UTF-8; the language's own `<` goes by UTF-16. */
function isFirst(one: string, other: string): boolean {
  const [letters, others] = [[...one], [...other]];
  const at = letters.findIndex((letter, index) => letter !== others[index]);
  if (at === -1) return true;
  return (letters[at]?.codePointAt(0) ?? 0) <= (others[at]?.codePointAt(0) ?? -1);
}
