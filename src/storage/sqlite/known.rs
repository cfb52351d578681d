//! What the writer and those who read beside it tell each other: whether anything but messages has
//! changed, and which guards hold.
//!
//! Nobody but the writer raises a generation, and only in a change. So as long as none begins,
//! whatever was read of accounts and conversations after the last one is true, however old it is: a
//! guard that held then holds, and a reader may stay where it is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::inbox::Guard;
use crate::storage::own::OwnSet;

/// How many guards are remembered, at most.
const GUARDS: usize = 100_000;

/// What both sides know.
#[derive(Default)]
pub(super) struct Known {
    latest: Mutex<Latest>,
    must_go: AtomicBool,
}

#[derive(Default)]
struct Latest {
    moment: Moment,
    is_changing: bool,
    /// Those that the tables showed to hold at this moment, to writer or reader.
    guards: OwnSet<Guard>,
}

/// A stretch of time in which nothing but messages changed, or in which one group of changes is
/// under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moment(u64);

impl Known {
    fn latest(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The moment that is; to be asked for before anything is read.
    pub(super) fn now(&self) -> Moment {
        self.latest().moment
    }

    /// A group with changes begins.
    pub(super) fn change(self: &Arc<Self>) -> Changing {
        self.turn(true);
        Changing { known: Arc::clone(self), is_over: false }
    }

    fn turn(&self, is_changing: bool) {
        let mut latest = self.latest();
        latest.moment.0 += 1;
        latest.is_changing = is_changing;
        latest.guards.clear();
    }

    /// Leaves the guards that have to be compared with the tables.
    pub(super) fn leave_unknown(&self, guards: &mut OwnSet<Guard>) {
        let latest = self.latest();
        guards.retain(|guard| !latest.guards.contains(guard));
    }

    /// Remembers guards that held in tables as they were at this moment, unless it is over. In a
    /// group with changes nothing is sure yet.
    pub(super) fn hold(&self, then: Moment, guards: impl IntoIterator<Item = Guard>) {
        let mut latest = self.latest();
        if latest.is_changing || latest.moment != then {
            return;
        }
        for guard in guards {
            if latest.guards.len() >= GUARDS {
                latest.guards.clear();
            }
            latest.guards.insert(guard);
        }
    }

    /// Whether a reader that stays where it is would be in nobody's way.
    pub(super) fn may_stay(&self) -> bool {
        !self.must_go.load(Ordering::Acquire)
    }

    /// Says whether readers may stay where they are.
    pub(super) fn let_stay(&self, may_stay: bool) {
        self.must_go.store(!may_stay, Ordering::Release);
    }
}

/// While it lasts, changes are under way. If it goes without [`Self::end`], nobody knows what became
/// of them, and nothing is sure until others have ended.
pub(super) struct Changing {
    known: Arc<Known>,
    is_over: bool,
}

impl Changing {
    /// All of them are on the disk, or all are surely gone.
    pub(super) fn end(mut self) {
        self.is_over = true;
    }
}

impl Drop for Changing {
    fn drop(&mut self) {
        self.known.turn(!self.is_over);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::AccountNumber;

    fn guard(account: i64) -> Guard {
        Guard::Roster { account: AccountNumber(account), generation: 1 }
    }

    fn is_known(known: &Known, account: i64) -> bool {
        let mut guards = OwnSet::from_iter([guard(account)]);
        known.leave_unknown(&mut guards);
        guards.is_empty()
    }

    #[test]
    fn a_guard_holds_until_something_changes() {
        let known = Arc::new(Known::default());
        known.hold(known.now(), [guard(1), guard(2)]);
        assert!(is_known(&known, 1) && is_known(&known, 2) && !is_known(&known, 3));
        known.change().end();
        assert!(!is_known(&known, 1));
    }

    #[test]
    fn nothing_is_known_of_tables_that_may_have_been_read_before_a_change() {
        let known = Arc::new(Known::default());
        let before = known.now();
        let changing = known.change();
        let during = known.now();
        for moment in [before, during] {
            known.hold(moment, [guard(1)]);
            assert!(!is_known(&known, 1));
        }
        changing.end();
        for moment in [before, during] {
            known.hold(moment, [guard(1)]);
            assert!(!is_known(&known, 1));
        }
        known.hold(known.now(), [guard(1)]);
        assert!(is_known(&known, 1));
    }

    #[test]
    fn nothing_is_known_after_changes_of_which_nobody_knows_what_became() {
        let known = Arc::new(Known::default());
        drop(known.change());
        known.hold(known.now(), [guard(1)]);
        assert!(!is_known(&known, 1));
        known.change().end();
        known.hold(known.now(), [guard(1)]);
        assert!(is_known(&known, 1));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let known = Known::default();
        for account in 0..=100_000 {
            known.hold(known.now(), [guard(account)]);
        }
        assert!(is_known(&known, 100_000) && !is_known(&known, 0));
    }
}
