//! Who holds which rows at this moment, in memory.
//!
//! One process works on the database, so nobody else can hold a row, and a message need not wait
//! for the disk once more before it leaves for its reader. The rows are told in the next group that
//! is committed, so leases and counts outlive a restart; what a crash takes with it has to be
//! delivered again, as it would have to be anyway.
//!
//! A reader looks at the database first and takes rows here afterwards. What was acknowledged in
//! between is still in what it has read, so such rows are remembered as gone for as long as anybody
//! looks who may have read them.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::clock::Timestamp;
use crate::domain::ids::{Order, SessionNumber};
use crate::domain::inbox::{Returned, Waiting};

/// The rows that readers hold.
#[derive(Default)]
pub(super) struct Leases(Mutex<HashMap<SessionNumber, Rows>>);

#[derive(Default)]
struct Rows {
    /// Also those whose lease is over: their rows may not know how often they were handed out.
    held: HashMap<Order, Lease>,
    gone: HashSet<Order>,
    /// How many readers are looking.
    looking: u32,
}

#[derive(Clone, Copy)]
struct Lease {
    until: Timestamp,
    deliveries: u32,
}

/// A look for free rows, from before the database is asked until rows are taken.
pub(super) struct Look<'a> {
    leases: &'a Leases,
    session: SessionNumber,
    now: Timestamp,
    /// The rows that somebody holds.
    pub held: Vec<Order>,
    /// How often rows were handed out that nobody holds any more.
    deliveries: HashMap<Order, u32>,
}

