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
use crate::domain::ids::AccountNumber;
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
    kind: Option<String>,
    search: Option<String>,
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
    let wanted = Wanted::read(page.kind.as_deref(), page.search.as_deref())?;
    let after = match page.after {
        Some(text) => Some(state.gateway.account(request::id("after", &text)?).await?.number),
        None => None,
    };
    Ok(Json(find(&state, &wanted, after, limit).await?))
}

/// Which accounts.
#[derive(Debug, Default)]
struct Wanted {
    kind: Option<AccountKind>,
    /// An id, an identity number or a part of a name, in lower case; empty for any.
    search: String,
}

impl Wanted {
    fn read(kind: Option<&str>, search: Option<&str>) -> Result<Self, Fault> {
        let kind = kind.filter(|kind| !kind.is_empty()).map(|kind| {
            let known = AccountKind::from_name(kind);
            known.ok_or_else(|| Fault::invalid("kind", "is neither `bot` nor `user`"))
        });
        let search = search.unwrap_or_default().trim().to_lowercase();
        Ok(Self { kind: kind.transpose()?, search })
    }

    fn is_any(&self) -> bool {
        self.kind.is_none() && self.search.is_empty()
    }

    fn is(&self, account: &Account) -> bool {
        self.kind.is_none_or(|kind| kind == account.kind)
            && (self.search.is_empty()
                || account.external_name == self.search
                || account.id.to_string() == self.search
                || account.full_name.to_lowercase().contains(&self.search))
    }
}

/// Accounts that are looked through for one page. There is no index by name: a search goes on where
/// the page before it ended.
const LOOKED_THROUGH: u32 = 10_000;

async fn find(
    state: &AdminState,
    wanted: &Wanted,
    after: Option<AccountNumber>,
    limit: u32,
) -> Result<AccountPage, Fault> {
    // One more than asked for tells whether there is another page.
    let step = if wanted.is_any() { limit + 1 } else { LARGEST_PAGE };
    let (mut found, mut looked, mut next) = (Vec::new(), after, None);
    for _ in 0..LOOKED_THROUGH.div_ceil(step) {
        let page = state.gateway.store.list_accounts(looked, step).await?;
        let is_last = page.len() < step as usize;
        looked = page.last().map(|account| account.number);
        next = page.last().map(|account| account.id);
        found.extend(page.into_iter().filter(|account| wanted.is(account)).map(info));
        if found.len() > limit as usize {
            found.truncate(limit as usize);
            let next = found.last().map(|account: &AccountInfo| account.user_id);
            return Ok(AccountPage { accounts: found, next });
        }
        if is_last {
            return Ok(AccountPage { accounts: found, next: None });
        }
    }
    Ok(AccountPage { accounts: found, next })
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
