//! How far this process has handed out its inboxes, whatever the server remembers.
//!
//! A lease does not wait for the disk ([`super::lease`]), so a server that crashes may forget one
//! whose messages were sent. Their reader may acknowledge them before they come again, and their rows
//! look as if nobody had been given them. Since nothing is handed out before what came earlier, one
//! number for each inbox tells the two apart: what is not above it counts as handed out.
//!
//! Some rows that are not above it were never handed out. Where that is known, because a reader gives
//! something back that did not leave, or slots are added to an old message, the number is forgotten
//! ([`HandedOut::forget`]). What remains are markers of gaps, whose ids nobody knows before, and
//! a message that is stored beside one with a higher number and can be seen a moment after it.
//!
//! That is a help for as long as the process lives and remembers the inbox. What another one handed
//! out, or one before, comes again after such a crash even if it was acknowledged in between.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::ids::Order;
use crate::domain::inbox::InboxKey;

/// How many inboxes are remembered, at most; then all of them are forgotten, until the next lease.
const INBOXES: usize = 100_000;

/// The last of what each reader was given.
#[derive(Default)]
pub(super) struct HandedOut(Mutex<HashMap<InboxKey, Order>>);

impl HandedOut {
    /// Notes what a reader is about to get.
    pub(super) fn note(&self, inbox: InboxKey, orders: impl Iterator<Item = Order>) {
        let Some(last) = orders.max() else { return };
        let mut inboxes = self.lock();
        if inboxes.len() >= INBOXES && !inboxes.contains_key(&inbox) {
            inboxes.clear();
        }
        let known = inboxes.entry(inbox).or_insert(last);
        *known = last.max(*known);
    }

    /// The last of what a reader was given, if anything.
    pub(super) fn last(&self, inbox: InboxKey) -> Option<Order> {
        self.lock().get(&inbox).copied()
    }

    /// In these inboxes something may stand that was not handed out and is not above the last.
    pub(super) fn forget(&self, inboxes: impl Iterator<Item = InboxKey>) {
        let mut known = self.lock();
        for inbox in inboxes {
            known.remove(&inbox);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<InboxKey, Order>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{SessionNumber, Shard};

    fn inbox(session: i64) -> InboxKey {
        InboxKey { shard: Shard(1), session: SessionNumber(session) }
    }

    #[test]
    fn the_last_stays_the_last() {
        let handed_out = HandedOut::default();
        assert_eq!(handed_out.last(inbox(1)), None);
        for (orders, last) in [(&[3, 7][..], 7), (&[5], 7), (&[], 7), (&[-2], 7), (&[8], 8)] {
            handed_out.note(inbox(1), orders.iter().map(|order| Order(*order)));
            assert_eq!(handed_out.last(inbox(1)), Some(Order(last)), "{orders:?}");
        }
        assert_eq!(handed_out.last(inbox(2)), None);
        handed_out.forget([inbox(1)].into_iter());
        assert_eq!(handed_out.last(inbox(1)), None);
    }

    #[test]
    fn no_more_inboxes_are_remembered_than_allowed() {
        let handed_out = HandedOut::default();
        let most = i64::try_from(INBOXES).unwrap();
        for session in 0..=most {
            handed_out.note(inbox(session), [Order(1)].into_iter());
        }
        assert_eq!(handed_out.lock().len(), 1);
        assert_eq!(handed_out.last(inbox(most)), Some(Order(1)));
    }
}
