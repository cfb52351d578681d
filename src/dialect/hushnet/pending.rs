//! What waits for a device. It is held for whoever asks, and goes when the device asks again, once
//! this answer was written to its end; an answer that was cut off comes again.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Query, State};
use axum::http::request::Parts;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{OpenApi, ToSchema};

use super::auth::{Acting, Caller};
use super::contract::Contract;
use super::error::{ErrorBody, Refusal};
use super::path::PathId;
use super::times;
use super::written::{self, Answered};
use super::{HushNetState, Routes, get_alone};
use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;
use crate::domain::ids::{ConversationId, MessageId, SessionId, UserId};
use crate::domain::messenger::Actor;
use crate::domain::messenger::handed_out::Way;
use crate::domain::messenger::reading::{Handful, Look, Received};
use crate::sdk::ids::Session;

/// The routes of this file.
pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/messages/pending", get_alone(fetch))
        .route("/messages/pending/{device_id}", get_alone(fetch_for_device))
}

/// This file's part of the OpenAPI document.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(fetch, fetch_for_device))]
    struct Paths;
    Paths::openapi()
}

/// How the request came. Has to be asked for before anything that takes time.
struct Came(Way);

impl FromRequestParts<Arc<HushNetState>> for Came {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &Arc<HushNetState>,
    ) -> Result<Self, Infallible> {
        let line = parts.extensions.get().cloned();
        Ok(Self(Way { line, at: state.messenger.gateway.clock.now() }))
    }
}

/// How much of what waits is wanted.
#[derive(Deserialize)]
struct Wanted {
    /// At most so many messages; as many as fit into an answer otherwise.
    limit: Option<String>,
    /// Only those with a later `created_at`; the others stay where they are.
    after: Option<String>,
}

impl Wanted {
    fn look(&self) -> Result<Look, Fault> {
        let limit = match &self.limit {
            None => None,
            Some(text) => match text.parse() {
                Ok(limit) if limit > 0 => Some(limit),
                _ => return Err(Fault::invalid("limit", "is no number above 0")),
            },
        };
        let after = match &self.after {
            None => None,
            Some(text) => match text.parse::<jiff::Timestamp>() {
                Ok(time) => Some(Timestamp::from_micros(time.as_microsecond())),
                Err(_) => return Err(Fault::invalid("after", "is no time as RFC 3339 has it")),
            },
        };
        Ok(Look { limit, after })
    }
}

/// A message that waits, as the server's contract has it.
#[derive(Serialize, ToSchema)]
#[schema(as = HushNetWaiting)]
struct Message<'m> {
    /// Its id.
    id: MessageId,
    /// Its sender's own id for it.
    logical_msg_id: &'m str,
    /// The chat.
    chat_id: Option<ConversationId>,
    /// Who sent it.
    from_user_id: UserId,
    /// With which device.
    from_device_id: SessionId,
    /// The header, byte for byte.
    #[schema(value_type = Value)]
    header: &'m RawValue,
    /// What only this device can read.
    ciphertext: Cow<'m, str>,
    /// When it came.
    #[schema(example = "2025-11-02T14:30:00Z")]
    created_at: String,
}

/// A message that waits, as the documentation has it.
#[derive(Serialize, ToSchema)]
#[schema(as = HushNetWaitingForDevice)]
struct DocumentedMessage<'m> {
    /// Its id.
    id: MessageId,
    /// Its sender's own id for it.
    logical_msg_id: &'m str,
    /// The chat.
    chat_id: Option<ConversationId>,
    /// Who sent it.
    from_user_id: UserId,
    /// With which device.
    from_device_id: SessionId,
    /// The member that it is for.
    to_user_id: UserId,
    /// The device that it is for.
    to_device_id: SessionId,
    /// The header, byte for byte.
    #[schema(value_type = Value)]
    header: &'m RawValue,
    /// What only this device can read.
    ciphertext: Cow<'m, str>,
    /// When it was handed out first, if that was before and the gateway still knows it; else null.
    #[schema(example = "2025-11-02T14:30:05Z")]
    delivered_at: Option<String>,
    /// Always null: what was read does not wait.
    read_at: Option<String>,
    /// When it came.
    #[schema(example = "2025-11-02T14:30:00Z")]
    created_at: String,
}

