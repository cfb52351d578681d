//! Verdicts in Mixin's words.
//!
//! Old clients look at `state` and `sessions` alone: `FAILED` with sessions means "seal again" to
//! them, `FAILED` without means "stop sending". `outcome` tells the rest to those who know it.

use std::time::Duration;

use sealpost_sdk::types::{ObjectType, Outcome, Receipt, ReceiptState, SessionInfo};

use super::error::api_error;
use super::outgoing::Label;
use crate::domain::roster::{Roster, RosterMember};
use crate::domain::submit::{Submission, Verdict};

/// The receipt for an item that was read.
#[must_use]
pub fn receipt(item: &Submission, verdict: Verdict) -> Receipt {
    let recipient_id = item.recipient.map(|id| id.to_string()).unwrap_or_default();
    labelled(Label { message_id: item.message_id.to_string(), recipient_id }, verdict)
}

/// The receipt for an item known by its label.
#[must_use]
pub fn labelled(label: Label, verdict: Verdict) -> Receipt {
    let blank = |outcome, state| Receipt {
        kind: ObjectType::Message,
        message_id: label.message_id,
        recipient_id: label.recipient_id,
        state,
        sessions: Vec::new(),
        outcome: Some(outcome),
        missing: Vec::new(),
        redundant: Vec::new(),
        deleted: Vec::new(),
        error: None,
        retry_after: None,
    };
    match verdict {
        Verdict::Accepted(roster) => Receipt {
            sessions: sessions(&roster),
            ..blank(Outcome::Accepted, ReceiptState::Success)
        },
        Verdict::Duplicate(roster) => Receipt {
            sessions: roster.map(|roster| sessions(&roster)).unwrap_or_default(),
            ..blank(Outcome::Duplicate, ReceiptState::Success)
        },
        Verdict::StaleSessions(stale) => Receipt {
            sessions: sessions(&stale.roster),
            missing: stale.missing,
            redundant: stale.redundant,
            deleted: stale.deleted,
            ..blank(Outcome::StaleSessions, ReceiptState::Failed)
        },
        Verdict::RecipientGone => blank(Outcome::RecipientGone, ReceiptState::Failed),
        Verdict::Rejected(fault) => Receipt {
            error: Some(api_error(&fault)),
            ..blank(Outcome::Rejected, ReceiptState::Failed)
        },
        Verdict::Deferred { after } => Receipt {
            retry_after: Some(whole_seconds(after)),
            ..blank(Outcome::Deferred, ReceiptState::Failed)
        },
    }
}

/// The sessions of a roster as receipts and `POST /sessions/fetch` list them.
#[must_use]
pub fn sessions(roster: &Roster) -> Vec<SessionInfo> {
    let info = |member: &RosterMember| {
        SessionInfo::new(roster.user, member.session, &member.key, &member.platform)
    };
    roster.members.iter().map(info).collect()
}

/// Rounded up: "try again after 0 seconds" would be an invitation to spin.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_millis().div_ceil(1000).max(1).try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::error::Fault;

    fn of(verdict: Verdict) -> Receipt {
        labelled(Label::default(), verdict)
    }

    #[test]
    fn a_rejection_carries_field_and_reason() {
        let receipt = of(Verdict::Rejected(Fault::invalid("checksum", "is missing")));
        assert_eq!(receipt.outcome, Some(Outcome::Rejected));
        let extra = receipt.error.and_then(|error| error.extra).unwrap();
        assert_eq!((extra.field.as_str(), extra.reason.as_str()), ("checksum", "is missing"));
    }

    #[test]
    fn a_deferral_never_says_at_once() {
        let receipt = of(Verdict::Deferred { after: Duration::from_millis(1) });
        assert_eq!(receipt.retry_after, Some(1));
        assert_eq!(receipt.state, ReceiptState::Failed);
    }
}
