//! Verdicts in Mixin's words.
//!
//! Old clients look at `state` and `sessions` alone: `FAILED` with sessions means "seal again" to
//! them, `FAILED` without means "stop sending". `outcome` tells the rest to those who know it.

use std::time::Duration;

use sealpost_sdk::ids::{MessageId, SessionId, UserId};
use sealpost_sdk::keys::AgreementKey;
use sealpost_sdk::types::{ApiError, ObjectType, Outcome, ReceiptState, SessionInfo};
use serde::{Serialize, Serializer};

use super::error::api_error;
use super::outgoing::Label;
use crate::domain::audience::Audience;
use crate::domain::roster::{Roster, RosterMember};
use crate::domain::submit::{Stale, Submission, Verdict};

/// A [`Receipt`](sealpost_sdk::types::Receipt) on its way out. It borrows what it says, so that the
/// hundreds of ids and keys of an answer are written where they belong and nowhere before.
#[derive(Serialize)]
pub struct Receipt<'a> {
    #[serde(rename = "type")]
    kind: ObjectType,
    message_id: Name<'a, MessageId>,
    recipient_id: Name<'a, UserId>,
    state: ReceiptState,
    sessions: Covered<'a>,
    outcome: Outcome,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    missing: &'a [SessionId],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    redundant: &'a [SessionId],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    deleted: &'a [SessionId],
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ApiError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

/// An id that was understood, or what stood in its place.
enum Name<'a, Id> {
    Id(Id),
    Text(&'a str),
}

impl<Id: Serialize> Serialize for Name<'_, Id> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Id(id) => id.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

/// The sessions of everybody whom a message is for; none when nobody knows any more.
struct Covered<'a>(Option<&'a Audience>);

impl Serialize for Covered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let members = self.0.into_iter().flat_map(Audience::members);
        serializer.collect_seq(members.map(|(roster, member)| Line {
            kind: ObjectType::Session,
            user_id: roster.user,
            session_id: member.session,
            public_key: &member.key,
            platform: &member.platform,
        }))
    }
}

/// A [`SessionInfo`] on its way out.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(rename = "type")]
    kind: ObjectType,
    user_id: UserId,
    session_id: SessionId,
    public_key: &'a AgreementKey,
    platform: &'a str,
}

/// The receipt for an item that was read.
#[must_use]
pub fn receipt<'a>(item: &Submission, verdict: &'a Verdict) -> Receipt<'a> {
    let recipient_id = item.to.named().map_or(Name::Text(""), Name::Id);
    named(Name::Id(item.message_id), recipient_id, verdict)
}

/// The receipt for an item known by its label.
#[must_use]
pub fn labelled<'a>(label: &'a Label, verdict: &'a Verdict) -> Receipt<'a> {
    named(Name::Text(&label.message_id), Name::Text(&label.recipient_id), verdict)
}

fn named<'a>(
    message_id: Name<'a, MessageId>,
    recipient_id: Name<'a, UserId>,
    verdict: &'a Verdict,
) -> Receipt<'a> {
    let blank = |outcome, state| Receipt {
        kind: ObjectType::Message,
        message_id,
        recipient_id,
        state,
        sessions: Covered(None),
        outcome,
        missing: &[],
        redundant: &[],
        deleted: &[],
        error: None,
        retry_after: None,
    };
    match verdict {
        Verdict::Accepted(audience) => Receipt {
            sessions: Covered(Some(audience)),
            ..blank(Outcome::Accepted, ReceiptState::Success)
        },
        Verdict::AcceptedForSome(stale) => {
            fresh_list(stale, blank(Outcome::Accepted, ReceiptState::Success))
        }
        Verdict::Duplicate(audience) => Receipt {
            sessions: Covered(audience.as_deref()),
            ..blank(Outcome::Duplicate, ReceiptState::Success)
        },
        Verdict::StaleSessions(stale) => {
            fresh_list(stale, blank(Outcome::StaleSessions, ReceiptState::Failed))
        }
        Verdict::RecipientGone => blank(Outcome::RecipientGone, ReceiptState::Failed),
        Verdict::Rejected(fault) => Receipt {
            error: Some(api_error(fault)),
            ..blank(Outcome::Rejected, ReceiptState::Failed)
        },
        Verdict::Deferred { after } => Receipt {
            retry_after: Some(whole_seconds(*after)),
            ..blank(Outcome::Deferred, ReceiptState::Failed)
        },
    }
}

