// A message: a key of its own, sealed for the box, and what that key seals.

import { aesKey, open, seal } from "./aead.js";
import { aad } from "./box.js";
import { concat, fromUtf8, random, utf8 } from "./bytes.js";
import { Failure, Untrue } from "./failure.js";
import { hkdf } from "./kdf.js";
import { agree, generate } from "./x25519.js";

const KEY_BYTES = 32;
/** e_pub (32) ‖ nonce (12) ‖ key (32) ‖ tag (16). */
const ENCRYPTION_KEY_BYTES = 92;
/** Bytes of UTF-8; the sealed form has a nonce (12) and a tag (16) more, 1024 at most. */
const LONGEST_NAME = 1024 - 12 - 16;

/** A key for one message to `box`: `{ key, encryptionKey }`. */
export async function newMessageKey(box) {
  const bytes = random(KEY_BYTES);
  const encryptionKey = await wrap(box, bytes, await generate());
  return { key: await aesKey(bytes), encryptionKey };
}

/** The message key, sealed for the box with a pair that is used once. */
export async function wrap(box, keyBytes, pair, nonce = undefined) {
  const shared = await agree(pair.private, box.publicKey);
  const kek = await keyEncryptionKey(shared, pair.public, box);
  const sealed = await seal(kek, keyBytes, aad(box.token, "message key"), nonce);
  return concat(pair.public, sealed);
}

/** The message key again, for whoever has the box's private key. */
export async function unwrap(box, privateKey, encryptionKey) {
  if (encryptionKey.length !== ENCRYPTION_KEY_BYTES) {
    throw new Untrue("This was not sealed for this box.");
  }
  const once = encryptionKey.subarray(0, KEY_BYTES);
  const kek = await keyEncryptionKey(await agree(privateKey, once), once, box);
  const bytes = await open(kek, encryptionKey.subarray(KEY_BYTES), aad(box.token, "message key"));
  return aesKey(bytes);
}

async function keyEncryptionKey(shared, once, box) {
  const salt = concat(once, box.publicKey);
  return aesKey(await hkdf(shared, salt, "sealpost drop box 2 message key"));
}

/** The text of a message, sealed. */
export function sealText(key, token, text, nonce = undefined) {
  return seal(key, utf8(text), aad(token, "message"), nonce);
}

/** The text of a message. */
export async function openText(key, token, sealed) {
  return textOf(await open(key, sealed, aad(token, "message")));
}

/** The name of a file, sealed. Throws when it is longer than gateways take. */
export async function sealName(key, token, name, nonce = undefined) {
  const bytes = utf8(name);
  if (bytes.length > LONGEST_NAME) {
    throw new Failure("The name of this file is too long. Rename it and try again.");
  }
  return seal(key, bytes, aad(token, "file name"), nonce);
}

/** The name of a file. */
export async function openName(key, token, sealed) {
  return textOf(await open(key, sealed, aad(token, "file name")));
}

function textOf(bytes) {
  try {
    return fromUtf8(bytes);
  } catch {
    throw new Untrue("Its writer sealed something that is no text.");
  }
}
