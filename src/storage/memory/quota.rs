//! The quota of inboxes, in memory.

use super::State;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{Order, SessionNumber};
use crate::domain::inbox::{GapReason, Intake, Quota, WhenFull};
use crate::storage::gap::Missing;

impl State {
    /// Whether a message may be stored for all its sessions.
    pub(super) fn has_room(&self, new: Intake<'_>) -> bool {
        let quota = &new.quota;
        let mut full = new
            .slots
            .iter()
            .map(|slot| slot.session)
            .filter(|session| self.messages(*session).len() >= quota.messages as usize);
        quota.when_full == WhenFull::Trim
            || full.all(|session| self.last_seen(session) < quota.abandoned_before)
    }

    /// Trims an inbox that took more than there was room for.
    pub(super) fn make_room(&mut self, session: SessionNumber, quota: &Quota, now: Timestamp) {
        let mut messages = self.messages(session);
        if messages.len() <= quota.messages as usize {
            return;
        }
        messages.sort_by_key(|order| (self.is_held(session, *order, now), *order));
        messages.truncate(messages.len() - quota.kept() as usize);
        let mut missing = Missing::new(GapReason::Trimmed);
        for order in messages {
            let accepted_at = self.payloads[&order].message.accepted_at;
            missing.add(1, accepted_at, accepted_at);
            self.inbox.remove(&(session, order));
        }
        self.leave_for_loss(session, missing, now, quota.gap_id);
    }

    /// Signing in is a way of being seen.
    fn last_seen(&self, session: SessionNumber) -> Timestamp {
        let seen = self.last_seen.get(&session).copied().unwrap_or_default();
        seen.max(self.seats[&session].created_at)
    }

    /// What waits for a session, markers aside.
    fn messages(&self, session: SessionNumber) -> Vec<Order> {
        let rows = self.inbox.range((session, Order(1))..=(session, Order(i64::MAX)));
        rows.map(|((_, order), _)| *order).collect()
    }
}
