//! What proves an owner, as far as it is kept.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// SHA-256 of an owner's secret. The secret itself is kept nowhere.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SecretDigest([u8; 32]);

impl SecretDigest {
    /// The digest of a secret's bytes: in version 1 the text of the private key's hash, or a
    /// letter's passphrase; in version 2 the 32 bytes of the authentication key.
    #[must_use]
    pub fn of(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// A digest as it is kept.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether this is the digest of that secret, in constant time.
    #[must_use]
    pub fn proves(&self, secret: &[u8]) -> bool {
        self.0.ct_eq(&Self::of(secret).0).into()
    }
}

impl fmt::Debug for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretDigest(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_secret_is_proved() {
        let digest = SecretDigest::of(b"right");
        assert!(digest.proves(b"right"));
        assert!(!digest.proves(b"wrong") && !digest.proves(b""));
        assert_eq!(format!("{digest:?}"), "SecretDigest(..)");
    }
}
