//! `POST /acknowledgements`: a reader has taken care of messages.

use std::sync::Arc;

use axum::extract::State;
use sealpost_sdk::types::{Acknowledgement, Data, ErrorBody};

use super::MixinState;
use super::answer::{self, Answer};
use super::request::{SignedRequest, at_most};
use crate::domain::session::Scope;

/// How many messages one request may acknowledge.
const LIMIT: usize = 100;

/// Acknowledge messages
///
/// Removes messages from the calling session's inbox, whether `DELIVERED` or `READ`. A message that
/// is unknown, was not handed to this session or was acknowledged before is no error. Answers with
/// the same list.
#[utoipa::path(
    post,
    path = "/acknowledgements",
    operation_id = "acknowledge_messages",
    tag = "inbox",
    request_body(content = Vec<Acknowledgement>, description = "Up to 100 acknowledgements"),
    responses(
        (status = 200, body = Data<Vec<Acknowledgement>>, description = "The same list"),
        (status = 400, body = ErrorBody, description = "The body is not JSON"),
        (status = 403, body = ErrorBody, description = "The API token lacks the scope `receive`"),
        (status = 413, body = ErrorBody, description = "More than 100 items, or too many bytes"),
        (status = 422, body = ErrorBody, description = "An item does not fit; `extra` names the field"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn post(State(state): State<Arc<MixinState>>, request: SignedRequest) -> Answer {
    request.caller.require(Scope::Receive)?;
    let list: Vec<Acknowledgement> = request.json()?;
    at_most(LIMIT, list.len())?;
    state.gateway.acknowledge(&request.caller.owner, &list).await?;
    Ok(answer::data(list))
}
