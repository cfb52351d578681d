//! Request tokens: each signed request carries one, bound to its method, path and body.
//!
//! A token is a JWT (RFC 7519) signed with EdDSA (RFC 8037). Its `sig` claim is a digest of the
//! request, so that a token that was seen on the way is worth nothing for another one. A gateway
//! works in three steps that each say why they failed: [`Unverified::parse`] finds out whose token
//! it claims to be, [`Unverified::verify`] checks the signature with the key on file, and
//! [`check_claims`] compares the claims with the clock and the request.
//!
//! The algorithm is never taken from a token. JWTs are signed and verified through the
//! `jsonwebtoken` crate; since its own backends are left out, the first use here installs a
//! provider of ours that knows EdDSA and nothing else. A program that uses `jsonwebtoken` for other
//! algorithms too installs its own provider earlier: it then serves here as well.

mod claims;
mod digest;
mod provider;
mod sign_up;

use std::fmt;

use jsonwebtoken::crypto;
use jsonwebtoken::{Algorithm, DecodingKey, Header};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use crate::base64url;
use crate::keys::{SigningKey, VerifyingKey};

pub use claims::{RequestClaims, TokenLimits, check_claims};
pub use digest::body_digest;
pub use sign_up::{SIGN_UP_LIFE, SignUpClaims, check_sign_up, open_sign_up, sign_up};

/// The longest token that is looked at. One of ours has about 450 bytes.
pub const MAX_TOKEN_LENGTH: usize = 4096;

/// The only algorithm, as a header names it.
const EDDSA: &str = "EdDSA";

/// Why a token was not made or not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The token is longer than any that is looked at.
    #[error("a token has at most {MAX_TOKEN_LENGTH} bytes, this one has {length}")]
    TooLong {
        /// Length in bytes.
        length: usize,
    },
    /// The token is not three parts of base64url with dots between them.
    #[error("the token is not three parts of base64url")]
    Form,
    /// The first part is no JWT header.
    #[error("the token's header is malformed")]
    Header,
    /// The header names an algorithm that is not accepted.
    #[error("the token's algorithm is {found:?}, not EdDSA")]
    Algorithm {
        /// What the header names, cut after a few characters.
        found: String,
    },
    /// The header demands extensions (`crit`) that nobody here understands.
    #[error("the token demands critical extensions")]
    CriticalExtension,
    /// The second part is not JSON with all claims.
    #[error("the token's claims are malformed: {reason}")]
    Claims {
        /// What is missing or wrong.
        reason: String,
    },
    /// The token was not signed by this key.
    #[error("the token's signature does not match")]
    Signature,
    /// The token's time is over.
    #[error("the token expired at {expired_at}, it is {now}")]
    Expired {
        /// The token's `exp`.
        expired_at: i64,
        /// The time of the check, in seconds of the Unix epoch.
        now: i64,
    },
    /// The token was issued later than a wrong clock can explain.
    #[error("the token was issued at {issued_at}, it is {now}: check the clocks")]
    IssuedInFuture {
        /// The token's `iat`.
        issued_at: i64,
        /// The time of the check, in seconds of the Unix epoch.
        now: i64,
    },
    /// The token asks for a longer life than is granted.
    #[error("the token lives for {seconds} seconds, at most {limit} are allowed")]
    LivesTooLong {
        /// From `iat` to `exp`.
        seconds: i64,
        /// What is allowed.
        limit: i64,
    },
    /// The token was made for another method, path or body.
    #[error("the token was made for another request")]
    WrongRequest,
    /// The token was made for another gateway.
    #[error("the token was made for another gateway")]
    WrongAudience,
    /// The installed crypto provider cannot sign with EdDSA.
    #[error("the installed crypto provider failed to sign: {reason}")]
    Provider {
        /// What the provider says.
        reason: String,
    },
}

/// Signs claims with a session's key.
///
/// # Errors
/// [`TokenError::Provider`] when another part of the program installed a `jsonwebtoken` provider
/// that does not know EdDSA.
///
/// ```
/// use sealpost_sdk::ids::{SessionId, UserId};
/// use sealpost_sdk::keys::SigningKey;
/// use sealpost_sdk::token::{RequestClaims, TokenLimits, Unverified, body_digest, check_claims, sign};
///
/// let key = SigningKey::from_seed(&[7; 32]);
/// let digest = body_digest("GET", "/me", b"");
/// let claims = RequestClaims {
///     uid: UserId::parse("00000000-0000-4000-8000-000000000001")?,
///     sid: SessionId::parse("00000000-0000-4000-8000-000000000002")?,
///     iat: 1_750_000_000,
///     exp: 1_750_000_060,
///     jti: "2c4a6f1e-7f33-4b1a-9d58-2f0c6c1b7a10".to_owned(),
///     sig: digest.clone(),
///     scp: "FULL".to_owned(),
/// };
/// let token = sign(&claims, &key)?;
///
/// let received = Unverified::parse(&token)?.verify(&key.verifying_key())?;
/// check_claims(&received, 1_750_000_030, &digest, &TokenLimits::default())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn sign(claims: &RequestClaims, key: &SigningKey) -> Result<String, TokenError> {
    provider::install();
    let key = provider::encoding_key(key);
    jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), claims, &key)
        .map_err(|error| TokenError::Provider { reason: error.to_string() })
}

