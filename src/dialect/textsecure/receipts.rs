//! Receipts: a phone learns that a message of its has arrived.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::put;
use utoipa::OpenApi;

use super::TextSecureState;
use super::auth::Caller;
use super::envelope::{Envelope, RECEIPT};
use super::messages::{answer, origin};
use super::paths::{Acting, Routes, route};
use super::relay;
use crate::domain::error::Fault;
use crate::domain::phone::sending::{Content, Letter, Posted};
use crate::domain::phone::{PhoneNumber, Switchboard};
use crate::http::path::PathPair;
use crate::http::problem::Problem;

/// The routes of this file.
pub(super) fn routes() -> Routes {
    route(Routes::new(), "/v1/receipt/{destination}/{timestamp}", put(send))
}

/// This file's part of the OpenAPI document.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(send))]
    struct Paths;
    Paths::openapi()
}

/// `PUT /v1/receipt/{destination}/{timestamp}`: a receipt to all devices of a phone.
#[utoipa::path(
    put, path = "/v1/receipt/{destination}/{timestamp}", operation_id = "send_receipt", tag = "TextSecure",
    summary = "Send a receipt",
    description = "To all devices of the phone that sent a message. Reading over a socket or with pull sends receipts by itself.",
    params(
        ("destination" = String, Path, description = "The number, with its `+`"),
        ("timestamp" = u64, Path, description = "The time of the message, milliseconds since 1970"),
        ("relay" = Option<String>, Query, description = "The gateway that the phone is at; empty or left out for this one"),
    ),
    responses(
        (status = 204, description = "The receipt waits; to a phone elsewhere none is sent"),
        (status = 404, description = "The phone cannot be reached, or the relay is unknown"),
    ),
    security(("phone" = [])),
)]
async fn send(
    State(state): State<Arc<TextSecureState>>,
    PathPair(destination, timestamp): PathPair,
    RawQuery(query): RawQuery,
    Acting(caller): Acting,
) -> Result<Response, Problem> {
    let timestamp: u64 = timestamp.parse().map_err(|_| Fault::NotFound { what: "path" })?;
    state.gate.messages(&caller.visitor, 1)?;
    if let Some(relay) = relay::in_query(query.as_deref()) {
        return elsewhere(&state, relay);
    }
    let to = PhoneNumber::parse(&destination).ok_or(Fault::NotFound { what: "recipient" })?;
    Ok(match post(&state.switchboard, &caller, to, timestamp).await? {
        Posted::Stored => StatusCode::NO_CONTENT.into_response(),
        other => answer(&other, false),
    })
}

/// Gateways have no call for receipts between them, so nothing is sent to a phone elsewhere; whoever
/// asks for it can do nothing better.
fn elsewhere(state: &TextSecureState, relay: &str) -> Result<Response, Problem> {
    match state.switchboard.relays.knows(relay) {
        true => Ok(StatusCode::NO_CONTENT.into_response()),
        false => Err(relay::NO_RELAY.into()),
    }
}

/// Tells whoever sent a message that this reader has acknowledged it. A receipt has no receipt, and
/// nobody tells their own number. Nothing depends on it: what cannot be told now is never told.
pub(super) async fn arrived(switchboard: &Switchboard, reader: &Caller, message: &Envelope) {
    if message.is_receipt() || message.relay.is_some() {
        return;
    }
    let source = message.source.as_deref().and_then(PhoneNumber::parse);
    if let Some(source) = source.filter(|source| *source != reader.phone.number) {
        let _ = post(switchboard, reader, source, message.timestamp.unwrap_or_default()).await;
    }
}

async fn post(
    switchboard: &Switchboard,
    from: &Caller,
    to: PhoneNumber,
    timestamp: u64,
) -> Result<Posted, Fault> {
    let receipt = Envelope {
        kind: Some(RECEIPT),
        source: Some(from.phone.number.as_str().to_owned()),
        timestamp: Some(timestamp),
        source_device: Some(from.device.number.0),
        ..Envelope::default()
    };
    let letter = Letter { to, content: Content::Same(receipt.to_bytes()) };
    let posted = switchboard.post(origin(from), &[letter]).await?;
    Ok(posted.into_iter().next().unwrap_or(Posted::Unreachable))
}
