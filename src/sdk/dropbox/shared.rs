//! What everybody may know of a box, checked against its token.

use std::fmt;

use super::der;
use super::kdf::{Kdf, KdfError};
use super::token::BoxToken;
use crate::keys::AgreementKey;

/// A box as its senders and its owner know it: public key and kdf, both of which follow from the
/// token, so that no gateway can exchange them.
#[derive(Clone, PartialEq, Eq)]
pub struct SharedBox {
    token: BoxToken,
    pub(super) key: AgreementKey,
    kdf: Kdf,
}

/// Why the record of a box is not that of its token. Nothing may be sealed to it, and no passphrase
/// be used for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The public key is no X25519 key in its one encoding (RFC 8410).
    #[error("the public key of the box is no X25519 key")]
    PublicKey,
    /// The kdf is malformed, or too weak for anybody to use.
    #[error("the kdf of the box is refused")]
    Kdf(#[from] KdfError),
    /// The token does not follow from public key and kdf: the record is another box's, or forged.
    #[error("public key and kdf are not those of the box's token")]
    Token,
}

impl SharedBox {
    /// Checks what a gateway says of the box with this token.
    ///
    /// # Errors
    /// When the public key is none, the kdf is refused, or the token belongs to others.
    pub fn verify(token: BoxToken, public_key: &[u8], kdf: &str) -> Result<Self, RecordError> {
        let key = der::from_spki(public_key).ok_or(RecordError::PublicKey)?;
        let verified = Self::of(key, Kdf::parse(kdf)?);
        if verified.token == token { Ok(verified) } else { Err(RecordError::Token) }
    }

    /// The box with this key.
    pub(super) fn of(key: AgreementKey, kdf: Kdf) -> Self {
        Self { token: BoxToken::of(&der::spki(&key), &kdf), key, kdf }
    }

    /// The address of the box.
    #[must_use]
    pub const fn token(&self) -> BoxToken {
        self.token
    }

    /// The public key as SPKI (RFC 8410).
    #[must_use]
    pub fn public_key(&self) -> [u8; 44] {
        der::spki(&self.key)
    }

    /// How the owner's passphrase becomes a key.
    #[must_use]
    pub const fn kdf(&self) -> &Kdf {
        &self.kdf
    }
}

impl fmt::Debug for SharedBox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SharedBox").field("token", &self.token).finish_non_exhaustive()
    }
}
