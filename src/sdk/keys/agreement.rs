//! X25519: agreeing on the secret that wraps message keys.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use subtle::ConstantTimeEq;
use x25519_dalek::{PublicKey, StaticSecret};

use super::{KeyError, decode_key};
use crate::base64url;

/// An X25519 public key, as an envelope carries it and the gateway publishes it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AgreementKey([u8; 32]);

impl AgreementKey {
    /// Takes the 32 bytes as they are; a weak key shows itself when a secret is agreed on.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads base64 in any form.
    ///
    /// # Errors
    /// When the text is no base64 of 32 bytes.
    pub fn from_base64(text: &str) -> Result<Self, KeyError> {
        decode_key(text).map(Self)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 32 bytes as base64url without padding.
    #[must_use]
    pub fn to_base64(&self) -> String {
        base64url::encode(&self.0)
    }
}

impl fmt::Debug for AgreementKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "AgreementKey({})", self.to_base64())
    }
}

impl Serialize for AgreementKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_base64())
    }
}

impl<'de> Deserialize<'de> for AgreementKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        Self::from_base64(&text).map_err(D::Error::custom)
    }
}

/// An X25519 secret with its public key beside it, wiped from memory on drop.
#[derive(Clone)]
pub struct AgreementSecret {
    secret: StaticSecret,
    public: AgreementKey,
}

impl AgreementSecret {
    /// Makes the pair that belongs to 32 secret bytes; they are clamped as RFC 7748 says.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let secret = StaticSecret::from(bytes);
        let public = AgreementKey(PublicKey::from(&secret).to_bytes());
        Self { secret, public }
    }

    /// The public half, computed once.
    #[must_use]
    pub const fn public(&self) -> AgreementKey {
        self.public
    }

    /// Agrees on a secret: one scalar multiplication.
    ///
    /// # Errors
    /// [`KeyError::SmallOrder`] when the result is all zero, whatever our own secret is.
    pub fn shared_secret(&self, theirs: &AgreementKey) -> Result<SharedSecret, KeyError> {
        let shared = self.secret.diffie_hellman(&PublicKey::from(theirs.0));
        if shared.was_contributory() { Ok(SharedSecret(shared)) } else { Err(KeyError::SmallOrder) }
    }
}

impl fmt::Debug for AgreementSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AgreementSecret(..)")
    }
}

/// What two key pairs agree on; the key that wraps message keys. Wiped from memory on drop.
pub struct SharedSecret(x25519_dalek::SharedSecret);

impl SharedSecret {
    /// The raw 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SharedSecret(..)")
    }
}

impl PartialEq for SharedSecret {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

impl Eq for SharedSecret {}
