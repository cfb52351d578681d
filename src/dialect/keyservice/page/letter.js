// A letter that destroys itself: sealed with a secret that is only in the fragment of its link,
// which browsers never send.

import { aesKey, open, seal } from "./aead.js";
import { base64url, fromUtf8, random, utf8 } from "./bytes.js";
import { Untrue } from "./failure.js";
import { digest, hkdf } from "./kdf.js";

const SECRET_BYTES = 32;
const NO_SALT = new Uint8Array();
const AAD = utf8("sealpost letter 2\nmessage");

/** `{ key, auth }`: what opens the letter, and what proves to the gateway that one may. */
export async function letterKeys(secret) {
  return {
    key: await aesKey(await hkdf(secret, NO_SALT, "sealpost letter 2 message")),
    auth: await hkdf(secret, NO_SALT, "sealpost letter 2 authentication"),
  };
}

/** A new letter: `{ secret, request }`, the request's members as the gateway takes them. */
export async function makeLetter(text, secret = random(SECRET_BYTES), nonce = undefined) {
  const keys = await letterKeys(secret);
  const request = {
    message: base64url(await seal(keys.key, utf8(text), AAD, nonce)),
    authdigest: base64url(await digest(keys.auth)),
  };
  return { secret, request };
}

/** The text of a letter. */
export async function openLetter(key, sealed) {
  try {
    return fromUtf8(await open(key, sealed, AAD));
  } catch {
    throw new Untrue("The letter was damaged on its way, and it is gone now.");
  }
}
