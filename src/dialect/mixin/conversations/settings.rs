//! What can be set in a conversation: its code, how long it is muted, when messages disappear.

use std::sync::Arc;

use axum::extract::State;
use sealpost_sdk::ids::ConversationId;
use sealpost_sdk::types::{Conversation, ConversationDuration, Data, ErrorBody};

use super::super::MixinState;
use super::super::answer::Answer;
use super::super::request::SignedRequest;
use super::super::sessions::path_id;
use super::{change, shown};
use crate::domain::conversation::plan::Wish;
use crate::domain::session::Scope;
use crate::http::path::PathPart;

/// Make another code
///
/// For the owner and admins of a group. The old code opens nothing from then on.
#[utoipa::path(
    post,
    path = "/conversations/{id}/rotate",
    operation_id = "rotate_code",
    tag = "conversations",
    params(("id" = ConversationId, Path, description = "The group")),
    responses(
        (status = 200, body = Data<Conversation>, description = "The group with its new code"),
        (status = 403, body = ErrorBody, description = "The caller may not do this, or the API token lacks the scope `send`"),
        (status = 404, body = ErrorBody, description = "There is no such conversation"),
        (status = 422, body = ErrorBody, description = "`id` is no conversation id"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn rotate(
    State(state): State<Arc<MixinState>>,
    PathPart(id): PathPart,
    request: SignedRequest,
) -> Answer {
    let code = state.gateway.random_id();
    change(&state, &request, &id, &Wish::Rotate(code)).await
}

/// Mute a conversation
///
/// For so many seconds from now on, as far as the caller's account is concerned; 0 ends it. Nobody
/// else is told. The gateway delivers as before: staying quiet is the devices' part.
#[utoipa::path(
    post,
    path = "/conversations/{id}/mute",
    operation_id = "mute_conversation",
    tag = "conversations",
    params(("id" = ConversationId, Path, description = "The conversation")),
    request_body(content = ConversationDuration),
    responses(
        (status = 200, body = Data<Conversation>, description = "The conversation"),
        (status = 400, body = ErrorBody, description = "The body is not JSON"),
        (status = 403, body = ErrorBody, description = "The caller takes no part, or the API token lacks the scope `send`"),
        (status = 404, body = ErrorBody, description = "There is no such conversation"),
        (status = 422, body = ErrorBody, description = "A field does not fit; `extra` names it"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn mute(
    State(state): State<Arc<MixinState>>,
    PathPart(id): PathPart,
    request: SignedRequest,
) -> Answer {
    request.caller.require(Scope::Send)?;
    let id: ConversationId = path_id("id", &id)?;
    let ConversationDuration { duration } = request.json()?;
    request.once(&state).await?;
    let muted = state.gateway.mute(&request.caller.owner, id, duration).await?;
    shown(&state, &request, &muted).await
}

/// Let messages disappear
///
/// So many seconds after they were read; 0 ends it. For the owner and admins of a group, and for
/// both sides of a contact conversation.
#[utoipa::path(
    post,
    path = "/conversations/{id}/disappear",
    operation_id = "expire_messages",
    tag = "conversations",
    params(("id" = ConversationId, Path, description = "The conversation")),
    request_body(content = ConversationDuration),
    responses(
        (status = 200, body = Data<Conversation>, description = "The conversation"),
        (status = 400, body = ErrorBody, description = "The body is not JSON"),
        (status = 403, body = ErrorBody, description = "The caller may not do this, or the API token lacks the scope `send`"),
        (status = 404, body = ErrorBody, description = "There is no such conversation"),
        (status = 422, body = ErrorBody, description = "A field does not fit; `extra` names it"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn disappear(
    State(state): State<Arc<MixinState>>,
    PathPart(id): PathPart,
    request: SignedRequest,
) -> Answer {
    let ConversationDuration { duration } = request.json()?;
    change(&state, &request, &id, &Wish::ExpireIn(duration)).await
}
