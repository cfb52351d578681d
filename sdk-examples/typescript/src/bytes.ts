// Bytes, and the texts that stand for them. Nothing here knows Node or a browser.

/** Bytes of their own, as WebCrypto takes them: never a view of shared memory. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** The text is not what it should be; it is never shown, since it may be a secret. */
export class FormError extends Error {}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** The UTF-8 bytes of a text. */
export function utf8(text: string): Bytes {
  return new TextEncoder().encode(text);
}

/** The text of UTF-8 bytes; throws where they are none. */
export function fromUtf8(bytes: Bytes): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
}

/** All parts, one after the other. */
export function concat(...parts: Bytes[]): Bytes {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** So many bytes from the system's secure source. */
export function random(length: number): Bytes {
  return crypto.getRandomValues(new Uint8Array(length));
}

/** Lower-case hexadecimal. */
export function hex(bytes: Bytes): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The bytes of hexadecimal digits of either case; throws `FormError` at anything else. */
export function fromHex(text: string): Bytes {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) throw new FormError("not hexadecimal");
  return Uint8Array.from(text.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
}

/** base64url without padding (RFC 4648, section 5). */
export function base64url(bytes: Bytes): string {
  let letters = "";
  // A call takes a limited number of arguments.
  for (let at = 0; at < bytes.length; at += 8192) {
    letters += String.fromCharCode(...bytes.subarray(at, at + 8192));
  }
  return btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The bytes of base64 in either alphabet, padded or not; throws `FormError` at anything else. */
export function fromBase64(text: string): Bytes {
  const isPadded = text.endsWith("=");
  if (isPadded && text.length % 4 !== 0) throw new FormError("not base64");
  const plain = text.replace(/={1,2}$/, "");
  const isStandard = /^[A-Za-z0-9+/]*$/.test(plain);
  return fromBase64url(isStandard ? plain.replaceAll("+", "-").replaceAll("/", "_") : plain);
}

/** The bytes of base64url without padding, in its one right spelling; throws at anything else. */
export function fromBase64url(text: string): Bytes {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) throw new FormError("not base64url");
  const letters = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
  if (base64url(bytes) !== text) throw new FormError("not base64url");
  return bytes;
}

/** An id as it is written: a UUID in lower case. Reads either case; throws `FormError` at anything else. */
export function parseId(text: string): string {
  const id = text.toLowerCase();
  if (!UUID.test(id)) throw new FormError("not an id: 36 characters, as UUIDs have them");
  return id;
}

/** The 16 bytes of a UUID. */
export function uuidBytes(text: string): Bytes {
  return fromHex(parseId(text).replaceAll("-", ""));
}

/** The text of a UUID's 16 bytes. */
export function uuidText(bytes: Bytes): string {
  return hex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Whether both are the same, in a time that depends on their lengths alone. */
export function same(one: Bytes, other: Bytes): boolean {
  if (one.length !== other.length) return false;
  let difference = 0;
  for (const [at, byte] of one.entries()) difference |= byte ^ (other[at] ?? 0);
  return difference === 0;
}
