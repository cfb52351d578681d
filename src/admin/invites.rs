//! `/admin/v1/invites`: codes with which people sign up.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::AdminState;
use super::request;
use super::types::{CreateInvite, CreatedInvite, InviteInfo, InvitePage};
use crate::domain::Fault;
use crate::domain::sign_up::Invite;
use crate::http::path::PathPart;
use crate::http::problem::Problem;

/// The longest life of an invitation: a year and a day.
const LONGEST_LIFE: u64 = 366 * 24 * 60 * 60;

/// The most uses of one.
const MOST_USES: u32 = 1_000_000;

/// Invitations in a page when nothing else is asked for, and at most.
const PAGE: u32 = 100;
const LARGEST_PAGE: u32 = 1000;

pub(super) async fn create(
    State(state): State<AdminState>,
    body: Body,
) -> Result<Response, Problem> {
    let asked: CreateInvite = request::json(body).await?;
    if !(1..=MOST_USES).contains(&asked.uses) {
        return Err(Fault::invalid("uses", format!("is not between 1 and {MOST_USES}")).into());
    }
    if !(1..=LONGEST_LIFE).contains(&asked.life_seconds) {
        let reason = format!("is not between 1 and {LONGEST_LIFE}");
        return Err(Fault::invalid("life_seconds", reason).into());
    }
    let life = Duration::from_secs(asked.life_seconds);
    let (invite, code) = state.gateway.create_invite(asked.uses, life).await?;
    let answer = CreatedInvite {
        invite_id: invite.id,
        code,
        uses: invite.uses,
        expires_at: invite.expires_at.to_string(),
    };
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(answer)).into_response())
}

/// Which page of invitations.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    after: Option<String>,
    limit: Option<u32>,
}

pub(super) async fn list(
    State(state): State<AdminState>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<InvitePage>, Problem> {
    let Query(page) = page.map_err(|rejection| request::query_fault(&rejection))?;
    let limit = page.limit.unwrap_or(PAGE);
    if !(1..=LARGEST_PAGE).contains(&limit) {
        return Err(Fault::invalid("limit", format!("is not between 1 and {LARGEST_PAGE}")).into());
    }
    let after = page.after.map(|text| request::id("after", &text)).transpose()?;
    // One more than asked for tells whether there is another page.
    let mut found = state.gateway.store.invites(after, limit + 1).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).map(|invite| invite.id);
    Ok(Json(InvitePage { invites: found.into_iter().map(info).collect(), next }))
}

fn info(invite: Invite) -> InviteInfo {
    InviteInfo {
        invite_id: invite.id,
        uses: invite.uses,
        used: invite.used,
        created_at: invite.created_at.to_string(),
        expires_at: invite.expires_at.to_string(),
    }
}

pub(super) async fn revoke(
    State(state): State<AdminState>,
    PathPart(invite_id): PathPart,
) -> Result<StatusCode, Problem> {
    state.gateway.store.drop_invite(request::id("invite_id", &invite_id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
