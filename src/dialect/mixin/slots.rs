//! `POST /encrypted_messages/{message_id}/slots`: sessions that a message did not cover get it too.

use std::sync::Arc;

use axum::extract::State;
use bytes::Bytes;
use sealpost_sdk::base64url;
use sealpost_sdk::checksum::Checksum;
use sealpost_sdk::envelope::MAX_SESSIONS;
use sealpost_sdk::ids::{MessageId, SessionId};
use sealpost_sdk::types::{Data, ErrorBody, Receipt, TopUp, TopUpSlot};

use super::MixinState;
use super::answer::{self, Answer};
use super::outgoing::Label;
use super::receipts;
use super::request::{SignedRequest, at_most};
use super::sessions::path_id;
use crate::domain::error::Fault;
use crate::domain::session::Scope;
use crate::domain::top_up;
use crate::http::path::PathPart;

/// The length of a slot: session id, IV, wrapped message key.
const SLOT: usize = 64;

/// Add slots to a message
///
/// After `on_stale=deliver_known` a receipt may name `missing` sessions. This gives them the message
/// without sending its body again: for ten minutes, a slot for each, sealed with the message's own
/// key. `checksum` is that over all live sessions of the accounts that the message was for, those
/// that have it included. When it is not the right one, nothing is added and the receipt is that of
/// a stale list. Slots for sessions that have the message already are ignored.
#[utoipa::path(
    post,
    path = "/encrypted_messages/{message_id}/slots",
    operation_id = "add_slots",
    tag = "messages",
    params(("message_id" = MessageId, Path, description = "The message")),
    request_body(content = TopUp),
    responses(
        (status = 200, body = Data<Receipt>, description = "What became of it; `missing` names those that still have no slot"),
        (status = 400, body = ErrorBody, description = "The body is not JSON"),
        (status = 403, body = ErrorBody, description = "The API token lacks the scope `send`, or the only recipient has blocked the caller"),
        (status = 404, body = ErrorBody, description = "Nobody is missing (any more), ten minutes are over, or the caller sent no such message"),
        (status = 413, body = ErrorBody, description = "More than 510 slots, or too many bytes"),
        (status = 422, body = ErrorBody, description = "A field does not fit; `extra` names it"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn add(
    State(state): State<Arc<MixinState>>,
    PathPart(id): PathPart,
    request: SignedRequest,
) -> Answer {
    request.caller.require(Scope::Send)?;
    let message_id = path_id("message_id", &id)?;
    let top_up = read(message_id, &request.json()?)?;
    let verdict = state.gateway.top_up(&request.caller.owner, &top_up).await?;
    let label = Label { message_id: message_id.to_string(), recipient_id: String::new() };
    Ok(answer::data(receipts::labelled(&label, &verdict)))
}

fn read(message_id: MessageId, body: &TopUp) -> Result<top_up::TopUp, Fault> {
    let checksum = Checksum::parse(&body.checksum);
    let checksum = checksum.map_err(|error| Fault::invalid("checksum", error.to_string()))?;
    if body.slots.is_empty() {
        return Err(Fault::invalid("slots", "has no items"));
    }
    at_most(MAX_SESSIONS, body.slots.len())?;
    let slots = body.slots.iter().map(slot).collect::<Result<_, _>>()?;
    Ok(top_up::TopUp { message_id, checksum, slots })
}

fn slot(slot: &TopUpSlot) -> Result<(SessionId, Bytes), Fault> {
    let unfit = |reason: String| Fault::invalid("slot_base64", reason);
    let bytes = base64url::decode(&slot.slot_base64).map_err(|error| unfit(error.to_string()))?;
    if bytes.len() != SLOT {
        return Err(unfit(format!("has {} bytes, a slot has {SLOT}", bytes.len())));
    }
    if !bytes.starts_with(slot.session_id.as_bytes()) {
        return Err(unfit("does not begin with its `session_id`".to_owned()));
    }
    Ok((slot.session_id, bytes.into()))
}
