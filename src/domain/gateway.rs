//! The gateway as the rules see it: its store, its clock, its limits.

use std::sync::Arc;
use std::time::Duration;

use sealpost_sdk::ids::Id;

use super::clock::Clock;
use super::measures::Measures;
use super::ports::{Bus, Entropy, Store};

/// Everything that the rules work with. The methods stand beside the things that they are about:
/// `submit` in `submit.rs`, `lease` in `inbox.rs`, and so on.
pub struct Gateway {
    /// What is kept.
    pub store: Arc<dyn Store>,
    /// Hints between the parts.
    pub bus: Arc<dyn Bus>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// How much is allowed.
    pub limits: Limits,
    /// What is counted.
    pub measures: Measures,
}

/// How much the gateway takes, and for how long it keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Items in one batch.
    pub batch_items: usize,
    /// Bytes of ciphertext in one message, the tag included.
    pub ciphertext_bytes: usize,
    /// Live sessions of one account.
    pub sessions_per_account: u32,
    /// Participants of one group.
    pub group_participants: u32,
    /// Messages in one page of an inbox.
    pub inbox_page: u32,
    /// Bytes of bodies and slots in one page of an inbox.
    pub inbox_page_bytes: u64,
    /// How long a message is held for the reader that it was handed to.
    pub lease: Duration,
    /// How long a message waits for its readers.
    pub message_life: Duration,
    /// Messages that may wait for one session.
    pub inbox_messages: u32,
    /// A session that was not seen for so long is abandoned: its inbox is trimmed when it is full.
    pub abandoned_after: Duration,
    /// A message that was handed out so often without an acknowledgement is handed out alone.
    pub isolate_after: u32,
    /// A message that was handed out so often without an acknowledgement is set aside.
    pub set_aside_after: u32,
    /// Requests under an `Idempotency-Key` that are remembered for one account.
    pub kept_requests: u32,
    /// Bytes of their answers.
    pub kept_answer_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            batch_items: 100,
            ciphertext_bytes: 128 * 1024,
            sessions_per_account: 16,
            group_participants: 256,
            inbox_page: 100,
            inbox_page_bytes: 4 * 1024 * 1024,
            lease: Duration::from_secs(60),
            message_life: Duration::from_secs(7 * 24 * 60 * 60),
            inbox_messages: 10_000,
            abandoned_after: Duration::from_secs(24 * 60 * 60),
            isolate_after: 5,
            set_aside_after: 10,
            kept_requests: 1_000_000,
            kept_answer_bytes: 256 * 1024 * 1024,
        }
    }
}

impl Gateway {
    /// A fresh version 4 id.
    #[must_use]
    pub fn random_id<Kind>(&self) -> Id<Kind> {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes);
        Id::from_uuid(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }
}