/// A token whose claims can be read and must not be believed yet.
#[derive(Clone)]
pub struct Unverified<'a> {
    /// Header and claims as they were signed.
    message: &'a str,
    signature: &'a str,
    claims: RequestClaims,
}

/// What matters of a JWT header. Everything else in it is ignored, above all keys.
#[derive(Deserialize)]
struct TokenHeader<'a> {
    #[serde(borrow)]
    alg: std::borrow::Cow<'a, str>,
    #[serde(default)]
    crit: Present,
}

/// Whether a member is there, whatever it says: `null` too.
#[derive(Default)]
struct Present(bool);

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self(true))
    }
}

impl<'a> Unverified<'a> {
    /// Reads a token without checking its signature, to find the key to check it with.
    ///
    /// # Errors
    /// When the token is too long or malformed, names another algorithm than EdDSA, demands
    /// extensions or lacks claims.
    pub fn parse(token: &'a str) -> Result<Self, TokenError> {
        let Parts { message, header, payload, signature } = parts(token)?;
        check_header(&decode(header)?)?;
        let claims = serde_json::from_slice(&decode(payload)?)
            .map_err(|error| TokenError::Claims { reason: error.to_string() })?;
        Ok(Self { message, signature, claims })
    }

    /// What the token says, true or not.
    #[must_use]
    pub const fn claims(&self) -> &RequestClaims {
        &self.claims
    }

    /// Checks the signature, and nothing else.
    ///
    /// # Errors
    /// [`TokenError::Signature`] when the token was not signed by this key.
    pub fn verify(&self, key: &VerifyingKey) -> Result<RequestClaims, TokenError> {
        provider::install();
        let key = DecodingKey::from_ed_der(&key.to_bytes());
        let message = self.message.as_bytes();
        match crypto::verify(self.signature, message, &key, Algorithm::EdDSA) {
            Ok(true) => Ok(self.claims.clone()),
            Ok(false) | Err(_) => Err(TokenError::Signature),
        }
    }
}

impl fmt::Debug for Unverified<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither message nor signature: together they are the token.
        formatter.debug_struct("Unverified").field("claims", &self.claims).finish_non_exhaustive()
    }
}

/// A token in its three parts, and what of it was signed.
struct Parts<'a> {
    message: &'a str,
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
}

fn parts(token: &str) -> Result<Parts<'_>, TokenError> {
    if token.len() > MAX_TOKEN_LENGTH {
        return Err(TokenError::TooLong { length: token.len() });
    }
    let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Form)?;
    let (header, payload) = message.split_once('.').ok_or(TokenError::Form)?;
    if payload.contains('.') {
        return Err(TokenError::Form);
    }
    Ok(Parts { message, header, payload, signature })
}

fn check_header(header: &[u8]) -> Result<(), TokenError> {
    let header: TokenHeader<'_> = serde_json::from_slice(header).map_err(|_| TokenError::Header)?;
    if header.alg != EDDSA {
        return Err(TokenError::Algorithm { found: header.alg.chars().take(16).collect() });
    }
    match header.crit {
        Present(true) => Err(TokenError::CriticalExtension),
        Present(false) => Ok(()),
    }
}

