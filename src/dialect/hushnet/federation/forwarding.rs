//! What members here send to members of other gateways.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::super::HushNetState;
use super::super::auth::Caller;
use super::super::error::Refusal;
use crate::domain::Fault;
use crate::domain::messenger::federation::{NodeError, OutgoingIntroduction, OutgoingMessage};

/// Brings introductions (`POST /sessions`) to the gateway that `recipient_user_address` names; the
/// answer is 202 then. `None` when it names nobody elsewhere, and nothing was done.
pub(in super::super) async fn forward_introductions(
    state: &HushNetState,
    caller: &Caller,
    address: Option<&str>,
    introductions: impl FnOnce() -> Vec<OutgoingIntroduction>,
) -> Result<Option<Response>, Refusal> {
    let federation = &state.federation;
    let Some(to) = federation.elsewhere("recipient_user_address", address)? else {
        return Ok(None);
    };
    let from = (&*caller.member, &caller.device);
    federation.forward_introductions(from, &to, introductions()).await?;
    let answer = json!({"status": "forwarded"});
    Ok(Some((StatusCode::ACCEPTED, Json(answer)).into_response()))
}

/// Takes a message (`POST /messages`) for the gateway that `to_user_address` names; the answer is
/// 202 then. `None` when it names nobody elsewhere, and nothing was done.
pub(in super::super) async fn forward_message(
    state: &HushNetState,
    caller: &Caller,
    address: Option<&str>,
    message: impl FnOnce() -> OutgoingMessage,
) -> Result<Option<Response>, Refusal> {
    let federation = &state.federation;
    let Some(to) = federation.elsewhere("to_user_address", address)? else { return Ok(None) };
    let from = (&*caller.member, &caller.device);
    federation.forward_message(from, &to, message()).await?;
    Ok(Some((StatusCode::ACCEPTED, Json(json!({"status": "queued"}))).into_response()))
}

impl From<NodeError> for Refusal {
    fn from(error: NodeError) -> Self {
        let (status, text) = match error {
            NodeError::Fault(fault) => return fault.into(),
            NodeError::NotFound => (StatusCode::NOT_FOUND, "target node not found in registry"),
            NodeError::Blocked => (StatusCode::FORBIDDEN, "target node is blocked"),
            NodeError::RegistryUnreachable => {
                (StatusCode::SERVICE_UNAVAILABLE, "registry unreachable")
            }
            NodeError::Malformed => (StatusCode::BAD_GATEWAY, "malformed registry response"),
            NodeError::Unreachable => (StatusCode::BAD_GATEWAY, "failed to reach target node"),
            NodeError::Refused { .. } => (StatusCode::BAD_GATEWAY, "peer returned error"),
        };
        let fault = Fault::unavailable(text, None);
        Refusal::worded(fault, status, text)
    }
}
