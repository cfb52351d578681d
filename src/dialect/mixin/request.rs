//! A request, read once and known to come from its caller.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::Uri;
use axum::http::request::Parts;
use bytes::Bytes;
use sealpost_sdk::token::body_digest;
use serde::de::DeserializeOwned;

use super::MixinState;
use super::auth::{Authenticated, Caller, authenticate, bearer};
use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;
use crate::domain::inbox::IDS_REMEMBERED;
use crate::domain::limits::Visitor;
use crate::domain::measures::Stage;
use crate::domain::sign_up::UsedToken;
use crate::http::body;
use crate::http::course::Course;
use crate::http::gate::BodyRoom;
use crate::http::problem::Problem;

/// How old a signed token may be, by path: young where repeating the request would do something
/// again. The inbox hands out other messages every time, and who was removed from a group must not
/// be added by an old request. A repeated message is a duplicate for as
/// long as its id is remembered; a token that somebody got hold of must not outlive that, and a day
/// less allows for clocks that differ.
fn freshness(path: &str) -> Option<Duration> {
    const HOUR: Duration = Duration::from_secs(60 * 60);
    match path {
        "/inbox" => Some(HOUR),
        "/encrypted_messages" | "/messages" => Some(IDS_REMEMBERED.saturating_sub(24 * HOUR)),
        // `/participants/ADD`, `/join`, `/rotate` and the like.
        _ if path.starts_with("/conversations/") && path.matches('/').count() > 2 => Some(HOUR),
        _ => None,
    }
}

/// A request that carries a good credential, with the body that the credential was checked for.
#[derive(Clone, Debug)]
pub struct SignedRequest {
    /// Who sent it.
    pub caller: Caller,
    /// Whose limits what it does counts against.
    pub visitor: Visitor,
    /// Its body, as it came.
    pub body: Bytes,
    _room: Arc<BodyRoom>,
}

impl FromRequest<Arc<MixinState>> for SignedRequest {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &Arc<MixinState>) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        // A layer that had to know the caller has checked the request already.
        if let Some(checked) = parts.extensions.remove::<Self>() {
            return Ok(checked);
        }
        Self::check(state, &parts, body).await
    }
}

impl SignedRequest {
    /// Checks the credential of a request, and that it stands for this body.
    ///
    /// # Errors
    /// A [`Fault`] for the credential or the body.
    pub async fn check(state: &MixinState, parts: &Parts, body: Body) -> Result<Self, Problem> {
        Ok(check(state, parts, body).await?)
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// [`Fault::Malformed`] when it is no JSON, [`Fault::Invalid`] when a member does not fit.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        parse(&self.body)
    }

    /// Accepts the token of this request this once. For requests whose repetition would do
    /// something again, or undo what was done since: a token that somebody got hold of must not be
    /// good for that. Requests with an API token pass, since they carry no proof of their own.
    ///
    /// # Errors
    /// [`Fault::Unauthorized`] when the token has no `jti`, or was used before.
    pub async fn once(&self, state: &MixinState) -> Result<(), Fault> {
        let Some(claims) = &self.caller.claims else {
            return Ok(());
        };
        if claims.jti.is_empty() {
            return Err(Fault::unauthorized("`jti` is missing, and this request is taken once"));
        }
        let key = &self.caller.owner.session.signing_key;
        let end = Timestamp::from_micros(claims.exp.saturating_mul(1_000_000));
        let token = UsedToken::new(key, &claims.jti, &claims.sig, end);
        state.gateway.store.use_token(token).await
    }
}

/// Reads JSON and names the member that does not fit.
///
/// # Errors
/// [`Fault::Malformed`] when it is no JSON, [`Fault::Invalid`] when a member does not fit.
pub fn parse<'de, T: serde::Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, Fault> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if !inner.is_data() {
            return Fault::malformed(format!("the body is not JSON: {inner}"));
        }
        let reason = without_position(&inner);
        if path == "." { Fault::invalid("body", reason) } else { Fault::invalid(path, reason) }
    })?;
    reader.end().map_err(|error| Fault::malformed(format!("the body is not JSON: {error}")))?;
    Ok(value)
}

