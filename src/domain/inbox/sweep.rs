//! Dropping what nobody waits for and what was not read in time.

use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;
use crate::domain::gateway::Gateway;
use crate::domain::ids::{Order, SessionNumber};
use crate::domain::ports::Hint;

/// A step of dropping what nobody waits for and what was not read in time.
#[derive(Clone, Copy, Debug)]
pub struct SweepRequest {
    /// Where to begin; `None` for the beginning of everything, gap markers included.
    pub from: Option<Order>,
    /// At most so many payloads are looked at, and so many rows taken out of inboxes.
    pub limit: u32,
    /// The present moment: what expires by then is dropped.
    pub now: Timestamp,
}

/// What a step of sweeping did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sweep {
    /// Where the next call goes on; `None` when the round is complete.
    pub next: Option<Order>,
    /// How many payloads were dropped.
    pub dropped: u64,
    /// How many rows were taken out of inboxes because their time was over.
    pub expired: u64,
    /// The sessions that find a gap marker now.
    pub marked: Vec<SessionNumber>,
}

impl Sweep {
    /// Whether the step found something to do.
    #[must_use]
    pub fn did_something(&self) -> bool {
        self.dropped > 0 || self.expired > 0
    }
}

/// What a step of clearing the inboxes of ended sessions did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleared {
    /// Whether there may be more.
    pub more: bool,
    /// The sessions that find a gap marker now: they took the place of an ended one.
    pub marked: Vec<SessionNumber>,
}

/// The place of the oldest message there may be; only gap markers stand before it.
pub const OLDEST_MESSAGE: Order = Order(1);

impl Gateway {
    /// Drops what nobody waits for and what was not read in time, among at most `limit` messages.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn sweep(&self, from: Option<Order>, limit: u32) -> Result<Sweep, Fault> {
        let request = SweepRequest { from, limit, now: self.clock.now() };
        let swept = self.store.sweep(request, &|| self.random_id()).await?;
        self.wake_marked(&swept.marked);
        Ok(swept)
    }

    /// Removes at most `limit` of the rows that waited for sessions which have ended; returns
    /// whether there may be more.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn clear_ended(&self, limit: u32) -> Result<bool, Fault> {
        let cleared = self.store.clear_ended(limit).await?;
        self.wake_marked(&cleared.marked);
        Ok(cleared.more)
    }

    fn wake_marked(&self, marked: &[SessionNumber]) {
        if !marked.is_empty() {
            self.bus.publish(Hint::Wake(marked.into()));
        }
    }
}
