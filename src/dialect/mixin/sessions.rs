//! Sessions: looking them up, comparing lists, adding and revoking devices.

use std::sync::Arc;

use axum::extract::State;
use sealpost_sdk::base64url;
use sealpost_sdk::checksum::Checksum;
use sealpost_sdk::ids::{Id, SessionId, UserId};
use sealpost_sdk::keys::VerifyingKey;
use sealpost_sdk::types::{
    CheckAnswer, CheckItem, CreatedSession, Data, ErrorBody, NewSession, ObjectType, OwnSession,
    SessionInfo, SessionReference,
};

use super::MixinState;
use super::answer::{self, Answer};
use super::etag::{self, IfNoneMatch};
use super::receipts;
use super::request::{SignedRequest, at_most};
use crate::domain::error::Fault;
use crate::domain::session::{DeviceRequest, Scope, Session};
use crate::http::path::PathPart;

/// How many accounts one look-up may name.
const LOOKUP_LIMIT: usize = 500;

/// Look up sessions
///
/// The live sessions of up to 500 accounts, to seal for. Unknown accounts are left out.
#[utoipa::path(
    post,
    path = "/sessions/fetch",
    operation_id = "fetch_sessions",
    tag = "sessions",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` of an earlier answer to the same question")),
    request_body(content = Vec<UserId>, description = "Up to 500 account ids"),
    responses(
        (status = 200, body = Data<Vec<SessionInfo>>, description = "The live sessions of these accounts", headers(("ETag" = String, description = "Changes with the answer"))),
        (status = 304, description = "The answer is the one that the caller has"),
        (status = 400, body = ErrorBody, description = "The body is not JSON"),
        (status = 403, body = ErrorBody, description = "The API token lacks the scope `read`"),
        (status = 413, body = ErrorBody, description = "More than 500 ids, or too many bytes"),
        (status = 422, body = ErrorBody, description = "Something in the list is no id"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn fetch(
    State(state): State<Arc<MixinState>>,
    known: IfNoneMatch,
    request: SignedRequest,
) -> Answer {
    request.caller.require(Scope::Read)?;
    let users = unique(user_ids(&request)?);
    let mut rosters = state.gateway.store.rosters(&users).await?;
    // One question has one answer, whatever was in a cache: its tag depends on it.
    rosters.sort_unstable_by_key(|roster| roster.user);
    let sessions = rosters.iter().flat_map(|roster| receipts::sessions(roster));
    etag::data(&known, sessions.collect::<Vec<_>>())
}

/// Compare lists of sessions
///
/// A cheap question before a broadcast: of the accounts named with the checksums that the caller
/// has on file, which have other sessions by now? Only those are answered, with their fresh list;
/// an account that is unknown is answered with an empty one.
#[utoipa::path(
    post,
    path = "/sessions/check",
    operation_id = "check_sessions",
    tag = "sessions",
    request_body(content = Vec<CheckItem>, description = "Up to 500 accounts and checksums"),
    responses(
        (status = 200, body = Data<Vec<CheckAnswer>>, description = "The accounts whose sessions differ"),
        (status = 400, body = ErrorBody, description = "The body is not JSON"),
        (status = 403, body = ErrorBody, description = "The API token lacks the scope `read`"),
        (status = 413, body = ErrorBody, description = "More than 500 items, or too many bytes"),
        (status = 422, body = ErrorBody, description = "An item does not fit; `extra` names the field"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn check(State(state): State<Arc<MixinState>>, request: SignedRequest) -> Answer {
    request.caller.require(Scope::Read)?;
    let items: Vec<CheckItem> = request.json()?;
    at_most(LOOKUP_LIMIT, items.len())?;
    let users = unique(items.iter().map(|item| item.user_id).collect());
    let rosters = state.gateway.store.rosters(&users).await?;
    let mut answers = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let claimed = Checksum::parse(&item.checksum)
            .map_err(|error| Fault::invalid(format!("[{index}].checksum"), error.to_string()))?;
        let roster = rosters.iter().find(|roster| roster.user == item.user_id);
        let checksum = roster.map(|roster| roster.checksum).unwrap_or_default();
        if claimed != checksum {
            answers.push(CheckAnswer {
                user_id: item.user_id,
                checksum: checksum.to_string(),
                sessions: roster.map(|roster| receipts::sessions(roster)).unwrap_or_default(),
            });
        }
    }
    Ok(answer::data(answers))
}

/// List the caller's sessions
///
/// The live sessions of the caller's own account, the oldest first, each with the signature of the
/// session that added it. Whoever has lost a device finds here what to revoke, and whoever finds one
/// that it does not know sees who let it in.
#[utoipa::path(
    get,
    path = "/sessions",
    operation_id = "list_sessions",
    tag = "sessions",
    responses(
        (status = 200, body = Data<Vec<OwnSession>>, description = "The live sessions of the account"),
        (status = 403, body = ErrorBody, description = "The API token lacks the scope `read`"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn list(State(state): State<Arc<MixinState>>, request: SignedRequest) -> Answer {
    request.caller.require(Scope::Read)?;
    let current = request.caller.owner.session.id;
    let found = state.gateway.sessions_of(request.caller.owner.account.id).await?;
    let sessions = found.into_iter().map(|session| own(session, current));
    Ok(answer::data(sessions.collect::<Vec<_>>()))
}

fn own(session: Session, current: SessionId) -> OwnSession {
    let signature = session.attestation.map(|word| base64url::encode(&word.signature));
    OwnSession {
        kind: ObjectType::Session,
        user_id: session.user,
        session_id: session.id,
        public_key: session.agreement_key.to_base64(),
        signing_key: session.signing_key.to_base64(),
        platform: session.platform,
        created_at: session.created_at.to_string(),
        current: session.id == current,
        added_by: session.attestation.map(|word| word.added_by),
        attestation: signature.unwrap_or_default(),
    }
}

/// Add a device
///
/// Adds a device to the caller's account, on the word of the session that signs the request. Both
/// the new key and the adding session sign the statement about the new key. With `replaces`, the
/// named session is revoked in the same step: that is how a device signs in again.
#[utoipa::path(
    post,
    path = "/sessions",
    operation_id = "add_session",
    tag = "sessions",
    request_body(content = NewSession),
    responses(
        (status = 200, body = Data<CreatedSession>, description = "The new session"),
        (status = 400, body = ErrorBody, description = "The body is not JSON"),
        (status = 403, body = ErrorBody, description = "API tokens cannot add devices"),
        (status = 404, body = ErrorBody, description = "`replaces` is no live session of this account"),
        (status = 409, body = ErrorBody, description = "The key is on file already, or the account has all the sessions it may have"),
        (status = 422, body = ErrorBody, description = "A key or a signature does not fit"),
    ),
    security(("signed_token" = [])),
)]
pub async fn create(State(state): State<Arc<MixinState>>, request: SignedRequest) -> Answer {
    request.caller.require_signature()?;
    let body: NewSession = request.json()?;
    let device = DeviceRequest {
        signing_key: VerifyingKey::from_base64(&body.public_key)
            .map_err(|error| Fault::invalid("public_key", error.to_string()))?,
        signature: signature("signature", &body.signature)?,
        attestation: signature("attestation", &body.attestation)?,
        platform: body.platform,
        replaces: body.replaces,
    };
    let session = state.gateway.add_device(&request.caller.owner, device).await?;
    Ok(answer::data(CreatedSession {
        kind: ObjectType::Session,
        user_id: session.user,
        session_id: session.id,
        public_key: session.agreement_key.to_base64(),
        platform: session.platform,
        attestation: body.attestation,
        server_public_key: state.server_public_key.clone(),
    }))
}

/// Revoke a session
///
/// Ends one of the caller's own sessions at once: its tokens are refused, messages are no longer
/// sealed for it, and what still waited for it is dropped.
#[utoipa::path(
    delete,
    path = "/sessions/{id}",
    operation_id = "revoke_session",
    tag = "sessions",
    params(("id" = SessionId, Path, description = "The session to revoke")),
    responses(
        (status = 200, body = Data<SessionReference>, description = "The session that was revoked"),
        (status = 403, body = ErrorBody, description = "API tokens cannot revoke sessions"),
        (status = 404, body = ErrorBody, description = "No live session of this account has this id"),
        (status = 422, body = ErrorBody, description = "`id` is no session id"),
    ),
    security(("signed_token" = [])),
)]
pub async fn revoke(
    State(state): State<Arc<MixinState>>,
    PathPart(id): PathPart,
    request: SignedRequest,
) -> Answer {
    request.caller.require_signature()?;
    let session: SessionId = path_id("id", &id)?;
    state.gateway.revoke_session(request.caller.owner.account.id, session).await?;
    Ok(answer::data(SessionReference { session_id: session }))
}

/// A body that is a list of account ids.
///
/// # Errors
/// [`Fault::Malformed`], [`Fault::Invalid`] or [`Fault::TooLarge`].
pub fn user_ids(request: &SignedRequest) -> Result<Vec<UserId>, Fault> {
    let users: Vec<UserId> = request.json()?;
    at_most(LOOKUP_LIMIT, users.len())?;
    Ok(users)
}

/// The same ids, each once, in ascending order.
#[must_use]
pub fn unique(mut users: Vec<UserId>) -> Vec<UserId> {
    users.sort_unstable();
    users.dedup();
    users
}

/// An id in a path.
///
/// # Errors
/// [`Fault::Invalid`].
pub fn path_id<Kind>(field: &'static str, text: &str) -> Result<Id<Kind>, Fault> {
    Id::parse(text).map_err(|error| Fault::invalid(field, error.to_string()))
}

fn signature(field: &'static str, text: &str) -> Result<[u8; 64], Fault> {
    let bytes =
        base64url::decode(text).map_err(|error| Fault::invalid(field, error.to_string()))?;
    let length = bytes.len();
    bytes
        .try_into()
        .map_err(|_| Fault::invalid(field, format!("has {length} bytes, a signature has 64")))
}
