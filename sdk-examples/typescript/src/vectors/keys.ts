// keys.json: both public forms of a seed, what is signed for a new device, and what is refused of keys
// and signatures.

import { base64url, hex, type Bytes } from "../bytes.js";
import { AgreementPair, KeyError, SigningKey, readPublicKey, verify, verifyingKeyOf } from "../keys.js";
import { requireSoundKey } from "../point.js";
import { sessionStatement } from "../statement.js";
import { Members } from "./reading.js";

export async function checkKeys(file: unknown): Promise<number> {
  const members = new Members(
    file,
    "the file",
    ...["source", "pairs", "refused", "agreement_refused", "texts_refused", "signatures_refused"],
  );
  const pairs = members.list(
    "pairs",
    ...["seed", "ed25519_public_key", "x25519_public_key", "statement"],
  );
  for (const vector of pairs) await checkPair(vector);
  return pairs.length + (await checkRefusals(members));
}

async function checkRefusals(members: Members): Promise<number> {
  const keys = members.list("refused", "ed25519_public_key", "reason");
  for (const vector of keys) {
    await vector.refuses(KeyError, () => requireSoundKey(vector.hex("ed25519_public_key")));
  }
  const weak = members.list("agreement_refused", "x25519_public_key", "reason");
  const own = await AgreementPair.fromSeed(new Uint8Array(32).fill(1));
  for (const vector of weak) {
    await vector.refuses(KeyError, () => own.sharedSecret(vector.hex("x25519_public_key")));
  }
  const texts = members.list("texts_refused", "name", "public_key", "reason");
  for (const vector of texts) {
    await vector.refuses(KeyError, () => readPublicKey(vector.text("public_key")));
  }
  const signatures = members.list(
    "signatures_refused",
    ...["name", "ed25519_public_key", "message", "signature"],
  );
  for (const vector of signatures) {
    const [key, message] = [vector.base64("ed25519_public_key"), vector.hex("message")];
    const isTrue = await verify(key, message, vector.base64("signature"));
    vector.expect("whether the signature holds", isTrue, false);
  }
  return keys.length + weak.length + texts.length + signatures.length;
}

async function checkPair(vector: Members): Promise<void> {
  const seed = vector.hex("seed");
  const publicKey = await verifyingKeyOf(seed);
  requireSoundKey(publicKey);
  vector.expect("the signing key", base64url(publicKey), vector.text("ed25519_public_key"));
  const { publicKey: agreementKey } = await AgreementPair.fromSeed(seed);
  vector.expect("the agreement key", base64url(agreementKey), vector.text("x25519_public_key"));
  await checkStatement(vector, seed, publicKey);
}

async function checkStatement(vector: Members, seed: Bytes, publicKey: Bytes): Promise<void> {
  const statement = vector.object(
    "statement",
    ...["user_id", "added_by", "signed_by_new_key", "signature_of_new_key"],
    ...["signed_by_adder", "signature_of_same_key_as_adder"],
  );
  const ids = [statement.text("user_id"), statement.text("added_by")] as const;
  const key = await SigningKey.fromSeed(seed);
  for (const [signer, bytes, signature] of [
    ["newKey", "signed_by_new_key", "signature_of_new_key"],
    ["adder", "signed_by_adder", "signature_of_same_key_as_adder"],
  ] as const) {
    const signed = sessionStatement(signer, ...ids, publicKey);
    statement.expect("what is signed", hex(signed), statement.text(bytes));
    statement.expect("the signature", base64url(await key.sign(signed)), statement.text(signature));
    const isTrue = await verify(publicKey, signed, statement.base64(signature));
    statement.expect("whether the signature holds", isTrue, true);
  }
}
