//! What the gateway counts about itself: how often something happened, and how long it took.
//!
//! Plain numbers, each with a place of its own: whoever has something to count adds to it at once,
//! without a lock and without looking anything up. Who shows them to operators, and how, is not known
//! here. No number stands for an account, an address or anything else that users choose.

mod histogram;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::account::Dialect;
use super::clock::Timestamp;
use super::error::Fault;
use super::gateway::Gateway;
use super::inbox::{Acceptance, Accepted, Leased};

pub use histogram::{BOUNDS, Distribution, Histogram};

/// A number that only grows, from the start of the process.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds so many.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// How many there were.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many of something there are at this moment.
#[derive(Debug, Default)]
pub struct Level(AtomicU64);

/// One of those that a [`Level`] counts; dropping it takes it away again.
#[derive(Debug)]
pub struct Present<'a>(&'a Level);

impl Level {
    /// Counts one more for as long as the answer lives.
    #[must_use]
    pub fn enter(&self) -> Present<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Present(self)
    }

    /// How many there are.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Present<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A part of a message's way whose time is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Finding out who calls.
    Auth,
    /// The rules, up to the queue in front of the database.
    Validate,
    /// Waiting for the transaction that it shares with others, until that is on disk.
    Commit,
    /// From when it was accepted until it is handed to a reader for the first time.
    Deliver,
    /// Taking what a reader is done with out of its inbox.
    Acknowledge,
}

impl Stage {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Auth, Self::Validate, Self::Commit, Self::Deliver, Self::Acknowledge];

    /// Its name, for programs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Validate => "validate",
            Self::Commit => "commit",
            Self::Deliver => "deliver",
            Self::Acknowledge => "acknowledge",
        }
    }
}

/// What became of a message that somebody sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is on disk, for everybody.
    Accepted,
    /// It is on disk for those whom the sender knew of.
    AcceptedForSome,
    /// It had been accepted before.
    Duplicate,
    /// The sender's list of devices was stale.
    StaleSessions,
    /// There is nobody to have it.
    RecipientGone,
    /// It cannot be accepted as it is.
    Rejected,
    /// Not now, but perhaps later: an inbox is full, or the audience moved again and again.
    Deferred,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Accepted,
        Self::AcceptedForSome,
        Self::Duplicate,
        Self::StaleSessions,
        Self::RecipientGone,
        Self::Rejected,
        Self::Deferred,
    ];

    /// Its name, for programs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::AcceptedForSome => "accepted_for_some",
            Self::Duplicate => "duplicate",
            Self::StaleSessions => "stale_sessions",
            Self::RecipientGone => "recipient_gone",
            Self::Rejected => "rejected",
            Self::Deferred => "deferred",
        }
    }

    /// What a refusal of the whole request is to the message in it; `None` when that was not looked at:
    /// because of a limit, because the gateway failed, or because it is closed.
    #[must_use]
    pub fn of_refusal(fault: &Fault) -> Option<Self> {
        match fault {
            Fault::Unavailable { .. }
            | Fault::Closed { .. }
            | Fault::Internal { .. }
            | Fault::RateLimited { .. } => None,
            Fault::Deferred { .. } => Some(Self::Deferred),
            Fault::NotFound { .. } => Some(Self::RecipientGone),
            Fault::Stale { .. } => Some(Self::StaleSessions),
            _ => Some(Self::Rejected),
        }
    }
}

/// What the rules count.
#[derive(Debug, Default)]
pub struct Measures {
    stages: [Histogram; Stage::ALL.len()],
    messages: [[Counter; Outcome::ALL.len()]; Dialect::ALL.len()],
    /// Messages that were handed out again, because no acknowledgement had come.
    pub redelivered: Counter,
    /// Messages that readers have taken care of.
    pub acknowledged: Counter,
    /// Polls that wait at this moment.
    pub polls: Level,
}

impl Measures {
    /// How long a stage has taken.
    #[must_use]
    pub fn stage(&self, stage: Stage) -> &Histogram {
        &self.stages[stage as usize]
    }

    /// The messages of a dialect of which this became.
    #[must_use]
    pub fn messages(&self, dialect: Dialect, outcome: Outcome) -> &Counter {
        &self.messages[dialect as usize][outcome as usize]
    }

    /// Counts a message.
    pub fn message(&self, dialect: Dialect, outcome: Outcome) {
        self.messages(dialect, outcome).add(1);
    }
}

impl Gateway {
    /// Does `work` and notes how long it took.
    pub async fn timed<T>(&self, stage: Stage, work: impl Future<Output = T>) -> T {
        let began = self.clock.now();
        let outcome = work.await;
        self.took(stage, began);
        outcome
    }

    /// Notes that a stage that began at that moment is over.
    pub fn took(&self, stage: Stage, began: Timestamp) {
        self.measures.stage(stage).observe(between(began, self.clock.now()));
    }

    /// Stores messages that passed the rules, which began to look at them at that moment.
    ///
    /// # Errors
    /// As [`Inbox::accept`](super::ports::Inbox::accept).
    pub(super) async fn accept(
        &self,
        began: Timestamp,
        messages: Vec<Acceptance>,
    ) -> Result<Vec<Accepted>, Fault> {
        self.took(Stage::Validate, began);
        self.timed(Stage::Commit, self.store.accept(messages)).await
    }

    /// Counts what is about to be handed to a reader.
    pub(super) fn count_deliveries(&self, leased: &Leased) {
        let now = self.clock.now();
        for message in &leased.messages {
            match message.deliveries {
                0 | 1 => {
                    let waited = between(message.accepted_at, now);
                    self.measures.stage(Stage::Deliver).observe(waited);
                }
                _ => self.measures.redelivered.add(1),
            }
        }
    }
}

/// The time from one moment to another; none when somebody has set the clock back meanwhile.
fn between(began: Timestamp, now: Timestamp) -> Duration {
    let micros = now.as_micros().saturating_sub(began.as_micros());
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_has_its_own_place() {
        let places: Vec<_> = Stage::ALL.iter().map(|stage| *stage as usize).collect();
        assert_eq!(places, (0..Stage::ALL.len()).collect::<Vec<_>>());
        let places: Vec<_> = Outcome::ALL.iter().map(|outcome| *outcome as usize).collect();
        assert_eq!(places, (0..Outcome::ALL.len()).collect::<Vec<_>>());
        let places: Vec<_> = Dialect::ALL.iter().map(|dialect| *dialect as usize).collect();
        assert_eq!(places, (0..Dialect::ALL.len()).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_not_the_messages_own_fault_is_no_outcome_of_it() {
        let retry_after = Duration::from_secs(1);
        let what = "the number of messages";
        for (fault, outcome) in [
            (Fault::unavailable("the store", None), None),
            (Fault::RateLimited { what, retry_after }, None),
            (Fault::Deferred { retry_after }, Some(Outcome::Deferred)),
            (Fault::NotFound { what: "user" }, Some(Outcome::RecipientGone)),
            (Fault::malformed("no JSON"), Some(Outcome::Rejected)),
        ] {
            assert_eq!(Outcome::of_refusal(&fault), outcome, "{fault:?}");
        }
    }

    #[test]
    fn whoever_has_left_is_not_counted() {
        let level = Level::default();
        let first = level.enter();
        let second = level.enter();
        assert_eq!(level.value(), 2);
        drop((first, second));
        assert_eq!(level.value(), 0);
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_endless_time() {
        let (early, late) = (Timestamp::from_micros(5), Timestamp::from_micros(9));
        assert_eq!(between(early, late), Duration::from_micros(4));
        assert_eq!(between(late, early), Duration::ZERO);
    }
}
