//! The claims of a token, and what makes them good for a request.

use std::fmt;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::ids::{SessionId, UserId};
use crate::token::TokenError;

/// The claims of a request token. Unknown claims are ignored.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestClaims {
    /// The account that asks.
    pub uid: UserId,
    /// Its session, whose key signs the token.
    pub sid: SessionId,
    /// When the token was issued, in seconds of the Unix epoch.
    pub iat: i64,
    /// When it ends, in seconds of the Unix epoch.
    pub exp: i64,
    /// An id of the token itself; empty when a client leaves it out.
    #[serde(default)]
    pub jti: String,
    /// [`body_digest`](super::body_digest) of the request.
    pub sig: String,
    /// What the token allows, `FULL`; empty when a client leaves it out.
    #[serde(default)]
    pub scp: String,
}

impl fmt::Debug for RequestClaims {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RequestClaims")
            .field("uid", &self.uid)
            .field("sid", &self.sid)
            .field("iat", &self.iat)
            .field("exp", &self.exp)
            .finish_non_exhaustive()
    }
}

/// How long tokens may live and how wrong clocks may be, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenLimits {
    /// The longest time from `iat` to `exp`.
    pub max_life: i64,
    /// How far `iat` may lie in the future.
    pub max_clock_ahead: i64,
}

impl Default for TokenLimits {
    /// 90 days, which is what the longest-lived clients ask for, and one minute.
    fn default() -> Self {
        Self { max_life: 90 * 24 * 60 * 60, max_clock_ahead: 60 }
    }
}

/// Compares claims, whose signature was checked before, with the clock and the request.
///
/// # Errors
/// When the token has expired, was issued too far in the future, lives longer than `limits` allow,
/// or was made for a request with another `digest`.
pub fn check_claims(
    claims: &RequestClaims,
    now: i64,
    digest: &str,
    limits: &TokenLimits,
) -> Result<(), TokenError> {
    let TokenLimits { max_life: limit, max_clock_ahead } = *limits;
    if claims.exp <= now {
        return Err(TokenError::Expired { expired_at: claims.exp, now });
    }
    if claims.iat > now.saturating_add(max_clock_ahead) {
        return Err(TokenError::IssuedInFuture { issued_at: claims.iat, now });
    }
    let seconds = claims.exp.saturating_sub(claims.iat);
    if seconds > limit {
        return Err(TokenError::LivesTooLong { seconds, limit });
    }
    if !bool::from(claims.sig.as_bytes().ct_eq(digest.as_bytes())) {
        return Err(TokenError::WrongRequest);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_750_000_000;

    fn check(iat: i64, exp: i64, sig: &str) -> Result<(), TokenError> {
        let claims = RequestClaims {
            uid: UserId::from_bytes([1; 16]),
            sid: SessionId::from_bytes([2; 16]),
            iat,
            exp,
            jti: String::new(),
            sig: sig.to_owned(),
            scp: String::new(),
        };
        let limits = TokenLimits { max_life: 600, max_clock_ahead: 60 };
        check_claims(&claims, NOW, "abc", &limits)
    }

    #[test]
    fn a_token_ends_with_the_second_that_it_names() {
        assert_eq!(check(NOW - 10, NOW + 1, "abc"), Ok(()));
        let expired = TokenError::Expired { expired_at: NOW, now: NOW };
        assert_eq!(check(NOW - 10, NOW, "abc"), Err(expired));
    }

    #[test]
    fn a_clock_may_be_a_minute_ahead_and_no_more() {
        assert_eq!(check(NOW + 60, NOW + 90, "abc"), Ok(()));
        let early = TokenError::IssuedInFuture { issued_at: NOW + 61, now: NOW };
        assert_eq!(check(NOW + 61, NOW + 90, "abc"), Err(early));
    }

    #[test]
    fn a_life_over_the_limit_is_refused_however_it_is_written() {
        assert_eq!(check(NOW, NOW + 600, "abc"), Ok(()));
        let long = TokenError::LivesTooLong { seconds: 601, limit: 600 };
        assert_eq!(check(NOW, NOW + 601, "abc"), Err(long));
        let longest = TokenError::LivesTooLong { seconds: i64::MAX, limit: 600 };
        assert_eq!(check(i64::MIN, i64::MAX, "abc"), Err(longest));
    }

    #[test]
    fn only_the_very_digest_will_do() {
        for sig in ["", "ab", "ABC", "abcd", "abd"] {
            assert_eq!(check(NOW, NOW + 60, sig), Err(TokenError::WrongRequest), "{sig}");
        }
    }
}
