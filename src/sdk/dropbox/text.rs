//! A text for the owner of a box.

use std::fmt;

use rand_core::CryptoRng;

use super::keys::BoxKeys;
use super::message::{ENCRYPTION_KEY, OpenError, SealError, unwrap, wrap};
use super::sealed::{self, Kind};
use super::shared::SharedBox;

/// A text as it is put into a box.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedText {
    /// The key of the message, wrapped for the owner.
    pub encryption_key: [u8; ENCRYPTION_KEY],
    /// The message.
    pub message: Vec<u8>,
}

/// Seals a text so that only the owner of the box can read it; not even who sealed it can.
///
/// # Errors
/// When the key of the box is weak (of small order), or the text is longer than AES-GCM takes.
pub fn seal_text(
    to: &SharedBox,
    text: &str,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<SealedText, SealError> {
    let (encryption_key, key) = wrap(to, rng)?;
    let associated = sealed::associated(&to.token(), Kind::Message);
    let message = sealed::seal(&key, &associated, text.as_bytes(), rng)
        .ok_or(SealError::TooLong { length: text.len() })?;
    Ok(SealedText { encryption_key, message })
}

/// Opens a text. Nothing proves who wrote it: anybody with the token may.
///
/// # Errors
/// When encryption key or message were made for another box, were changed, or do not belong
/// together; or what opens is no text.
pub fn open_text(
    keys: &BoxKeys,
    encryption_key: &[u8],
    message: &[u8],
) -> Result<String, OpenError> {
    let key = unwrap(keys, encryption_key)?;
    let associated = sealed::associated(&keys.token(), Kind::Message);
    let text = sealed::open(&key, &associated, message).ok_or(OpenError::Message)?;
    let text = std::str::from_utf8(&text).map_err(|_| OpenError::NotText)?;
    Ok(text.to_owned())
}

impl fmt::Debug for SealedText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.message.len();
        formatter.debug_struct("SealedText").field("length", &length).finish_non_exhaustive()
    }
}
