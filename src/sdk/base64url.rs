//! Base64 as this protocol speaks it: URL alphabet without padding on output, anything on input.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const ANY_PADDING: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_encode_padding(false)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);

const URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, ANY_PADDING);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, ANY_PADDING);

/// Why a text is no base64.
///
/// It tells where, never what: the text may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Base64Error {
    /// A character belongs to no base64 alphabet, or both alphabets are mixed.
    #[error("invalid base64 character at offset {offset}")]
    Character {
        /// Offset of the character in bytes.
        offset: usize,
    },
    /// No number of whole bytes has an encoding of this length.
    #[error("no base64 text has a length of {length} characters")]
    Length {
        /// Length of the text, without its padding.
        length: usize,
    },
    /// Padding in the wrong amount, or bits in the last character that belong to no byte.
    #[error("malformed end of base64 text")]
    End,
}

/// Encodes with the URL alphabet, without padding.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    URL.encode(bytes)
}

/// Decodes either alphabet, with or without padding.
///
/// # Errors
/// When the text mixes the alphabets, has other characters or a malformed end.
///
/// ```
/// use sealpost_sdk::base64url::{decode, encode};
///
/// assert_eq!(encode(&[0xfb, 0xff]), "-_8");
/// for text in ["-_8", "-_8=", "+/8", "+/8="] {
///     assert_eq!(decode(text)?, [0xfb, 0xff]);
/// }
/// # Ok::<(), sealpost_sdk::base64url::Base64Error>(())
/// ```
pub fn decode(text: &str) -> Result<Vec<u8>, Base64Error> {
    let engine = if is_standard(text) { STANDARD } else { URL };
    engine.decode(text).map_err(Base64Error::from)
}

/// Decodes the URL alphabet without padding and nothing else, as JWS (RFC 7515) has it.
pub(crate) fn decode_strict(text: &str) -> Result<Vec<u8>, Base64Error> {
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).map_err(Base64Error::from)
}

/// Whether the first character that differs between the alphabets is the standard one.
fn is_standard(text: &str) -> bool {
    text.bytes().find(|byte| b"+/-_".contains(byte)).is_some_and(|byte| b"+/".contains(&byte))
}

impl From<base64::DecodeError> for Base64Error {
    fn from(error: base64::DecodeError) -> Self {
        match error {
            base64::DecodeError::InvalidByte(offset, _) => Self::Character { offset },
            base64::DecodeError::InvalidLength(length) => Self::Length { length },
            base64::DecodeError::InvalidLastSymbol { .. } | base64::DecodeError::InvalidPadding => {
                Self::End
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn mixed_alphabets_are_refused() {
        assert_eq!(decode("-/8A"), Err(Base64Error::Character { offset: 1 }));
        assert_eq!(decode("+_8A"), Err(Base64Error::Character { offset: 1 }));
    }

    #[test]
    fn malformed_texts_say_where() {
        assert_eq!(decode("AA AA"), Err(Base64Error::Character { offset: 2 }));
        assert_eq!(decode("AAAAA"), Err(Base64Error::Length { length: 5 }));
        assert_eq!(decode("AB"), Err(Base64Error::End));
        assert!(decode("A===").is_err());
    }

    proptest! {
        #[test]
        fn every_form_decodes_to_the_same_bytes(bytes: Vec<u8>) {
            let text = encode(&bytes);
            let padded = format!("{text}{}", "=".repeat(text.len().wrapping_neg() % 4));
            let standard = padded.replace('-', "+").replace('_', "/");
            for form in [&text, &padded, &standard] {
                prop_assert_eq!(&decode(form).unwrap(), &bytes);
            }
        }

        #[test]
        fn any_text_decodes_or_fails_but_never_panics(text: String) {
            if let Ok(bytes) = decode(&text) {
                prop_assert!(bytes.len() <= text.len());
            }
        }
    }
}
