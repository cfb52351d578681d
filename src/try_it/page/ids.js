// Ids as bytes and as texts.

import { hex } from "./bytes.js";

/** The 16 bytes of a UUID; throws where it is none. */
export function uuidBytes(text) {
  const digits = text.replaceAll("-", "");
  if (!/^[0-9a-f]{32}$/i.test(digits)) throw new TypeError("not a UUID");
  return Uint8Array.from(digits.match(/../g), (pair) => Number.parseInt(pair, 16));
}

/** The UUID of 16 bytes. */
export function uuidText(bytes) {
  return hex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** The first digits of an id, enough to tell the few of this page apart. */
export function short(id) {
  return id.slice(0, 8);
}
