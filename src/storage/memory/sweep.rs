//! Dropping what nobody waits for and what was not read in time, in memory.

use std::collections::BTreeMap;

use super::State;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{MessageId, Order, SessionNumber};
use crate::domain::inbox::{GapReason, SYSTEM_GAP, Sweep, SweepRequest};
use crate::domain::ports::FreshId;
use crate::storage::gap::Missing;

impl State {
    pub(super) fn sweep(&mut self, request: SweepRequest, fresh_id: FreshId<'_>) -> Sweep {
        let from = request.from.unwrap_or(Order(i64::MIN));
        let limit = request.limit.max(1) as usize;
        let payloads = self.payloads.range(from..).take(limit);
        let looked_at: Vec<(Order, Timestamp, Timestamp)> =
            payloads.map(|(order, it)| (*order, it.message.accepted_at, it.expires_at)).collect();
        let full = looked_at.len() == limit;
        let last = looked_at.last().filter(|_| full);
        let mut swept = Sweep { next: last.map(|it| Order(it.0.0 + 1)), ..Sweep::default() };
        let mut missing: BTreeMap<SessionNumber, Missing> = BTreeMap::new();
        'payloads: for (order, accepted_at, expires_at) in looked_at {
            for session in self.waiting_for(order) {
                if expires_at > request.now || self.is_held(session, order, request.now) {
                    continue;
                }
                if swept.expired >= u64::from(request.limit.max(1)) {
                    swept.next = Some(order);
                    break 'payloads;
                }
                self.inbox.remove(&(session, order));
                swept.expired += 1;
                let nothing = || Missing::new(GapReason::Expired);
                let missing = missing.entry(session).or_insert_with(nothing);
                missing.add(1, accepted_at, accepted_at);
            }
            let is_open = self.top_ups.values().any(|open| open.order == order);
            if self.waiting_for(order).is_empty() && !is_open {
                self.payloads.remove(&order);
                swept.dropped += 1;
            }
        }
        for (session, missing) in missing {
            self.leave_for_loss(session, missing, request.now, fresh_id());
            swept.marked.push(session);
        }
        swept
    }

    fn waiting_for(&self, order: Order) -> Vec<SessionNumber> {
        self.inbox.keys().filter(|key| key.1 == order).map(|key| key.0).collect()
    }

    pub(super) fn is_held(&self, session: SessionNumber, order: Order, now: Timestamp) -> bool {
        self.inbox.get(&(session, order)).is_some_and(|row| row.leased_until > now)
    }

    /// Leaves a marker in the place of the unread ones of its kind that nobody holds.
    pub(super) fn leave_for_loss(
        &mut self,
        session: SessionNumber,
        mut missing: Missing,
        now: Timestamp,
        id: MessageId,
    ) {
        let inbox = self.inbox.keys().filter(|key| key.0 == session).map(|key| key.1);
        for order in inbox.collect::<Vec<_>>() {
            let message = &self.payloads[&order].message;
            let is_free = message.category == SYSTEM_GAP && !self.is_held(session, order, now);
            if is_free && missing.add_marker(&message.body, message.accepted_at) {
                self.inbox.remove(&(session, order));
                self.payloads.remove(&order);
            }
        }
        if let Some(gap) = missing.into_gap() {
            self.leave_gap(session, id, now, gap.to_json());
        }
    }
}
