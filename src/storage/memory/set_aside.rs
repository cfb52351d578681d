//! Leases, and messages that a reader does not get past, in memory.

use super::{FREE, State};
use crate::domain::ids::{MessageId, Order, SessionNumber};
use crate::domain::inbox::{
    GapReason, InboxStatus, LeaseRequest, Leased, SetAside, StuckInbox, Waiting,
};
use crate::storage::gap::Missing;

impl State {
    pub(super) fn lease(&mut self, request: &LeaseRequest) -> Leased {
        self.set_hopeless_aside(request);
        let session = request.inbox.session;
        let mut leased: Vec<Waiting> = Vec::new();
        let mut size = 0;
        let free = self.free(request);
        for order in free.iter().copied() {
            let message = &self.payloads[&order].message;
            let row = self.inbox.get_mut(&(session, order)).expect("it was found free");
            let is_suspect = request.isolation.is_suspect(row.deliveries);
            size += (message.body.len() + row.slot.len()) as u64;
            let full = leased.len() >= request.limit as usize;
            if full || ((is_suspect || size > request.max_bytes) && !leased.is_empty()) {
                break;
            }
            row.leased_until = request.until;
            row.deliveries += 1;
            leased.push(Waiting {
                slot: row.slot.clone(),
                deliveries: row.deliveries,
                ..message.clone()
            });
            if is_suspect {
                break;
            }
        }
        let more = leased.len() < free.len();
        Leased { messages: leased, until: request.until, more }
    }

    /// What may be handed out, in order.
    fn free(&self, request: &LeaseRequest) -> Vec<Order> {
        let session = request.inbox.session;
        let rows = self.inbox.range((session, Order(i64::MIN))..=(session, Order(i64::MAX)));
        let free = rows.filter(|((_, order), row)| {
            let payload = &self.payloads[order];
            let accepted_at = payload.message.accepted_at;
            row.leased_until <= request.now
                && row.set_aside_at.is_none()
                && payload.expires_at > request.now
                && request.not_before.is_none_or(|at| accepted_at >= at)
        });
        free.map(|((_, order), _)| *order).collect()
    }

    fn set_hopeless_aside(&mut self, request: &LeaseRequest) {
        let (session, isolation) = (request.inbox.session, request.isolation);
        if request.limit == 0 {
            return;
        }
        let mut missing = Missing::new(GapReason::SetAside);
        for order in self.free(request) {
            let row = self.inbox.get_mut(&(session, order)).expect("it was found free");
            if order.0 > 0 && isolation.is_hopeless(row.deliveries) {
                row.set_aside_at = Some(request.now);
                let accepted_at = self.payloads[&order].message.accepted_at;
                missing.add(1, accepted_at, accepted_at);
            }
        }
        if missing.into_gap().is_some() {
            self.leave_for_loss(session, missing, request.now, isolation.gap_id);
        }
    }

    pub(super) fn list_set_aside(
        &self,
        session: SessionNumber,
        after: Option<MessageId>,
        limit: u32,
    ) -> Vec<SetAside> {
        let after = after.and_then(|id| self.find_set_aside(session, id));
        let later = self.all_set_aside(session).into_iter().filter(|order| Some(*order) > after);
        let list = later.take(limit as usize).map(|order| {
            let message = &self.payloads[&order].message;
            let row = &self.inbox[&(session, order)];
            SetAside {
                message_id: message.message_id,
                conversation: message.conversation,
                sender: message.sender,
                category: message.category.clone(),
                accepted_at: message.accepted_at,
                deliveries: row.deliveries,
                at: row.set_aside_at.unwrap_or_default(),
            }
        });
        list.collect()
    }

    pub(super) fn list_stuck(&self, limit: u32) -> Vec<StuckInbox> {
        let live = self.sessions.iter().filter(|(_, session)| session.ended_at.is_none());
        let mut stuck: Vec<_> = live
            .filter_map(|(number, session)| {
                let aside = self.all_set_aside(*number);
                let times = aside.iter().map(|order| self.inbox[&(*number, *order)].set_aside_at);
                let (user, messages) = (session.user, aside.len() as u64);
                let since = times.flatten().min()?;
                Some((since, *number, StuckInbox { user, session: session.id, messages, since }))
            })
            .collect();
        stuck.sort_by_key(|(since, number, _)| (*since, *number));
        stuck.into_iter().take(limit as usize).map(|(_, _, inbox)| inbox).collect()
    }

    pub(super) fn retry_set_aside(&mut self, session: SessionNumber, id: MessageId) -> bool {
        let found = self.find_set_aside(session, id);
        let row = found.and_then(|order| self.inbox.get_mut(&(session, order)));
        let Some(row) = row else { return false };
        row.set_aside_at = None;
        row.leased_until = FREE;
        row.deliveries = 0;
        true
    }

    pub(super) fn drop_set_aside(&mut self, session: SessionNumber, id: MessageId) -> bool {
        let found = self.find_set_aside(session, id);
        found.is_some_and(|order| self.inbox.remove(&(session, order)).is_some())
    }

    pub(super) fn inbox_status(&self, session: SessionNumber, most: u32) -> InboxStatus {
        let waiting = self.inbox.keys().filter(|key| key.0 == session).count() as u64;
        let set_aside = self.all_set_aside(session).len() as u64;
        InboxStatus {
            waiting: waiting.min(most.into()),
            set_aside: set_aside.min(most.into()),
            last_seen: self.last_seen.get(&session).copied(),
        }
    }

    fn all_set_aside(&self, session: SessionNumber) -> Vec<Order> {
        let rows = self.inbox.iter().filter(|(key, _)| key.0 == session);
        rows.filter(|(_, row)| row.set_aside_at.is_some()).map(|(key, _)| key.1).collect()
    }

    fn find_set_aside(&self, session: SessionNumber, id: MessageId) -> Option<Order> {
        let all = self.all_set_aside(session);
        all.into_iter().find(|order| self.payloads[order].message.message_id == id)
    }
}
