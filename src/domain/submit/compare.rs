//! Comparing what a sender sealed with whom it has to reach.

use std::collections::HashSet;

use sealpost_sdk::envelope::MAX_SESSIONS;
use sealpost_sdk::types::ROSTER_TOO_LARGE;

use super::{Addressees, Content, OnStale, SealedContent, Submission, Verdict};
use crate::domain::audience::Audience;
use crate::domain::error::Fault;
use crate::domain::ids::SessionId;
use crate::domain::roster::{Difference, Roster};

/// What speaks against a message.
pub(super) enum Objection {
    /// The sender's list is stale.
    Stale(Difference),
    /// The message cannot be accepted as it is.
    Rejected(Fault),
}

impl From<Fault> for Objection {
    fn from(fault: Fault) -> Self {
        Self::Rejected(fault)
    }
}

impl From<Fault> for Verdict {
    fn from(fault: Fault) -> Self {
        Self::Rejected(fault)
    }
}

/// Refuses an item that contradicts itself.
pub(super) fn check_named_sessions(item: &Submission) -> Result<(), Fault> {
    let (Some(named), Content::Sealed(content)) = (&item.named_sessions, &item.content) else {
        return Ok(());
    };
    let named: HashSet<_> = named.iter().collect();
    let sealed: HashSet<_> = content.slots.iter().map(|(session, _)| session).collect();
    if named != sealed {
        return Err(Fault::invalid("recipient_sessions", "differ from the envelope's"));
    }
    Ok(())
}

/// Compares an item with its audience; returns how they differ where that is no objection.
pub(super) fn compare(
    item: &Submission,
    audience: &Audience,
    own: Option<&Roster>,
) -> Result<Difference, Objection> {
    let current = item.checksum.is_none_or(|checksum| checksum == audience.checksum());
    match (&item.content, item.on_stale) {
        (Content::Plain(_), OnStale::Reject) if !current => {
            Err(Objection::Stale(Difference::default()))
        }
        (Content::Plain(_), _) => Ok(Difference::default()),
        (Content::Sealed(content), OnStale::Reject) => {
            require_room(item, audience)?;
            let difference = audience.difference(&sessions(content));
            if !current {
                return Err(Objection::Stale(difference));
            }
            if difference != Difference::default() {
                let reason = "covers other sessions than the checksum stands for";
                return Err(Fault::invalid("data_base64", reason).into());
            }
            require_own_key(content, own)?;
            Ok(difference)
        }
        (Content::Sealed(content), OnStale::DeliverKnown) => {
            let difference = audience.difference(&sessions(content));
            if difference.surplus.len() == content.slots.len() {
                return Err(Objection::Stale(difference));
            }
            require_own_key(content, own)?;
            Ok(difference)
        }
    }
}

fn sessions(content: &SealedContent) -> Vec<SessionId> {
    content.slots.iter().map(|(session, _)| *session).collect()
}

/// Refuses what no envelope can cover: to seal again would not help.
fn require_room(item: &Submission, audience: &Audience) -> Result<(), Fault> {
    if audience.len() <= MAX_SESSIONS {
        return Ok(());
    }
    let field = match item.to {
        Addressees::One(_) => "recipient_id",
        Addressees::Others | Addressees::Everyone => "conversation_id",
    };
    Err(Fault::invalid(field, ROSTER_TOO_LARGE))
}

fn require_own_key(content: &SealedContent, own: Option<&Roster>) -> Result<(), Fault> {
    if own.is_some_and(|roster| roster.has_key(&content.sender_key)) {
        return Ok(());
    }
    let reason = "the header's key belongs to no live session of the sender";
    Err(Fault::invalid("data_base64", reason))
}
