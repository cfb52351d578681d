//! The body of a `SYSTEM_GAP` message: what is missing from an inbox, or was set aside in it.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Messages that are no longer handed out, as the marker in their place describes them. All are
/// gone, but for those that were [set aside](GapReason::SetAside).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Why they are missing.
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
    /// The inbox was full and nobody had looked into it for long, so the oldest were dropped.
    Trimmed,
    /// They were handed out again and again without an acknowledgement. They are kept, and
    /// `GET /inbox/set_aside` lists them, until their time is over.
    SetAside,
    /// A word that this version does not know.
    Other(String),
}

impl Serialize for GapReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::SignedInAgain => SIGNED_IN_AGAIN,
            Self::Expired => EXPIRED,
            Self::Trimmed => TRIMMED,
            Self::SetAside => SET_ASIDE,
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
            TRIMMED => Self::Trimmed,
            SET_ASIDE => Self::SetAside,
            _ => Self::Other(word),
        })
    }
}

const SIGNED_IN_AGAIN: &str = "signed_in_again";
const EXPIRED: &str = "expired";
const TRIMMED: &str = "trimmed";
const SET_ASIDE: &str = "set_aside";

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_gap_survives_both_directions_whatever_its_reason() {
        for (word, reason) in [
            ("signed_in_again", GapReason::SignedInAgain),
            ("expired", GapReason::Expired),
            ("trimmed", GapReason::Trimmed),
            ("set_aside", GapReason::SetAside),
            ("moved_away", GapReason::Other("moved_away".to_owned())),
        ] {
            let text = format!(r#"{{"reason":"{word}","count":2,"from":"a","to":"b"}}"#);
            let gap: Gap = serde_json::from_str(&text).unwrap();
            assert_eq!(gap.reason, reason);
            assert_eq!(serde_json::to_string(&gap).unwrap(), text);
        }
    }
}
