//! Accounts, as others see them.

use std::sync::Arc;

use axum::extract::State;
use sealpost_sdk::ids::UserId;
use sealpost_sdk::types::{App, Data, ErrorBody, ObjectType, Relationship, User};

use super::MixinState;
use super::answer::{self, Answer};
use super::relationships::shown;
use super::request::SignedRequest;
use super::sessions::{unique, user_ids};
use crate::domain::account::{Account, AccountKind};
use crate::domain::error::Fault;
use crate::domain::session::Scope;
use crate::http::path::PathPart;

/// Read the caller's account
#[utoipa::path(
    get,
    path = "/me",
    operation_id = "read_me",
    tag = "users",
    responses(
        (status = 200, body = Data<User>, description = "The account that the token acts for"),
        (status = 403, body = ErrorBody, description = "The API token lacks the scope `read`"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn me(State(_): State<Arc<MixinState>>, request: SignedRequest) -> Answer {
    request.caller.require(Scope::Read)?;
    let account = &request.caller.owner.account;
    Ok(answer::data(user(account, Relationship::Me)))
}

/// Read an account
///
/// By its id, or by its identity number.
#[utoipa::path(
    get,
    path = "/users/{id}",
    operation_id = "read_user",
    tag = "users",
    params(("id" = String, Path, description = "An account id, or an identity number", example = "7000104220")),
    responses(
        (status = 200, body = Data<User>, description = "The account"),
        (status = 403, body = ErrorBody, description = "The API token lacks the scope `read`"),
        (status = 404, body = ErrorBody, description = "There is no such account"),
        (status = 422, body = ErrorBody, description = "`id` is neither"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn read(
    State(state): State<Arc<MixinState>>,
    PathPart(id): PathPart,
    request: SignedRequest,
) -> Answer {
    request.caller.require(Scope::Read)?;
    let account = find(&state, &id).await?;
    let shown = shown(&state, &request.caller.owner.account, &[account]).await?.pop();
    Ok(answer::data(shown.ok_or(Fault::NotFound { what: "user" })?))
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
    let app = (account.kind == AccountKind::Bot).then(|| App {
        kind: ObjectType::App,
        app_id: account.id,
        app_number: account.external_name.clone(),
        name: account.full_name.clone(),
        description: String::new(),
        icon_url: String::new(),
    });
    User {
        kind: ObjectType::User,
        user_id: account.id,
        identity_number: account.external_name.clone(),
        full_name: account.full_name.clone(),
        biography: String::new(),
        avatar_url: String::new(),
        relationship: relationship.to_string(),
        mute_until: String::new(),
        created_at: account.created_at.to_string(),
        is_verified: false,
        app,
    }
}
