// AES-256-GCM: nonce (12 bytes) ‖ ciphertext ‖ tag (16 bytes).

import { concat, random } from "./bytes.js";
import { Untrue } from "./failure.js";

/** The nonce's length, bytes. */
export const NONCE = 12;
/** The tag's length, bytes. */
export const TAG = 16;

/** A key that can only seal and open, and never leaves the browser's keeping. */
export function aesKey(bytes) {
  return crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]);
}

/** Seals under a nonce of the caller's; the nonce is not part of the result. */
export async function encrypt(key, nonce, plain, aad) {
  const algorithm = { name: "AES-GCM", iv: nonce, additionalData: aad };
  return new Uint8Array(await crypto.subtle.encrypt(algorithm, key, plain));
}

/** The other way round. */
export async function decrypt(key, nonce, sealed, aad) {
  const algorithm = { name: "AES-GCM", iv: nonce, additionalData: aad };
  try {
    return new Uint8Array(await crypto.subtle.decrypt(algorithm, key, sealed));
  } catch {
    throw new Untrue("This was damaged, or was not sealed for this box.");
  }
}

/** Seals under a fresh nonce, which stands in front. */
export async function seal(key, plain, aad, nonce = random(NONCE)) {
  return concat(nonce, await encrypt(key, nonce, plain, aad));
}

/** Opens what {@link seal} made. */
export async function open(key, sealed, aad) {
  return decrypt(key, sealed.subarray(0, NONCE), sealed.subarray(NONCE), aad);
}
