// The envelope: one encrypted body, and one wrapped message key for each device.
//
// | bytes  | what                                                                |
// | ------ | ------------------------------------------------------------------- |
// | 1      | version, 1                                                          |
// | 2      | number of slots N, little endian, 1 to 510                          |
// | 32     | the sender's X25519 public key                                      |
// | 64 × N | slots: 16 session id, 16 IV, 32 AES-256-CBC of the message key      |
// | 12     | nonce                                                               |
// | rest   | AES-128-GCM of the body, its 16-byte tag at the end                 |
//
// A slot's AES key is what X25519 makes of the sender's and the device's key, as it is.

import { concat, hex, random, same, uuidBytes, uuidText, type Bytes } from "./bytes.js";
import type { AgreementPair } from "./keys.js";
import { RecentMap } from "./recent.js";

/** The most slots that an envelope may have. */
export const MAX_SESSIONS = 510;

const VERSION = 1;
const HEADER = 35;
const SLOT = 64;
const NONCE = 12;
const TAG = 16;
const MESSAGE_KEY = 16;
const IV = 16;
const MIN_LENGTH = HEADER + SLOT + NONCE + TAG;

/** How many wrap keys are remembered. */
const REMEMBERED = 10_000;

/** The bytes are no envelope; the message says why. */
export class MalformedEnvelope extends Error {}

/**
 * The slot or the body was not made for this key, or was changed. Deliberately without detail:
 * which of the two it was helps only an attacker.
 */
export class Unreadable extends Error {
  constructor() {
    super("the envelope cannot be read with this key");
  }
}

/** The envelope has no slot for the session that tried to open it. */
export class NotForMe extends Error {
  constructor() {
    super("the envelope has no slot for this session");
  }
}

/** The key in the envelope belongs to none of those whom it may be from. */
export class UnknownSender extends Error {
  constructor() {
    super("the envelope was sealed by an unknown key");
  }
}

/** Nothing was sealed; the message says why. */
export class SealError extends Error {}

/** A device to seal to: its session, and the public key that is published for it. */
export interface Recipient {
  session: string;
  key: Bytes;
}

export interface Envelope {
  /** Authenticates nobody until it is compared with the keys of the account that claims to write. */
  senderKey: Bytes;
  /** By session, in the order of the envelope. All 64 bytes. */
  slots: Map<string, Bytes>;
  nonce: Bytes;
  ciphertext: Bytes;
}

/**
 * The keys that one pair wraps message keys with. A device that was met before costs two AES
 * blocks in place of an agreement.
 */
export class WrapKeys {
  readonly #pair: AgreementPair;
  readonly #known = new RecentMap<string, CryptoKey>(REMEMBERED);

  constructor(pair: AgreementPair) {
    this.#pair = pair;
  }

  get publicKey(): Bytes {
    return this.#pair.publicKey;
  }

  /** The key for a device; throws `KeyError` when its public key has small order. */
  async with(theirs: Bytes): Promise<CryptoKey> {
    const name = hex(theirs);
    const known = this.#known.get(name);
    if (known) return known;
    const shared = await this.#pair.sharedSecret(theirs);
    const key = await crypto.subtle.importKey("raw", shared, "AES-CBC", false, ["encrypt", "decrypt"]);
    shared.fill(0);
    this.#known.set(name, key);
    return key;
  }
}

