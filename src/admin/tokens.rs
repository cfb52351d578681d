//! `/admin/v1/sessions/{session_id}/tokens`: plain API tokens.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};

use super::AdminState;
use super::request;
use super::types::{CreateToken, CreatedToken};
use crate::domain::Fault;
use crate::domain::session::{Scope, Scopes};
use crate::http::path::PathPart;
use crate::http::problem::Problem;

/// The longest life of a token: a year and a day.
const LONGEST_LIFE: u64 = 366 * 24 * 60 * 60;

pub(super) async fn create(
    State(state): State<AdminState>,
    PathPart(session_id): PathPart,
    body: Body,
) -> Result<Response, Problem> {
    let session = request::id("session_id", &session_id)?;
    let asked: CreateToken = request::json(body).await?;
    let scopes = scopes(&asked.scopes)?;
    if !(1..=LONGEST_LIFE).contains(&asked.life_seconds) {
        let reason = format!("is not between 1 and {LONGEST_LIFE}");
        return Err(Fault::invalid("life_seconds", reason).into());
    }
    let life = Duration::from_secs(asked.life_seconds);
    // Read before the token is made: the answer never promises more than the gateway keeps.
    let expires_at = state.gateway.clock.now().plus(life).to_string();
    let token = state.gateway.create_api_token(session, scopes, life).await?;
    let answer = Json(CreatedToken { token, expires_at });
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], answer).into_response())
}

pub(super) async fn revoke(
    State(state): State<AdminState>,
    PathPart(session_id): PathPart,
) -> Result<StatusCode, Problem> {
    state.gateway.revoke_api_tokens(request::id("session_id", &session_id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn scopes(names: &[String]) -> Result<Scopes, Fault> {
    if names.is_empty() {
        return Err(Fault::invalid("scopes", "is empty: a token without scopes can do nothing"));
    }
    let scope = |name: &String| {
        Scope::from_name(name).ok_or_else(|| {
            let reason = format!("`{name}` is none of `send`, `receive`, `read`");
            Fault::invalid("scopes", reason)
        })
    };
    let scopes: Vec<_> = names.iter().map(scope).collect::<Result<_, _>>()?;
    Ok(Scopes::of(&scopes))
}
