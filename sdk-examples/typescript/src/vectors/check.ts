// Which file of vectors is checked how.

import { checkAttachments } from "./attachments.js";
import { checkEnvelopes, checkPlainCryptography } from "./envelopes.js";
import { checkKeys } from "./keys.js";
import { checkBase64, checkChecksums, checkConversationIds, checkIds } from "./names.js";
import { Deviation } from "./reading.js";
import { checkTokens } from "./tokens.js";

/** Says how many vectors of a file hold; throws at the first that does not. */
type Check = (file: unknown) => Promise<number>;

const CHECKS: Record<string, Check> = {
  "attachment.json": checkAttachments,
  "base64url.json": checkBase64,
  "checksum.json": checkChecksums,
  "conversation_id.json": checkConversationIds,
  "envelope_v1.json": checkEnvelopes,
  "ids.json": checkIds,
  "keys.json": checkKeys,
  "plain_cryptography.json": checkPlainCryptography,
  "token.json": checkTokens,
};

/** What is for people, or about other protocols of the gateway. */
const NOT_FOR_BOTS = [
  "README.md",
  "keyservice_v1.json",
  "keyservice_v2.json",
  "rsa_for_tests.pem",
  "tls",
];

/**
 * How many vectors hold in these files, by their names. Throws where one does not, where a file is
 * unknown, and where one is missing.
 */
export async function checkVectors(files: Map<string, string>): Promise<number> {
  const missing = Object.keys(CHECKS).filter((name) => !files.has(name));
  if (missing.length > 0) throw new Deviation(`missing: ${missing.join(", ")}`);
  let held = 0;
  for (const [name, text] of files) {
    if (NOT_FOR_BOTS.includes(name)) continue;
    const check = CHECKS[name];
    if (!check) throw new Deviation(`${name}: an unknown file of vectors`);
    try {
      held += await check(JSON.parse(text));
    } catch (cause) {
      throw new Deviation(`${name}: ${cause instanceof Error ? cause.message : cause}`, { cause });
    }
  }
  return held;
}
