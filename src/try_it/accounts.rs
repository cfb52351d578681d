//! `POST /try/accounts`: an account for a guest.
//!
//! It is asked for as `POST /accounts` of the bot API is: with a token that is signed by the very key
//! which the account's first device will have, bound to this gateway and this request, and good
//! once. Asked again for the very same, the first answer comes again.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use sealpost_sdk::ids::{SessionId, UserId};
use sealpost_sdk::keys::VerifyingKey;
use sealpost_sdk::token::{SignUpClaims, body_digest, check_sign_up, open_sign_up};
use serde::{Deserialize, Serialize};

use super::TryIt;
use crate::domain::Fault;
use crate::domain::session::SessionOwner;
use crate::domain::sign_up::SignUp;
use crate::http::body;
use crate::http::course::Course;
use crate::http::problem::Problem;

/// The largest body: it is read for a stranger.
const BODY_LIMIT: u64 = 4 * 1024;

/// What kind of device a guest has.
const PLATFORM: &str = "Browser";

/// What a guest asks for.
#[derive(Deserialize)]
struct Asked {
    full_name: String,
    /// The Ed25519 key of the first device, base64.
    public_key: String,
}

/// What a guest gets.
#[derive(Serialize)]
struct Made {
    user_id: UserId,
    session_id: SessionId,
    full_name: String,
}

pub(super) async fn create(
    State(state): State<Arc<TryIt>>,
    request: Request,
) -> Result<Response, Problem> {
    let SessionOwner { account, session } = welcome(&state, request).await?;
    let made = Made { user_id: account.id, session_id: session.id, full_name: account.full_name };
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(made)).into_response())
}

async fn welcome(state: &TryIt, request: Request) -> Result<SessionOwner, Fault> {
    let (parts, body) = request.into_parts();
    // Nobody knows the caller yet, so its address is all that can be counted.
    let address = state.gate.address(&parts.extensions, &parts.headers);
    state.gate.stranger(address)?;
    let body = body::read(body, BODY_LIMIT).await?;
    let asked: Asked = serde_json::from_slice(&body)
        .map_err(|error| Fault::malformed(format!("the body cannot be read: {error}")))?;
    let signing_key = VerifyingKey::from_base64(&asked.public_key)
        .map_err(|error| Fault::invalid("public_key", error.to_string()))?;
    let claims = proved(state, &parts, &body, &signing_key)?;
    Course::begin_work_of(&parts.extensions);
    let sign_up = SignUp {
        signing_key,
        full_name: asked.full_name,
        platform: PLATFORM.to_owned(),
        invite: String::new(),
        jti: claims.jti,
        request: claims.sig,
    };
    state.guests.welcome(sign_up, address).await
}

/// The claims of the request's token, which its key has signed for this very request.
fn proved(
    state: &TryIt,
    parts: &Parts,
    body: &[u8],
    key: &VerifyingKey,
) -> Result<SignUpClaims, Fault> {
    let token = bearer(&parts.headers).ok_or_else(|| {
        Fault::unauthorized("there is no `Authorization: Bearer …` header with a token")
    })?;
    let claims =
        open_sign_up(token, key).map_err(|error| Fault::unauthorized(error.to_string()))?;
    let now = state.clock.now().as_seconds();
    let ahead = i64::try_from(state.clock_ahead.as_secs()).unwrap_or(i64::MAX);
    let digest = body_digest(parts.method.as_str(), parts.uri.path(), body);
    check_sign_up(&claims, now, ahead, &state.server_public_key, &digest)
        .map_err(|error| Fault::unauthorized(error.to_string()))?;
    Ok(claims)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
