//! Who takes part in a group: adding, removing, roles, joining and leaving.

use std::sync::Arc;

use axum::extract::State;
use sealpost_sdk::ids::{CodeId, ConversationId};
use sealpost_sdk::types::{Conversation, Data, ErrorBody, NewParticipant};

use super::super::MixinState;
use super::super::answer::Answer;
use super::super::request::SignedRequest;
use super::super::sessions::path_id;
use super::{change, named, role, shown};
use crate::domain::conversation::group::Named;
use crate::domain::conversation::plan::Wish;
use crate::domain::error::Fault;
use crate::domain::session::Scope;
use crate::http::path::PathPart;

/// Add participants
///
/// For the owner and admins; the owner alone may add somebody as `ADMIN`. Who takes part already
/// stays as it is.
#[utoipa::path(
    post,
    path = "/conversations/{id}/participants/ADD",
    operation_id = "add_participants",
    tag = "conversations",
    params(("id" = ConversationId, Path, description = "The group")),
    request_body(content = Vec<NewParticipant>, description = "1 to 100 accounts"),
    responses(
        (status = 200, body = Data<Conversation>, description = "The group as it is now"),
        (status = 400, body = ErrorBody, description = "The body is not JSON"),
        (status = 403, body = ErrorBody, description = "The caller may not do this, or the API token lacks the scope `send`"),
        (status = 404, body = ErrorBody, description = "There is no such conversation"),
        (status = 409, body = ErrorBody, description = "Too many participants (code 20116)"),
        (status = 413, body = ErrorBody, description = "More than 100 accounts, or too many bytes"),
        (status = 422, body = ErrorBody, description = "A field does not fit or an account is unknown; `extra` names it"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn add(
    State(state): State<Arc<MixinState>>,
    PathPart(id): PathPart,
    request: SignedRequest,
) -> Answer {
    request.caller.require(Scope::Send)?;
    let id: ConversationId = path_id("id", &id)?;
    let candidate = |(place, one): (usize, &NewParticipant)| {
        let prefix = format!("[{place}]");
        let (role, field) = (role(one, &prefix)?, format!("{prefix}.user_id"));
        Ok(Named { user: one.user_id, role, field })
    };
    let new = named(&state, &request)?;
    let new: Vec<Named> = new.iter().enumerate().map(candidate).collect::<Result<_, Fault>>()?;
    request.once(&state).await?;
    let changed = state.gateway.add_participants(&request.caller.owner, id, &new).await?;
    shown(&state, &request, &changed).await
}

/// Remove participants
///
/// For the owner and admins; an admin may remove neither the owner nor another admin. Who takes no
/// part is passed over.
#[utoipa::path(
    post,
    path = "/conversations/{id}/participants/REMOVE",
    operation_id = "remove_participants",
    tag = "conversations",
    params(("id" = ConversationId, Path, description = "The group")),
    request_body(content = Vec<NewParticipant>, description = "1 to 100 accounts; roles are ignored"),
    responses(
        (status = 200, body = Data<Conversation>, description = "The group as it is now"),
        (status = 400, body = ErrorBody, description = "The body is not JSON"),
        (status = 403, body = ErrorBody, description = "The caller may not do this, or the API token lacks the scope `send`"),
        (status = 404, body = ErrorBody, description = "There is no such conversation"),
        (status = 413, body = ErrorBody, description = "More than 100 accounts, or too many bytes"),
        (status = 422, body = ErrorBody, description = "A field does not fit; `extra` names it"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn remove(
    State(state): State<Arc<MixinState>>,
    PathPart(id): PathPart,
    request: SignedRequest,
) -> Answer {
    let users = named(&state, &request)?.iter().map(|one| one.user_id).collect();
    change(&state, &request, &id, &Wish::Remove(users)).await
}

/// Make admins, or members again
///
/// For the owner alone.
#[utoipa::path(
    post,
    path = "/conversations/{id}/participants/ROLE",
    operation_id = "set_roles",
    tag = "conversations",
    params(("id" = ConversationId, Path, description = "The group")),
    request_body(content = Vec<NewParticipant>, description = "1 to 100 participants with their roles from now on, `ADMIN` or empty"),
    responses(
        (status = 200, body = Data<Conversation>, description = "The group as it is now"),
        (status = 400, body = ErrorBody, description = "The body is not JSON"),
        (status = 403, body = ErrorBody, description = "The caller may not do this, or the API token lacks the scope `send`"),
        (status = 404, body = ErrorBody, description = "There is no such conversation"),
        (status = 413, body = ErrorBody, description = "More than 100 accounts, or too many bytes"),
        (status = 422, body = ErrorBody, description = "A field does not fit; `extra` names it"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn set_roles(
    State(state): State<Arc<MixinState>>,
    PathPart(id): PathPart,
    request: SignedRequest,
) -> Answer {
    let new_role = |(place, one): (usize, &NewParticipant)| {
        Ok((one.user_id, role(one, &format!("[{place}]"))?))
    };
    let roles = named(&state, &request)?;
    let roles = roles.iter().enumerate().map(new_role).collect::<Result<_, Fault>>()?;
    change(&state, &request, &id, &Wish::Roles(roles)).await
}

/// Join a group
///
/// By its code, which every participant is shown as `code_id`. Who takes part already gets the
/// group as it is.
#[utoipa::path(
    post,
    path = "/conversations/{code}/join",
    operation_id = "join_group",
    tag = "conversations",
    params(("code" = CodeId, Path, description = "The group's code")),
    responses(
        (status = 200, body = Data<Conversation>, description = "The group"),
        (status = 403, body = ErrorBody, description = "The API token lacks the scope `send`"),
        (status = 404, body = ErrorBody, description = "The code opens nothing, or no longer"),
        (status = 409, body = ErrorBody, description = "Too many participants (code 20116)"),
        (status = 422, body = ErrorBody, description = "`code` is no code"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn join(
    State(state): State<Arc<MixinState>>,
    PathPart(code): PathPart,
    request: SignedRequest,
) -> Answer {
    request.caller.require(Scope::Send)?;
    let code: CodeId = path_id("code", &code)?;
    request.once(&state).await?;
    let joined = state.gateway.join_group(&request.caller.owner, code).await?;
    shown(&state, &request, &joined).await
}

/// Leave a group
///
/// When the owner leaves, the oldest admin becomes the owner, or else the oldest member. When the
/// last one leaves, the group's code is void and nobody can come back.
#[utoipa::path(
    post,
    path = "/conversations/{id}/exit",
    operation_id = "exit_group",
    tag = "conversations",
    params(("id" = ConversationId, Path, description = "The group")),
    responses(
        (status = 200, body = Data<Conversation>, description = "The group without the caller, its code and its devices"),
        (status = 403, body = ErrorBody, description = "The caller takes no part, or the API token lacks the scope `send`"),
        (status = 404, body = ErrorBody, description = "There is no such conversation"),
        (status = 422, body = ErrorBody, description = "`id` is no conversation id"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn exit(
    State(state): State<Arc<MixinState>>,
    PathPart(id): PathPart,
    request: SignedRequest,
) -> Answer {
    change(&state, &request, &id, &Wish::Exit).await
}
