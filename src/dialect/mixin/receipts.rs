//! Verdicts in Mixin's words.
//!
//! Old clients look at `state` and `sessions` alone: `FAILED` with sessions means "seal again" to
//! them, `FAILED` without means "stop sending". `outcome` tells the rest to those who know it.

use std::time::Duration;

use sealpost_sdk::types::{ObjectType, Outcome, Receipt, ReceiptState, SessionInfo};

use super::error::api_error;
use super::outgoing::Label;
use crate::domain::audience::Audience;
use crate::domain::roster::{Roster, RosterMember};
use crate::domain::submit::{Stale, Submission, Verdict};

/// The receipt for an item that was read.
#[must_use]
pub fn receipt(item: &Submission, verdict: Verdict) -> Receipt {
    let recipient_id = item.to.named().map(|id| id.to_string()).unwrap_or_default();
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
        Verdict::Accepted(audience) => Receipt {
            sessions: covered(&audience),
            ..blank(Outcome::Accepted, ReceiptState::Success)
        },
        Verdict::AcceptedForSome(stale) => {
            fresh_list(stale, blank(Outcome::Accepted, ReceiptState::Success))
        }
        Verdict::Duplicate(audience) => Receipt {
            sessions: audience.map(|audience| covered(&audience)).unwrap_or_default(),
            ..blank(Outcome::Duplicate, ReceiptState::Success)
        },
        Verdict::StaleSessions(stale) => {
            fresh_list(stale, blank(Outcome::StaleSessions, ReceiptState::Failed))
        }
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

/// A receipt with the list to seal for, keys included, and what was wrong with the sender's.
fn fresh_list(stale: Stale, receipt: Receipt) -> Receipt {
    Receipt {
        sessions: covered(&stale.audience),
        missing: stale.missing,
        redundant: stale.redundant,
        deleted: stale.deleted,
        ..receipt
    }
}

/// The sessions of everybody whom a message is for.
fn covered(audience: &Audience) -> Vec<SessionInfo> {
    audience.members().map(|(roster, member)| info(roster, member)).collect()
}

fn info(roster: &Roster, member: &RosterMember) -> SessionInfo {
    SessionInfo::new(roster.user, member.session, &member.key, &member.platform)
}

/// The sessions of a roster as receipts and `POST /sessions/fetch` list them.
#[must_use]
pub fn sessions(roster: &Roster) -> Vec<SessionInfo> {
    roster.members.iter().map(|member| info(roster, member)).collect()
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
