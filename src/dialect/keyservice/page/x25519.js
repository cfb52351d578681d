// X25519 (RFC 7748) by WebCrypto: public keys as 32 raw bytes, as SPKI and PKCS#8 on the wire.

import { base64url, concat } from "./bytes.js";
import { Unsupported, Untrue } from "./failure.js";

const ALGORITHM = { name: "X25519" };
const KEY_BYTES = 32;
/** What stands before the key in its DER (RFC 8410). */
const SPKI = Uint8Array.of(0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x6e, 3, 0x21, 0);
const PKCS8 = Uint8Array.of(0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x6e, 4, 0x22, 4, 0x20);

/** Throws where the browser lacks what this page needs. */
export async function requireBrowser() {
  if (!globalThis.isSecureContext) {
    throw new Unsupported(
      "Browsers offer cryptography only at addresses that begin with https, so this page cannot work here.",
    );
  }
  try {
    await generate();
  } catch {
    throw new Unsupported(
      "This browser does not know X25519 yet. Use a newer one: Chrome or Edge 133, Firefox 130, " +
        "Safari 17, or later.",
    );
  }
}

/** A fresh pair: `{ private: CryptoKey, public: Uint8Array }`. */
export async function generate() {
  const pair = await crypto.subtle.generateKey(ALGORITHM, true, ["deriveBits"]);
  const raw = await crypto.subtle.exportKey("raw", pair.publicKey);
  return { private: pair.privateKey, public: new Uint8Array(raw) };
}

/** The DER of a public key, 44 bytes. */
export function toSpki(raw) {
  return concat(SPKI, raw);
}

/** The raw key in such DER. */
export function fromSpki(der) {
  if (der.length !== SPKI.length + KEY_BYTES || !startsWith(der, SPKI)) {
    throw new Untrue("The gateway gave a public key that is none.");
  }
  return der.subarray(SPKI.length);
}

/** The DER of a private key, 48 bytes. */
export async function toPkcs8(key) {
  return new Uint8Array(await crypto.subtle.exportKey("pkcs8", key));
}

/**
 * A private key from its DER; it never leaves the browser's keeping again. Throws unless `raw` is
 * its public key.
 */
export async function fromPkcs8(der, raw) {
  if (der.length !== PKCS8.length + KEY_BYTES || !startsWith(der, PKCS8)) {
    throw new Untrue("This box's private key is none.");
  }
  const load = (isOpen) =>
    crypto.subtle.importKey("pkcs8", der, ALGORITHM, isOpen, ["deriveBits"]);
  const { x } = await crypto.subtle.exportKey("jwk", await load(true));
  if (x !== base64url(raw)) throw new Untrue("This box's private key belongs to another box.");
  return load(false);
}

/** The shared secret of a private key and somebody's public one; never all zeros. */
export async function agree(privateKey, raw) {
  const refusal = new Untrue("This was sealed with a key that is not safe.");
  const other = await crypto.subtle.importKey("raw", raw, ALGORITHM, false, []);
  let shared;
  try {
    const bits = await crypto.subtle.deriveBits({ ...ALGORITHM, public: other }, privateKey, 256);
    shared = new Uint8Array(bits);
  } catch {
    // Browsers refuse a public key of small order themselves.
    throw refusal;
  }
  if (shared.every((byte) => byte === 0)) throw refusal;
  return shared;
}

/** Whether `bytes` begin with `prefix`; for what is public. */
function startsWith(bytes, prefix) {
  return bytes.length >= prefix.length && prefix.every((byte, at) => byte === bytes[at]);
}