/// Refuses lists that are too long.
///
/// # Errors
/// [`Fault::TooLarge`] with both numbers.
pub fn at_most(limit: usize, actual: usize) -> Result<(), Fault> {
    if actual <= limit {
        return Ok(());
    }
    let (actual, limit) = (actual as u64, limit as u64);
    Err(Fault::TooLarge { what: "the number of items", actual, limit })
}

/// serde_json's message without "at line 1 column 5", which means nothing to a program's author
/// who has the member's name.
pub(super) fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rfind(" at line ").map_or(text.as_str(), |end| &text[..end]).to_owned()
}

/// Everything that limits a request comes before its body is read. Whether the token stands for
/// that body is known afterwards. Whoever got hold of a token can make the gateway read bodies for
/// it, at the cost of their own address; the account's share of the memory for bodies is taken
/// meanwhile, for as long as a request may take.
async fn check(state: &MixinState, parts: &Parts, body: Body) -> Result<SignedRequest, Fault> {
    let gate = &state.gate;
    let address = gate.address(&parts.extensions, &parts.headers);
    gate.may_knock(address)?;
    let known = state.gateway.timed(Stage::Auth, credential(state, parts)).await;
    let authenticated = gate.judged(known, address)?;
    let visitor = gate.request(&parts.extensions, authenticated.account(), address)?;

    let limit = state.settings.body_limit;
    let (announced, exact) = (body.size_hint().lower(), body.size_hint().exact());
    if announced <= limit {
        gate.unproven_bytes(&visitor, announced)?;
    }
    // What does not say its size may have any.
    let room = gate.body_room(&visitor, exact.unwrap_or(limit).min(limit))?;
    let body = body::read(body, limit).await?;
    let size = body.len() as u64;
    gate.unproven_bytes(&visitor, size.saturating_sub(announced))?;

    let caller = authenticated.for_request(state, || digests(state, parts, &body));
    let caller = gate.own(caller, &visitor, size)?;
    if !parts.method.is_safe() {
        Course::begin_work_of(&parts.extensions);
    }
    Ok(SignedRequest { caller, visitor, body, _room: Arc::new(room) })
}

/// A credential that is good by itself, and young enough for this path.
async fn credential(state: &MixinState, parts: &Parts) -> Result<Authenticated, Fault> {
    let token = bearer(&parts.headers).ok_or_else(|| {
        Fault::unauthorized("there is no `Authorization: Bearer …` header with a token")
    })?;
    let authenticated = authenticate(state, token).await?;
    authenticated.require_fresh(state, freshness(parts.uri.path()))?;
    Ok(authenticated)
}

/// What `sig` may be: over the path as it is here, and over the path below the prefix.
pub(super) fn digests(state: &MixinState, parts: &Parts, body: &[u8]) -> Vec<String> {
    let path = path_and_query(&parts.uri);
    let method = parts.method.as_str();
    let mut digests = vec![body_digest(method, path, body)];
    let prefix = &state.settings.path_prefix;
    if !prefix.is_empty() {
        digests.push(body_digest(method, &format!("{prefix}{path}"), body));
    }
    digests
}

fn path_and_query(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |path| path.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Body {
        #[expect(dead_code, reason = "only its errors matter here")]
        items: Vec<u8>,
    }

    #[test]
    fn a_member_that_does_not_fit_is_named() {
        let fault = parse::<Body>(br#"{"items":[1,"x"]}"#).unwrap_err();
        assert_eq!(fault.to_string(), "items[1]: invalid type: string \"x\", expected u8");
    }

    #[test]
    fn what_is_no_json_is_malformed() {
        assert!(matches!(parse::<Body>(b"{").unwrap_err(), Fault::Malformed { .. }));
        assert!(matches!(
            parse::<Body>(br#"{"items":[]} x"#).unwrap_err(),
            Fault::Malformed { .. }
        ));
        assert!(matches!(parse::<Body>(b"\xff").unwrap_err(), Fault::Malformed { .. }));
    }

    #[test]
    fn a_missing_member_is_invalid() {
        let fault = parse::<Body>(b"{}").unwrap_err();
        assert_eq!(fault.to_string(), "body: missing field `items`");
    }
}
