//! Sending: a part for each device of one member, all of them or none.
//!
//! The server's contract has `payloads`, one for each device. The documentation's has
//! `to_device_id`, header and ciphertext of a single one, and the gateway makes the message's id.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{OpenApi, ToSchema};

use super::auth::Caller;
use super::body::Signed;
use super::contract::Contract;
use super::error::{ErrorBody, Refusal};
use super::federation::{Forwarded, forward_message};
use super::times;
use super::{HushNetState, Routes};
use crate::domain::error::Fault;
use crate::domain::ids::{ConversationId, MessageId, SessionId, UserId};
use crate::domain::messenger::Actor;
use crate::domain::messenger::content::Sealed;
use crate::domain::messenger::sending::{Outgoing, Part, Sent};

/// The routes of this file.
pub(super) fn routes() -> Routes {
    Routes::new().route("/messages", post(send))
}

/// This file's part of the OpenAPI document.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(send))]
    struct Paths;
    Paths::openapi()
}

/// A message as the server's contract has it: for devices of one member.
#[derive(Deserialize, ToSchema)]
#[schema(as = HushNetMessageToDevices)]
struct ToDevices {
    /// The chat.
    chat_id: ConversationId,
    /// The sender's own id for the message, at most 256 bytes. The same one for the same devices is
    /// the same message.
    #[schema(example = "m-1", max_length = 256)]
    logical_msg_id: String,
    /// The member that all devices belong to; the nil UUID if it is known by its address alone.
    to_user_id: UserId,
    /// The member's address, `name@gateway`, if it is one of another gateway.
    #[serde(default)]
    #[schema(example = "bob@node-b.example")]
    to_user_address: Option<String>,
    /// A part for each device.
    payloads: Vec<Payload>,
}

/// What one device gets.
#[derive(Deserialize, ToSchema)]
#[schema(as = HushNetPayload)]
struct Payload {
    /// The device.
    to_device_id: SessionId,
    /// Any JSON, at most 16 KiB. It is returned byte for byte.
    #[schema(value_type = Value)]
    header: Box<RawValue>,
    /// What only the device can read.
    #[schema(example = "q83vEjRWeJA=")]
    ciphertext: String,
}

/// A message as the documentation has it: for one device.
#[derive(Deserialize, ToSchema)]
#[schema(as = HushNetMessageToDevice)]
struct ToDevice {
    /// The chat.
    chat_id: ConversationId,
    /// The device.
    to_device_id: SessionId,
    /// Any JSON, at most 16 KiB. It is returned byte for byte.
    #[schema(value_type = Value)]
    header: Box<RawValue>,
    /// What only the device can read.
    #[schema(example = "q83vEjRWeJA=")]
    ciphertext: String,
    /// The sender's own id for the message, so that it can be sent again; a fresh one otherwise.
    #[serde(default)]
    logical_msg_id: Option<String>,
}

/// Either of the two. Only for the document: what a body is, is decided before it is read.
#[derive(Deserialize, ToSchema)]
#[schema(as = HushNetOutgoingMessage)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes a body for the OpenAPI document")]
enum AnyMessage {
    /// As the server's contract has it.
    ToDevices(ToDevices),
    /// As the documentation has it.
    ToDevice(ToDevice),
}

/// A message of the server's contract that is on disk.
#[derive(Serialize, ToSchema)]
#[schema(as = HushNetSent)]
struct SentToDevices {
    /// Always the text `true`.
    #[schema(example = "true")]
    success: &'static str,
    /// The message's id.
    message_ids: [MessageId; 1],
}

/// A message of the documentation's contract that is on disk.
#[derive(Serialize, ToSchema)]
#[schema(as = HushNetSentToDevice)]
struct SentToDevice {
    /// Its id.
    message_id: MessageId,
    /// The sender's own id for it.
    logical_msg_id: String,
    /// When it came.
    #[schema(example = "2025-11-02T14:30:00Z")]
    created_at: String,
}

