// The key of a device: one seed of 32 bytes makes an Ed25519 pair that signs and its X25519 form
// that agrees. The seed is made here and stays in this window.

import { base64url, concat, fromBase64, hex, random } from "./bytes.js";
import { Unsupported } from "./failure.js";

const SEED_BYTES = 32;
const ED25519 = pkcs8(0x70);
const X25519 = pkcs8(0x6e);
/** The point that every X25519 public key is a multiple of (RFC 7748, section 4.1). */
const BASE_POINT = Uint8Array.of(9, ...new Uint8Array(31));

/** Throws where the browser lacks what this page needs. */
export async function requireBrowser() {
  if (!globalThis.isSecureContext) {
    throw new Unsupported(
      "Browsers offer cryptography only at addresses that begin with https, and on this very " +
        "machine (http://127.0.0.1), so this page cannot work here.",
    );
  }
  try {
    await Keys.fresh();
  } catch {
    throw new Unsupported(
      "This browser does not know Ed25519 and X25519 yet. Use a newer one: Chrome or Edge 137, " +
        "Firefox 130, Safari 17, or later.",
    );
  }
}

/** The pairs of one device. */
export class Keys {
  /** The seed as text, which is all that has to be remembered. */
  seed;
  /** The public key that the gateway verifies signatures with, 32 bytes. */
  verifyingKey;
  /** The public key that senders seal for, 32 bytes. */
  agreementKey;
  #signing;
  #agreement;
  /** What was agreed with whom, by their public key in hexadecimal. */
  #agreed = new Map();

  /** A device's key that nobody has used. */
  static fresh() {
    return Keys.from(base64url(random(SEED_BYTES)));
  }

  /** The key with this seed. */
  static async from(text) {
    const keys = new Keys();
    keys.seed = text;
    const seed = fromBase64(text);
    if (seed.length !== SEED_BYTES) throw new TypeError("a seed has 32 bytes");
    const { subtle } = crypto;
    const ed25519 = concat(ED25519, seed);
    keys.#signing = await subtle.importKey("pkcs8", ed25519, "Ed25519", true, ["sign"]);
    keys.verifyingKey = fromBase64((await subtle.exportKey("jwk", keys.#signing)).x);
    const digest = new Uint8Array(await subtle.digest("SHA-512", seed));
    const x25519 = concat(X25519, digest.subarray(0, SEED_BYTES));
    keys.#agreement = await subtle.importKey("pkcs8", x25519, "X25519", false, ["deriveBits"]);
    keys.agreementKey = await keys.#multiply(BASE_POINT);
    return keys;
  }

  /** The 64 bytes of the signature of a message. */
  async sign(message) {
    return new Uint8Array(await crypto.subtle.sign("Ed25519", this.#signing, message));
  }

  /** The AES-CBC key that this device and another one wrap message keys with. */
  async sharedWith(publicKey) {
    const name = hex(publicKey);
    const known = this.#agreed.get(name);
    if (known) return known;
    const secret = await this.#multiply(publicKey);
    if (secret.every((byte) => byte === 0)) throw new TypeError("a key of small order");
    const uses = ["encrypt", "decrypt"];
    const key = await crypto.subtle.importKey("raw", secret, "AES-CBC", false, uses);
    this.#agreed.set(name, key);
    return key;
  }

  async #multiply(point) {
    const theirs = await crypto.subtle.importKey("raw", point, "X25519", false, []);
    const algorithm = { name: "X25519", public: theirs };
    return new Uint8Array(await crypto.subtle.deriveBits(algorithm, this.#agreement, 256));
  }
}

/** What stands before the 32 bytes of a private key in its DER (RFC 8410). */
function pkcs8(curve) {
  return Uint8Array.of(0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, curve, 4, 0x22, 4, 0x20);
}
