//! Chats: listed, and whose devices take part.
//!
//! `GET /chats` with `user_id` in its query is the documentation's list, without it the server's,
//! which passes over whatever stands behind `/chats/`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::auth::Caller;
use super::error::{ErrorBody, Refusal};
use super::introductions::{actor, id_in_query};
use super::path::{PathId, PathText};
use super::views::{ChatView, DocumentedChat};
use super::{HushNetState, Routes};
use crate::domain::error::Fault;
use crate::domain::ids::{ConversationId, SessionId, UserId};
use crate::sdk::ids::{Conversation, User};

/// The routes of this file.
pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/chats", get(list))
        .route("/chats/{chat_id}", get(list_anyway))
        .route("/chats/{chat_id}/devices", get(devices))
}

/// This file's part of the OpenAPI document.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(list, list_anyway, devices))]
    struct Paths;
    Paths::openapi()
}

/// Whose chats are wanted.
#[derive(Deserialize)]
struct Wanted {
    user_id: Option<String>,
}

/// The chats of a member, for the OpenAPI document.
#[derive(Serialize, ToSchema)]
#[schema(as = HushNetChats)]
#[serde(untagged)]
enum List {
    /// As the server's contract has them.
    Served(Vec<ChatView>),
    /// As the documentation has them.
    Documented(Vec<DocumentedChat>),
}

/// `GET /chats`: the chats of the member that asks.
#[utoipa::path(
    get, path = "/chats", operation_id = "list_hushnet_chats", tag = "HushNet",
    summary = "Chats",
    description = "The chats that the caller takes part in, those in which something happened last first. With `user_id` as the documentation has them, without it as the original's server has.",
    params(("user_id" = Option<UserId>, Query, description = "The member that asks; with it the answer is the documentation's")),
    responses(
        (status = 200, body = List, description = "The chats"),
        (status = 400, description = "`user_id` is no UUID, or the credentials cannot be read"),
        (status = 401, description = "No live device signs with this key"),
        (status = 403, body = ErrorBody, description = "`user_id` is somebody else"),
    ),
    security(("device" = [])),
)]
async fn list(
    State(state): State<Arc<HushNetState>>,
    caller: Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Refusal> {
    let Some(text) = &wanted.user_id else {
        return Ok(Json(served(&state, &caller).await?).into_response());
    };
    if id_in_query::<User>("user_id", text)? != caller.member.user {
        return Err(Fault::forbidden_field("user_id", "the chats are somebody else's").into());
    }
    let chats = state.messenger.chats(actor(&caller)).await?;
    let list = List::Documented(chats.iter().map(DocumentedChat::from).collect());
    Ok(Json(list).into_response())
}

/// `GET /chats/{anything}`: the same list. The original passes over the rest of the path.
#[utoipa::path(
    get, path = "/chats/{chat_id}", operation_id = "list_hushnet_chats_anyway", tag = "HushNet",
    summary = "Chats, whatever the path",
    description = "All chats of the caller: the original passes over the last part of the path.",
    params(("chat_id" = String, Path, description = "Is passed over")),
    responses(
        (status = 200, body = List, description = "The chats"),
        (status = 401, description = "No live device signs with this key"),
    ),
    security(("device" = [])),
)]
async fn list_anyway(
    State(state): State<Arc<HushNetState>>,
    caller: Caller,
    PathText(_): PathText,
) -> Result<Json<List>, Refusal> {
    Ok(Json(served(&state, &caller).await?))
}

async fn served(state: &HushNetState, caller: &Caller) -> Result<List, Refusal> {
    let chats = state.messenger.chats(actor(caller)).await?;
    let viewer = caller.member.user;
    Ok(List::Served(chats.iter().map(|chat| ChatView::of(chat, viewer)).collect()))
}

/// The devices in a chat.
#[derive(Serialize, ToSchema)]
#[schema(as = HushNetChatDevices)]
struct Devices {
    /// The chat.
    chat_id: ConversationId,
    /// All live devices of all its members, the caller's own among them.
    devices: Vec<SessionId>,
}

/// `GET /chats/{chat_id}/devices`: whose devices take part.
#[utoipa::path(
    get, path = "/chats/{chat_id}/devices", operation_id = "list_hushnet_chat_devices", tag = "HushNet",
    summary = "Devices in a chat",
    description = "All live devices of all members of a chat that the caller takes part in.",
    params(("chat_id" = ConversationId, Path, description = "The chat")),
    responses(
        (status = 200, body = Devices, description = "The devices"),
        (status = 400, body = ErrorBody, description = "The path holds no UUID"),
        (status = 401, body = ErrorBody, description = "No live device signs with this key"),
        (status = 403, body = ErrorBody, description = "The caller takes no part"),
        (status = 404, body = ErrorBody, description = "No such chat"),
    ),
    security(("device" = [])),
)]
async fn devices(
    State(state): State<Arc<HushNetState>>,
    caller: Caller,
    PathId(chat_id): PathId<Conversation>,
) -> Result<Json<Devices>, Refusal> {
    let devices = state.messenger.devices_in_chat(actor(&caller), chat_id).await?;
    Ok(Json(Devices { chat_id, devices }))
}
