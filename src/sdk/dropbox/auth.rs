//! What proves to the gateway who asks.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::derive::Key;
use crate::base64url;

/// What proves to the gateway that somebody knows the passphrase of a box, or the secret of a
/// letter. It opens neither. Wiped from memory on drop.
#[derive(Clone)]
pub struct AuthKey(Key);

impl AuthKey {
    pub(super) const fn new(key: Key) -> Self {
        Self(key)
    }

    /// The 32 bytes as base64url without padding: the header `authkey`.
    #[must_use]
    pub fn to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(base64url::encode(self.0.as_slice()))
    }

    /// SHA-256 of the key: what the gateway keeps, and finds nothing else from.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_slice()).into()
    }

    /// Whether this is the key behind `digest`, in constant time.
    #[must_use]
    pub fn proves(&self, digest: &[u8; 32]) -> bool {
        self.digest().ct_eq(digest).into()
    }
}

impl PartialEq for AuthKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&*other.0).into()
    }
}

impl Eq for AuthKey {}

impl fmt::Debug for AuthKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AuthKey(..)")
    }
}
