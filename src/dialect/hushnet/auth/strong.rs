//! The signature of all of a request: with `X-Signature-Version: 2` it covers
//!
//! ```text
//! METHOD LF PATH?QUERY LF X-Timestamp LF X-Nonce LF HEX
//! ```
//!
//! where the path is the whole one, as it was asked for, and `HEX` the SHA-256 of the body in 64
//! lower-case digits. The nonce is 16 bytes in base64, another one for each request.

use std::fmt::Write;
use std::time::Duration;

use axum::http::StatusCode;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::weak::{self, WINDOW, Weak};
use super::{NONCE, refused};
use crate::dialect::hushnet::HushNetState;
use crate::dialect::hushnet::contract::Style;
use crate::dialect::hushnet::error::Refusal;
use crate::domain::clock::Timestamp;
use crate::domain::messenger::node::NodeId;
use crate::sdk::keys::VerifyingKey;

/// For how long other gateways are told of a nonce, from the time that its signature names: until no
/// clock of theirs is so late that they would still accept it.
const SHARED: Duration = Duration::from_secs(3 * WINDOW.as_secs());

/// What a signature covers of path and query, where that is not all: one that stands in the query
/// itself cannot cover itself.
#[derive(Clone, Debug)]
pub(in crate::dialect::hushnet) struct SignedTarget(String);

impl SignedTarget {
    /// All that comes before the signature, which is the query's last member.
    pub(in crate::dialect::hushnet) fn before_signature(parts: &Parts) -> Option<Self> {
        let (before, signature) = asked_for(parts).rsplit_once("&sig=")?;
        (!signature.contains('&')).then(|| Self(before.to_owned()))
    }
}

/// Path and query as they were asked for.
fn asked_for(parts: &Parts) -> &str {
    match Style::among(&parts.extensions) {
        Some(style) => style.target.as_str(),
        None => parts.uri.path_and_query().map_or("/", |target| target.as_str()),
    }
}

/// Credentials that are read, and not compared with the request yet.
#[derive(Clone, Debug)]
pub(super) struct Strong {
    pub(super) key: VerifyingKey,
    signature: [u8; 64],
    timestamp: String,
    /// The same as a number.
    seconds: i64,
    nonce_text: String,
    nonce: [u8; 16],
}

impl Strong {
    /// The credentials in the headers, if their time is now.
    pub(super) fn of(parts: &Parts, state: &HushNetState) -> Result<Self, Refusal> {
        let weak = Weak::of(&parts.headers)?;
        let nonce_text = parts.headers.get(NONCE).and_then(|value| value.to_str().ok());
        let nonce_text =
            nonce_text.ok_or_else(|| refused(StatusCode::UNAUTHORIZED, "Missing X-Nonce"))?;
        weak::is_now(weak.timestamp, state.messenger.gateway.clock.now())?;
        // Nonces of before are not known any more.
        let seconds = weak.timestamp.parse().unwrap_or(0);
        if !state.verified.nonces.remember(seconds) {
            return Err(refused(StatusCode::UNAUTHORIZED, "Expired timestamp"));
        }
        let signature = weak::signature(weak.signature)?;
        let key = weak::key(weak.key)?;
        let nonce = STANDARD.decode(nonce_text).ok().and_then(|nonce| nonce.try_into().ok());
        let nonce = nonce.ok_or_else(|| refused(StatusCode::BAD_REQUEST, "Bad nonce"))?;
        let (timestamp, nonce_text) = (weak.timestamp.to_owned(), nonce_text.to_owned());
        Ok(Self { key, signature, timestamp, seconds, nonce_text, nonce })
    }

    /// Compares the signature with the request.
    pub(super) fn compare(&self, parts: &Parts, body: &[u8]) -> Result<(), Refusal> {
        let target = match parts.extensions.get::<SignedTarget>() {
            Some(SignedTarget(target)) => target,
            None => asked_for(parts),
        };
        let Self { timestamp, nonce_text, .. } = self;
        let mut text = format!("{}\n{target}\n{timestamp}\n{nonce_text}\n", parts.method);
        for byte in Sha256::digest(body) {
            // Writing to a string does not fail.
            let _ = write!(text, "{byte:02x}");
        }
        self.key.verify(text.as_bytes(), &self.signature).map_err(|_| weak::mismatch())
    }

    /// Notes that the signature was used: here, and where other gateways that serve the same members,
    /// and this one after a restart, see it.
    pub(super) async fn use_up(&self, state: &HushNetState) -> Result<(), Refusal> {
        let (gateway, nonces) = (&state.messenger.gateway, &state.verified.nonces);
        let now = gateway.clock.now();
        let mut is_new = nonces.claim(&self.key, self.nonce, now)?;
        let is_shared = state.settings.shares_members || nonces.may_outlive(self.seconds, now);
        if is_new && is_shared {
            let ends_at = Timestamp::from_micros(self.seconds.saturating_mul(1_000_000));
            let (whose, nonce) = (NodeId::of_device(&self.key), STANDARD.encode(self.nonce));
            is_new = gateway.store.claim_nonce(&whose, nonce, ends_at.plus(SHARED)).await?;
        }
        match is_new {
            true => Ok(()),
            false => Err(refused(StatusCode::UNAUTHORIZED, "Replayed nonce")),
        }
    }
}
