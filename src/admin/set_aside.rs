//! `/admin/v1/sessions/{session_id}/set_aside`: messages that a session does not get past.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::Deserialize;

use super::AdminState;
use super::request;
use super::types::{SetAsideList, StuckInboxInfo, StuckList};
use crate::domain::Fault;
use crate::domain::inbox::{InboxKey, SetAside};
use crate::http::path::{PathPair, PathPart};
use crate::http::problem::Problem;

/// Messages in a page when nothing else is asked for, and at most.
const PAGE: u32 = 100;

/// Which page.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    after: Option<String>,
    limit: Option<u32>,
}

pub(super) async fn list(
    State(state): State<AdminState>,
    PathPart(session_id): PathPart,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<SetAsideList>, Problem> {
    let Query(page) = page.map_err(|rejection| request::query_fault(&rejection))?;
    let limit = page.limit.unwrap_or(PAGE);
    if !(1..=PAGE).contains(&limit) {
        return Err(Fault::invalid("limit", format!("is not between 1 and {PAGE}")).into());
    }
    let after = page.after.map(|text| request::id("after", &text)).transpose()?;
    let inbox = inbox(&state, &session_id).await?;
    let found = state.gateway.store.set_aside(inbox, after, limit).await?;
    Ok(Json(SetAsideList { messages: found.iter().map(SetAside::to_wire).collect() }))
}

/// Inboxes in an answer.
const MOST_STUCK: u32 = 100;

pub(super) async fn stuck(State(state): State<AdminState>) -> Result<Json<StuckList>, Problem> {
    let stuck = state.gateway.store.stuck_inboxes(MOST_STUCK).await?;
    let users: Vec<_> = stuck.iter().map(|inbox| inbox.user).collect();
    let accounts = state.gateway.store.accounts(&users).await?;
    let name = |user| accounts.iter().find(|it| it.id == user).map(|it| it.full_name.clone());
    let inboxes = stuck.into_iter().map(|inbox| StuckInboxInfo {
        user_id: inbox.user,
        full_name: name(inbox.user),
        session_id: inbox.session,
        messages: inbox.messages,
        since: inbox.since.to_string(),
    });
    Ok(Json(StuckList { inboxes: inboxes.collect() }))
}

pub(super) async fn retry(
    State(state): State<AdminState>,
    PathPair(session_id, message_id): PathPair,
) -> Result<StatusCode, Problem> {
    let message = request::id("message_id", &message_id)?;
    state.gateway.retry_set_aside(inbox(&state, &session_id).await?, message).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn drop(
    State(state): State<AdminState>,
    PathPair(session_id, message_id): PathPair,
) -> Result<StatusCode, Problem> {
    let message = request::id("message_id", &message_id)?;
    state.gateway.drop_set_aside(inbox(&state, &session_id).await?, message).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn inbox(state: &AdminState, session_id: &str) -> Result<InboxKey, Fault> {
    let id = request::id("session_id", session_id)?;
    if let Some(owner) = state.gateway.live_session(id).await? {
        return Ok(InboxKey::of(&owner.session));
    }
    let device = state.gateway.store.device_inbox(id).await?;
    device.ok_or(Fault::NotFound { what: "session" })
}