/// A receipt with the list to seal for, keys included, and what was wrong with the sender's.
fn fresh_list<'a>(stale: &'a Stale, receipt: Receipt<'a>) -> Receipt<'a> {
    Receipt {
        sessions: Covered(Some(&stale.audience)),
        missing: &stale.missing,
        redundant: &stale.redundant,
        deleted: &stale.deleted,
        ..receipt
    }
}

/// The sessions of a roster as `POST /sessions/fetch` lists them.
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
    use std::sync::Arc;

    use sealpost_sdk::types::Receipt as Read;

    use super::*;
    use crate::domain::error::Fault;
    use crate::domain::ids::{AccountNumber, SessionNumber};

    /// As a client reads it, which knows every member and misses none.
    fn of(verdict: &Verdict) -> Read {
        let label = Label { message_id: "m".to_owned(), recipient_id: "r".to_owned() };
        let written = serde_json::to_string(&labelled(&label, verdict)).unwrap();
        let read: Read = serde_json::from_str(&written).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), written);
        assert_eq!((read.message_id.as_str(), read.recipient_id.as_str()), ("m", "r"));
        read
    }

    fn session(last: u8) -> SessionId {
        SessionId::from_bytes([last; 16])
    }

    fn roster() -> Arc<Roster> {
        let member = |n: u8| RosterMember {
            session: session(n),
            number: SessionNumber(i64::from(n)),
            key: AgreementKey::from_bytes([n; 32]),
            platform: "Android \"7\"".to_owned(),
        };
        let user = UserId::from_bytes([9; 16]);
        Arc::new(Roster::new(AccountNumber(1), user, 1, vec![member(1), member(2)]))
    }

    fn stale() -> Stale {
        Stale {
            audience: Arc::new(Audience::new(vec![roster()], None)),
            missing: vec![session(1)],
            redundant: vec![session(3)],
            deleted: vec![session(4), session(5)],
        }
    }

    #[test]
    fn a_list_is_that_of_the_sessions_fetched_without_the_senders_own() {
        let all = sessions(&roster());
        let verdict = Verdict::Accepted(Arc::new(Audience::new(vec![roster()], None)));
        assert_eq!(of(&verdict).sessions, all);
        let verdict = Verdict::Accepted(Arc::new(Audience::new(vec![roster()], Some(session(1)))));
        let receipt = of(&verdict);
        assert_eq!(receipt.sessions, all[1..]);
        assert_eq!(receipt.state, ReceiptState::Success);
        assert_eq!(receipt.outcome, Some(Outcome::Accepted));
    }

    #[test]
    fn a_stale_list_is_told_with_what_is_wrong_with_it() {
        for (verdict, state, outcome) in [
            (Verdict::StaleSessions(stale()), ReceiptState::Failed, Outcome::StaleSessions),
            (Verdict::AcceptedForSome(stale()), ReceiptState::Success, Outcome::Accepted),
        ] {
            let receipt = of(&verdict);
            assert_eq!((receipt.state, receipt.outcome), (state, Some(outcome)));
            assert_eq!(receipt.sessions, sessions(&roster()));
            assert_eq!(receipt.missing, [session(1)]);
            assert_eq!(receipt.redundant, [session(3)]);
            assert_eq!(receipt.deleted, [session(4), session(5)]);
        }
    }

    #[test]
    fn a_duplicate_whose_audience_nobody_asked_for_has_no_sessions() {
        let receipt = of(&Verdict::Duplicate(None));
        assert_eq!(receipt.state, ReceiptState::Success);
        assert_eq!(receipt.outcome, Some(Outcome::Duplicate));
        assert!(receipt.sessions.is_empty());
    }

    #[test]
    fn a_rejection_carries_field_and_reason() {
        let receipt = of(&Verdict::Rejected(Fault::invalid("checksum", "is missing")));
        assert_eq!(receipt.outcome, Some(Outcome::Rejected));
        let extra = receipt.error.and_then(|error| error.extra).unwrap();
        assert_eq!((extra.field.as_str(), extra.reason.as_str()), ("checksum", "is missing"));
    }

    #[test]
    fn a_deferral_never_says_at_once() {
        let receipt = of(&Verdict::Deferred { after: Duration::from_millis(1) });
        assert_eq!(receipt.retry_after, Some(1));
        assert_eq!(receipt.state, ReceiptState::Failed);
    }
}
