//! How far messages got: told by the devices that have them, and to who sent them. Both are ours.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::auth::Caller;
use super::body::Signed;
use super::error::{ErrorBody, Refusal};
use super::path::PathId;
use super::times;
use super::{HushNetState, Routes};
use crate::domain::ids::{MessageId, SessionId, UserId};
use crate::domain::messenger::taking::ReadMessage;
use crate::domain::messenger::{Actor, Receipt};
use crate::sdk::ids::Message;

/// The routes of this file.
pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/messages/ack", post(acknowledge))
        .route("/messages/{message_id}/receipts", get(receipts))
}

/// This file's part of the OpenAPI document.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(acknowledge, receipts))]
    struct Paths;
    Paths::openapi()
}

/// Messages that a device has.
#[derive(Deserialize, ToSchema)]
#[schema(as = HushNetAcknowledgement)]
struct Acknowledgement {
    /// Messages that it has taken.
    #[serde(default)]
    message_ids: Vec<MessageId>,
    /// Messages that its owner has read; they count as taken.
    #[serde(default)]
    #[schema(max_items = 100)]
    read: Vec<ReadOne>,
}

/// A message that was read.
#[derive(Deserialize, ToSchema)]
#[schema(as = HushNetReadMessage)]
struct ReadOne {
    /// Which.
    message_id: MessageId,
    /// Who sent it. Without it a message that was acknowledged before cannot be found any more.
    #[serde(default)]
    from_user_id: Option<UserId>,
}

/// What became of an acknowledgement.
#[derive(Serialize, ToSchema)]
#[schema(as = HushNetAcknowledged)]
struct Acknowledged {
    /// How many messages went just now.
    #[schema(example = 1)]
    acknowledged: usize,
}

/// How far a message got at one device.
#[derive(Serialize, ToSchema)]
#[schema(as = HushNetReceipt)]
struct ReceiptView {
    /// The device.
    device_id: SessionId,
    /// When it took the message.
    #[schema(example = "2025-11-02T14:30:00Z")]
    delivered_at: String,
    /// When its owner read it, if the device has said so.
    #[schema(example = "2025-11-02T14:31:00Z")]
    read_at: Option<String>,
}

impl From<Receipt> for ReceiptView {
    fn from(receipt: Receipt) -> Self {
        Self {
            device_id: receipt.device,
            delivered_at: times::utc(receipt.delivered_at),
            read_at: receipt.read_at.map(times::utc),
        }
    }
}

/// `POST /messages/ack`: the device has these messages.
#[utoipa::path(
    post, path = "/messages/ack", operation_id = "acknowledge_hushnet_messages", tag = "HushNet",
    summary = "Acknowledge messages",
    description = "They wait no more, and their senders hear of it. At most 1000 messages at a time. What is unknown or was never handed out to this device is passed over.",
    request_body = Acknowledgement,
    responses(
        (status = 200, body = Acknowledged, description = "Done"),
        (status = 400, body = ErrorBody, description = "The body is not JSON"),
        (status = 401, body = ErrorBody, description = "No live device signs with this key"),
        (status = 422, body = ErrorBody, description = "A member of the body does not fit, or there are too many"),
    ),
    security(("device" = [])),
)]
async fn acknowledge(
    State(state): State<Arc<HushNetState>>,
    signed: Signed,
) -> Result<Json<Acknowledged>, Refusal> {
    let Acknowledgement { message_ids, read } = signed.parse()?;
    let one = |one: ReadOne| ReadMessage { id: one.message_id, from: one.from_user_id };
    let read: Vec<_> = read.into_iter().map(one).collect();
    let reader = Actor::new(&signed.caller.member, &signed.caller.device);
    let acknowledged = state.messenger.acknowledge(reader, &message_ids, &read).await?;
    Ok(Json(Acknowledged { acknowledged }))
}

/// `GET /messages/{message_id}/receipts`: how far a message got that the caller sent.
#[utoipa::path(
    get, path = "/messages/{message_id}/receipts", operation_id = "read_hushnet_receipts", tag = "HushNet",
    summary = "How far a message got",
    description = "For the member that sent it. Devices that do not have it yet are not listed; nobody's message has no receipts.",
    params(("message_id" = MessageId, Path, description = "The message's id, as the answer to its sender had it")),
    responses(
        (status = 200, body = Vec<ReceiptView>, description = "The devices that have it"),
        (status = 400, body = ErrorBody, description = "The path holds no UUID"),
        (status = 401, body = ErrorBody, description = "No live device signs with this key"),
    ),
    security(("device" = [])),
)]
async fn receipts(
    State(state): State<Arc<HushNetState>>,
    caller: Caller,
    PathId(message): PathId<Message>,
) -> Result<Json<Vec<ReceiptView>>, Refusal> {
    let sender = Actor::new(&caller.member, &caller.device);
    let receipts = state.messenger.receipts(sender, message).await?;
    Ok(Json(receipts.into_iter().map(ReceiptView::from).collect()))
}
