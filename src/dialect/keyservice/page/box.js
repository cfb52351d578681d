// A drop box: its token, its owner's keys and its private key.
//
// The token follows from public key and passphrase function, so whoever has the token can tell
// whether a gateway hands out the right ones.

import { aesKey, open, seal } from "./aead.js";
import { fromBase64url } from "./base64url.js";
import { base64url, concat, hex, utf8 } from "./bytes.js";
import { Untrue } from "./failure.js";
import { digest, hkdf, masterOf, newKdf, requireSafe } from "./kdf.js";
import { fromPkcs8, fromSpki, generate, toPkcs8, toSpki } from "./x25519.js";

const NO_SALT = new Uint8Array();
const KDF_LENGTH = 128;
const TOKEN = /^[0-9a-f]{32}$/;

/** Whether a text can be a box's token. */
export function isToken(text) {
  return TOKEN.test(text);
}

/** The token of a box with this public key (DER) and passphrase function. */
export async function tokenOf(spki, kdf) {
  const hash = await digest(concat(utf8("sealpost drop box 2 token\n"), spki, utf8(kdf)));
  return hex(hash.subarray(0, 16));
}

/** What binds sealed bytes to their box and their purpose. */
export function aad(token, kind) {
  return utf8(`sealpost drop box 2\n${token}\n${kind}`);
}

/**
 * The box of a public record, `{ token, kdf, publicKey }`.
 * Throws unless public key and function are those that `token` was made from, and safe.
 */
export async function verified(token, record) {
  const untrue = new Untrue(
    "The gateway's answer does not belong to this link. Do not use this box here: somebody may " +
      "be trying to read what you send.",
  );
  const { publickey, kdf } = record;
  if (typeof publickey !== "string" || typeof kdf !== "string") throw untrue;
  if (utf8(kdf).length > KDF_LENGTH) throw untrue;
  let spki;
  try {
    spki = fromBase64url(publickey);
  } catch {
    throw untrue;
  }
  if ((await tokenOf(spki, kdf)) !== token) throw untrue;
  requireSafe(kdf);
  return { token, kdf, publicKey: fromSpki(spki) };
}

/** What a passphrase stands for: `{ seal, auth }`, 32 bytes each. */
export async function ownerKeys(kdf, passphrase) {
  const master = await masterOf(kdf, passphrase);
  return {
    seal: await hkdf(master, NO_SALT, "sealpost drop box 2 private key"),
    auth: await hkdf(master, NO_SALT, "sealpost drop box 2 authentication"),
  };
}

/** A new box: `{ token, request }`, the request's members as the gateway takes them. */
export async function makeBox(passphrase, kdf = newKdf()) {
  const keys = await ownerKeys(kdf, passphrase);
  const pair = await generate();
  const spki = toSpki(pair.public);
  const token = await tokenOf(spki, kdf);
  const privateKey = await sealPrivateKey(keys.seal, token, await toPkcs8(pair.private));
  const request = {
    publickey: base64url(spki),
    kdf,
    privatekey: base64url(privateKey),
    authdigest: base64url(await digest(keys.auth)),
  };
  return { token, request };
}

/** The private key (DER) as the gateway keeps it, 76 bytes. */
export async function sealPrivateKey(sealKey, token, pkcs8, nonce = undefined) {
  return seal(await aesKey(sealKey), pkcs8, aad(token, "private key"), nonce);
}

/** The private key of a box, from what the gateway keeps. */
export async function openPrivateKey(sealKey, box, sealed) {
  const pkcs8 = await open(await aesKey(sealKey), sealed, aad(box.token, "private key"));
  return fromPkcs8(pkcs8, box.publicKey);
}
