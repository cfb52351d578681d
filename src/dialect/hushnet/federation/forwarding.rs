//! What members here send to members of other gateways.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::super::HushNetState;
use super::super::auth::Caller;
use super::super::error::Refusal;
use super::shapes::Done;
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
    let forwarded = federation.forward_introductions(from, &to, introductions()).await;
    forwarded.map_err(|error| match error {
        NodeError::Unreachable | NodeError::Refused { .. } => {
            let text = "failed to forward session";
            Refusal::plain(Fault::unavailable(text, None), StatusCode::BAD_GATEWAY, text)
        }
        other => other.into(),
    })?;
    Ok(Some((StatusCode::ACCEPTED, Json(Done { status: "forwarded" })).into_response()))
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
    state.messenger.allowances.messages(caller.device.session, 1)?;
    state.gate.messages(&caller.visitor, 1)?;
    let from = (&*caller.member, &caller.device);
    federation.forward_message(from, &to, message()).await?;
    Ok(Some((StatusCode::ACCEPTED, Json(Done { status: "queued" })).into_response()))
}

impl From<NodeError> for Refusal {
    fn from(error: NodeError) -> Self {
        let (status, fault) = match error {
            NodeError::Fault(fault) => return fault.into(),
            NodeError::NotFound => (StatusCode::NOT_FOUND, Fault::NotFound { what: "node" }),
            NodeError::Blocked => (StatusCode::FORBIDDEN, Fault::forbidden("blocked")),
            NodeError::RegistryUnreachable => {
                (StatusCode::SERVICE_UNAVAILABLE, Fault::unavailable("registry", None))
            }
            NodeError::Malformed | NodeError::Unreachable | NodeError::Refused { .. } => {
                (StatusCode::BAD_GATEWAY, Fault::unavailable("another gateway", None))
            }
        };
        let always = Some(status);
        Self { always, ..Self::worded(fault, status, error.to_string()) }
    }
}
