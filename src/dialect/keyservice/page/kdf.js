// From a passphrase to keys. The record of a box names the function and its cost; nothing weaker
// than what is written here is ever accepted from a gateway.

import { base64url, fromBase64url, random, utf8 } from "./bytes.js";
import { Unsupported, Untrue } from "./failure.js";

const ITERATIONS = { new: 600_000, least: 600_000, most: 10_000_000 };
const SALT_BYTES = 16;

const PBKDF2 = /^pbkdf2-sha256:i=([1-9][0-9]{0,9}):([A-Za-z0-9_-]+)$/;
const ARGON2ID = /^argon2id:m=[1-9][0-9]*,t=[1-9][0-9]*,p=[1-9][0-9]*:[A-Za-z0-9_-]+$/;

/** The function for a new box, with a fresh salt unless one is given. */
export function newKdf(salt = random(SALT_BYTES)) {
  return `pbkdf2-sha256:i=${ITERATIONS.new}:${base64url(salt)}`;
}

/** `{ iterations, salt }` of a `pbkdf2-sha256:…`; throws at every other function or spelling. */
export function parseKdf(kdf) {
  if (ARGON2ID.test(kdf)) {
    throw new Unsupported(
      "This box was made with Argon2id, which browsers do not offer, so its passphrase cannot be " +
        "used in this page. Open it with the program that made it. Writing to it works here.",
    );
  }
  const [, digits, text] = PBKDF2.exec(kdf) ?? [];
  const iterations = Number(digits);
  const salt = text === undefined ? null : saltOf(text);
  if (!salt || iterations < ITERATIONS.least || iterations > ITERATIONS.most) {
    throw new Untrue("This box names a way to use its passphrase that is not safe.");
  }
  return { iterations, salt };
}

function saltOf(text) {
  try {
    const salt = fromBase64url(text);
    return salt.length === SALT_BYTES ? salt : null;
  } catch {
    return null;
  }
}

/** 32 bytes of that function over the passphrase's UTF-8 bytes. */
export async function masterOf(kdf, passphrase) {
  const { iterations, salt } = parseKdf(kdf);
  const key = await crypto.subtle.importKey("raw", utf8(passphrase), "PBKDF2", false, [
    "deriveBits",
  ]);
  const algorithm = { name: "PBKDF2", hash: "SHA-256", iterations, salt };
  return new Uint8Array(await crypto.subtle.deriveBits(algorithm, key, 256));
}

/** 32 bytes of HKDF-SHA256 (RFC 5869) for one purpose. */
export async function hkdf(ikm, salt, purpose) {
  const key = await crypto.subtle.importKey("raw", ikm, "HKDF", false, ["deriveBits"]);
  const algorithm = { name: "HKDF", hash: "SHA-256", salt, info: utf8(purpose) };
  return new Uint8Array(await crypto.subtle.deriveBits(algorithm, key, 256));
}

/** What the gateway keeps of a secret: SHA-256. */
export async function digest(bytes) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}
