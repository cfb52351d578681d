//! Bots, in the words of those who look after one.

use std::sync::Arc;

use axum::extract::State;
use sealpost_sdk::types::{App, Data, ErrorBody, ObjectType};

use super::MixinState;
use super::answer::Answer;
use super::etag::{self, IfNoneMatch};
use super::request::SignedRequest;
use crate::domain::account::{Account, AccountKind};
use crate::domain::error::Fault;
use crate::domain::session::Scope;

/// Read the calling bot
///
/// What the bot says about itself. There is none behind a person, who gets 404.
#[utoipa::path(
    get,
    path = "/apps/me",
    operation_id = "read_app",
    tag = "users",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` of an earlier answer")),
    responses(
        (status = 200, body = Data<App>, description = "The bot that the token acts for", headers(("ETag" = String, description = "Changes with the answer"))),
        (status = 304, description = "The answer is the one that the caller has"),
        (status = 403, body = ErrorBody, description = "The API token lacks the scope `read`"),
        (status = 404, body = ErrorBody, description = "The caller is a person"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn me(
    State(_): State<Arc<MixinState>>,
    known: IfNoneMatch,
    request: SignedRequest,
) -> Answer {
    request.caller.require(Scope::Read)?;
    let found = app(&request.caller.owner.account);
    etag::data(&known, found.ok_or(Fault::NotFound { what: "app" })?)
}

/// The bot behind an account, when it is one.
#[must_use]
pub fn app(account: &Account) -> Option<App> {
    (account.kind == AccountKind::Bot).then(|| App {
        kind: ObjectType::App,
        app_id: account.id,
        app_number: account.external_name.clone(),
        name: account.full_name.clone(),
        description: account.biography.clone(),
        icon_url: account.avatar_url.clone(),
        creator_id: Some(account.id),
        category: "OTHER".to_owned(),
        capabilities: Vec::new(),
        resource_patterns: Vec::new(),
        home_uri: String::new(),
        redirect_uri: String::new(),
        is_verified: false,
    })
}
