// Bytes, and the texts that stand for them.

/** The UTF-8 bytes of a text. */
export function utf8(text) {
  return new TextEncoder().encode(text);
}

/** The text of UTF-8 bytes, whole; throws where they are not UTF-8. */
export function fromUtf8(bytes) {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
}

/** All parts, one after the other. */
export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** So many bytes from the browser's secure source. */
export function random(count) {
  return crypto.getRandomValues(new Uint8Array(count));
}

/** base64url without padding (RFC 4648, section 5). */
export function base64url(bytes) {
  let text = "";
  // A call takes a limited number of arguments.
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The bytes of base64 in either alphabet, padded or not; throws at anything else. */
export function fromBase64(text) {
  const letters = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
}

/** Lower-case hexadecimal. */
export function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

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