/// Decodes a part. JWS (RFC 7515) allows exactly one form, so one token has one text.
fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    base64url::decode_strict(part).map_err(|_| TokenError::Form)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::ids::{SessionId, UserId};

    fn key() -> SigningKey {
        SigningKey::from_seed(&[7; 32])
    }

    fn claims() -> RequestClaims {
        RequestClaims {
            uid: UserId::from_bytes([1; 16]),
            sid: SessionId::from_bytes([2; 16]),
            iat: 1_750_000_000,
            exp: 1_750_000_060,
            jti: "one".to_owned(),
            sig: body_digest("POST", "/encrypted_messages?on_stale=reject", b"[]"),
            scp: "FULL".to_owned(),
        }
    }

    /// A token with any header and payload, properly signed.
    fn signed(header: &Value, payload: &Value) -> String {
        let [header, payload] =
            [header, payload].map(|part| base64url::encode(part.to_string().as_bytes()));
        let message = format!("{header}.{payload}");
        let signature = base64url::encode(&key().sign(message.as_bytes()));
        format!("{message}.{signature}")
    }

    fn error(token: &str) -> TokenError {
        Unverified::parse(token).unwrap_err()
    }

    #[test]
    fn claims_survive_signing_and_verifying() {
        let token = sign(&claims(), &key()).unwrap();
        let unverified = Unverified::parse(&token).unwrap();
        assert_eq!(unverified.claims(), &claims());
        assert_eq!(unverified.verify(&key().verifying_key()), Ok(claims()));
    }

    #[test]
    fn another_key_does_not_verify() {
        let token = sign(&claims(), &key()).unwrap();
        let other = SigningKey::from_seed(&[8; 32]).verifying_key();
        let verified = Unverified::parse(&token).unwrap().verify(&other);
        assert_eq!(verified, Err(TokenError::Signature));
    }

    #[test]
    fn no_algorithm_but_eddsa_is_accepted() {
        for algorithm in ["none", "None", "HS256", "RS512", "eddsa", "ES256", ""] {
            let token = signed(&json!({"alg": algorithm}), &json!(claims()));
            assert_eq!(error(&token), TokenError::Algorithm { found: algorithm.to_owned() });
        }
        let unsigned = signed(&json!({"alg": "none"}), &json!(claims()));
        let (message, _) = unsigned.rsplit_once('.').unwrap();
        let found = "none".to_owned();
        assert_eq!(error(&format!("{message}.")), TokenError::Algorithm { found });
    }

    #[test]
    fn critical_extensions_are_refused_and_other_header_members_ignored() {
        let header = json!({"alg": "EdDSA", "crit": ["b64"], "b64": false});
        assert_eq!(error(&signed(&header, &json!(claims()))), TokenError::CriticalExtension);
        let header = json!({"alg": "EdDSA", "crit": null});
        assert_eq!(error(&signed(&header, &json!(claims()))), TokenError::CriticalExtension);
        let header = json!({"alg": "EdDSA", "kid": "x", "jwk": {"kty": "OKP"}, "typ": "JWT"});
        let token = signed(&header, &json!(claims()));
        assert!(Unverified::parse(&token).unwrap().verify(&key().verifying_key()).is_ok());
    }

    #[test]
    fn a_token_without_jti_and_scope_is_read() {
        let mut payload = json!(claims());
        payload.as_object_mut().unwrap().retain(|name, _| !["jti", "scp"].contains(&name.as_str()));
        payload["aud"] = json!("ignored");
        let token = signed(&json!({"alg": "EdDSA"}), &payload);
        let claims = Unverified::parse(&token).unwrap().verify(&key().verifying_key()).unwrap();
        assert_eq!((claims.jti.as_str(), claims.scp.as_str()), ("", ""));
    }

    #[test]
    fn a_missing_claim_is_named() {
        let mut payload = json!(claims());
        payload.as_object_mut().unwrap().remove("exp");
        let token = signed(&json!({"alg": "EdDSA"}), &payload);
        assert!(error(&token).to_string().contains("missing field `exp`"));
    }

    #[test]
    fn malformed_tokens_are_told_apart() {
        let token = sign(&claims(), &key()).unwrap();
        assert_eq!(error(""), TokenError::Form);
        assert_eq!(error("a.b"), TokenError::Form);
        assert_eq!(error(&format!("{token}.")), TokenError::Form);
        assert_eq!(error(&format!(" {token}")), TokenError::Form);
        assert_eq!(error("e30.e30.e30"), TokenError::Header);
        assert_eq!(error(&"a".repeat(4097)), TokenError::TooLong { length: 4097 });
    }

    #[test]
    fn a_signature_has_one_text() {
        let token = sign(&claims(), &key()).unwrap();
        for text in [format!("{token}="), token.replace('-', "+").replace('_', "/")] {
            if text != token
                && let Ok(unverified) = Unverified::parse(&text)
            {
                let verified = unverified.verify(&key().verifying_key());
                assert_eq!(verified, Err(TokenError::Signature));
            }
        }
    }

    #[test]
    fn debug_shows_neither_token_nor_digest() {
        let token = sign(&claims(), &key()).unwrap();
        let shown = format!("{:?}", Unverified::parse(&token).unwrap());
        assert!(shown.contains("uid: 01010101-"));
        for secret in token.split('.').chain([claims().sig.as_str()]) {
            assert!(!shown.contains(secret));
        }
    }

    proptest! {
        #[test]
        fn a_token_with_a_flipped_bit_never_verifies(index: prop::sample::Index, bit in 0..8_u8) {
            let mut token = sign(&claims(), &key()).unwrap().into_bytes();
            let index = index.index(token.len());
            token[index] ^= 1 << bit;
            if let Ok(token) = String::from_utf8(token)
                && let Ok(unverified) = Unverified::parse(&token)
            {
                let verified = unverified.verify(&key().verifying_key());
                prop_assert_eq!(verified, Err(TokenError::Signature));
            }
        }

        #[test]
        fn hostile_text_never_panics(text in "[A-Za-z0-9_.=-]{0,400}|\\PC{0,80}") {
            if let Ok(unverified) = Unverified::parse(&text) {
                prop_assert!(unverified.verify(&key().verifying_key()).is_err());
            }
        }
    }
}
