//! Accounts, as others see them.

use std::sync::Arc;

use axum::extract::State;
use sealpost_sdk::ids::UserId;
use sealpost_sdk::types::{Data, ErrorBody, ObjectType, ProfileChange, Relationship, User};

use super::MixinState;
use super::answer::{self, Answer};
use super::apps::app;
use super::etag::{self, IfNoneMatch};
use super::relationships::shown;
use super::request::SignedRequest;
use super::sessions::{unique, user_ids};
use crate::domain::account::{self, Account};
use crate::domain::error::Fault;
use crate::domain::session::Scope;
use crate::http::path::PathPart;

/// Read the caller's account
///
/// As `GET /users/{id}` shows it to others; the `relationship` is `ME`.
#[utoipa::path(
    get,
    path = "/me",
    operation_id = "read_me",
    tag = "users",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` of an earlier answer")),
    responses(
        (status = 200, body = Data<User>, description = "The account that the token acts for", headers(("ETag" = String, description = "Changes with the answer"))),
        (status = 304, description = "The answer is the one that the caller has"),
        (status = 403, body = ErrorBody, description = "The API token lacks the scope `read`"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn me(
    State(_): State<Arc<MixinState>>,
    known: IfNoneMatch,
    request: SignedRequest,
) -> Answer {
    request.caller.require(Scope::Read)?;
    let account = &request.caller.owner.account;
    etag::data(&known, user(account, Relationship::Me))
}

/// Change the caller's account
///
/// What the account says about itself; members that are missing stay as they are. Everybody sees the
/// change at once. The gateway keeps no pictures, so `avatar_base64` is refused: give the picture's
/// `avatar_url`. A token is accepted once.
#[utoipa::path(
    post,
    path = "/me",
    operation_id = "change_me",
    tag = "users",
    request_body(content = ProfileChange),
    responses(
        (status = 200, body = Data<User>, description = "The account as it is now"),
        (status = 400, body = ErrorBody, description = "The body is not JSON"),
        (status = 403, body = ErrorBody, description = "API tokens cannot change the account"),
        (status = 422, body = ErrorBody, description = "A field does not fit; `extra` names it"),
    ),
    security(("signed_token" = [])),
)]
pub async fn change(State(state): State<Arc<MixinState>>, request: SignedRequest) -> Answer {
    request.caller.require_signature()?;
    let body: ProfileChange = request.json()?;
    if body.avatar_base64.is_some_and(|picture| !picture.is_empty()) {
        let reason = "cannot be kept: this gateway has no place for pictures; give `avatar_url`";
        return Err(Fault::invalid("avatar_base64", reason).into());
    }
    request.once(&state).await?;
    let change = account::ProfileChange {
        full_name: body.full_name,
        biography: body.biography,
        avatar_url: body.avatar_url,
    };
    let id = request.caller.owner.account.id;
    let account = state.gateway.change_profile(id, change).await?;
    Ok(answer::data(user(&account, Relationship::Me)))
}

/// Read an account
///
/// By its id, or by its identity number.
#[utoipa::path(
    get,
    path = "/users/{id}",
    operation_id = "read_user",
    tag = "users",
    params(
        ("id" = String, Path, description = "An account id, or an identity number", example = "7000104220"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of an earlier answer"),
    ),
    responses(
        (status = 200, body = Data<User>, description = "The account", headers(("ETag" = String, description = "Changes with the answer"))),
        (status = 304, description = "The answer is the one that the caller has"),
        (status = 403, body = ErrorBody, description = "The API token lacks the scope `read`"),
        (status = 404, body = ErrorBody, description = "There is no such account"),
        (status = 422, body = ErrorBody, description = "`id` is neither"),
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
    let account = find(&state, &id).await?;
    let shown = shown(&state, &request.caller.owner.account, &[account]).await?.pop();
    etag::data(&known, shown.ok_or(Fault::NotFound { what: "user" })?)
}

/// Find an account
///
/// As `GET /users/{id}`, under the path where people look for each other by identity number. Nobody
/// is found by a telephone number: the gateway knows none.
#[utoipa::path(
    get,
    path = "/search/{id}",
    operation_id = "search_user",
    tag = "users",
    params(("id" = String, Path, description = "An identity number, or an account id", example = "7000104220")),
    responses(
        (status = 200, body = Data<User>, description = "The account"),
        (status = 304, description = "The answer is the one that the caller has"),
        (status = 403, body = ErrorBody, description = "The API token lacks the scope `read`"),
        (status = 404, body = ErrorBody, description = "There is no such account"),
        (status = 422, body = ErrorBody, description = "`id` is neither"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn search(
    state: State<Arc<MixinState>>,
    id: PathPart,
    known: IfNoneMatch,
    request: SignedRequest,
) -> Answer {
    read(state, id, known, request).await
}

/// Look up accounts
///
/// Up to 500 accounts by their ids. Unknown ones are left out.
#[utoipa::path(
    post,
    path = "/users/fetch",
    operation_id = "fetch_users",
    tag = "users",
    request_body(content = Vec<UserId>, description = "Up to 500 account ids"),
    responses(
        (status = 200, body = Data<Vec<User>>, description = "The accounts"),
        (status = 400, body = ErrorBody, description = "The body is not JSON"),
        (status = 403, body = ErrorBody, description = "The API token lacks the scope `read`"),
        (status = 413, body = ErrorBody, description = "More than 500 ids, or too many bytes"),
        (status = 422, body = ErrorBody, description = "Something in the list is no id"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn fetch(State(state): State<Arc<MixinState>>, request: SignedRequest) -> Answer {
    request.caller.require(Scope::Read)?;
    let users = unique(user_ids(&request)?);
    let accounts = state.gateway.store.accounts(&users).await?;
    Ok(answer::data(shown(&state, &request.caller.owner.account, &accounts).await?))
}

async fn find(state: &MixinState, id: &str) -> Result<Account, Fault> {
    if let Ok(id) = UserId::parse(id) {
        return state.gateway.account(id).await;
    }
    if id.is_empty() || id.len() > 20 || !id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Fault::invalid("id", "is neither an account id nor an identity number"));
    }
    let found = state.gateway.store.account_by_identity_number(id).await?;
    found.ok_or(Fault::NotFound { what: "user" })
}

/// An account, with what it is to whoever asks.
pub(super) fn user(account: &Account, relationship: Relationship) -> User {
    User {
        kind: ObjectType::User,
        user_id: account.id,
        identity_number: account.external_name.clone(),
        full_name: account.full_name.clone(),
        biography: account.biography.clone(),
        avatar_url: account.avatar_url.clone(),
        relationship: relationship.to_string(),
        mute_until: String::new(),
        created_at: account.created_at.to_string(),
        is_verified: false,
        app: app(account),
    }
}
