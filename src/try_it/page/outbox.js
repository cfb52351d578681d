// Sending: find the devices, seal, post; and when the list of devices turns out to be old, seal
// again for the fresh one and post that, under the same id.

import { base64url, utf8 } from "./bytes.js";
import { seal } from "./envelope.js";
import { Failure } from "./failure.js";
import { short } from "./ids.js";
import { checksum, conversationId } from "./names.js";
import { devices } from "./words.js";

/** How often a message is sealed. */
const ROUNDS = 5;

/**
 * Sends `message`, `{ id, to, toName, text }`, and gives back for how many devices it was stored.
 * `tell` is told every step. Throws a `Failure` when it was not stored.
 */
export async function send({ gateway, directory, person }, message, tell) {
  for (let round = 1; round <= ROUNDS; round += 1) {
    const sessions = await devicesOf(directory, person(), message, round, tell);
    const envelope = await seal(utf8(message.text), person().keys, sessions);
    const sent = checksum(sessions.map((session) => session.session_id));
    tell({
      kind: "sealed",
      title: `${round === 1 ? "Sealed" : "Sealed again"} for ${devices(sessions)}`,
      facts: [
        ["Message key", "fresh, wrapped once for each device"],
        ["Envelope", `${envelope.length} bytes`],
        ["Checksum", sent],
      ],
    });
    const receipt = await post(gateway, person(), message, sessions, envelope, sent);
    if (receipt.state === "SUCCESS") {
      tell({
        kind: "stored",
        title: `Stored for ${devices(receipt.sessions.length > 0 ? receipt.sessions : sessions)}`,
        facts: [["Receipt", `${receipt.state}, ${receipt.outcome}`]],
      });
      return sessions.length;
    }
    requireStale(receipt, message);
    tellOfRefusal(receipt, sent, tell);
    directory.learn(message.to, receipt.sessions);
  }
  throw new Failure(`The devices of ${message.toName} change faster than one can seal.`);
}

/** The list to seal for: the remembered one, as long as nobody says that it is old. */
async function devicesOf(directory, person, { to, toName }, round, tell) {
  let sessions = directory.known(to);
  if (sessions === undefined || sessions.length === 0) {
    sessions = await directory.fetch(person, to);
    if (sessions.length === 0) throw new Failure(`${toName} is signed in nowhere at the moment.`);
    const title = `Asked which devices ${toName} has: ${sessions.length}`;
    tell({ kind: "looked-up", title, facts: [["Checksum", checksumOf(sessions)]] });
  } else if (round === 1) {
    const title = `Remembers the list of ${toName}: ${devices(sessions)}`;
    tell({ kind: "looked-up", title, facts: [["Checksum", checksumOf(sessions)]] });
  }
  return sessions;
}

async function post(gateway, person, { id, to }, sessions, envelope, sum) {
  const item = {
    conversation_id: conversationId(person.userId, to),
    recipient_id: to,
    message_id: id,
    category: "ENCRYPTED_TEXT",
    checksum: sum,
    recipient_sessions: sessions.map(({ session_id }) => ({ session_id })),
    data_base64: base64url(envelope),
  };
  const receipts = await gateway.ask(person, "POST", "/encrypted_messages", [item]);
  return receipts[0];
}

/** Anything but a stale list is the end of it. */
function requireStale({ outcome, sessions, error, retry_after: after }, { toName }) {
  if (outcome === "stale_sessions" && sessions.length > 0) return;
  if (outcome === "rejected") throw new Failure(`The gateway refused it: ${error.description}.`);
  if (outcome === "recipient_gone") throw new Failure(`${toName} has no account any more.`);
  const when = after > 1 ? `in ${after} seconds` : "in a moment";
  throw new Failure(`${toName} cannot be reached now. Try again ${when}.`);
}

function tellOfRefusal(receipt, sent, tell) {
  tell({
    kind: "refused",
    title: "Refused: the list is stale, and nothing was stored",
    facts: [
      ["Sealed for", sent],
      ["List is now", checksumOf(receipt.sessions)],
    ],
  });
  const ids = (sessions) => sessions.map(short).join(", ");
  tell({
    kind: "fresh",
    title: `The fresh list came with the refusal: ${devices(receipt.sessions)}`,
    facts: [
      ["Signed in", ids(receipt.missing ?? [])],
      ["Signed out", ids(receipt.deleted ?? [])],
    ],
  });
}

function checksumOf(sessions) {
  return checksum(sessions.map((session) => session.session_id));
}
