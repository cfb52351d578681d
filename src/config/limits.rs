//! The section `[limits]`: how much the gateway takes, and for how long it keeps it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::rate::Rate;
use super::{ConfigError, within};
use crate::domain;

/// How much the gateway takes, and for how long it keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of one request's body.
    pub body_bytes: u64,
    /// Messages in one batch.
    pub batch_items: u32,
    /// Bytes of ciphertext in one message.
    pub ciphertext_bytes: u32,
    /// Live sessions of one account.
    pub sessions_per_account: u32,
    /// Sockets of one session.
    pub sockets_per_session: u32,
    /// Participants of one group.
    pub group_participants: u32,
    /// Messages in one page of an inbox.
    pub inbox_page: u32,
    /// Bytes of bodies in one page of an inbox.
    pub inbox_page_bytes: u64,
    /// How long a message is held for the reader that it was handed to.
    pub lease_seconds: u64,
    /// How long a message waits for its readers.
    pub message_life_seconds: u64,
    /// Messages that may wait for one session.
    pub inbox_messages: u32,
    /// After how long unseen a session is abandoned, so that its inbox is trimmed when it is full.
    pub abandoned_after_seconds: u64,
    /// After so many deliveries without an acknowledgement a message is delivered alone.
    pub isolate_after: u32,
    /// After so many deliveries without an acknowledgement a message is set aside.
    pub set_aside_after: u32,
    /// Requests under an `Idempotency-Key` that are remembered for one account, for a day.
    pub kept_requests: u32,
    /// Bytes of their answers.
    pub kept_answer_bytes: u64,
    /// How fast accounts and addresses may go.
    pub rate: Rate,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 8 * 1024 * 1024,
            batch_items: 100,
            ciphertext_bytes: 128 * 1024,
            sessions_per_account: 16,
            sockets_per_session: 8,
            group_participants: 256,
            inbox_page: 100,
            inbox_page_bytes: 4 * 1024 * 1024,
            lease_seconds: 60,
            message_life_seconds: 7 * 24 * 60 * 60,
            inbox_messages: 10_000,
            abandoned_after_seconds: 24 * 60 * 60,
            isolate_after: 5,
            set_aside_after: 10,
            kept_requests: 1_000_000,
            kept_answer_bytes: 256 * 1024 * 1024,
            rate: Rate::default(),
        }
    }
}

impl Limits {
    /// The same limits, in the form that the rules work with.
    #[must_use]
    pub fn for_domain(&self) -> domain::Limits {
        domain::Limits {
            batch_items: self.batch_items as usize,
            ciphertext_bytes: self.ciphertext_bytes as usize,
            sessions_per_account: self.sessions_per_account,
            group_participants: self.group_participants,
            inbox_page: self.inbox_page,
            inbox_page_bytes: self.inbox_page_bytes,
            lease: Duration::from_secs(self.lease_seconds),
            message_life: Duration::from_secs(self.message_life_seconds),
            inbox_messages: self.inbox_messages,
            abandoned_after: Duration::from_secs(self.abandoned_after_seconds),
            isolate_after: self.isolate_after,
            set_aside_after: self.set_aside_after,
            kept_requests: self.kept_requests,
            kept_answer_bytes: self.kept_answer_bytes,
        }
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        const YEAR: u64 = 366 * 24 * 60 * 60;
        within("limits.body_bytes", self.body_bytes, 1024, 1 << 30)?;
        within("limits.batch_items", self.batch_items.into(), 1, 10_000)?;
        within("limits.ciphertext_bytes", self.ciphertext_bytes.into(), 16, 1 << 28)?;
        // An envelope names at most 510 sessions.
        within("limits.sessions_per_account", self.sessions_per_account.into(), 1, 510)?;
        within("limits.sockets_per_session", self.sockets_per_session.into(), 1, 10_000)?;
        within("limits.group_participants", self.group_participants.into(), 2, 10_000)?;
        within("limits.inbox_page", self.inbox_page.into(), 1, 1000)?;
        within("limits.inbox_page_bytes", self.inbox_page_bytes, 1024, 1 << 28)?;
        within("limits.lease_seconds", self.lease_seconds, 1, 24 * 60 * 60)?;
        within("limits.message_life_seconds", self.message_life_seconds, 60, YEAR)?;
        within("limits.inbox_messages", self.inbox_messages.into(), 1, 10_000_000)?;
        within("limits.abandoned_after_seconds", self.abandoned_after_seconds, 60, YEAR)?;
        within("limits.isolate_after", self.isolate_after.into(), 1, 1000)?;
        // It is alone for a while before it is set aside.
        let least = u64::from(self.isolate_after) + 1;
        within("limits.set_aside_after", self.set_aside_after.into(), least, 1001)?;
        within("limits.kept_requests", self.kept_requests.into(), 1, 1_000_000_000)?;
        let longest = domain::idempotency::LONGEST_ANSWER as u64;
        within("limits.kept_answer_bytes", self.kept_answer_bytes, longest, 1 << 40)?;
        self.rate.validate()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_rules() {
        assert_eq!(Limits::default().for_domain(), domain::Limits::default());
    }
}
