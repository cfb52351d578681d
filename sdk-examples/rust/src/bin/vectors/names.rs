//! What has no key in it: base64url, ids, checksums, conversations.

use sealpost_sdk::base64url;
use sealpost_sdk::checksum::{Checksum, session_checksum};
use sealpost_sdk::conversation::{contact_conversation_id, group_conversation_id};
use sealpost_sdk::ids::{ConversationId, Id, SessionId, UserId};
use serde::Deserialize;

use crate::reading::{Hex, Wrong, each, refused, refused_since, same};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Base64Url {
    #[serde(rename = "source")]
    _source: String,
    forms: Vec<Form>,
    refused: Vec<NoBase64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    bytes: Hex,
    text: String,
    also_read: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoBase64 {
    #[serde(rename = "name")]
    _name: String,
    text: String,
    reason: String,
}

pub fn check_base64url(file: &[u8]) -> Result<usize, Wrong> {
    let file: Base64Url = serde_json::from_slice(file)?;
    let forms = each("forms", &file.forms, |case| {
        same(&base64url::encode(&case.bytes), &case.text)?;
        for text in case.also_read.iter().chain([&case.text]) {
            same(&*base64url::decode(text)?, &*case.bytes)?;
        }
        Ok(())
    })?;
    let refused = each("refused", &file.refused, |case| {
        refused_since(base64url::decode(&case.text), &case.reason)
    })?;
    Ok(forms + refused)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ids {
    #[serde(rename = "source")]
    _source: String,
    accepted: Vec<ReadId>,
    refused: Vec<NoId>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadId {
    text: String,
    id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoId {
    text: String,
    reason: String,
}

pub fn check_ids(file: &[u8]) -> Result<usize, Wrong> {
    let file: Ids = serde_json::from_slice(file)?;
    let accepted = each("accepted", &file.accepted, |case| {
        same(&UserId::parse(&case.text)?.to_string(), &case.id)
    })?;
    let refused = each("refused", &file.refused, |case| {
        refused_since(UserId::parse(&case.text), &case.reason)
    })?;
    Ok(accepted + refused)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Checksums {
    #[serde(rename = "source")]
    _source: String,
    valid: Vec<Sessions>,
    invalid: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sessions {
    #[serde(rename = "name")]
    _name: String,
    sessions: Vec<SessionId>,
    checksum: Checksum,
}

pub fn check_checksums(file: &[u8]) -> Result<usize, Wrong> {
    let file: Checksums = serde_json::from_slice(file)?;
    let valid = each("valid", &file.valid, |case| {
        let sessions = case.sessions.iter().copied();
        same(&session_checksum(sessions.clone()), &case.checksum)?;
        same(&session_checksum(sessions.rev()), &case.checksum)
    })?;
    let invalid = each("invalid", &file.invalid, |text| refused(Checksum::parse(text)).map(drop))?;
    Ok(valid + invalid)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Conversations {
    #[serde(rename = "source")]
    _source: String,
    contacts: Vec<Contact>,
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Contact {
    #[serde(rename = "name")]
    _name: String,
    users: [UserId; 2],
    conversation_id: ConversationId,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    #[serde(rename = "name")]
    _name: String,
    owner: UserId,
    group_name: String,
    random_id: Id<()>,
    participants: Vec<UserId>,
    conversation_id: ConversationId,
}

pub fn check_conversations(file: &[u8]) -> Result<usize, Wrong> {
    let file: Conversations = serde_json::from_slice(file)?;
    let contacts = each("contacts", &file.contacts, |case| {
        let [one, other] = case.users;
        same(&contact_conversation_id(one, other), &case.conversation_id)?;
        same(&contact_conversation_id(other, one), &case.conversation_id)
    })?;
    let groups = each("groups", &file.groups, |case| {
        let random_id = case.random_id.uuid();
        let mut participants = case.participants.clone();
        for _ in 0..2 {
            let id = group_conversation_id(case.owner, &case.group_name, random_id, &participants);
            same(&id, &case.conversation_id)?;
            participants.reverse();
        }
        Ok(())
    })?;
    Ok(contacts + groups)
}
