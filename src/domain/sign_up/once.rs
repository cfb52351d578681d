//! Tokens that are accepted once.
//!
//! A token is bound to its request, so whoever gets hold of one can do no more than repeat that
//! request. Where a repetition would do something again, the token's `jti` is kept until the token
//! is worth nothing any more.

use std::time::Duration;

use sealpost_sdk::keys::VerifyingKey;
use sha2::{Digest, Sha256};

use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;

/// How long a sign-up can be asked for again; longer than any token for it lives.
pub const SIGN_UP_REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

/// What is kept of a token that is accepted once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsedToken {
    /// The key that signed it: clients choose their `jti`s without asking each other.
    pub signer: [u8; 32],
    /// SHA-256 of its `jti`, which may be of any length.
    pub jti: [u8; 32],
    /// SHA-256 of what binds it to its request.
    pub request: [u8; 32],
    /// Until when it must be remembered.
    pub expires_at: Timestamp,
}

impl UsedToken {
    /// What to keep of the token with this `jti`, made for the request with this digest.
    #[must_use]
    pub fn new(signer: &VerifyingKey, jti: &str, request: &str, expires_at: Timestamp) -> Self {
        let hash = |text: &str| Sha256::digest(text.as_bytes()).into();
        Self { signer: signer.to_bytes(), jti: hash(jti), request: hash(request), expires_at }
    }

    /// What is said about a token whose `jti` is on file.
    #[must_use]
    pub fn refusal() -> Fault {
        Fault::unauthorized("`jti` was used before; every such request needs a token of its own")
    }
}
