//! Members: made, listed, looked up, logged in, deleted.
//!
//! `GET /users/{id}` follows the documentation when the device's headers are there: then they have to
//! be good, and somebody unknown is 404. Without them it is the server's, which asks nobody.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::auth::{Acting, Asking, Caller};
use super::body::{Signed, Stranger, Unsigned};
use super::contract::Contract;
use super::error::{ErrorBody, Refusal};
use super::path::PathId;
use super::query::Page;
use super::times::written;
use super::{HushNetState, Routes};
use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;
use crate::domain::ids::UserId;
use crate::domain::messenger::{ListedMember, Member, MemberName};
use crate::sdk::ids as kinds;

/// The routes of this file.
pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/users", get(list).post(create_documented))
        .route("/users/create", post(create))
        .route("/users/{id}", get(show).patch(change).delete(delete))
}

/// This file's part of the OpenAPI document.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(list, create_documented, create, show, change, delete))]
    struct Paths;
    Paths::openapi()
}

/// A user.
#[derive(Serialize, ToSchema)]
#[schema(as = HushNetUser)]
pub(super) struct User {
    /// The user's id.
    #[schema(example = "f47ac10b-58cc-4372-a567-0e02b2c3d479")]
    id: String,
    /// The user's name.
    #[schema(example = "alice")]
    username: String,
    /// When the user was made, UTC; without a zone where the server's contract has none.
    #[schema(example = "2025-11-02T10:30:00Z")]
    created_at: String,
}

impl User {
    pub(super) fn new(id: UserId, name: &MemberName, at: Timestamp, contract: Contract) -> Self {
        let (id, username) = (id.to_string(), name.as_str().to_owned());
        Self { id, username, created_at: written(at, contract) }
    }

    /// A member of this gateway or another one, whose name is its address then: it may be that of
    /// somebody here otherwise.
    pub(super) fn shown(member: &Member, contract: Contract) -> Self {
        let user = Self::new(member.user, &member.name, member.created_at, contract);
        match &member.relay {
            Some(relay) => Self { username: format!("{}@{relay}", user.username), ..user },
            None => user,
        }
    }

    fn listed(member: &ListedMember, contract: Contract) -> Self {
        Self::new(member.user, &member.name, member.created_at, contract)
    }
}

/// Who wants to be a user.
#[derive(Deserialize, ToSchema)]
#[schema(as = HushNetNewUser)]
pub(super) struct NewUser {
    /// 1 to 64 characters without `@`, `/` and control characters, and without white space at its
    /// ends.
    #[schema(example = "alice")]
    username: String,
}

/// A new user, with what enrols a device.
#[derive(Serialize, ToSchema)]
#[schema(as = HushNetCreatedUser)]
struct Created {
    /// The user.
    user: User,
    /// Enrols one device of the user within five minutes.
    enrollment_token: String,
}

/// `GET /users`: this gateway's users.
#[utoipa::path(
    get, path = "/users", operation_id = "list_hushnet_users", tag = "HushNet",
    summary = "List users",
    description = "The users of this gateway that have a device and are discoverable, in the order in which they were made; 1,000 unless `limit` says otherwise. Needs no credentials.",
    params(
        ("limit" = Option<u32>, Query, description = "How many, at most 10,000"),
        ("after" = Option<String>, Query, description = "The id of a user: those that come after it"),
    ),
    responses((status = 200, body = Vec<User>, description = "The users")),
)]
async fn list(
    State(state): State<Arc<HushNetState>>,
    _stranger: Stranger,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<User>>, Refusal> {
    let page = Page::of(query.as_deref(), 1000, 10_000)?;
    let store = &state.messenger.gateway.store;
    let after = match page.after {
        Some(user) => store.member(user).await?.map(|member| member.account),
        None => None,
    };
    let members = store.list_members(after, page.limit).await?;
    let listed = |member| User::listed(member, Contract::Server);
    Ok(Json(members.iter().map(listed).collect()))
}

/// `POST /users/create`: a new user, as the server has it.
#[utoipa::path(
    post, path = "/users/create", operation_id = "create_hushnet_user", tag = "HushNet",
    summary = "Make a user, with a token for a device",
    description = "Needs no credentials. A name whose user never had a device is free again after ten minutes.",
    request_body = NewUser,
    responses(
        (status = 201, body = Created, description = "The user, and a token that enrols a device"),
        (status = 409, body = ErrorBody, description = "Somebody has that name"),
        (status = 422, description = "The name is missing, or cannot be used"),
    ),
)]
async fn create(
    State(state): State<Arc<HushNetState>>,
    asked: Unsigned,
) -> Result<Response, Refusal> {
    let new: NewUser = asked.parse()?;
    state.messenger.allowances.authentication(asked.visitor.address)?;
    let made = state.messenger.create_member(&new.username).await;
    let (member, enrollment_token) = made.map_err(taken)?;
    let user = User::listed(&member, Contract::Server);
    Ok((StatusCode::CREATED, Json(Created { user, enrollment_token })).into_response())
}

