//! Gap markers: what an inbox says of messages that are missing from it. Nothing that waits for a
//! live session is dropped without one.

use sealpost_sdk::types;

use crate::domain::clock::Timestamp;

/// The category of a [`Gap`]'s message.
pub use sealpost_sdk::category::SYSTEM_GAP;

/// Why messages are missing from an inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapReason {
    /// They waited for a session that this one took the place of.
    SignedInAgain,
    /// Their time was over before they were read.
    Expired,
    /// The inbox was full, and they were its oldest.
    Trimmed,
    /// They were handed out again and again without an acknowledgement. They are still there, see
    /// [`super::SetAside`].
    SetAside,
}

impl GapReason {
    /// Whether the messages are gone for good.
    #[must_use]
    pub fn is_loss(self) -> bool {
        self != Self::SetAside
    }
}

/// The marker that stands where messages are missing: in front of all that still waits, since what
/// is missing came before it. An unread marker that nobody holds is counted in by the next one,
/// which takes its place and has its own reason; but what is gone and what is set aside are counted
/// apart. A marker never expires, and is never trimmed or set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Why.
    pub reason: GapReason,
    /// How many.
    pub count: u64,
    /// When the first of them was accepted.
    pub from: Timestamp,
    /// When the last of them was accepted.
    pub to: Timestamp,
}

impl Gap {
    /// The body of the marker's message: JSON, as the SDK reads it.
    #[must_use]
    pub fn to_json(&self) -> String {
        let gap = types::Gap {
            reason: match self.reason {
                GapReason::SignedInAgain => types::GapReason::SignedInAgain,
                GapReason::Expired => types::GapReason::Expired,
                GapReason::Trimmed => types::GapReason::Trimmed,
                GapReason::SetAside => types::GapReason::SetAside,
            },
            count: self.count,
            from: self.from.to_string(),
            to: self.to.to_string(),
        };
        // Texts and a number always serialise.
        serde_json::to_string(&gap).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_says_why_how_many_and_when() {
        let gap = Gap {
            reason: GapReason::SignedInAgain,
            count: 2,
            from: Timestamp::from_micros(0),
            to: Timestamp::from_micros(1_000_000),
        };
        let expected = r#"{"reason":"signed_in_again","count":2,"from":"1970-01-01T00:00:00Z","to":"1970-01-01T00:00:01Z"}"#;
        assert_eq!(gap.to_json(), expected);
    }
}
