//! The session checksum: a short digest of "which devices does this message cover".
//!
//! Sender and gateway compute it apart from each other. When they differ, the sender's list of
//! sessions is old. It detects change and protects nothing, which is why MD5 is good enough here;
//! what decides is the comparison of the session sets.

use std::fmt;
use std::str::FromStr;

use md5::{Digest, Md5};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::hex;
use crate::ids::SessionId;

/// Length of the text form of a checksum over at least one session.
const TEXT_LENGTH: usize = 32;

/// Digest of a set of sessions; empty for the empty set.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Checksum(Option<[u8; 16]>);

/// Why a text is no checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChecksumError {
    /// The text is neither empty nor of the one right length.
    #[error("a checksum has 32 characters or none, this text has {length} bytes")]
    Length {
        /// Length of the text in bytes.
        length: usize,
    },
    /// The text has the right length but is not lower-case hexadecimal.
    #[error("a checksum is lower-case hexadecimal")]
    Form,
}

/// Digests a set of sessions: MD5 over their ids as lower-case text, sorted, joined with nothing.
///
/// Order and repetition do not matter. It sorts, so keep the result as long as the set stays.
///
/// ```
/// use sealpost_sdk::checksum::session_checksum;
/// use sealpost_sdk::ids::SessionId;
///
/// let phone = SessionId::parse("00000000-0000-4000-8000-000000000001")?;
/// let laptop = SessionId::parse("00000000-0000-4000-8000-000000000002")?;
/// assert_eq!(session_checksum([phone, laptop]), session_checksum([laptop, phone, laptop]));
/// assert_eq!(session_checksum([]).to_string(), "");
/// # Ok::<(), sealpost_sdk::ids::IdError>(())
/// ```
#[must_use]
pub fn session_checksum(sessions: impl IntoIterator<Item = SessionId>) -> Checksum {
    let mut sessions: Vec<SessionId> = sessions.into_iter().collect();
    if sessions.is_empty() {
        return Checksum(None);
    }
    sessions.sort_unstable();
    sessions.dedup();
    let mut digest = Md5::new();
    let mut buffer = Uuid::encode_buffer();
    for session in sessions {
        digest.update(session.uuid().hyphenated().encode_lower(&mut buffer).as_bytes());
    }
    Checksum(Some(digest.finalize().into()))
}

impl Checksum {
    /// Reads the wire form.
    ///
    /// # Errors
    /// When the text is neither empty nor exactly 32 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, ChecksumError> {
        match text.len() {
            0 => Ok(Self(None)),
            TEXT_LENGTH if text.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                Err(ChecksumError::Form)
            }
            TEXT_LENGTH => hex::decode(text).ok_or(ChecksumError::Form).map(|md5| Self(Some(md5))),
            length => Err(ChecksumError::Length { length }),
        }
    }

    /// Whether this is the checksum of no session at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl FromStr for Checksum {
    type Err = ChecksumError;

    fn from_str(text: &str) -> Result<Self, ChecksumError> {
        Self::parse(text)
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(md5) => formatter.write_str(&hex::encode(md5)),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Checksum({self})")
    }
}

impl Serialize for Checksum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Checksum {
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

    fn session(last: u8) -> SessionId {
        SessionId::parse(&format!("00000000-0000-4000-8000-0000000000{last:02x}")).unwrap()
    }

    #[test]
    fn three_sessions_give_the_published_checksum() {
        let checksum = session_checksum([session(3), session(1), session(2)]);
        assert_eq!(checksum.to_string(), "02433e6c68af77773104b0840f3ed1c4");
        assert_eq!(checksum, "02433e6c68af77773104b0840f3ed1c4".parse().unwrap());
    }

    #[test]
    fn no_sessions_give_the_empty_text() {
        assert!(session_checksum([]).is_empty());
        assert_eq!("".parse(), Ok(session_checksum([])));
    }

    #[test]
    fn only_lower_case_hexadecimal_of_the_right_length_is_a_checksum() {
        let length = |length| Err(ChecksumError::Length { length });
        assert_eq!(Checksum::parse("02433E6C68AF77773104B0840F3ED1C4"), Err(ChecksumError::Form));
        assert_eq!(Checksum::parse("0243ge6c68af77773104b0840f3ed1c4"), Err(ChecksumError::Form));
        assert_eq!(Checksum::parse("02433e6c68af77773104b0840f3ed1c"), length(31));
        assert_eq!(Checksum::parse("02433e6c68af77773104b0840f3ed1c4 "), length(33));
    }

    proptest! {
        #[test]
        fn order_and_repetition_do_not_matter(mut numbers: Vec<u8>) {
            let before = session_checksum(numbers.iter().map(|&number| session(number)));
            numbers.reverse();
            numbers.extend(numbers.clone());
            let after = session_checksum(numbers.iter().map(|&number| session(number)));
            prop_assert_eq!(before, after);
        }
    }
}
