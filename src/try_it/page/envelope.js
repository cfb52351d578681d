// The envelope: one encrypted text, and its key wrapped for each device.
//
// | bytes  | what                                                           |
// | ------ | -------------------------------------------------------------- |
// | 1      | version, 1                                                     |
// | 2      | number of slots N, little endian                               |
// | 32     | the sender's X25519 public key                                 |
// | 64 × N | slots: 16 session id, 16 IV, 32 AES-256-CBC of the message key |
// | 12     | nonce                                                          |
// | rest   | AES-128-GCM of the text, its tag of 16 bytes at the end        |

import { concat, fromBase64, random } from "./bytes.js";
import { uuidBytes, uuidText } from "./ids.js";

const VERSION = 1;
const HEADER = 35;
const SLOT = 64;
const ID = 16;
const IV = 16;
const NONCE = 12;
const TAG = 16;
const MESSAGE_KEY = 16;

/** What came cannot be opened; never with a reason that would help to forge the next one. */
export class Unreadable extends Error {}

/** Seals for sessions as `POST /sessions/fetch` lists them; nobody is left out. */
export async function seal(plain, keys, sessions) {
  const messageKey = random(MESSAGE_KEY);
  const nonce = random(NONCE);
  const key = await crypto.subtle.importKey("raw", messageKey, "AES-GCM", false, ["encrypt"]);
  const body = await crypto.subtle.encrypt({ name: "AES-GCM", iv: nonce }, key, plain);
  const slots = await Promise.all(sessions.map((session) => wrap(messageKey, keys, session)));
  messageKey.fill(0);
  const count = Uint8Array.of(VERSION, slots.length & 0xff, slots.length >> 8);
  return concat(count, keys.agreementKey, ...slots, nonce, new Uint8Array(body));
}

/** The key that an envelope says it was sealed with, 32 bytes; throws where it is no envelope. */
export function senderKeyOf(envelope) {
  parse(envelope);
  return envelope.subarray(3, HEADER);
}

/** The text inside, for the session that the envelope has a slot for. */
export async function open(envelope, session, keys) {
  const { slots, nonce, body } = parse(envelope);
  const slot = slots.get(session);
  if (!slot) throw new Unreadable("nothing in it is for this device");
  try {
    const wrapKey = await keys.sharedWith(senderKeyOf(envelope));
    const unwrap = { name: "AES-CBC", iv: slot.subarray(ID, ID + IV) };
    const raw = await crypto.subtle.decrypt(unwrap, wrapKey, slot.subarray(ID + IV));
    const key = await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["decrypt"]);
    return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv: nonce }, key, body));
  } catch {
    throw new Unreadable("it cannot be opened with this device's key");
  }
}

async function wrap(messageKey, keys, { session_id: id, public_key: publicKey }) {
  const iv = random(IV);
  const key = await keys.sharedWith(fromBase64(publicKey));
  // AES-CBC of WebCrypto pads as PKCS#7 does: 16 bytes become 32.
  const wrapped = await crypto.subtle.encrypt({ name: "AES-CBC", iv }, key, messageKey);
  return concat(uuidBytes(id), iv, new Uint8Array(wrapped));
}

function parse(envelope) {
  const count = envelope[1] + 256 * envelope[2];
  const end = HEADER + SLOT * count;
  if (envelope[0] !== VERSION || !(count > 0) || envelope.length < end + NONCE + TAG) {
    throw new Unreadable("it is no envelope");
  }
  const slots = new Map();
  for (let at = HEADER; at < end; at += SLOT) {
    slots.set(uuidText(envelope.subarray(at, at + ID)), envelope.subarray(at, at + SLOT));
  }
  const [nonce, body] = [envelope.subarray(end, end + NONCE), envelope.subarray(end + NONCE)];
  return { slots, nonce, body };
}
