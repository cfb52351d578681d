//! The token of a box: its address, and the commitment to its keys.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::kdf::Kdf;
use crate::hex;

const LABEL: &str = "sealpost drop box 2 token\n";

/// The address of a box: 32 lower-case hexadecimal digits.
///
/// It follows from public key and kdf, so whoever has it can check both
/// ([`SharedBox::verify`](super::SharedBox::verify)). Who has it can put messages in, so `Debug`
/// does not show it.
///
/// ```
/// use sealpost_sdk::dropbox::BoxToken;
///
/// let text = "00112233445566778899aabbccddeeff";
/// assert_eq!(BoxToken::parse(text)?.to_string(), text);
/// assert!(BoxToken::parse("00112233445566778899AABBCCDDEEFF").is_err());
/// # Ok::<(), sealpost_sdk::dropbox::BoxTokenError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BoxToken([u8; 16]);

/// Why a text is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token of a box is 32 lower-case hexadecimal digits")]
pub struct BoxTokenError;

impl BoxToken {
    /// Takes the 16 bytes as they are.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The token that belongs to a public key and a kdf.
    pub(super) fn of(public_key: &[u8], kdf: &Kdf) -> Self {
        let digest = Sha256::new()
            .chain_update(LABEL)
            .chain_update(public_key)
            .chain_update(kdf.to_string());
        let digest: [u8; 32] = digest.finalize().into();
        let mut token = [0; 16];
        token.copy_from_slice(&digest[..16]);
        Self(token)
    }

    /// Reads the 32 digits.
    ///
    /// # Errors
    /// When the text is anything else.
    pub fn parse(text: &str) -> Result<Self, BoxTokenError> {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(BoxTokenError);
        }
        hex::decode(text).map(Self).ok_or(BoxTokenError)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for BoxToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for BoxToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("BoxToken(..)")
    }
}

impl FromStr for BoxToken {
    type Err = BoxTokenError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl Serialize for BoxToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BoxToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_token_survives_text_and_json(bytes: [u8; 16]) {
            let token = BoxToken::from_bytes(bytes);
            prop_assert_eq!(token.to_string().parse(), Ok(token));
            let json = serde_json::to_string(&token).unwrap();
            prop_assert_eq!(serde_json::from_str::<BoxToken>(&json).unwrap(), token);
        }

        #[test]
        fn what_parses_is_written_the_same(text in "[0-9a-fA-F]{31,33}") {
            match BoxToken::parse(&text) {
                Ok(token) => prop_assert_eq!(token.to_string(), text),
                Err(_) => prop_assert!(text.len() != 32 || text.to_lowercase() != text),
            }
        }
    }
}
