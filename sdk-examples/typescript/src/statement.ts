// Adding a device: what the new device and the one that adds it sign, each with a text of its own.
//
// | bytes | what                                                |
// | ----- | --------------------------------------------------- |
// | 32    | whose signature this is, filled up with zeroes      |
// | 16    | account                                             |
// | 16    | session that adds                                   |
// | 32    | Ed25519 public key that is added                    |

import { concat, utf8, uuidBytes, type Bytes } from "./bytes.js";

const SIGNED_BY = {
  newKey: "sealpost session v1 new key",
  adder: "sealpost session v1 adding key",
};

/** What one of the two signs. */
export function sessionStatement(
  signer: keyof typeof SIGNED_BY,
  userId: string,
  addedBy: string,
  publicKey: Bytes,
): Bytes {
  const tag = new Uint8Array(32);
  tag.set(utf8(SIGNED_BY[signer]));
  return concat(tag, uuidBytes(userId), uuidBytes(addedBy), publicKey);
}