/// `GET /messages/pending`: what waits for the device that asks.
#[utoipa::path(
    get, path = "/messages/pending", operation_id = "fetch_hushnet_messages", tag = "HushNet",
    summary = "Fetch messages",
    description = "What waits for the device, the oldest first, as much as fits into an answer. It is held for this reader for a while. It goes with the device's next look, if this answer was written to its end, or by `POST /messages/ack`; otherwise it comes again. When the next look comes over another connection while the first one is still open or broke off, it comes a second time as well.",
    params(
        ("limit" = Option<u32>, Query, description = "At most so many messages; as many as fit into an answer otherwise"),
        ("after" = Option<String>, Query, description = "Only those with a later `created_at`; the others stay where they are"),
    ),
    responses(
        (status = 200, body = Vec<Message<'_>>, description = "The messages"),
        (status = 401, description = "No live device signs with this key"),
        (status = 422, body = ErrorBody, description = "A parameter cannot be used"),
        (status = 503, body = ErrorBody, description = "Not now"),
    ),
    security(("device" = [])),
)]
async fn fetch(
    State(state): State<Arc<HushNetState>>,
    Came(way): Came,
    Acting(caller): Acting,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Refusal> {
    answer(state, (&caller, way), &wanted, Contract::Server).await
}

/// `GET /messages/pending/{device_id}`: the same as the documentation has it.
#[utoipa::path(
    get, path = "/messages/pending/{device_id}", operation_id = "fetch_hushnet_messages_for_device", tag = "HushNet",
    summary = "Fetch messages, by the device's id",
    description = "The same as `GET /messages/pending`, in the documentation's shape. The device is the one that signs.",
    params(
        ("device_id" = SessionId, Path, description = "The device that asks"),
        ("limit" = Option<u32>, Query, description = "At most so many messages; as many as fit into an answer otherwise"),
        ("after" = Option<String>, Query, description = "Only those with a later `created_at`; the others stay where they are"),
    ),
    responses(
        (status = 200, body = Vec<DocumentedMessage<'_>>, description = "The messages"),
        (status = 400, body = ErrorBody, description = "The path holds no UUID"),
        (status = 401, body = ErrorBody, description = "No live device signs with this key"),
        (status = 403, body = ErrorBody, description = "Another device signs"),
        (status = 422, body = ErrorBody, description = "A parameter cannot be used"),
        (status = 503, body = ErrorBody, description = "Not now"),
    ),
    security(("device" = [])),
)]
async fn fetch_for_device(
    State(state): State<Arc<HushNetState>>,
    Came(way): Came,
    Acting(caller): Acting,
    PathId(device): PathId<Session>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Refusal> {
    own_device(&caller, device)?;
    answer(state, (&caller, way), &wanted, Contract::Document).await
}

/// Whether a request names the device that signs it.
pub(super) fn own_device(caller: &Caller, device: SessionId) -> Result<(), Fault> {
    match device == caller.device.id {
        true => Ok(()),
        false => Err(Fault::forbidden_field("device_id", "the device is another one")),
    }
}

async fn answer(
    state: Arc<HushNetState>,
    (caller, way): (&Caller, Way),
    wanted: &Wanted,
    contract: Contract,
) -> Result<Response, Refusal> {
    let reader = Actor::new(&caller.member, &caller.device);
    let Handful { messages, ticket, leases } =
        state.messenger.fetch(reader, way, wanted.look()?).await?;
    let bytes = match contract {
        Contract::Server => json(messages.iter().map(Message::of)),
        Contract::Document => {
            json(messages.iter().map(|message| DocumentedMessage::of(message, reader.device)))
        }
    };
    let answered = ticket.map(|ticket| Answered { state, reader, ticket, leases });
    Ok(written::response(bytes?, answered))
}

fn json<M: Serialize>(messages: impl Iterator<Item = M>) -> Result<Vec<u8>, Fault> {
    let messages: Vec<_> = messages.collect();
    serde_json::to_vec(&messages).map_err(|error| Fault::internal("writing messages", error))
}

impl<'m> Message<'m> {
    fn of(received: &'m Received) -> Self {
        Self {
            id: received.id,
            logical_msg_id: &received.logical,
            chat_id: received.chat,
            from_user_id: received.from,
            from_device_id: received.from_device,
            header: header(received),
            ciphertext: String::from_utf8_lossy(&received.ciphertext),
            created_at: times::utc(received.at),
        }
    }
}

impl<'m> DocumentedMessage<'m> {
    fn of(received: &'m Received, to: SessionId) -> Self {
        Self {
            id: received.id,
            logical_msg_id: &received.logical,
            chat_id: received.chat,
            from_user_id: received.from,
            from_device_id: received.from_device,
            to_user_id: received.to,
            to_device_id: to,
            header: header(received),
            ciphertext: String::from_utf8_lossy(&received.ciphertext),
            delivered_at: received.handed_out_at.map(times::utc),
            read_at: None,
            created_at: times::utc(received.at),
        }
    }
}

/// The header as it came. It was read as JSON when it was sent.
fn header(received: &Received) -> &RawValue {
    serde_json::from_slice(&received.header).unwrap_or(RawValue::NULL)
}
