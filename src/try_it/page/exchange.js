// What stands out in a request and its answer.

import { short } from "./ids.js";

/** Characters of sealed bytes that are shown outside of the whole body. */
const GLIMPSE = 72;

/**
 * `{ pairs, verdict, isGood, messages }`: names and values, in a word what came of it, and the ids
 * of the messages in it.
 */
export function summary(exchange) {
  const { session } = exchange;
  const usual = { verdict: "done", isGood: true, messages: [] };
  const { pairs, ...rest } = refusal(exchange) ?? found(exchange);
  return { ...usual, ...rest, pairs: [["From device", session && short(session)], ...pairs] };
}

/** What is said of a request that failed as a whole, if it did. */
function refusal({ status, answer }) {
  if (!answer.error && status < 300) return undefined;
  const reason = answer.error?.description ?? answer.detail;
  const verdict = `refused, ${answer.error?.status ?? status}`;
  return { pairs: [["Reason", reason]], verdict, isGood: false };
}

function found({ path, request, answer }) {
  const data = answer.data ?? answer;
  switch (path.replace(/\?.*/, "").split("/").at(-1)) {
    case "encrypted_messages":
      return ofMessage(request[0], data[0]);
    case "inbox":
      return ofInbox(data);
    case "fetch":
      return ofLookUp(request, data);
    case "acknowledgements":
      return ofAcknowledgement(request);
    case "sessions":
      return ofSession(request, data);
    case "accounts":
      return ofAccount(request, data);
    default:
      return { pairs: [] };
  }
}

function ofAcknowledgement(request) {
  const ids = request.map((one) => short(one.message_id)).join(", ");
  return { pairs: [["Messages", ids]], verdict: "deleted" };
}

function ofSession(request, data) {
  const pairs = [
    ["New public key", request.public_key],
    ["Takes the place of", short(request.replaces)],
    ["New device", short(data.session_id)],
  ];
  return { pairs, verdict: "signed in" };
}

function ofAccount(request, data) {
  const pairs = [
    ["Name", request.full_name],
    ["Public key", request.public_key],
    ["Device", short(data.session_id)],
  ];
  return { pairs, verdict: "welcome" };
}

function ofMessage(item, receipt) {
  const isGood = receipt.state === "SUCCESS";
  const pairs = [
    ["To account", short(item.recipient_id)],
    ["For devices", item.recipient_sessions.map((one) => short(one.session_id)).join(", ")],
    ["Checksum", item.checksum],
    ["Content", glimpse(item.data_base64)],
    ["Receipt", `${receipt.state}, ${receipt.outcome}`],
    ["Fresh list", isGood ? "" : receipt.sessions.map((one) => short(one.session_id)).join(", ")],
  ];
  const verdict = receipt.outcome.replace("_", " ");
  return { pairs, verdict, isGood, messages: [item.message_id] };
}

function ofInbox(data) {
  const messages = data.map((message) => message.message_id);
  return { pairs: data.flatMap(ofWaiting), verdict: `${data.length} handed out`, messages };
}

function ofWaiting(message) {
  return [
    ["From account", short(message.user_id)],
    ["Category", message.category],
    ["Content", glimpse(message.data_base64)],
  ];
}

function ofLookUp(request, sessions) {
  const pairs = [["Of account", request.map(short).join(", ")]];
  for (const { session_id: id, public_key: key } of sessions) {
    pairs.push([`Device ${short(id)}`, key]);
  }
  return { pairs, verdict: `${sessions.length} listed` };
}

function glimpse(base64) {
  return base64.length > GLIMPSE ? `${base64.slice(0, GLIMPSE)}…` : base64;
}
