// What everybody has to compute alike: the checksum of a set of sessions, the id of a conversation.

import { hex } from "./bytes.js";
import { uuidText } from "./ids.js";
import { md5 } from "./md5.js";

/**
 * Which devices a message covers, in 32 characters: MD5 over the ids of their sessions, each once,
 * in ascending order, one behind the other. Nobody at all is the empty text.
 */
export function checksum(sessions) {
  const ids = [...new Set(sessions)].sort();
  return ids.length === 0 ? "" : hex(md5(ids.join("")));
}

/**
 * The id of the conversation of two accounts, whoever of them asks: MD5 over both ids, the smaller
 * one first, as a UUID of version 3.
 */
export function conversationId(one, other) {
  const digest = md5([one, other].sort().join(""));
  digest[6] = (digest[6] & 0x0f) | 0x30;
  digest[8] = (digest[8] & 0x3f) | 0x80;
  return uuidText(digest);
}
