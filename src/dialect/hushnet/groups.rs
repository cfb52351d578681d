//! Groups: ours, in the documentation's shapes.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{post, put};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::auth::Acting;
use super::body::Signed;
use super::error::{ErrorBody, Refusal};
use super::introductions::actor;
use super::path::PathIds;
use super::times;
use super::{HushNetState, Routes};
use crate::domain::conversation::{Conversation, Role};
use crate::domain::ids::{ConversationId, UserId};
use crate::domain::messenger::grouping::GroupWish;
use crate::sdk::ids;

/// The routes of this file.
pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/chats", post(make))
        .route("/chats/{chat_id}/members/{user_id}", put(add).delete(remove))
}

/// This file's part of the OpenAPI document.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(make, add, remove))]
    struct Paths;
    Paths::openapi()
}

/// A group that shall be made.
#[derive(Deserialize, ToSchema)]
#[schema(as = HushNetNewGroup)]
struct NewGroup {
    /// Its name.
    #[schema(example = "Project Team", max_length = 512)]
    name: String,
    /// Who takes part beside the caller.
    #[serde(default)]
    members: Vec<UserId>,
    /// Its id, a UUID of version 4, so that the request can be repeated; a fresh one otherwise.
    #[serde(default)]
    chat_id: Option<ConversationId>,
}

/// A group.
#[derive(Serialize, ToSchema)]
#[schema(as = HushNetGroup)]
struct Group {
    /// Its id.
    id: ConversationId,
    /// Always `group`.
    #[schema(example = "group")]
    chat_type: &'static str,
    /// Its name.
    #[schema(example = "Project Team")]
    name: String,
    /// Who made it, or has followed who did.
    owner_id: Option<UserId>,
    /// Who takes part.
    members: Vec<UserId>,
    /// When it was made.
    #[schema(example = "2025-11-02T10:00:00Z")]
    created_at: String,
}

impl From<Conversation> for Group {
    fn from(group: Conversation) -> Self {
        let owner = group.participants.iter().find(|it| it.role == Role::Owner);
        Self {
            id: group.id,
            chat_type: "group",
            owner_id: owner.map(|owner| owner.user),
            members: group.participants.iter().map(|it| it.user).collect(),
            created_at: times::utc(group.created_at),
            name: group.name,
        }
    }
}

/// `POST /chats`: makes a group.
#[utoipa::path(
    post, path = "/chats", operation_id = "make_hushnet_group", tag = "HushNet",
    summary = "Make a group",
    description = "The caller is its owner, and has a chat with each of the members. All of them see it in their lists of chats.",
    request_body = NewGroup,
    responses(
        (status = 201, body = Group, description = "The group"),
        (status = 400, body = ErrorBody, description = "The body is not JSON"),
        (status = 401, body = ErrorBody, description = "No live device signs with this key"),
        (status = 409, body = ErrorBody, description = "The id is another chat's, or there are too many members"),
        (status = 422, body = ErrorBody, description = "A member of the body does not fit, or somebody is unknown or has no chat with the caller"),
    ),
    security(("device" = [])),
)]
async fn make(
    State(state): State<Arc<HushNetState>>,
    signed: Signed,
) -> Result<(StatusCode, Json<Group>), Refusal> {
    let NewGroup { name, members, chat_id } = signed.parse()?;
    let wish = GroupWish { id: chat_id, name, members };
    let group = state.messenger.make_group(actor(&signed.caller), &wish).await?;
    Ok((StatusCode::CREATED, Json(group.into())))
}

/// `PUT /chats/{chat_id}/members/{user_id}`: adds a member to a group.
#[utoipa::path(
    put, path = "/chats/{chat_id}/members/{user_id}", operation_id = "add_hushnet_member", tag = "HushNet",
    summary = "Add a member",
    description = "For the owner, who has a chat with whom they add. Who is a member already stays one.",
    params(
        ("chat_id" = ConversationId, Path, description = "The group"),
        ("user_id" = UserId, Path, description = "Who is added"),
    ),
    responses(
        (status = 200, body = Group, description = "The group from now on"),
        (status = 400, body = ErrorBody, description = "The path holds no UUIDs"),
        (status = 401, body = ErrorBody, description = "No live device signs with this key"),
        (status = 403, body = ErrorBody, description = "The caller is not its owner, or it is no group"),
        (status = 404, body = ErrorBody, description = "No such chat"),
        (status = 409, body = ErrorBody, description = "There are too many members"),
        (status = 422, body = ErrorBody, description = "Nobody of this gateway has that id, or they have no chat with the caller"),
    ),
    security(("device" = [])),
)]
async fn add(
    State(state): State<Arc<HushNetState>>,
    Acting(caller): Acting,
    PathIds(chat, user): PathIds<ids::Conversation, ids::User>,
) -> Result<Json<Group>, Refusal> {
    let group = state.messenger.add_to_group(actor(&caller), chat, user).await?;
    Ok(Json(group.into()))
}

/// `DELETE /chats/{chat_id}/members/{user_id}`: removes a member from a group.
#[utoipa::path(
    delete, path = "/chats/{chat_id}/members/{user_id}", operation_id = "remove_hushnet_member", tag = "HushNet",
    summary = "Remove a member, or leave",
    description = "The owner removes anybody, everybody themselves. An owner who leaves is followed by the oldest member.",
    params(
        ("chat_id" = ConversationId, Path, description = "The group"),
        ("user_id" = UserId, Path, description = "Who goes"),
    ),
    responses(
        (status = 200, body = Group, description = "The group from now on"),
        (status = 400, body = ErrorBody, description = "The path holds no UUIDs"),
        (status = 401, body = ErrorBody, description = "No live device signs with this key"),
        (status = 403, body = ErrorBody, description = "The caller is not its owner, or it is no group"),
        (status = 404, body = ErrorBody, description = "No such chat"),
    ),
    security(("device" = [])),
)]
async fn remove(
    State(state): State<Arc<HushNetState>>,
    Acting(caller): Acting,
    PathIds(chat, user): PathIds<ids::Conversation, ids::User>,
) -> Result<Json<Group>, Refusal> {
    let group = state.messenger.remove_from_group(actor(&caller), chat, user).await?;
    Ok(Json(group.into()))
}
