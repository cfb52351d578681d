//! `POST /accounts`: signing up.

use std::sync::Arc;

use axum::extract::{FromRequest, Request, State};
use sealpost_sdk::keys::VerifyingKey;
use sealpost_sdk::token::{TokenError, check_sign_up, open_sign_up};
use sealpost_sdk::types::{CreateAccount, CreatedAccount, Data, ErrorBody, ObjectType};

use super::MixinState;
use super::answer::{self, Answer};
use super::auth::{bearer, refused, seconds};
use super::request::{digests, parse};
use crate::domain::error::Fault;
use crate::domain::sign_up::SignUp;
use crate::http::body;
use crate::http::course::Course;
use crate::http::problem::Problem;

/// The largest body of a sign-up: it is read for a stranger.
const BODY_LIMIT: u64 = 16 * 1024;

/// Sign up
///
/// Makes an account with its first session, where the operator allows it (`dialects.mixin.sign_up`).
/// The request carries a token signed by `public_key` itself, with the claims `aud` (the gateway's
/// `server_public_key`, which `GET /` shows), `iat`, `exp` (at most five minutes later), `jti` and
/// `sig`. A `jti` is accepted once; but for a day, asking again for the very same thing with the same
/// key and `jti`, in a fresh token if need be, gives the first answer again: an answer that got lost
/// leaves nobody outside.
#[utoipa::path(
    post,
    path = "/accounts",
    operation_id = "sign_up",
    tag = "users",
    request_body(content = CreateAccount),
    responses(
        (status = 200, body = Data<CreatedAccount>, description = "The account and its session, new or as made the first time"),
        (status = 400, body = ErrorBody, description = "The body is not JSON"),
        (status = 403, body = ErrorBody, description = "Sign-up is closed, or the invitation is missing, unknown, used up or over"),
        (status = 409, body = ErrorBody, description = "The key is on file already"),
        (status = 422, body = ErrorBody, description = "A field does not fit; `extra` names it"),
    ),
    security(("sign_up_token" = [])),
)]
pub async fn create(State(state): State<Arc<MixinState>>, request: SignUpRequest) -> Answer {
    let made = state.gateway.sign_up(state.settings.sign_up, request.0).await?;
    Ok(answer::data(CreatedAccount {
        kind: ObjectType::User,
        user_id: made.account.id,
        session_id: made.session.id,
        identity_number: made.account.external_name,
        full_name: made.account.full_name,
        platform: made.session.platform,
        public_key: made.session.agreement_key.to_base64(),
        server_public_key: state.server_public_key.clone(),
        created_at: made.account.created_at.to_string(),
    }))
}

/// A sign-up whose token was signed, for this request, by the key that it names.
#[derive(Debug)]
pub struct SignUpRequest(SignUp);

impl FromRequest<Arc<MixinState>> for SignUpRequest {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &Arc<MixinState>) -> Result<Self, Problem> {
        Ok(Self(read(request, state).await?))
    }
}

async fn read(request: Request, state: &MixinState) -> Result<SignUp, Fault> {
    // Before anything is read for somebody who may not sign up anyway.
    state.settings.sign_up.require_some()?;
    let (parts, body) = request.into_parts();
    // Nobody knows the caller yet, so its address is all that can be counted.
    let address = state.gate.address(&parts.extensions, &parts.headers);
    state.gate.stranger(address)?;
    let token = bearer(&parts.headers).ok_or_else(|| {
        Fault::unauthorized("there is no `Authorization: Bearer …` header with a token")
    })?;
    let body = body::read(body, state.settings.body_limit.min(BODY_LIMIT)).await?;
    let asked: CreateAccount = parse(&body)?;
    let signing_key = VerifyingKey::from_base64(&asked.public_key)
        .map_err(|error| Fault::invalid("public_key", error.to_string()))?;
    let claims = open_sign_up(token, &signing_key).map_err(|error| refused(&error))?;
    let now = state.gateway.clock.now().as_seconds();
    let ahead = seconds(state.settings.clock_ahead);
    let audience = &state.server_public_key;
    let mut verdict = Err(TokenError::WrongRequest);
    for digest in digests(state, &parts, &body) {
        verdict = check_sign_up(&claims, now, ahead, audience, &digest);
        if !matches!(verdict, Err(TokenError::WrongRequest)) {
            break;
        }
    }
    verdict.map_err(|error| refused(&error))?;
    Course::begin_work_of(&parts.extensions);
    Ok(SignUp {
        signing_key,
        full_name: asked.full_name,
        platform: asked.platform,
        invite: asked.invite,
        jti: claims.jti,
        request: claims.sig,
    })
}