/** Reads an envelope and checks all that can be checked without a key. */
export function parse(bytes: Bytes): Envelope {
  if (bytes.length < MIN_LENGTH) {
    throw new MalformedEnvelope(
      `an envelope has at least ${MIN_LENGTH} bytes, this one has ${bytes.length}`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint8(0) !== VERSION) {
    throw new MalformedEnvelope(`unknown envelope version ${view.getUint8(0)}`);
  }
  const count = view.getUint16(1, true);
  if (count === 0) throw new MalformedEnvelope("an envelope names at least one session");
  if (count > MAX_SESSIONS) {
    throw new MalformedEnvelope(
      `an envelope names at most ${MAX_SESSIONS} sessions, this one says ${count}`,
    );
  }
  const end = HEADER + SLOT * count;
  if (bytes.length < end + NONCE + TAG) {
    throw new MalformedEnvelope(
      `an envelope of its session count has at least ${end + NONCE + TAG} bytes, not ${bytes.length}`,
    );
  }
  return {
    senderKey: bytes.subarray(3, HEADER),
    slots: readSlots(bytes.subarray(HEADER, end)),
    nonce: bytes.subarray(end, end + NONCE),
    ciphertext: bytes.subarray(end + NONCE),
  };
}

/** One session's own envelope, with its slot alone: what a gateway hands to a device. */
export function slice(envelope: Envelope, session: string): Bytes {
  const { senderKey, nonce, ciphertext } = envelope;
  return concat(header(1, senderKey), slotOf(envelope, session), nonce, ciphertext);
}

/**
 * Encrypts a message once and wraps its key for every recipient.
 *
 * Throws `SealError` without recipients, with more than 510, or with one twice, and `KeyError`
 * where a key has small order. Nobody is ever left out silently.
 */
export async function seal(plaintext: Bytes, own: WrapKeys, recipients: Recipient[]): Promise<Bytes> {
  requireRoom(recipients);
  const messageKey = random(MESSAGE_KEY);
  const nonce = random(NONCE);
  const key = await crypto.subtle.importKey("raw", messageKey, "AES-GCM", false, ["encrypt"]);
  const body = await crypto.subtle.encrypt({ name: "AES-GCM", iv: nonce }, key, plaintext);
  const slots = await Promise.all(recipients.map((recipient) => wrap(messageKey, own, recipient)));
  messageKey.fill(0);
  return concat(header(recipients.length, own.publicKey), ...slots, nonce, new Uint8Array(body));
}

/**
 * Opens an envelope as one of its sessions. `senders` are the published keys of the account that
 * it claims to be from; without them, the plaintext may come from anybody.
 */
export async function open(
  bytes: Bytes,
  session: string,
  own: WrapKeys,
  senders?: Bytes[],
): Promise<Bytes> {
  const envelope = parse(bytes);
  const slot = slotOf(envelope, session);
  if (senders && !senders.some((key) => same(key, envelope.senderKey))) {
    throw new UnknownSender();
  }
  // A wrong padding goes the same way as a wrong tag, with a key that opens nothing.
  const messageKey = (await unwrap(slot, own, envelope.senderKey)) ?? random(MESSAGE_KEY);
  const key = await crypto.subtle.importKey("raw", messageKey, "AES-GCM", false, ["decrypt"]);
  messageKey.fill(0);
  try {
    const algorithm = { name: "AES-GCM", iv: envelope.nonce };
    return new Uint8Array(await crypto.subtle.decrypt(algorithm, key, envelope.ciphertext));
  } catch {
    throw new Unreadable();
  }
}

async function wrap(messageKey: Bytes, own: WrapKeys, recipient: Recipient): Promise<Bytes> {
  const iv = random(IV);
  const key = await own.with(recipient.key);
  // WebCrypto's AES-CBC pads as PKCS#7 has it: one block more.
  const wrapped = await crypto.subtle.encrypt({ name: "AES-CBC", iv }, key, messageKey);
  return concat(uuidBytes(recipient.session), iv, new Uint8Array(wrapped));
}

async function unwrap(slot: Bytes, own: WrapKeys, sender: Bytes): Promise<Bytes | undefined> {
  const iv = slot.subarray(16, 16 + IV);
  try {
    const key = await own.with(sender);
    const found = await crypto.subtle.decrypt({ name: "AES-CBC", iv }, key, slot.subarray(32));
    return found.byteLength === MESSAGE_KEY ? new Uint8Array(found) : undefined;
  } catch {
    return undefined;
  }
}

function readSlots(bytes: Bytes): Map<string, Bytes> {
  const slots = new Map<string, Bytes>();
  for (let at = 0; at < bytes.length; at += SLOT) {
    const slot = bytes.subarray(at, at + SLOT);
    const session = uuidText(slot.subarray(0, 16));
    // Clients disagree on which one holds.
    if (slots.has(session)) {
      throw new MalformedEnvelope(`session ${session} has more than one slot`);
    }
    slots.set(session, slot);
  }
  return slots;
}

function slotOf(envelope: Envelope, session: string): Bytes {
  const slot = envelope.slots.get(session);
  if (!slot) throw new NotForMe();
  return slot;
}

function header(count: number, senderKey: Bytes): Bytes {
  return concat(Uint8Array.of(VERSION, count & 0xff, count >> 8), senderKey);
}

function requireRoom(recipients: Recipient[]): void {
  const { length } = recipients;
  if (length === 0) throw new SealError("no recipients");
  if (length > MAX_SESSIONS) {
    throw new SealError(`an envelope has room for ${MAX_SESSIONS} sessions, not for ${length}`);
  }
  if (new Set(recipients.map(({ session }) => session)).size < length) {
    throw new SealError("a session is named twice");
  }
}