impl Leases {
    /// Begins to look for free rows.
    pub(super) fn look(&self, session: SessionNumber, now: Timestamp) -> Look<'_> {
        let mut sessions = self.lock();
        let rows = sessions.entry(session).or_default();
        rows.looking += 1;
        let mut look =
            Look { leases: self, session, now, held: Vec::new(), deliveries: HashMap::new() };
        for (order, lease) in &rows.held {
            if lease.until > now {
                look.held.push(*order);
            } else {
                look.deliveries.insert(*order, lease.deliveries);
            }
        }
        look
    }

    /// The rows that somebody holds or held a moment ago.
    pub(super) fn held(&self, session: SessionNumber) -> Vec<Order> {
        let sessions = self.lock();
        sessions.get(&session).map(|rows| rows.held.keys().copied().collect()).unwrap_or_default()
    }

    /// Notes that rows were deleted; to be called when that is committed.
    pub(super) fn delete(&self, session: SessionNumber, orders: &[Order]) {
        self.change(session, |rows| {
            for order in orders {
                rows.held.remove(order);
            }
            if rows.looking > 0 {
                rows.gone.extend(orders);
            }
        });
    }

    /// Notes that the rows of a lease are free again; to be called when that is committed. Rows that
    /// somebody has leased since are left alone.
    pub(super) fn free(&self, session: SessionNumber, returned: &Returned) {
        self.change(session, |rows| {
            for order in &returned.orders {
                if rows.held.get(order).is_some_and(|lease| lease.until == returned.until) {
                    rows.held.remove(order);
                }
            }
        });
    }

    /// Forgets all that is known of rows; to be called when they are as good as new.
    pub(super) fn forget(&self, session: SessionNumber, orders: &[Order]) {
        self.change(session, |rows| rows.held.retain(|order, _| !orders.contains(order)));
    }

    /// Forgets leases that are over.
    pub(super) fn forget_old(&self, now: Timestamp) {
        self.lock().retain(|_, rows| {
            rows.held.retain(|_, lease| lease.until > now);
            !rows.is_idle()
        });
    }

    fn change(&self, session: SessionNumber, change: impl FnOnce(&mut Rows)) {
        let mut sessions = self.lock();
        let Some(rows) = sessions.get_mut(&session) else { return };
        change(rows);
        if rows.is_idle() {
            sessions.remove(&session);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionNumber, Rows>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rows {
    fn is_idle(&self) -> bool {
        self.held.is_empty() && self.looking == 0
    }
}

impl Look<'_> {
    /// How often a row was handed out that says so often.
    pub(super) fn deliveries(&self, order: Order, noted: u32) -> u32 {
        self.deliveries.get(&order).map_or(noted, |deliveries| noted.max(*deliveries))
    }

    /// Takes those of the messages that nobody holds and that are not gone, and counts their
    /// deliveries; the others are left out.
    pub(super) fn take(self, messages: &mut Vec<Waiting>, until: Timestamp) {
        self.leases.change(self.session, |rows| {
            messages.retain_mut(|message| {
                let lease = rows.held.get(&message.order);
                let is_held = lease.is_some_and(|lease| lease.until > self.now);
                let is_free = !is_held && !rows.gone.contains(&message.order);
                if is_free {
                    let before = lease.map_or(0, |lease| lease.deliveries);
                    message.deliveries = message.deliveries.max(before) + 1;
                    let lease = Lease { until, deliveries: message.deliveries };
                    rows.held.insert(message.order, lease);
                }
                is_free
            });
        });
    }
}

impl Drop for Look<'_> {
    fn drop(&mut self) {
        self.leases.change(self.session, |rows| {
            rows.looking -= 1;
            if rows.looking == 0 {
                rows.gone.clear();
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::domain::ids::{MessageId, SessionId, UserId};
    use crate::domain::inbox::{Details, Release};

    const PHONE: SessionNumber = SessionNumber(1);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn messages(orders: &[i64]) -> Vec<Waiting> {
        let message = |order: &i64| Waiting {
            order: Order(*order),
            message_id: MessageId::from_bytes([0; 16]),
            conversation: None,
            sender: UserId::from_bytes([0; 16]),
            sender_session: SessionId::from_bytes([0; 16]),
            category: String::new(),
            body: Bytes::new(),
            slot: Bytes::new(),
            details: Details::default(),
            accepted_at: at(0),
            deliveries: 0,
        };
        orders.iter().map(message).collect()
    }

    fn take(look: Look<'_>, orders: &[i64]) -> Vec<i64> {
        let mut messages = messages(orders);
        look.take(&mut messages, at(60));
        messages.iter().map(|message| message.order.0).collect()
    }

    #[test]
    fn of_two_who_found_the_same_row_one_takes_it_until_its_lease_ends() {
        let leases = Leases::default();
        let (one, other) = (leases.look(PHONE, at(0)), leases.look(PHONE, at(0)));
        assert_eq!(take(one, &[1, 2]), [1, 2]);
        assert_eq!(take(other, &[2, 3]), [3]);
        assert_eq!(leases.look(PHONE, at(59)).held.len(), 3);
        let look = leases.look(PHONE, at(60));
        assert_eq!(look.deliveries(Order(1), 0), 1, "the row does not know it yet");
        assert_eq!(take(look, &[1]), [1]);
        assert_eq!(leases.look(PHONE, at(120)).deliveries(Order(1), 0), 2);
    }

    #[test]
    fn what_was_acknowledged_while_somebody_looked_is_not_taken_again() {
        let leases = Leases::default();
        assert_eq!(take(leases.look(PHONE, at(0)), &[1]), [1]);
        let look = leases.look(PHONE, at(60));
        leases.delete(PHONE, &[Order(1)]);
        assert!(take(look, &[1]).is_empty());
        assert!(leases.lock().is_empty(), "nothing is remembered for nobody");
    }

    #[test]
    fn what_was_given_back_can_be_taken_and_old_leases_are_forgotten() {
        let leases = Leases::default();
        assert_eq!(take(leases.look(PHONE, at(0)), &[1, 2]), [1, 2]);
        let returned =
            |until| Returned { orders: vec![Order(1)], until, how: Release::Unacknowledged };
        leases.free(PHONE, &returned(at(59)));
        assert_eq!(leases.held(PHONE).len(), 2, "another lease");
        leases.free(PHONE, &returned(at(60)));
        assert_eq!(leases.held(PHONE), [Order(2)]);
        assert_eq!(take(leases.look(PHONE, at(1)), &[1, 2]), [1]);
        leases.forget_old(at(60));
        assert!(leases.lock().is_empty());
    }
}
