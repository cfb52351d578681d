//! The operator's switch: whether the gateway takes changes, and whether it takes anything.
//!
//! Read-only: what would change something for others is refused, and what waits is still read,
//! fetched and acknowledged. Drained: every request is refused, and readers are sent away, so that
//! clients go on elsewhere. Both are states of the process; a new one takes everything.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::domain::Fault;

/// When somebody who wants to change something may ask again.
const READ_ONLY_RETRY: Duration = Duration::from_secs(30);

/// When anybody may: by then whatever stands in front has found another gateway.
const DRAINING_RETRY: Duration = Duration::from_secs(5);

/// How the switch stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mode {
    /// Whether changes are refused.
    pub read_only: bool,
    /// Whether everything is refused.
    pub draining: bool,
}

/// What a request asks for, as far as it is known before anybody looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It reads, or takes care of what waits for its sender.
    Reads,
    /// It changes something for others.
    Changes,
}

impl Effect {
    /// The effect of a request that changes something if this is so.
    #[must_use]
    pub fn changing(changes: bool) -> Self {
        if changes { Self::Changes } else { Self::Reads }
    }
}

/// The switch; one for all that clients reach.
#[derive(Debug, Default)]
pub struct Switch {
    // Every request asks for these, so they are beside what followers wait for.
    read_only: AtomicBool,
    draining: AtomicBool,
    told: watch::Sender<Mode>,
}

impl Switch {
    /// Turns it.
    pub fn turn(&self, mode: Mode) {
        // One turn at a time, so that all three say the same in the end.
        self.told.send_modify(|told| {
            self.read_only.store(mode.read_only, Ordering::Relaxed);
            self.draining.store(mode.draining, Ordering::Relaxed);
            *told = mode;
        });
    }

    /// How it stands.
    #[must_use]
    pub fn mode(&self) -> Mode {
        *self.told.borrow()
    }

    /// Changes whenever somebody turns it.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<Mode> {
        self.told.subscribe()
    }

    /// Whether everything is refused.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Refuses what the operator has closed the gateway to.
    ///
    /// # Errors
    /// [`Fault::Closed`] for everything while it is drained, and for changes while it is read-only.
    pub fn admit(&self, effect: Effect) -> Result<(), Fault> {
        if self.is_draining() {
            let reason = "the gateway is being drained";
            return Err(Fault::Closed { reason, retry_after: DRAINING_RETRY });
        }
        if effect == Effect::Changes && self.read_only.load(Ordering::Relaxed) {
            let reason = "the gateway is read-only";
            return Err(Fault::Closed { reason, retry_after: READ_ONLY_RETRY });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mode_refuses_what_it_says_and_can_be_undone() {
        let switch = Switch::default();
        for (read_only, draining, reads, changes) in [
            (false, false, true, true),
            (true, false, true, false),
            (true, true, false, false),
            (false, true, false, false),
            (false, false, true, true),
        ] {
            let mode = Mode { read_only, draining };
            switch.turn(mode);
            assert_eq!(switch.mode(), mode);
            assert_eq!(switch.admit(Effect::Reads).is_ok(), reads, "{mode:?}");
            assert_eq!(switch.admit(Effect::Changes).is_ok(), changes, "{mode:?}");
        }
    }

    #[tokio::test]
    async fn followers_hear_of_every_turn() {
        let switch = Switch::default();
        let mut told = switch.follow();
        switch.turn(Mode { draining: true, ..Mode::default() });
        assert!(told.changed().await.is_ok());
        assert!(told.borrow_and_update().draining);
    }
}
