//! The body of a `SYSTEM_GAP` message: what is missing from an inbox.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Messages that were dropped unread, as the marker in their place describes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Why they were dropped.
    pub reason: GapReason,
    /// How many they were.
    pub count: u64,
    /// When the gateway accepted the first of them, RFC 3339.
    pub from: String,
    /// When the gateway accepted the last of them, RFC 3339.
    pub to: String,
}

/// Why messages are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GapReason {
    /// They waited for a session that this one took the place of, and only that one could have
    /// opened them.
    SignedInAgain,
    /// Their time was over before they were read.
    Expired,
    /// A word that this version does not know.
    Other(String),
}

impl Serialize for GapReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::SignedInAgain => SIGNED_IN_AGAIN,
            Self::Expired => EXPIRED,
            Self::Other(word) => word,
        })
    }
}

impl<'de> Deserialize<'de> for GapReason {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        Ok(match word.as_str() {
            SIGNED_IN_AGAIN => Self::SignedInAgain,
            EXPIRED => Self::Expired,
            _ => Self::Other(word),
        })
    }
}

const SIGNED_IN_AGAIN: &str = "signed_in_again";
const EXPIRED: &str = "expired";

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_gap_survives_both_directions_whatever_its_reason() {
        for (word, reason) in [
            ("signed_in_again", GapReason::SignedInAgain),
            ("expired", GapReason::Expired),
            ("moved_away", GapReason::Other("moved_away".to_owned())),
        ] {
            let text = format!(r#"{{"reason":"{word}","count":2,"from":"a","to":"b"}}"#);
            let gap: Gap = serde_json::from_str(&text).unwrap();
            assert_eq!(gap.reason, reason);
            assert_eq!(serde_json::to_string(&gap).unwrap(), text);
        }
    }
}
