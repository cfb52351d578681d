// Key pairs by WebCrypto: Ed25519 (RFC 8032) for signatures, its X25519 form (RFC 7748) for agreement.
//
// One seed makes both. Once loaded, no key leaves WebCrypto's keeping again.

import { concat, fromBase64, fromBase64url, type Bytes } from "./bytes.js";

/** Bytes of a public key, a seed, and what two pairs agree on. */
export const KEY_BYTES = 32;

/** A key that would let anybody agree on the same secret, or is none. */
export class KeyError extends Error {}

/** PKCS#8 of 32 secret bytes (RFC 8410), all that stands in front of them. */
const PKCS8_ED25519 = pkcs8Prefix(0x70);
const PKCS8_X25519 = pkcs8Prefix(0x6e);

/** The point that every X25519 public key is a multiple of. */
const BASE_POINT = Uint8Array.of(9, ...new Uint8Array(KEY_BYTES - 1));

/** Signs as the session whose seed it was made of. */
export class SigningKey {
  readonly #key: CryptoKey;

  private constructor(key: CryptoKey) {
    this.#key = key;
  }

  /** Makes the key that belongs to a seed of 32 bytes. */
  static async fromSeed(seed: Bytes): Promise<SigningKey> {
    const der = concat(PKCS8_ED25519, exactly(seed));
    const key = await crypto.subtle.importKey("pkcs8", der, "Ed25519", false, ["sign"]);
    der.fill(0);
    return new SigningKey(key);
  }

  /** The 64 bytes of the signature of a message. */
  async sign(message: Bytes): Promise<Bytes> {
    return new Uint8Array(await crypto.subtle.sign("Ed25519", this.#key, message));
  }
}

/** Agrees with other pairs on a secret. */
export class AgreementPair {
  readonly publicKey: Bytes;
  readonly #key: CryptoKey;

  private constructor(key: CryptoKey, publicKey: Bytes) {
    this.#key = key;
    this.publicKey = publicKey;
  }

  /** Makes the X25519 form of a signing key: the first half of SHA-512 of its seed. */
  static async fromSeed(seed: Bytes): Promise<AgreementPair> {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-512", exactly(seed)));
    const der = concat(PKCS8_X25519, digest.subarray(0, KEY_BYTES));
    const key = await crypto.subtle.importKey("pkcs8", der, "X25519", false, ["deriveBits"]);
    digest.fill(0);
    der.fill(0);
    return new AgreementPair(key, await multiply(key, BASE_POINT));
  }

  /** The 32 bytes that both sides get; throws `KeyError` for a public key of small order. */
  async sharedSecret(theirs: Bytes): Promise<Bytes> {
    const shared = await multiply(this.#key, exactly(theirs));
    if (shared.every((byte) => byte === 0)) throw new KeyError("the key has small order");
    return shared;
  }
}

/**
 * The Ed25519 public key of a seed. WebCrypto gives it out with the secret half alone, so this is
 * for those who need it; signing does not.
 */
export async function verifyingKeyOf(seed: Bytes): Promise<Bytes> {
  const der = concat(PKCS8_ED25519, exactly(seed));
  const key = await crypto.subtle.importKey("pkcs8", der, "Ed25519", true, ["sign"]);
  const { x } = await crypto.subtle.exportKey("jwk", key);
  der.fill(0);
  return fromBase64url(x ?? "");
}

/** A public key from the wire, base64 of 32 bytes; throws `KeyError` at anything else. */
export function readPublicKey(text: string): Bytes {
  try {
    return exactly(fromBase64(text));
  } catch (cause) {
    throw cause instanceof KeyError ? cause : new KeyError("malformed key text", { cause });
  }
}

/** Whether a signature was made over this message by the key with this public half. */
export async function verify(publicKey: Bytes, message: Bytes, signature: Bytes): Promise<boolean> {
  const key = await crypto.subtle.importKey("raw", publicKey, "Ed25519", false, ["verify"]);
  return crypto.subtle.verify("Ed25519", key, signature, message);
}

async function multiply(key: CryptoKey, point: Bytes): Promise<Bytes> {
  const other = await crypto.subtle.importKey("raw", point, "X25519", false, []);
  try {
    return new Uint8Array(await crypto.subtle.deriveBits({ name: "X25519", public: other }, key, 256));
  } catch {
    // WebCrypto refuses a result of zeroes itself.
    throw new KeyError("the key has small order");
  }
}

function exactly(key: Bytes): Bytes {
  if (key.length === KEY_BYTES) return key;
  throw new KeyError(`a key has ${KEY_BYTES} bytes, this one has ${key.length}`);
}

function pkcs8Prefix(curve: number): Bytes {
  return Uint8Array.of(0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, curve, 4, 0x22, 4, 0x20);
}
