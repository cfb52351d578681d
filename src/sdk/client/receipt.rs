//! What a receipt means.
//!
//! A gateway of ours says it in one word (`outcome`). A server that knows only the published
//! members is understood too: `FAILED` with sessions is an old list, `FAILED` without any is a
//! recipient that is gone.

use std::time::Duration;

use crate::ids::SessionId;
use crate::types::{self, ApiError, MESSAGE_ID_USED, Receipt, ReceiptState, SessionInfo};

use super::outcome::Outcome;

/// What to do with a message after its receipt.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// Nothing more.
    Final(Outcome),
    /// Seal again to the fresh list and send again.
    Stale(Stale),
    /// Stored for those that it covers; the others need slots.
    InPart(Stale),
}

/// The fresh list, and how the old one differed.
#[derive(Debug, PartialEq)]
pub(super) struct Stale {
    pub(super) sessions: Vec<SessionInfo>,
    pub(super) missing: Vec<SessionId>,
    pub(super) redundant: Vec<SessionId>,
    pub(super) deleted: Vec<SessionId>,
}

pub(super) fn verdict(receipt: Receipt) -> Verdict {
    use types::Outcome as Word;

    let word = receipt.outcome;
    if receipt.state == ReceiptState::Success
        && word != Some(Word::Duplicate)
        && !receipt.missing.is_empty()
    {
        return Verdict::InPart(lists(receipt));
    }
    if receipt.state == ReceiptState::Success {
        return Verdict::Final(match word {
            Some(Word::Duplicate) => Outcome::AlreadyDelivered,
            _ => delivered(&receipt.sessions),
        });
    }
    match word {
        Some(Word::RecipientGone) => Verdict::Final(Outcome::RecipientGone),
        Some(Word::Deferred) => {
            let retry_after = receipt.retry_after.map(Duration::from_secs);
            Verdict::Final(Outcome::Deferred { retry_after })
        }
        Some(Word::StaleSessions) if receipt.sessions.is_empty() => {
            // Everyone signed out in between. They may come back.
            Verdict::Final(Outcome::Deferred { retry_after: None })
        }
        Some(Word::StaleSessions) => Verdict::Stale(lists(receipt)),
        _ if receipt.error.is_some() => Verdict::Final(rejected(receipt.error)),
        None | Some(Word::Unknown) if !receipt.sessions.is_empty() => {
            Verdict::Stale(lists(receipt))
        }
        None => Verdict::Final(Outcome::RecipientGone),
        // "Gone" makes bots stop for ever, so a word that we do not know is never read as that.
        Some(_) => Verdict::Final(rejected(None)),
    }
}

fn lists(receipt: Receipt) -> Stale {
    let Receipt { sessions, missing, redundant, deleted, .. } = receipt;
    Stale { sessions, missing, redundant, deleted }
}

fn delivered(sessions: &[SessionInfo]) -> Outcome {
    Outcome::Delivered { sessions: sessions.iter().map(|info| info.session_id).collect() }
}

fn rejected(error: Option<ApiError>) -> Outcome {
    let error = error.unwrap_or_else(|| ApiError {
        status: 400,
        code: 400,
        description: "the gateway gave no reason".to_owned(),
        extra: None,
    });
    // This message was accepted before, sealed with other random bytes: an earlier run of the
    // program lost the answer and its envelope. It was delivered, once.
    match &error.extra {
        Some(extra) if extra.reason == MESSAGE_ID_USED => Outcome::AlreadyDelivered,
        _ => Outcome::Rejected { error },
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(mut receipt: Value) -> Verdict {
        receipt["type"] = "message".into();
        verdict(serde_json::from_value(receipt).unwrap())
    }

    fn session() -> Value {
        json!({
            "type": "session",
            "user_id": "00000000-0000-4000-8000-000000000001",
            "session_id": "00000000-0000-4000-8000-000000000002",
            "public_key": "",
            "platform": "",
        })
    }

    #[test]
    fn receipts_without_our_word_are_read_by_state_and_sessions() {
        let success = read(json!({"state": "SUCCESS", "sessions": [session()]}));
        assert!(
            matches!(success, Verdict::Final(Outcome::Delivered { sessions }) if sessions.len() == 1)
        );
        let stale = read(json!({"state": "FAILED", "sessions": [session()]}));
        assert!(matches!(stale, Verdict::Stale(stale) if stale.sessions.len() == 1));
        let gone = read(json!({"state": "FAILED", "sessions": []}));
        assert_eq!(gone, Verdict::Final(Outcome::RecipientGone));
    }

    #[test]
    fn every_word_has_its_outcome() {
        let failed = |outcome: &str| read(json!({"state": "FAILED", "outcome": outcome}));
        let after = Some(Duration::from_secs(30));
        let deferred = read(json!({"state": "FAILED", "outcome": "deferred", "retry_after": 30}));
        assert_eq!(deferred, Verdict::Final(Outcome::Deferred { retry_after: after }));
        assert_eq!(failed("recipient_gone"), Verdict::Final(Outcome::RecipientGone));
        assert_eq!(
            failed("stale_sessions"),
            Verdict::Final(Outcome::Deferred { retry_after: None })
        );
        let duplicate = read(json!({"state": "SUCCESS", "outcome": "duplicate"}));
        assert_eq!(duplicate, Verdict::Final(Outcome::AlreadyDelivered));
        let error = json!({"status": 403, "code": 403, "description": "blocked"});
        let rejected = read(json!({"state": "FAILED", "outcome": "rejected", "error": error}));
        assert!(
            matches!(rejected, Verdict::Final(Outcome::Rejected { error }) if error.code == 403)
        );
    }

    #[test]
    fn a_word_of_the_future_is_never_read_as_gone() {
        let verdict = read(json!({"state": "FAILED", "outcome": "postponed_by_moonlight"}));
        assert!(matches!(verdict, Verdict::Final(Outcome::Rejected { .. })), "{verdict:?}");
    }

    #[test]
    fn a_used_message_id_means_delivered_before() {
        let error = json!({
            "status": 422, "code": 10002, "description": "invalid",
            "extra": {"field": "message_id", "reason": "message_id_used"},
        });
        let verdict = read(json!({"state": "FAILED", "outcome": "rejected", "error": error}));
        assert_eq!(verdict, Verdict::Final(Outcome::AlreadyDelivered));
    }
}