/// `POST /users`: a new user, as the documentation has it.
#[utoipa::path(
    post, path = "/users", operation_id = "create_hushnet_user_documented", tag = "HushNet",
    summary = "Make a user",
    description = "Needs no credentials. Nobody else is shown the user before there is a device. The first one signs `POST /devices` with its own key, within ten minutes.",
    request_body = NewUser,
    responses(
        (status = 201, body = User, description = "The user"),
        (status = 400, body = ErrorBody, description = "The name cannot be used"),
        (status = 409, body = ErrorBody, description = "Somebody has that name"),
    ),
)]
async fn create_documented(
    State(state): State<Arc<HushNetState>>,
    asked: Unsigned,
) -> Result<Response, Refusal> {
    let new: NewUser = asked.parse()?;
    state.messenger.allowances.authentication(asked.visitor.address)?;
    let made = state.messenger.create_member_without_token(&new.username).await;
    let member = made.map_err(|fault| match fault {
        Fault::Invalid { .. } => bad_request(&fault, "Invalid username"),
        other => taken(other),
    })?;
    let user = User::listed(&member, Contract::Document);
    Ok((StatusCode::CREATED, Json(user)).into_response())
}

/// `GET /users/{id}`: a user.
#[utoipa::path(
    get, path = "/users/{id}", operation_id = "show_hushnet_user", tag = "HushNet",
    summary = "Look a user up",
    description = "With a device's headers as the documentation has it, without them as the server does.",
    params(("id" = String, Path, description = "The user's id")),
    responses(
        (status = 200, body = Option<User>, description = "The user; `null` for nobody if the operator wants that, and no device signed"),
        (status = 401, description = "There are a device's headers, and they are not accepted"),
        (status = 404, body = ErrorBody, description = "There is no such user"),
    ),
)]
async fn show(
    State(state): State<Arc<HushNetState>>,
    Asking(caller): Asking,
    PathId(id): PathId<kinds::User>,
) -> Result<Response, Refusal> {
    let found = state.messenger.gateway.store.member(id).await?;
    let contract = if caller.is_some() { Contract::Document } else { Contract::Server };
    let Some(member) = found.filter(|member| member.relay.is_none()) else {
        if state.settings.null_for_unknown_user && caller.is_none() {
            return Ok(Json(None::<User>).into_response());
        }
        return Err(unknown_user());
    };
    Ok(Json(User::shown(&member, contract)).into_response())
}

/// What a user chooses.
#[derive(Deserialize, ToSchema)]
#[schema(as = HushNetUserChange)]
struct Change {
    /// Whether `GET /users` lists the user. Whoever knows the name or the id finds the user either
    /// way.
    #[schema(example = false)]
    discoverable: bool,
}

/// `PATCH /users/{id}`: whether the caller is listed.
#[utoipa::path(
    patch, path = "/users/{id}", operation_id = "change_hushnet_user", tag = "HushNet",
    summary = "Choose whether to be listed",
    description = "The caller's own choice; what holds before it is the operator's.",
    params(("id" = String, Path, description = "The caller's own id")),
    request_body = Change,
    responses(
        (status = 204, description = "It is noted"),
        (status = 403, body = ErrorBody, description = "That is somebody else"),
    ),
    security(("device" = [])),
)]
async fn change(
    State(state): State<Arc<HushNetState>>,
    PathId(id): PathId<kinds::User>,
    signed: Signed,
) -> Result<StatusCode, Refusal> {
    let Change { discoverable } = signed.parse()?;
    only_oneself(&signed.caller, id)?;
    state.messenger.set_discoverable(&signed.caller.member, discoverable).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn only_oneself(caller: &Caller, id: UserId) -> Result<(), Fault> {
    match caller.member.user == id {
        true => Ok(()),
        false => Err(Fault::forbidden("this is another user's account")),
    }
}

/// `DELETE /users/{id}`: ends all that a user has here.
#[utoipa::path(
    delete, path = "/users/{id}", operation_id = "delete_hushnet_user", tag = "HushNet",
    summary = "Delete the caller's account",
    description = "All devices end, what waits for them is dropped, and the name is free. Wants the strong signature.",
    params(("id" = String, Path, description = "The caller's own id")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 403, body = ErrorBody, description = "That is somebody else, or the signature is of the time alone"),
    ),
    security(("device" = [])),
)]
async fn delete(
    State(state): State<Arc<HushNetState>>,
    Acting(caller): Acting,
    PathId(id): PathId<kinds::User>,
) -> Result<StatusCode, Refusal> {
    caller.require_strong()?;
    only_oneself(&caller, id)?;
    state.messenger.delete_member(&caller.member).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Nobody of that id or name.
pub(super) fn unknown_user() -> Refusal {
    let fault = Fault::NotFound { what: "user" };
    Refusal::worded(fault, StatusCode::NOT_FOUND, "User not found")
}

/// What cannot be used, where the documentation has 400 for that: with the reason.
pub(super) fn bad_request(fault: &Fault, text: &str) -> Refusal {
    let text = format!("{text}: {fault}");
    Refusal { text: None, ..Refusal::from(Fault::malformed(text)) }
}

fn taken(fault: Fault) -> Refusal {
    match fault {
        Fault::Conflict { .. } => {
            Refusal::worded(fault, StatusCode::CONFLICT, "User already exists")
        }
        other => other.into(),
    }
}