/// `POST /messages`: a message for devices of one member of a chat.
#[utoipa::path(
    post, path = "/messages", operation_id = "send_hushnet_message", tag = "HushNet",
    summary = "Send a message",
    description = "For all devices that it names, or for none. With `payloads` as the original's server has it: 200, and a repetition under the same `logical_msg_id` for the same devices is the same message. With `to_device_id` as the documentation has it: 201.",
    request_body = AnyMessage,
    responses(
        (status = 200, body = SentToDevices, description = "It waits for the devices (`payloads`)"),
        (status = 201, body = SentToDevice, description = "It waits for the device (`to_device_id`)"),
        (status = 202, body = Forwarded, description = "It is brought to the gateway that the recipient belongs to"),
        (status = 400, description = "The body is not JSON"),
        (status = 401, description = "No live device signs with this key"),
        (status = 403, body = ErrorBody, description = "Sender or recipient take no part in the chat, or the recipient's gateway is blocked"),
        (status = 404, body = ErrorBody, description = "No such chat, or one of the devices is no live one of the recipient's. Nothing was sent"),
        (status = 422, description = "A member of the body does not fit, or is too long"),
        (status = 502, description = "The gateway that the recipient belongs to, or who knows it, does not answer as it should"),
        (status = 429, body = ErrorBody, description = "Too many messages in a minute"),
        (status = 503, body = ErrorBody, description = "Too much waits for a device; to be sent again later"),
    ),
    security(("device" = [])),
)]
async fn send(State(state): State<Arc<HushNetState>>, signed: Signed) -> Result<Response, Refusal> {
    match signed.contract {
        Contract::Server => send_to_devices(&state, &signed).await,
        Contract::Document => send_to_device(&state, &signed).await,
    }
}

async fn send_to_devices(state: &HushNetState, signed: &Signed) -> Result<Response, Refusal> {
    let ToDevices { chat_id, logical_msg_id, to_user_id, to_user_address, payloads } =
        signed.parse()?;
    let address = to_user_address.as_deref();
    let part = |payload: Payload| Part {
        device: payload.to_device_id,
        sealed: sealed(payload.header, payload.ciphertext),
    };
    let parts = payloads.into_iter().map(part).collect();
    let to = state.federation.named_here(address).await?.unwrap_or(to_user_id);
    let outgoing = Outgoing { chat: chat_id, logical: logical_msg_id, to, parts };
    if let Some(queued) = forward_message(state, &signed.caller, address, &outgoing).await? {
        return Ok(queued);
    }
    let sent = post_message(state, &signed.caller, &outgoing).await?;
    Ok(Json(SentToDevices { success: "true", message_ids: [sent.id] }).into_response())
}

async fn send_to_device(state: &HushNetState, signed: &Signed) -> Result<Response, Refusal> {
    let ToDevice { chat_id, to_device_id, header, ciphertext, logical_msg_id } = signed.parse()?;
    let gateway = &state.messenger.gateway;
    let owners = gateway.store.device_owners(&[to_device_id]).await?;
    let (_, to) = owners.first().copied().ok_or(Fault::NotFound { what: "device" })?;
    let fresh = || gateway.random_id::<MessageId>().to_string();
    let logical = logical_msg_id.unwrap_or_else(fresh);
    let parts = vec![Part { device: to_device_id, sealed: sealed(header, ciphertext) }];
    let outgoing = Outgoing { chat: chat_id, logical, to, parts };
    if let Some(queued) = forward_message(state, &signed.caller, None, &outgoing).await? {
        return Ok(queued);
    }
    let sent = post_message(state, &signed.caller, &outgoing).await?;
    let created_at = times::utc(sent.at);
    let answer = SentToDevice { message_id: sent.id, logical_msg_id: outgoing.logical, created_at };
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// Counts a message, whatever the number of devices, and sends it.
async fn post_message(
    state: &HushNetState,
    caller: &Caller,
    outgoing: &Outgoing,
) -> Result<Sent, Refusal> {
    let messenger = &state.messenger;
    messenger.allowances.messages(caller.device.session, 1)?;
    state.gate.messages(&caller.visitor, 1)?;
    Ok(messenger.send(Actor::new(&caller.member, &caller.device), outgoing).await?)
}

fn sealed(header: Box<RawValue>, ciphertext: String) -> Sealed {
    let header = String::from(Box::<str>::from(header));
    Sealed { header: Bytes::from(header), ciphertext: Bytes::from(ciphertext) }
}
