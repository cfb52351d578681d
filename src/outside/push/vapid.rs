//! How a push service knows the gateway: VAPID (RFC 8292), a token signed for each origin.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use reqwest::Url;
use serde_json::json;
use zeroize::Zeroizing;

use crate::domain::clock::Timestamp;
use crate::outside::signed::{EcKey, KeyError};

/// How long a token is good; the standard allows a day.
const LIFE: Duration = Duration::from_secs(12 * 60 * 60);

/// The key by which push services know the gateway.
pub struct VapidKey(EcKey);

impl VapidKey {
    /// A fresh key, as [`Self::from_bytes`] reads it.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn generate() -> Result<Zeroizing<Vec<u8>>, KeyError> {
        EcKey::generate()
    }

    /// A key as it was kept.
    ///
    /// # Errors
    /// When it is none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        EcKey::from_pkcs8(bytes).map(Self)
    }

    /// What a client may name as its `applicationServerKey`.
    #[must_use]
    pub fn public(&self) -> String {
        BASE64.encode(self.0.public())
    }

    /// The credential for the push service of an endpoint.
    pub(super) fn credential(
        &self,
        endpoint: &Url,
        contact: &str,
        now: Timestamp,
    ) -> Result<Zeroizing<String>, KeyError> {
        let audience = endpoint.origin().ascii_serialization();
        let mut claims = json!({ "aud": audience, "exp": now.plus(LIFE).as_seconds() });
        if !contact.is_empty() {
            claims["sub"] = contact.into();
        }
        let token = self.0.token(&json!({ "typ": "JWT", "alg": "ES256" }), &claims)?;
        Ok(Zeroizing::new(format!("vapid t={}, k={}", *token, self.public())))
    }
}
