// What is read from links and answers: base64url in its one right spelling.

import { base64url, fromBase64 } from "./bytes.js";

const ALPHABET = /^[A-Za-z0-9_-]*$/;

/** The bytes of base64url without padding, in its one right spelling; throws at anything else. */
export function fromBase64url(text) {
  if (typeof text !== "string" || !ALPHABET.test(text)) throw new TypeError("not base64url");
  const bytes = fromBase64(text);
  if (base64url(bytes) !== text) throw new TypeError("not base64url");
  return bytes;
}
