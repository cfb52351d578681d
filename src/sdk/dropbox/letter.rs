//! Letters: texts that a gateway hands out once.

use std::fmt;
use std::str::FromStr;

use rand_core::CryptoRng;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::auth::AuthKey;
use super::derive::{Key, hkdf};
use super::sealed;
use crate::hex;

const ASSOCIATED: &str = "sealpost letter 2\nmessage";

/// The secret of one letter, which stands in its link alone. Wiped from memory on drop.
///
/// | what | how |
/// | --- | --- |
/// | letter key | `HKDF(secret, info = "sealpost letter 2 message")` |
/// | auth key | `HKDF(secret, info = "sealpost letter 2 authentication")` |
/// | letter | nonce ‖ AES-256-GCM, with `"sealpost letter 2\nmessage"` as associated data |
///
/// ```
/// # use rand_chacha::ChaCha20Rng;
/// # use rand_core::SeedableRng;
/// use sealpost_sdk::dropbox::LetterSecret;
///
/// # let mut rng = ChaCha20Rng::from_seed([1; 32]); // a generator seeded by the system in earnest
/// let secret = LetterSecret::random(&mut rng);
/// let letter = secret.seal("burn this", &mut rng)?;
/// assert_eq!(secret.open(&letter)?, "burn this");
/// assert!(LetterSecret::random(&mut rng).open(&letter).is_err());
/// # Ok::<(), sealpost_sdk::dropbox::LetterError>(())
/// ```
#[derive(Clone)]
pub struct LetterSecret(Key);

/// The gateway's name for a letter: 32 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LetterId([u8; 16]);

/// Why a text is no id of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the id of a letter is 32 lower-case hexadecimal digits")]
pub struct LetterIdError;

/// Why a letter was not sealed or did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LetterError {
    /// More than a letter can hold.
    #[error("a letter cannot hold {length} bytes")]
    TooLong {
        /// Length of the text.
        length: usize,
    },
    /// The letter was changed, or belongs to another link.
    #[error("the letter does not open with the secret of this link")]
    Sealed,
    /// What opened is no text.
    #[error("the letter is no UTF-8 text")]
    NotText,
}

impl LetterSecret {
    /// Makes a new secret.
    pub fn random(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut secret = Zeroizing::new([0; 32]);
        rng.fill_bytes(secret.as_mut_slice());
        Self(secret)
    }

    /// Takes the 32 bytes of a link.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The 32 bytes, for the link and nothing else.
    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What proves to the gateway that somebody has the link.
    #[must_use]
    pub fn auth_key(&self) -> AuthKey {
        AuthKey::new(hkdf(self.0.as_slice(), &[], "sealpost letter 2 authentication"))
    }

    /// Seals the text.
    ///
    /// # Errors
    /// When the text is longer than AES-GCM takes.
    pub fn seal(
        &self,
        text: &str,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Vec<u8>, LetterError> {
        sealed::seal(&self.key(), ASSOCIATED, text.as_bytes(), rng)
            .ok_or(LetterError::TooLong { length: text.len() })
    }

    /// Opens the letter.
    ///
    /// # Errors
    /// When it was changed or belongs to another secret, or is no text.
    pub fn open(&self, letter: &[u8]) -> Result<String, LetterError> {
        let text = sealed::open(&self.key(), ASSOCIATED, letter).ok_or(LetterError::Sealed)?;
        let text = std::str::from_utf8(&text).map_err(|_| LetterError::NotText)?;
        Ok(text.to_owned())
    }

    fn key(&self) -> Key {
        hkdf(self.0.as_slice(), &[], "sealpost letter 2 message")
    }
}

impl PartialEq for LetterSecret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&*other.0).into()
    }
}

impl Eq for LetterSecret {}

impl fmt::Debug for LetterSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LetterSecret(..)")
    }
}

impl LetterId {
    /// Takes the 16 bytes as they are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Reads the 32 digits.
    ///
    /// # Errors
    /// When the text is anything else.
    pub fn parse(text: &str) -> Result<Self, LetterIdError> {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(LetterIdError);
        }
        hex::decode(text).map(Self).ok_or(LetterIdError)
    }
}

impl fmt::Display for LetterId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(&self.0))
    }
}

impl FromStr for LetterId {
    type Err = LetterIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl Serialize for LetterId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LetterId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}
