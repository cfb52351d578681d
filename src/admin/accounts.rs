//! `/admin/v1/accounts`: making and finding accounts.

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use sealpost_sdk::keys::VerifyingKey;
use serde::Deserialize;

use super::AdminState;
use super::request;
use super::types::{
    AccountInfo, AccountPage, CreateAccount, CreatedAccount, CreatedSession, NewSession,
};
use crate::domain::Fault;
use crate::domain::account::{Account, AccountKind};
use crate::domain::session::Session;
use crate::http::path::PathPart;
use crate::http::problem::Problem;

/// Accounts in a page when nothing else is asked for, and at most.
const PAGE: u32 = 100;
const LARGEST_PAGE: u32 = 1000;

pub(super) async fn create(
    State(state): State<AdminState>,
    body: Body,
) -> Result<(StatusCode, Json<CreatedAccount>), Problem> {
    let asked: CreateAccount = request::json(body).await?;
    let Some(kind) = AccountKind::from_name(&asked.kind) else {
        return Err(Fault::invalid("kind", "is neither `bot` nor `user`").into());
    };
    let sessions = asked.sessions.into_iter().map(first_session).collect::<Result<Vec<_>, _>>()?;
    let made = state.gateway.create_account_with(kind, &asked.full_name, sessions).await?;
    let sessions = made.sessions.into_iter();
    let created = |it: Session| CreatedSession { session_id: it.id, platform: it.platform };
    let answer = CreatedAccount {
        user_id: made.account.id,
        identity_number: made.account.external_name,
        server_public_key: state.server_public_key.to_string(),
        sessions: sessions.map(created).collect(),
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

fn first_session(asked: NewSession) -> Result<(VerifyingKey, String), Fault> {
    if asked.replaces.is_some() {
        return Err(Fault::invalid("replaces", "makes no sense for a new account"));
    }
    Ok((request::public_key(&asked.public_key)?, asked.platform))
}

/// Which page of accounts.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    after: Option<String>,
    limit: Option<u32>,
}

pub(super) async fn list(
    State(state): State<AdminState>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<AccountPage>, Problem> {
    let Query(page) = page.map_err(|rejection| request::query_fault(&rejection))?;
    let limit = page.limit.unwrap_or(PAGE);
    if !(1..=LARGEST_PAGE).contains(&limit) {
        return Err(Fault::invalid("limit", format!("is not between 1 and {LARGEST_PAGE}")).into());
    }
    let after = match page.after {
        Some(text) => Some(state.gateway.account(request::id("after", &text)?).await?.number),
        None => None,
    };
    // One more than asked for tells whether there is another page.
    let mut found = state.gateway.store.list_accounts(after, limit + 1).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).map(|account| account.id);
    Ok(Json(AccountPage { accounts: found.into_iter().map(info).collect(), next }))
}

pub(super) async fn show(
    State(state): State<AdminState>,
    PathPart(user_id): PathPart,
) -> Result<Json<AccountInfo>, Problem> {
    let account = state.gateway.account(request::id("user_id", &user_id)?).await?;
    Ok(Json(info(account)))
}

fn info(account: Account) -> AccountInfo {
    AccountInfo {
        user_id: account.id,
        identity_number: account.external_name,
        kind: account.kind.as_str().to_owned(),
        full_name: account.full_name,
        created_at: account.created_at.to_string(),
    }
}
