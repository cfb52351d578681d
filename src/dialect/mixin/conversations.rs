//! Conversations: the one between the caller and another account, and groups.

pub mod participants;
pub mod settings;
mod view;

use std::sync::Arc;

use axum::extract::State;
use sealpost_sdk::ids::{ConversationId, UserId};
use sealpost_sdk::types::{
    Conversation, CreateConversation, Data, ErrorBody, NewParticipant, UpdateConversation,
};
use uuid::Uuid;

use super::MixinState;
use super::answer::Answer;
use super::etag::{self, IfNoneMatch};
use super::request::{SignedRequest, at_most};
use super::sessions::path_id;
use crate::domain::conversation::Role;
use crate::domain::conversation::group::{GroupRequest, Named};
use crate::domain::conversation::plan::Wish;
use crate::domain::error::Fault;
use crate::domain::session::Scope;
use crate::http::path::PathPart;
use view::{shown, view};

/// Open a conversation
///
/// `CONTACT`: the conversation of the caller and another account, or returns it when it exists. Its
/// id follows from the two accounts' ids and is checked. `POST /encrypted_messages` does the same
/// by itself, so a bot need not call this.
///
/// `GROUP`: makes a group with the caller as its owner. With `random_id` the id must be the one
/// that follows from owner, name, random id and participants; without it any UUID of version 4.
/// Who takes part in a group of that id already gets it as it is.
#[utoipa::path(
    post,
    path = "/conversations",
    operation_id = "create_conversation",
    tag = "conversations",
    request_body(content = CreateConversation),
    responses(
        (status = 200, body = Data<Conversation>, description = "The conversation"),
        (status = 400, body = ErrorBody, description = "The body is not JSON"),
        (status = 403, body = ErrorBody, description = "The API token lacks the scope `send`, or a group of that id exists without the caller"),
        (status = 404, body = ErrorBody, description = "The other side of the contact is unknown"),
        (status = 409, body = ErrorBody, description = "Too many participants (code 20116)"),
        (status = 422, body = ErrorBody, description = "A field does not fit; `extra` names it"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn create(State(state): State<Arc<MixinState>>, request: SignedRequest) -> Answer {
    request.caller.require(Scope::Send)?;
    let body: CreateConversation = request.json()?;
    let creator = &request.caller.owner;
    let made = match body.category.as_str() {
        "CONTACT" => {
            let other = other_side(&body, creator.account.id)?;
            state.gateway.ensure_contact(&creator.account, other, body.conversation_id).await?
        }
        "GROUP" => {
            let group = group(body, creator.account.id)?;
            state.gateway.create_group(creator, &group).await?
        }
        _ => return Err(Fault::invalid("category", "must be CONTACT or GROUP").into()),
    };
    shown(&state, &request, &made).await
}

fn other_side(body: &CreateConversation, creator: UserId) -> Result<UserId, Fault> {
    let mut others = body.participants.iter().map(|one| one.user_id);
    let other = others.find(|user| *user != creator);
    let other =
        other.ok_or_else(|| Fault::invalid("participants", "names nobody but the caller"))?;
    if others.any(|user| user != creator && user != other) {
        let reason = "names more than one account; a contact conversation has two sides";
        return Err(Fault::invalid("participants", reason));
    }
    Ok(other)
}

fn group(body: CreateConversation, creator: UserId) -> Result<GroupRequest, Fault> {
    let random_id = match body.random_id.as_str() {
        "" => None,
        text => {
            Some(text.parse::<Uuid>().map_err(|_| Fault::invalid("random_id", "must be a UUID"))?)
        }
    };
    let named = |(place, one): (usize, &NewParticipant)| {
        let prefix = format!("participants[{place}]");
        // Whatever a creator calls itself, it is the owner.
        let role = if one.user_id == creator { Role::Owner } else { role(one, &prefix)? };
        Ok(Named { user: one.user_id, role, field: format!("{prefix}.user_id") })
    };
    let participants = body.participants.iter().enumerate().map(named);
    Ok(GroupRequest {
        id: body.conversation_id,
        random_id,
        participants: participants.collect::<Result<_, Fault>>()?,
        name: body.name,
        announcement: body.announcement,
    })
}

/// The role that was asked for.
fn role(one: &NewParticipant, prefix: &str) -> Result<Role, Fault> {
    match one.role.as_str() {
        "" => Ok(Role::Member),
        "ADMIN" => Ok(Role::Admin),
        _ => Err(Fault::invalid(format!("{prefix}.role"), "must be ADMIN or empty")),
    }
}

/// Read a conversation
///
/// Participants alone may read it. `participant_sessions` leaves the asking session out.
#[utoipa::path(
    get,
    path = "/conversations/{id}",
    operation_id = "read_conversation",
    tag = "conversations",
    params(
        ("id" = ConversationId, Path, description = "The conversation"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of an earlier answer"),
    ),
    responses(
        (status = 200, body = Data<Conversation>, description = "The conversation", headers(("ETag" = String, description = "Changes with the answer"))),
        (status = 304, description = "The answer is the one that the caller has"),
        (status = 403, body = ErrorBody, description = "The caller takes no part, or the API token lacks the scope `read`"),
        (status = 404, body = ErrorBody, description = "There is no such conversation"),
        (status = 422, body = ErrorBody, description = "`id` is no conversation id"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn read(
    State(state): State<Arc<MixinState>>,
    PathPart(id): PathPart,
    known: IfNoneMatch,
    request: SignedRequest,
) -> Answer {
    request.caller.require(Scope::Read)?;
    let id: ConversationId = path_id("id", &id)?;
    let found = state.gateway.conversation(request.caller.owner.account.id, id).await?;
    etag::data(&known, view(&state, &request, &found).await?)
}

/// Change a group's texts
///
/// For the owner and admins. What is missing in the body stays as it is; an empty text is emptied.
#[utoipa::path(
    post,
    path = "/conversations/{id}",
    operation_id = "update_conversation",
    tag = "conversations",
    params(("id" = ConversationId, Path, description = "The group")),
    request_body(content = UpdateConversation),
    responses(
        (status = 200, body = Data<Conversation>, description = "The group as it is now"),
        (status = 400, body = ErrorBody, description = "The body is not JSON"),
        (status = 403, body = ErrorBody, description = "The caller may not do this, or the API token lacks the scope `send`"),
        (status = 404, body = ErrorBody, description = "There is no such conversation"),
        (status = 422, body = ErrorBody, description = "A field does not fit; `extra` names it"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn update(
    State(state): State<Arc<MixinState>>,
    PathPart(id): PathPart,
    request: SignedRequest,
) -> Answer {
    let UpdateConversation { name, announcement } = request.json()?;
    change(&state, &request, &id, &Wish::Describe { name, announcement }).await
}

/// Changes a conversation as the caller wishes, and shows it.
async fn change(state: &MixinState, request: &SignedRequest, id: &str, wish: &Wish) -> Answer {
    request.caller.require(Scope::Send)?;
    let id: ConversationId = path_id("id", id)?;
    // Repeated later, it would undo what was changed since.
    request.once(state).await?;
    let changed = state.gateway.change_conversation(&request.caller.owner, id, wish).await?;
    shown(state, request, &changed).await
}

/// The participants that a body names, at most as many as a batch has items.
fn named(state: &MixinState, request: &SignedRequest) -> Result<Vec<NewParticipant>, Fault> {
    let named: Vec<NewParticipant> = request.json()?;
    at_most(state.gateway.limits.batch_items, named.len())?;
    if named.is_empty() {
        return Err(Fault::invalid("body", "names nobody"));
    }
    Ok(named)
}
