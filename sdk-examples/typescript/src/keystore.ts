// Keystores: who a bot is, where its gateway is, and the key that proves it, as `sealpost bot create`
// writes them. No error shows what the text says, since the private key may stand in the wrong place.

import { FormError, fromHex, parseId, same, type Bytes } from "./bytes.js";
import { KEY_BYTES, verifyingKeyOf } from "./keys.js";
import { requireSoundKey } from "./point.js";

/** The text is no keystore; the message says why. */
export class KeystoreError extends Error {}

export interface Keystore {
  userId: string;
  sessionId: string;
  /** 32 bytes, which whoever loads the key wipes. */
  seed: Bytes;
  /** Where the gateway is, when the file says so. */
  baseUrl?: string;
}

/** Reads a keystore; throws `KeystoreError`. */
export async function readKeystore(text: string): Promise<Keystore> {
  const members = parseObject(text);
  const userId = accountOf(members);
  const sessionId = idOf(members, "session_id");
  const serverKey = members["server_public_key"];
  if (typeof serverKey === "string" && serverKey !== "") requireServerKey(serverKey);
  const seed = await seedOf(members["session_private_key"] ?? members["private_key"]);
  const baseUrl = members["base_url"];
  return { userId, sessionId, seed, ...(typeof baseUrl === "string" && baseUrl && { baseUrl }) };
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new KeystoreError("the keystore is no JSON");
  }
  if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  throw new KeystoreError("the keystore is JSON of another shape");
}

function accountOf(members: Record<string, unknown>): string {
  const names = ["app_id", "client_id", "user_id"].filter((name) => name in members);
  const ids = names.map((name) => idOf(members, name));
  if (new Set(ids).size > 1) throw new KeystoreError("the keystore names two different accounts");
  return ids[0] ?? idOf(members, "app_id");
}

function idOf(members: Record<string, unknown>, name: string): string {
  const id = members[name];
  if (id === undefined) throw new KeystoreError(`the keystore has no member "${name}"`);
  try {
    return parseId(String(id));
  } catch {
    throw new KeystoreError(`${name} is no id`);
  }
}

function requireServerKey(text: string): void {
  try {
    requireSoundKey(fromHex(text));
  } catch (cause) {
    throw new KeystoreError("bad server_public_key", { cause });
  }
}

async function seedOf(text: unknown): Promise<Bytes> {
  if (text === undefined) throw new KeystoreError('the keystore has no member "session_private_key"');
  if (String(text).trimStart().startsWith("-----BEGIN")) {
    throw new KeystoreError("the private key is an RSA key: make a new keystore with an Ed25519 key");
  }
  const bytes = privateKeyBytes(String(text));
  const [seed, publicKey] = [bytes.subarray(0, KEY_BYTES), bytes.subarray(KEY_BYTES)];
  if (publicKey.length > 0 && !same(await verifyingKeyOf(seed), publicKey)) {
    throw new KeystoreError("session_private_key contains a public key that does not belong to it");
  }
  return seed;
}

function privateKeyBytes(text: string): Bytes {
  const refusal = new KeystoreError("session_private_key is not 64 or 128 hexadecimal digits");
  try {
    const bytes = fromHex(text);
    if (bytes.length === KEY_BYTES || bytes.length === 2 * KEY_BYTES) return bytes;
  } catch (error) {
    if (!(error instanceof FormError)) throw error;
  }
  throw refusal;
}
