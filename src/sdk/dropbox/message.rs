//! The key of one message, wrapped for the owner of a box.
//!
//! | bytes | what |
//! | --- | --- |
//! | 32 | X25519 public key, made for this message |
//! | 12 | nonce |
//! | 32 | message key, encrypted |
//! | 16 | tag |

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::derive::{Key, hkdf};
use super::keys::BoxKeys;
use super::sealed::{self, Kind};
use super::shared::SharedBox;
use super::token::BoxToken;
use crate::keys::{AgreementKey, AgreementSecret, SharedSecret};

/// Length of an encryption key, as it stands beside each message.
pub const ENCRYPTION_KEY: usize = 92;

/// The longest name of a file, bytes of UTF-8: gateways take 1,024 bytes of its sealed form.
pub const LONGEST_NAME: usize = 1024 - sealed::OVERHEAD;

/// Why nothing was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The public key of the box has small order: everybody could open the message.
    #[error("the key of the box has small order")]
    WeakKey,
    /// More than one message can hold.
    #[error("a message cannot hold {length} bytes")]
    TooLong {
        /// Length of the plaintext.
        length: usize,
    },
    /// The name of a file may have so many bytes that its sealed form has at most 1,024.
    #[error("the name of a file has at most {LONGEST_NAME} bytes, this one has {length}")]
    NameTooLong {
        /// Length of the name.
        length: usize,
    },
    /// More than 2³² chunks.
    #[error("the file is too long")]
    TooManyChunks,
}

/// Why a message did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// An encryption key has another length.
    #[error("an encryption key has {ENCRYPTION_KEY} bytes, this one has {length}")]
    KeyLength {
        /// Number of bytes found.
        length: usize,
    },
    /// The sender's key has small order: everybody could have read the message.
    #[error("the sender's key has small order")]
    WeakKey,
    /// The encryption key was made for another box, or was changed.
    #[error("the encryption key does not open with the key of this box")]
    Key,
    /// The text was changed, or belongs to another key.
    #[error("the message does not open with its key")]
    Message,
    /// The file's name was changed, or belongs to another key.
    #[error("the file's name does not open with its key")]
    Name,
    /// What opened is no text.
    #[error("the message is no UTF-8 text")]
    NotText,
}

/// Makes a message key and wraps it for the box.
///
/// Draws from `rng`: 32 bytes for the pair of this message, 32 for the message key, then the nonce.
pub(super) fn wrap(
    to: &SharedBox,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<([u8; ENCRYPTION_KEY], Key), SealError> {
    let (mut secret, mut key) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 32]));
    rng.fill_bytes(secret.as_mut_slice());
    rng.fill_bytes(key.as_mut_slice());
    let ephemeral = AgreementSecret::from_bytes(*secret);
    let agreed = ephemeral.shared_secret(&to.key).map_err(|_| SealError::WeakKey)?;
    let kek = wrapping_key(&agreed, &ephemeral.public(), &to.key);
    let sealed = sealed::seal(&kek, &associated(&to.token()), key.as_slice(), rng)
        .ok_or(SealError::TooLong { length: key.len() })?;
    let mut encryption_key = [0; ENCRYPTION_KEY];
    let (start, end) = encryption_key.split_at_mut(32);
    start.copy_from_slice(ephemeral.public().as_bytes());
    // 12 of nonce, 32 of key and 16 of tag are what is left of 92.
    end.copy_from_slice(&sealed);
    Ok((encryption_key, key))
}

/// Reverses [`wrap`].
pub(super) fn unwrap(keys: &BoxKeys, encryption_key: &[u8]) -> Result<Key, OpenError> {
    let wrong = OpenError::KeyLength { length: encryption_key.len() };
    let encryption_key: &[u8; ENCRYPTION_KEY] = encryption_key.try_into().map_err(|_| wrong)?;
    let (ephemeral, sealed) = encryption_key.split_first_chunk::<32>().ok_or(wrong)?;
    let ephemeral = AgreementKey::from_bytes(*ephemeral);
    let agreed = keys.agreement.shared_secret(&ephemeral).map_err(|_| OpenError::WeakKey)?;
    let kek = wrapping_key(&agreed, &ephemeral, &keys.agreement.public());
    let key = sealed::open(&kek, &associated(&keys.token()), sealed).ok_or(OpenError::Key)?;
    key.as_slice().try_into().map(Zeroizing::new).map_err(|_| OpenError::Key)
}

fn wrapping_key(agreed: &SharedSecret, ephemeral: &AgreementKey, of_box: &AgreementKey) -> Key {
    let salt = [*ephemeral.as_bytes(), *of_box.as_bytes()];
    hkdf(agreed.as_bytes(), salt.as_flattened(), "sealpost drop box 2 message key")
}

fn associated(token: &BoxToken) -> String {
    sealed::associated(token, Kind::MessageKey)
}
