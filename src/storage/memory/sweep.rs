//! Dropping what nobody waits for and what was not read in time, in memory.

use std::collections::BTreeMap;

use super::State;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{Order, SessionNumber};
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
                missing.entry(session).or_default().add(1, accepted_at, accepted_at);
            }
            let is_open = self.top_ups.values().any(|open| open.order == order);
            if self.waiting_for(order).is_empty() && !is_open {
                self.payloads.remove(&order);
                swept.dropped += 1;
            }
        }
        for (session, missing) in missing {
            self.leave_expired(session, missing, request.now, fresh_id);
            swept.marked.push(session);
        }
        swept
    }

    fn waiting_for(&self, order: Order) -> Vec<SessionNumber> {
        self.inbox.keys().filter(|key| key.1 == order).map(|key| key.0).collect()
    }

    fn is_held(&self, session: SessionNumber, order: Order, now: Timestamp) -> bool {
        self.inbox.get(&(session, order)).is_some_and(|row| row.leased_until > now)
    }

    fn leave_expired(
        &mut self,
        session: SessionNumber,
        mut missing: Missing,
        now: Timestamp,
        fresh_id: FreshId<'_>,
    ) {
        let inbox = self.inbox.keys().filter(|key| key.0 == session).map(|key| key.1);
        for order in inbox.collect::<Vec<_>>() {
            let message = &self.payloads[&order].message;
            if message.category == SYSTEM_GAP && !self.is_held(session, order, now) {
                missing.add_marker(&message.body, message.accepted_at);
                self.inbox.remove(&(session, order));
                self.payloads.remove(&order);
            }
        }
        let session = self.sessions[&session].clone();
        if let Some(gap) = missing.into_gap(GapReason::Expired) {
            self.leave_gap(&session, fresh_id(), now, gap.to_json());
        }
    }
}
