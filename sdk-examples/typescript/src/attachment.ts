// Attachments: a file encrypted as a whole, its key sent inside a message.
//
// 16 bytes IV, AES-256-CBC with PKCS#7, 32 bytes HMAC-SHA256 over both. The key has 64 bytes: 32 for
// AES, 32 for the MAC. SHA-256 of all of it goes with the key, so that nobody can exchange the file.

import { concat, random, same, type Bytes } from "./bytes.js";

const IV = 16;
const MAC = 32;
const HMAC = { name: "HMAC", hash: "SHA-256" };

/** The file is not what its sender made, or the key is another one's; deliberately without detail. */
export class UnreadableAttachment extends Error {
  constructor() {
    super("the attachment cannot be read with this key and digest");
  }
}

export interface SealedAttachment {
  /** To be uploaded. */
  bytes: Bytes;
  /** To be sent in an encrypted message, with the digest. */
  key: Bytes;
  digest: Bytes;
}

/** Encrypts a file under a key of its own. */
export async function encrypt(plaintext: Bytes): Promise<SealedAttachment> {
  const key = random(64);
  const iv = random(IV);
  const cipher = await cipherKey(key, "encrypt");
  const body = await crypto.subtle.encrypt({ name: "AES-CBC", iv }, cipher, plaintext);
  const authenticated = concat(iv, new Uint8Array(body));
  const mac = await crypto.subtle.sign(HMAC, await macKey(key, "sign"), authenticated);
  const bytes = concat(authenticated, new Uint8Array(mac));
  return { bytes, key, digest: await sha256(bytes) };
}

/** Decrypts a downloaded file; throws `UnreadableAttachment` when anything is wrong with it. */
export async function decrypt(bytes: Bytes, key: Bytes, digest: Bytes): Promise<Bytes> {
  if (bytes.length < IV + MAC || key.length !== 64) throw new UnreadableAttachment();
  const [authenticated, mac] = [bytes.subarray(0, -MAC), bytes.subarray(-MAC)];
  const isAuthentic = await crypto.subtle.verify(HMAC, await macKey(key, "verify"), mac, authenticated);
  if (!isAuthentic || !same(await sha256(bytes), digest)) throw new UnreadableAttachment();
  const [iv, body] = [authenticated.subarray(0, IV), authenticated.subarray(IV)];
  try {
    const cipher = await cipherKey(key, "decrypt");
    return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-CBC", iv }, cipher, body));
  } catch {
    throw new UnreadableAttachment();
  }
}

function cipherKey(key: Bytes, usage: KeyUsage): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", key.subarray(0, 32), "AES-CBC", false, [usage]);
}

function macKey(key: Bytes, usage: KeyUsage): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", key.subarray(32), HMAC, false, [usage]);
}

async function sha256(bytes: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}
