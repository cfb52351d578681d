//! Who is calling: a signed request token, or a plain API token.
//!
//! A signed token (RFC 7519, `alg` EdDSA) is bound to one method, path and body by its claim
//! `sig`. Only the verdict over its signature is remembered; its times, its binding and its
//! session are looked at on every request, so a revoked session is out at once.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, header};
use moka::sync::Cache;
use sealpost_sdk::token::{RequestClaims, TokenError, TokenLimits, Unverified, check_claims};
use sha2::{Digest, Sha256};

use super::MixinState;
use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;
use crate::domain::ids::AccountNumber;
use crate::domain::reader::{Credential, Reader, SHORTEST_STAY};
use crate::domain::session::{API_TOKEN_PREFIX, Scope, Scopes, SessionOwner, TokenHash};

/// Somebody we know, at one of their devices.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The session and its account.
    pub owner: SessionOwner,
    /// What the credential allows.
    pub scopes: Scopes,
    /// Whether the request itself was signed.
    pub signed: bool,
    /// What the caller came in with, for readers that stay.
    pub credential: Credential,
    /// The claims of the token that signed it.
    pub claims: Option<Arc<RequestClaims>>,
}

impl Caller {
    /// Refuses a caller whose credential does not cover `scope`.
    ///
    /// # Errors
    /// [`Fault::Forbidden`] that names the scope.
    pub fn require(&self, scope: Scope) -> Result<(), Fault> {
        if self.scopes.allows(scope) {
            return Ok(());
        }
        let scope = scope.as_str();
        Err(Fault::forbidden(format!("this API token lacks the scope `{scope}`")))
    }

    /// Refuses a plain API token: what changes who may act for an account asks for a signature.
    ///
    /// # Errors
    /// [`Fault::Forbidden`].
    pub fn require_signature(&self) -> Result<(), Fault> {
        if self.signed {
            return Ok(());
        }
        Err(Fault::forbidden("this asks for a signed token; an API token is not enough"))
    }

    /// This session as a reader of its inbox.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::new(&self.owner, self.credential)
    }
}

/// Tokens whose signature was found right, by their SHA-256: the tokens themselves are not kept.
pub type VerifiedTokens = Cache<[u8; 32], Arc<RequestClaims>>;

/// An empty memory for at most 10,000 tokens, each for at most ten minutes.
#[must_use]
pub fn verified_tokens() -> VerifiedTokens {
    Cache::builder().max_capacity(10_000).time_to_live(Duration::from_secs(600)).build()
}

/// A credential that is good by itself; a signed one still has to fit its request.
#[derive(Debug)]
pub struct Authenticated {
    caller: Caller,
}

/// The token in `Authorization: Bearer …`.
#[must_use]
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Whether this credential has the form of a signed token.
#[must_use]
pub fn looks_signed(token: &str) -> bool {
    !token.starts_with(API_TOKEN_PREFIX) && token.bytes().filter(|byte| *byte == b'.').count() == 2
}

/// Looks at a credential before the body is read, so that a stranger cannot make us read one.
///
/// # Errors
/// [`Fault::Unauthorized`] with the reason; others when the store fails.
pub async fn authenticate(state: &MixinState, token: &str) -> Result<Authenticated, Fault> {
    if token.starts_with(API_TOKEN_PREFIX) {
        let hash = TokenHash::of(token);
        let found = state.gateway.api_token_bearer(hash).await?;
        let (owner, scopes) = found.ok_or_else(|| {
            Fault::unauthorized("the API token is unknown, has expired or was revoked")
        })?;
        let credential = Credential::ApiToken(hash);
        let caller = Caller { owner, scopes, signed: false, claims: None, credential };
        return Ok(Authenticated { caller });
    }
    let fingerprint: [u8; 32] = Sha256::digest(token.as_bytes()).into();
    let (claims, owner) = match state.verified.get(&fingerprint) {
        Some(claims) => {
            let owner = live_owner(state, &claims).await?;
            (claims, owner)
        }
        None => {
            let unverified = Unverified::parse(token).map_err(|error| refused(&error))?;
            let owner = live_owner(state, unverified.claims()).await?;
            let claims = unverified.verify(&owner.session.signing_key);
            let claims = Arc::new(claims.map_err(|error| refused(&error))?);
            state.verified.insert(fingerprint, claims.clone());
            (claims, owner)
        }
    };
    if claims.uid != owner.account.id {
        return Err(Fault::unauthorized("`sid` is not a session of `uid`"));
    }
    let expires_at = Timestamp::from_micros(claims.exp.saturating_mul(1_000_000));
    let until = expires_at.max(state.gateway.clock.now().plus(SHORTEST_STAY));
    let credential = Credential::Signed { until };
    let (scopes, claims) = (Scopes::ALL, Some(claims));
    Ok(Authenticated { caller: Caller { owner, scopes, signed: true, claims, credential } })
}

async fn live_owner(state: &MixinState, claims: &RequestClaims) -> Result<SessionOwner, Fault> {
    let owner = state.gateway.live_session(claims.sid).await?;
    owner.ok_or_else(|| {
        Fault::unauthorized("`sid` is no live session; it was revoked or never existed")
    })
}

impl Authenticated {
    /// The account that it stands for.
    #[must_use]
    pub fn account(&self) -> AccountNumber {
        self.caller.owner.account.number
    }

    /// Checks that a signed token stands for this very request. `digests` are those of the
    /// request, one for each path under which the caller may know it; nobody else asks for them.
    ///
    /// # Errors
    /// [`Fault::Unauthorized`] with the reason.
    pub fn for_request(
        self,
        state: &MixinState,
        digests: impl FnOnce() -> Vec<String>,
    ) -> Result<Caller, Fault> {
        let Some(claims) = &self.caller.claims else {
            return Ok(self.caller);
        };
        let limits = TokenLimits {
            max_life: seconds(state.settings.longest_token_life),
            max_clock_ahead: seconds(state.settings.clock_ahead),
        };
        let now = state.gateway.clock.now().as_seconds();
        let mut verdict = Err(TokenError::WrongRequest);
        for digest in digests() {
            verdict = check_claims(claims, now, &digest, &limits);
            if !matches!(verdict, Err(TokenError::WrongRequest)) {
                break;
            }
        }
        verdict.map_err(|error| refused(&error))?;
        Ok(self.caller)
    }

    /// Checks the times of a signed token, before a body is read for it: that it has not expired,
    /// and that it was issued at most `limit` ago if there is a limit.
    ///
    /// # Errors
    /// [`Fault::Unauthorized`] with the reason.
    pub fn require_fresh(&self, state: &MixinState, limit: Option<Duration>) -> Result<(), Fault> {
        let Some(claims) = &self.caller.claims else {
            return Ok(());
        };
        let now = state.gateway.clock.now().as_seconds();
        if claims.exp <= now {
            return Err(refused(&TokenError::Expired { expired_at: claims.exp, now }));
        }
        let age = now.saturating_sub(claims.iat);
        match limit.map(seconds) {
            Some(limit) if age > limit => Err(Fault::unauthorized(format!(
                "`iat` is {age} s ago; this path takes tokens of the last {limit} s"
            ))),
            _ => Ok(()),
        }
    }
}

pub(super) fn refused(error: &TokenError) -> Fault {
    Fault::unauthorized(error.to_string())
}

pub(super) fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
