// From a passphrase to keys. The record of a box names the function and its cost; nothing weaker
// than what is written here is ever accepted from a gateway.

import { fromBase64url } from "./base64url.js";
import { base64url, random, utf8 } from "./bytes.js";
import { Unsupported, Untrue } from "./failure.js";

const NEW_ITERATIONS = 600_000;
const SALT_BYTES = 16;

/** The functions that a box may name: how each is written, and the bounds of its costs. */
const FUNCTIONS = [
  {
    pattern: /^argon2id:m=(\d+),t=(\d+),p=(\d+):(.*)$/,
    bounds: [
      [19_456, 1_048_576],
      [1, 16],
      [1, 4],
    ],
    read: () => ({ argon2id: true }),
  },
  {
    pattern: /^pbkdf2-sha256:i=(\d+):(.*)$/,
    bounds: [[600_000, 10_000_000]],
    read: ([iterations], salt) => ({ argon2id: false, iterations, salt }),
  },
];

/** The function for a new box, with a fresh salt unless one is given. */
export function newKdf(salt = random(SALT_BYTES)) {
  return `pbkdf2-sha256:i=${NEW_ITERATIONS}:${base64url(salt)}`;
}

/** Throws unless a box names one of the functions, within bounds and in its one right spelling. */
export function requireSafe(kdf) {
  parse(kdf);
}

/** Throws where this page cannot do what a box names. */
export function requireUsable(kdf) {
  if (!parse(kdf).argon2id) return;
  throw new Unsupported(
    "This box was made with Argon2id, which browsers do not offer, so its passphrase cannot be " +
      "used in this page. Open it with the program that made it. Writing to it works here.",
  );
}

function parse(kdf) {
  for (const { pattern, bounds, read } of FUNCTIONS) {
    const [, ...parts] = pattern.exec(kdf) ?? [];
    if (parts.length === 0) continue;
    const salt = saltOf(parts.pop());
    const costs = parts.map(Number);
    const isWithin = costs.every((cost, at) => cost >= bounds[at][0] && cost <= bounds[at][1]);
    const isPlain = parts.every((digits) => !digits.startsWith("0"));
    if (salt && isWithin && isPlain) return read(costs, salt);
  }
  throw new Untrue("This box names a way to use its passphrase that is not safe.");
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
  requireUsable(kdf);
  const { iterations, salt } = parse(kdf);
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
