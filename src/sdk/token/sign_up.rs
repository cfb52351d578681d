//! The token that signs somebody up: signed by the very key that it asks to put on file.
//!
//! There is no account yet, so there are no `uid` and `sid`; in their place `aud` names the gateway
//! that the token is for, so that no other one can pass it on.

use std::fmt;

use jsonwebtoken::crypto;
use jsonwebtoken::{Algorithm, DecodingKey, Header};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::{TokenError, check_header, decode, parts, provider};
use crate::keys::{SigningKey, VerifyingKey};

/// The longest time from `iat` to `exp`, in seconds.
pub const SIGN_UP_LIFE: i64 = 5 * 60;

/// The longest `jti`, in bytes.
const JTI_LIMIT: usize = 128;

/// The claims of a token that signs somebody up. Unknown claims are ignored.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignUpClaims {
    /// The gateway: its `server_public_key`, in lower-case hex.
    pub aud: String,
    /// When the token was issued, in seconds of the Unix epoch.
    pub iat: i64,
    /// When it ends, in seconds of the Unix epoch; at most [`SIGN_UP_LIFE`] after `iat`.
    pub exp: i64,
    /// An id of this sign-up. A client that tries again after a lost answer uses it again.
    pub jti: String,
    /// [`body_digest`](super::body_digest) of the request.
    pub sig: String,
}

impl fmt::Debug for SignUpClaims {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SignUpClaims")
            .field("aud", &self.aud)
            .field("iat", &self.iat)
            .field("exp", &self.exp)
            .finish_non_exhaustive()
    }
}

/// Signs the claims with the key that shall be put on file.
///
/// # Errors
/// [`TokenError::Provider`] when another part of the program installed a `jsonwebtoken` provider
/// that does not know EdDSA.
///
/// ```
/// use sealpost_sdk::keys::SigningKey;
/// use sealpost_sdk::token::{SignUpClaims, body_digest, open_sign_up, sign_up};
///
/// let key = SigningKey::from_seed(&[7; 32]);
/// let claims = SignUpClaims {
///     aud: "the gateway's server_public_key".to_owned(),
///     iat: 1_750_000_000,
///     exp: 1_750_000_060,
///     jti: "2c4a6f1e-7f33-4b1a-9d58-2f0c6c1b7a10".to_owned(),
///     sig: body_digest("POST", "/accounts", b"{}"),
/// };
/// let token = sign_up(&claims, &key)?;
/// assert_eq!(open_sign_up(&token, &key.verifying_key())?, claims);
/// # Ok::<(), sealpost_sdk::token::TokenError>(())
/// ```
pub fn sign_up(claims: &SignUpClaims, key: &SigningKey) -> Result<String, TokenError> {
    provider::install();
    let key = provider::encoding_key(key);
    jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), claims, &key)
        .map_err(|error| TokenError::Provider { reason: error.to_string() })
}

/// Reads a token and checks that `key` signed it. Its claims still have to be compared with clock
/// and request: [`check_sign_up`].
///
/// # Errors
/// When the token is malformed, names another algorithm than EdDSA, lacks claims, or was signed by
/// another key.
pub fn open_sign_up(token: &str, key: &VerifyingKey) -> Result<SignUpClaims, TokenError> {
    let parts = parts(token)?;
    check_header(&decode(parts.header)?)?;
    provider::install();
    let key = DecodingKey::from_ed_der(&key.to_bytes());
    let message = parts.message.as_bytes();
    if !matches!(crypto::verify(parts.signature, message, &key, Algorithm::EdDSA), Ok(true)) {
        return Err(TokenError::Signature);
    }
    serde_json::from_slice(&decode(parts.payload)?)
        .map_err(|error| TokenError::Claims { reason: error.to_string() })
}

/// Compares claims, whose signature was checked before, with the clock, the gateway and the
/// request.
///
/// # Errors
/// When the token has expired, was issued more than `clock_ahead` seconds in the future, lives
/// longer than [`SIGN_UP_LIFE`], is for another gateway than `audience` or another request than
/// `digest`, or has no usable `jti`.
pub fn check_sign_up(
    claims: &SignUpClaims,
    now: i64,
    clock_ahead: i64,
    audience: &str,
    digest: &str,
) -> Result<(), TokenError> {
    if claims.exp <= now {
        return Err(TokenError::Expired { expired_at: claims.exp, now });
    }
    if claims.iat > now.saturating_add(clock_ahead) {
        return Err(TokenError::IssuedInFuture { issued_at: claims.iat, now });
    }
    let seconds = claims.exp.saturating_sub(claims.iat);
    if seconds > SIGN_UP_LIFE {
        return Err(TokenError::LivesTooLong { seconds, limit: SIGN_UP_LIFE });
    }
    if !claims.aud.eq_ignore_ascii_case(audience) {
        return Err(TokenError::WrongAudience);
    }
    if !bool::from(claims.sig.as_bytes().ct_eq(digest.as_bytes())) {
        return Err(TokenError::WrongRequest);
    }
    if claims.jti.is_empty() || claims.jti.len() > JTI_LIMIT {
        let reason = format!("`jti` must have 1 to {JTI_LIMIT} bytes");
        return Err(TokenError::Claims { reason });
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const NOW: i64 = 1_750_000_000;

    fn claims() -> SignUpClaims {
        SignUpClaims {
            aud: "abc".to_owned(),
            iat: NOW,
            exp: NOW + SIGN_UP_LIFE,
            jti: "one".to_owned(),
            sig: "digest".to_owned(),
        }
    }

    fn verdict(change: impl FnOnce(&mut SignUpClaims)) -> Result<(), TokenError> {
        let mut claims = claims();
        change(&mut claims);
        check_sign_up(&claims, NOW, 60, "abc", "digest")
    }

    #[test]
    fn another_key_does_not_verify() {
        let key = SigningKey::from_seed(&[7; 32]);
        let token = sign_up(&claims(), &key).unwrap();
        assert_eq!(open_sign_up(&token, &key.verifying_key()), Ok(claims()));
        let other = SigningKey::from_seed(&[8; 32]).verifying_key();
        assert_eq!(open_sign_up(&token, &other), Err(TokenError::Signature));
        assert_eq!(open_sign_up("a.b", &other), Err(TokenError::Form));
    }

    #[test]
    fn every_claim_is_checked() {
        assert_eq!(verdict(|_| ()), Ok(()));
        assert!(matches!(verdict(|it| it.exp = NOW), Err(TokenError::Expired { .. })));
        assert!(matches!(verdict(|it| it.iat = NOW + 61), Err(TokenError::IssuedInFuture { .. })));
        assert!(matches!(verdict(|it| it.iat = NOW - 1), Err(TokenError::LivesTooLong { .. })));
        assert_eq!(verdict(|it| it.aud = "abd".to_owned()), Err(TokenError::WrongAudience));
        assert_eq!(verdict(|it| it.sig = "Digest".to_owned()), Err(TokenError::WrongRequest));
        for jti in ["", &"x".repeat(JTI_LIMIT + 1)] {
            assert!(matches!(verdict(|it| it.jti = jti.into()), Err(TokenError::Claims { .. })));
        }
    }
}
