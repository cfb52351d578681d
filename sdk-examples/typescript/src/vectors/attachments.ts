// attachment.json: files that open, and that do not.

import { hex } from "../bytes.js";
import { UnreadableAttachment, decrypt, encrypt } from "../attachment.js";
import { Members } from "./reading.js";

export async function checkAttachments(file: unknown): Promise<number> {
  const members = new Members(file, "the file", "source", "cases", "refused");
  const cases = members.list("cases", "plaintext", "key", "digest", "bytes");
  for (const vector of cases) {
    const bytes = vector.base64("bytes");
    const plaintext = await decrypt(bytes, vector.hex("key"), vector.hex("digest"));
    vector.expect("the plaintext", hex(plaintext), vector.text("plaintext"));
    // What is encrypted here, by a key of its own.
    const ours = await encrypt(plaintext);
    vector.expect("the length", ours.bytes.length, bytes.length);
    const again = await decrypt(ours.bytes, ours.key, ours.digest);
    vector.expect("the plaintext", hex(again), vector.text("plaintext"));
  }
  const refused = members.list("refused", "name", "key", "digest", "bytes");
  for (const vector of refused) {
    const [bytes, key, digest] = [vector.base64("bytes"), vector.hex("key"), vector.hex("digest")];
    await vector.refuses(UnreadableAttachment, () => decrypt(bytes, key, digest));
  }
  return cases.length + refused.length;
}
