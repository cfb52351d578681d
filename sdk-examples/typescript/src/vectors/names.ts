// ids.json, base64url.json, checksum.json and conversation_id.json.

import { FormError, base64url, fromBase64, hex, parseId } from "../bytes.js";
import {
  contactConversationId,
  groupConversationId,
  requireChecksum,
  sessionChecksum,
} from "../names.js";
import { Members } from "./reading.js";

export async function checkIds(file: unknown): Promise<number> {
  const members = new Members(file, "the file", "source", "accepted", "refused");
  const accepted = members.list("accepted", "text", "id");
  for (const vector of accepted) {
    vector.expect("the id", parseId(vector.text("text")), vector.text("id"));
  }
  const refused = members.list("refused", "text", "reason");
  for (const vector of refused) await vector.refuses(FormError, () => parseId(vector.text("text")));
  return accepted.length + refused.length;
}

export async function checkBase64(file: unknown): Promise<number> {
  const members = new Members(file, "the file", "source", "forms", "refused");
  const forms = members.list("forms", "bytes", "text", "also_read");
  for (const vector of forms) {
    vector.expect("the text", base64url(vector.hex("bytes")), vector.text("text"));
    for (const text of [vector.text("text"), ...vector.texts("also_read")]) {
      vector.expect(`what ${text} stands for`, hex(fromBase64(text)), vector.text("bytes"));
    }
  }
  const refused = members.list("refused", "name", "text", "reason");
  for (const vector of refused) {
    await vector.refuses(FormError, () => fromBase64(vector.text("text")));
  }
  return forms.length + refused.length;
}

export async function checkChecksums(file: unknown): Promise<number> {
  const members = new Members(file, "the file", "source", "valid", "invalid");
  const valid = members.list("valid", "name", "sessions", "checksum");
  for (const vector of valid) {
    const checksum = requireChecksum(vector.text("checksum"));
    for (const sessions of [vector.texts("sessions"), vector.texts("sessions").toReversed()]) {
      vector.expect("the checksum", sessionChecksum(sessions), checksum);
    }
  }
  const invalid = members.texts("invalid");
  for (const text of invalid) await members.refuses(FormError, () => requireChecksum(text));
  return valid.length + invalid.length;
}

export async function checkConversationIds(file: unknown): Promise<number> {
  const members = new Members(file, "the file", "source", "contacts", "groups");
  const contacts = members.list("contacts", "name", "users", "conversation_id");
  for (const vector of contacts) {
    const [one = "", other = ""] = vector.texts("users");
    for (const id of [contactConversationId(one, other), contactConversationId(other, one)]) {
      vector.expect("the id", id, vector.text("conversation_id"));
    }
  }
  const groups = members.list(
    "groups",
    ...["name", "owner", "group_name", "random_id", "participants", "conversation_id"],
  );
  for (const vector of groups) {
    const named = [vector.text("owner"), vector.text("group_name"), vector.text("random_id")] as const;
    for (const others of [vector.texts("participants"), vector.texts("participants").toReversed()]) {
      const id = groupConversationId(...named, others);
      vector.expect("the id", id, vector.text("conversation_id"));
    }
  }
  return contacts.length + groups.length;
}
