// envelope_v1.json and plain_cryptography.json: envelopes that open, that do not parse, that parse and do
// not open, and sound ones that are refused to the one who tries.

import { base64url, hex, utf8, type Bytes } from "../bytes.js";
import {
  MalformedEnvelope,
  NotForMe,
  UnknownSender,
  Unreadable,
  WrapKeys,
  open,
  parse,
  seal,
  slice,
} from "../envelope.js";
import { AgreementPair, readPublicKey } from "../keys.js";
import { sessionChecksum } from "../names.js";
import { Deviation, Members, type Kind } from "./reading.js";

/** What `error` says, as what is thrown here. */
const ERRORS: Record<string, Kind> = {
  malformed: MalformedEnvelope,
  not_for_me: NotForMe,
  unknown_sender: UnknownSender,
  unreadable: Unreadable,
};

export async function checkEnvelopes(file: unknown): Promise<number> {
  const members = new Members(
    file,
    "the file",
    ...["source", "opens", "malformed", "unreadable", "refused"],
  );
  const opens = members.list(
    "opens",
    ...["name", "sender_seed", "sender_public_key", "plaintext", "checksum", "envelope", "devices"],
  );
  for (const vector of opens) await checkOpening(vector);
  const malformed = members.list("malformed", "name", "envelope", "reason");
  for (const vector of malformed) {
    const bytes = vector.base64("envelope");
    await vector.refuses(MalformedEnvelope, () => parse(bytes));
  }
  const unreadable = members.list("unreadable", "name", "envelope", "session_id", "seed");
  for (const vector of unreadable) {
    const bytes = vector.base64("envelope");
    parse(bytes);
    const own = await wrapKeys(vector.hex("seed"));
    await vector.refuses(Unreadable, () => open(bytes, vector.text("session_id"), own));
  }
  const refused = members.list(
    "refused",
    ...["name", "envelope", "session_id", "seed", "senders", "error"],
  );
  for (const vector of refused) await checkRefusal(vector);
  return opens.length + malformed.length + unreadable.length + refused.length;
}

export async function checkPlainCryptography(file: unknown): Promise<number> {
  const members = new Members(file, "the file", "source", "envelopes");
  const envelopes = members.list(
    "envelopes",
    ...["sender_seed", "sender_agreement_key", "plaintext", "devices", "envelope"],
  );
  for (const vector of envelopes) {
    const sender = await wrapKeys(vector.hex("sender_seed"));
    vector.expect("the sender's key", hex(sender.publicKey), vector.text("sender_agreement_key"));
    const bytes = vector.hex("envelope");
    for (const device of vector.list("devices", "session_id", "seed", "agreement_key")) {
      const own = await wrapKeys(device.hex("seed"));
      device.expect("the key", hex(own.publicKey), device.text("agreement_key"));
      const opened = await open(bytes, device.text("session_id"), own, [sender.publicKey]);
      device.expect("the plaintext", hex(opened), vector.text("plaintext"));
    }
  }
  return envelopes.length;
}

/** Every device opens the envelope and its slice; and what is sealed here for all of them. */
async function checkOpening(vector: Members): Promise<void> {
  const sender = await wrapKeys(vector.hex("sender_seed"));
  vector.expect("the sender's key", base64url(sender.publicKey), vector.text("sender_public_key"));
  const bytes = vector.base64("envelope");
  const envelope = parse(bytes);
  vector.expect("the sender's key", base64url(envelope.senderKey), vector.text("sender_public_key"));
  vector.expect("the checksum", sessionChecksum(envelope.slots.keys()), vector.text("checksum"));

  const devices = vector.list("devices", "session_id", "seed", "public_key", "slice");
  const recipients = devices.map((device) => ({
    session: device.text("session_id"),
    key: device.base64("public_key"),
  }));
  const ours = await seal(utf8("sealed here"), sender, recipients);
  for (const device of devices) {
    const session = device.text("session_id");
    const own = await wrapKeys(device.hex("seed"));
    device.expect("the key", base64url(own.publicKey), device.text("public_key"));
    device.expect("the slice", base64url(slice(envelope, session)), device.text("slice"));
    for (const [sealed, plaintext] of [
      [bytes, vector.text("plaintext")],
      [device.base64("slice"), vector.text("plaintext")],
      [ours, hex(utf8("sealed here"))],
    ] as const) {
      const opened = await open(sealed, session, own, [sender.publicKey]);
      device.expect("the plaintext", hex(opened), plaintext);
    }
  }
}

async function checkRefusal(vector: Members): Promise<void> {
  const kind = ERRORS[vector.text("error")];
  if (!kind) throw new Deviation(`unknown error ${vector.text("error")}`);
  const own = await wrapKeys(vector.hex("seed"));
  const senders = vector.optionalTexts("senders")?.map(readPublicKey);
  const [bytes, session] = [vector.base64("envelope"), vector.text("session_id")];
  await vector.refuses(kind, () => open(bytes, session, own, senders));
}

async function wrapKeys(seed: Bytes): Promise<WrapKeys> {
  return new WrapKeys(await AgreementPair.fromSeed(seed));
}
