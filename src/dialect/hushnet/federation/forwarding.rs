//! What members here send to members of other gateways.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::super::HushNetState;
use super::super::auth::Caller;
use super::super::error::Refusal;
use super::shapes::Done;
use crate::domain::Fault;
use crate::domain::ids::UserId;
use crate::domain::messenger::federation::NodeError;
use crate::domain::messenger::introducing::Greeting;
use crate::domain::messenger::sending::Outgoing;

/// Brings introductions (`POST /sessions`) to the gateway that `recipient_user_address` names, or that
/// the member belongs to; the answer is 202 then. `None` when that is nobody elsewhere, and nothing
/// was done.
pub(in super::super) async fn forward_introductions(
    state: &HushNetState,
    caller: &Caller,
    address: Option<&str>,
    user: Option<UserId>,
    introductions: &[Greeting],
) -> Result<Option<Response>, Refusal> {
    let federation = &state.federation;
    let to = federation.elsewhere("recipient_user_address", address, user).await?;
    let Some(to) = to else { return Ok(None) };
    let from = (&*caller.member, &caller.device);
    let forwarded = federation.forward_introductions(from, &to, introductions).await;
    forwarded.map_err(|error| match error {
        NodeError::Unreachable | NodeError::Refused { .. } => {
            let text = "failed to forward session";
            let status = StatusCode::BAD_GATEWAY;
            let refusal = Refusal::plain(Fault::unavailable(text, None), status, text);
            Refusal { always: Some(status), ..refusal }
        }
        other => other.into(),
    })?;
    Ok(Some((StatusCode::ACCEPTED, Json(Done { status: "forwarded" })).into_response()))
}

/// Takes a message (`POST /messages`) for the gateway that `to_user_address` names, or that its
/// recipient belongs to; the answer is 202 then. `None` when that is nobody elsewhere, and nothing
/// was done.
pub(in super::super) async fn forward_message(
    state: &HushNetState,
    caller: &Caller,
    address: Option<&str>,
    message: &Outgoing,
) -> Result<Option<Response>, Refusal> {
    let federation = &state.federation;
    let to = federation.elsewhere("to_user_address", address, Some(message.to)).await?;
    let Some(to) = to else { return Ok(None) };
    state.messenger.allowances.messages(caller.device.session, 1)?;
    state.gate.messages(&caller.visitor, 1)?;
    let from = (&*caller.member, &caller.device);
    federation.forward_message(from, &to, message).await?;
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
            NodeError::Malformed
            | NodeError::Unreachable
            | NodeError::Refused { .. }
            | NodeError::TooLate => {
                (StatusCode::BAD_GATEWAY, Fault::unavailable("another gateway", None))
            }
        };
        let always = Some(status);
        Self { always, ..Self::worded(fault, status, error.to_string()) }
    }
}
