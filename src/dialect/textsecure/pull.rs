//! Pulling: reading an inbox without a socket.

use std::sync::Arc;

use axum::Json as Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::delete;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use prost::Message as _;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::TextSecureState;
use super::envelope::Envelope;
use super::paths::{Acting, Routes, get_only, route};
use super::receipts;
use crate::domain::error::Fault;
use crate::domain::inbox::{InVain, Waiting};
use crate::domain::phone::sending::TEXTSECURE;
use crate::http::path::PathPair;
use crate::http::problem::Problem;

/// The routes of this file.
pub(super) fn routes() -> Routes {
    let routes = route(Routes::new(), "/v1/messages", get_only(read));
    route(routes, "/v1/messages/{source}/{timestamp}", delete(acknowledge))
}

/// This file's part of the OpenAPI document.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(read, acknowledge))]
    struct Paths;
    Paths::openapi()
}

/// How many pages without a message for the phone are passed over in one request.
const EMPTY_PAGES: usize = 8;

/// What waits for a device.
#[derive(Serialize, ToSchema)]
#[schema(as = PulledMessages)]
struct Page {
    /// The oldest first.
    messages: Vec<Message>,
}

/// A message that waits.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PulledMessage)]
struct Message {
    /// What it is: as its sender said, or 5 for a receipt.
    #[schema(example = 1)]
    #[serde(rename = "type")]
    kind: i32,
    /// The gateway that the sender is at, unless it is this one.
    #[schema(example = "node-b.example")]
    relay: Option<String>,
    /// When it was sent, milliseconds since 1970.
    #[schema(example = 1393000000000_u64)]
    timestamp: u64,
    /// The number that sent it.
    #[schema(example = "+14152222222")]
    source: Option<String>,
    /// The device that sent it.
    #[schema(example = 1)]
    source_device: u32,
    /// What was sent, in base64 with padding.
    #[schema(example = "aGVsbG8=")]
    message: Option<String>,
    /// The same from later clients.
    #[schema(example = "MwohBQ")]
    content: Option<String>,
}

/// `GET /v1/messages/`: what waits for the device, oldest first, as much as fits one page. It is
/// held for this reader for a while, and comes again after that unless it was deleted.
#[utoipa::path(
    get, path = "/v1/messages", operation_id = "pull_messages", tag = "TextSecure",
    summary = "Pull messages",
    description = "What waits for the device, oldest first. It comes again after a while unless it is deleted.",
    responses(
        (status = 200, body = Page, description = "The messages"),
    ),
    security(("phone" = [])),
)]
async fn read(
    State(state): State<Arc<TextSecureState>>,
    Acting(caller): Acting,
) -> Result<Body<Page>, Problem> {
    let gateway = &state.switchboard.gateway;
    let inbox = caller.phone.inbox(&caller.device);
    let mut messages = Vec::new();
    for _ in 0..EMPTY_PAGES {
        let page = gateway.lease_page(inbox, u32::MAX, u64::MAX, None, InVain::Repeat).await?;
        let (ours, others): (Vec<_>, Vec<_>) =
            page.messages.iter().map(|waiting| (waiting, opened(waiting))).partition(is_ours);
        let others = others.into_iter().map(|(waiting, _)| waiting.message_id).collect();
        gateway.take_out(inbox, others).await?;
        messages.extend(ours.into_iter().filter_map(|(_, envelope)| envelope).map(shown));
        if !messages.is_empty() || !page.more {
            break;
        }
    }
    Ok(Body(Page { messages }))
}

/// `DELETE /v1/messages/{source}/{timestamp}`: the device has the message, and its sender is told.
#[utoipa::path(
    delete, path = "/v1/messages/{source}/{timestamp}", operation_id = "delete_message", tag = "TextSecure",
    summary = "Acknowledge a message",
    description = "The oldest of this sender and time, which the device may also have from a notification; the sender gets a receipt.",
    params(
        ("source" = String, Path, description = "The number of the sender, with its `+`"),
        ("timestamp" = u64, Path, description = "The time of the message, milliseconds since 1970"),
    ),
    responses(
        (status = 204, description = "There is no such message, or no longer"),
        (status = 404, description = "The time is no number"),
    ),
    security(("phone" = [])),
)]
async fn acknowledge(
    State(state): State<Arc<TextSecureState>>,
    PathPair(source, timestamp): PathPair,
    Acting(caller): Acting,
) -> Result<StatusCode, Problem> {
    let timestamp = timestamp.parse().map_err(|_| Fault::NotFound { what: "path" })?;
    let inbox = caller.phone.inbox(&caller.device);
    let gateway = &state.switchboard.gateway;
    let is_meant = |envelope: &Envelope| {
        envelope.source.as_deref() == Some(&source) && envelope.timestamp == Some(timestamp)
    };
    let found = gateway.find_waiting(inbox, |waiting| opened(waiting).filter(is_meant)).await?;
    if let Some((waiting, envelope)) = found {
        gateway.withdraw(inbox, &waiting).await?;
        receipts::arrived(&state.switchboard, &caller, &envelope).await;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// The envelope that a device gets; `None` for what the gateway itself says, which this protocol
/// has no words for.
pub(super) fn opened(waiting: &Waiting) -> Option<Envelope> {
    let is_ours = waiting.category == TEXTSECURE;
    is_ours.then(|| Envelope::decode(waiting.slot.clone()).ok()).flatten()
}

fn is_ours(pair: &(&Waiting, Option<Envelope>)) -> bool {
    pair.1.is_some()
}

fn shown(envelope: Envelope) -> Message {
    let text = |bytes: Option<Bytes>| bytes.map(|bytes| STANDARD.encode(bytes));
    Message {
        kind: envelope.kind.unwrap_or_default(),
        relay: envelope.relay,
        timestamp: envelope.timestamp.unwrap_or_default(),
        source: envelope.source,
        source_device: envelope.source_device.unwrap_or_default(),
        message: text(envelope.message),
        content: text(envelope.content),
    }
}
