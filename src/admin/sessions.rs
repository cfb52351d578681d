//! `/admin/v1/…/sessions`: the signed-in devices of an account.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;

use super::AdminState;
use super::request;
use super::types::{AddedSession, NewSession, SessionInfo, SessionList};
use crate::domain::Fault;
use crate::domain::inbox::{InboxKey, InboxStatus};
use crate::domain::ports::MOST_COUNTED;
use crate::domain::session::Session;
use crate::http::path::PathPart;
use crate::http::problem::Problem;

pub(super) async fn list(
    State(state): State<AdminState>,
    PathPart(user_id): PathPart,
) -> Result<Json<SessionList>, Problem> {
    let user = state.gateway.account(request::id("user_id", &user_id)?).await?.id;
    let mut sessions = Vec::new();
    for session in state.gateway.sessions_of(user).await? {
        let inbox = InboxKey::of(&session);
        let status = state.gateway.store.inbox_status(inbox, MOST_COUNTED).await?;
        sessions.push(info(session, status));
    }
    Ok(Json(SessionList { sessions }))
}

fn info(session: Session, inbox: InboxStatus) -> SessionInfo {
    SessionInfo {
        session_id: session.id,
        platform: session.platform,
        public_key: session.agreement_key.to_base64(),
        created_at: session.created_at.to_string(),
        added_by: session.attestation.map(|attestation| attestation.added_by),
        waiting: inbox.waiting,
        set_aside: inbox.set_aside,
        last_seen_at: inbox.last_seen.map(|at| at.to_string()),
    }
}

pub(super) async fn add(
    State(state): State<AdminState>,
    PathPart(user_id): PathPart,
    body: Body,
) -> Result<(StatusCode, Json<AddedSession>), Problem> {
    let user = request::id("user_id", &user_id)?;
    let asked: NewSession = request::json(body).await?;
    let key = request::public_key(&asked.public_key)?;
    let gateway = &state.gateway;
    let session = gateway.add_device_as_operator(user, key, asked.platform, asked.replaces).await?;
    let answer = AddedSession {
        user_id: session.user,
        session_id: session.id,
        platform: session.platform,
        server_public_key: state.server_public_key.to_string(),
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

pub(super) async fn revoke(
    State(state): State<AdminState>,
    PathPart(session_id): PathPart,
) -> Result<StatusCode, Problem> {
    let id = request::id("session_id", &session_id)?;
    let Some(owner) = state.gateway.live_session(id).await? else {
        return Err(Fault::NotFound { what: "session" }.into());
    };
    state.gateway.revoke_session(owner.account.id, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
