//! Messages and who waits for them, in memory.

use async_trait::async_trait;
use bytes::Bytes;

use super::{FREE, MemoryStore, Payload, Row, State};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, MessageId, Order};
use crate::domain::inbox::{
    Acceptance, Accepted, InboxKey, LeaseRequest, MessageDigest, Sweep, Waiting,
};
use crate::domain::ports::Inbox;

#[async_trait]
impl Inbox for MemoryStore {
    async fn accept(&self, messages: Vec<Acceptance>) -> Result<Vec<Accepted>, Fault> {
        let mut state = self.state();
        Ok(messages.into_iter().map(|message| state.accept(message)).collect())
    }

    async fn seen(
        &self,
        sender: AccountNumber,
        ids: &[MessageId],
    ) -> Result<Vec<Option<MessageDigest>>, Fault> {
        let state = self.state();
        Ok(ids.iter().map(|id| state.seen.get(&(sender, *id)).map(|seen| seen.0)).collect())
    }

    async fn lease(&self, request: LeaseRequest) -> Result<Vec<Waiting>, Fault> {
        Ok(self.state().lease(&request))
    }

    async fn acknowledge(&self, inbox: InboxKey, ids: Vec<MessageId>) -> Result<(), Fault> {
        let mut state = self.state();
        let State { inbox: rows, payloads, .. } = &mut *state;
        rows.retain(|(session, order), row| {
            let acknowledged = *session == inbox.session
                && row.deliveries > 0
                && ids.contains(&payloads[order].message.message_id);
            !acknowledged
        });
        Ok(())
    }

    async fn release(&self, inbox: InboxKey, orders: Vec<Order>) -> Result<(), Fault> {
        let mut state = self.state();
        for order in orders {
            if let Some(row) = state.inbox.get_mut(&(inbox.session, order)) {
                row.leased_until = FREE;
            }
        }
        Ok(())
    }

    async fn sweep(&self, from: Option<Order>, limit: u32) -> Result<Sweep, Fault> {
        let mut state = self.state();
        let from = from.unwrap_or(Order(0));
        let looked_at: Vec<Order> =
            state.payloads.range(from..).map(|entry| *entry.0).take(limit as usize).collect();
        let full = looked_at.len() == limit as usize;
        let next = looked_at.last().filter(|_| full).map(|last| Order(last.0 + 1));
        let mut dropped = 0;
        for order in looked_at {
            if !state.inbox.keys().any(|key| key.1 == order) {
                state.payloads.remove(&order);
                dropped += 1;
            }
        }
        Ok(Sweep { next, dropped })
    }

    async fn forget_seen(&self, before: Timestamp, limit: u32) -> Result<u64, Fault> {
        let mut state = self.state();
        let old = state.seen.iter().filter(|(_, (_, at))| *at < before).map(|entry| *entry.0);
        let old: Vec<_> = old.take(limit as usize).collect();
        state.seen.retain(|key, _| !old.contains(key));
        Ok(old.len() as u64)
    }
}

impl State {
    fn accept(&mut self, new: Acceptance) -> Accepted {
        match self.seen.get(&(new.sender, new.message_id)) {
            Some((digest, _)) if *digest == new.digest => return Accepted::Duplicate,
            Some(_) => return Accepted::MessageIdUsed,
            None => {}
        }
        if new.guards.iter().any(|it| self.generation(it.account) != Some(it.generation)) {
            return Accepted::RosterMoved;
        }
        let order = self.next_order();
        let message = Waiting {
            order,
            message_id: new.message_id,
            conversation: self.conversations.get(&new.conversation).map(|found| found.id),
            sender: self.accounts[&new.sender].id,
            sender_session: self.sessions[&new.sender_session].id,
            category: new.category,
            body: new.body,
            slot: Bytes::new(),
            details: new.details,
            accepted_at: new.accepted_at,
            deliveries: 0,
        };
        self.seen.insert((new.sender, new.message_id), (new.digest, new.accepted_at));
        self.payloads.insert(order, Payload { message, expires_at: new.expires_at });
        for slot in new.slots {
            let row = Row { leased_until: FREE, deliveries: 0, slot: slot.bytes };
            self.inbox.insert((slot.session, order), row);
        }
        Accepted::Stored(order)
    }

    fn lease(&mut self, request: &LeaseRequest) -> Vec<Waiting> {
        let session = request.inbox.session;
        let mut leased: Vec<Waiting> = Vec::new();
        let mut size = 0;
        for ((_, order), row) in
            self.inbox.range_mut((session, Order(i64::MIN))..=(session, Order(i64::MAX)))
        {
            let payload = &self.payloads[order];
            let too_old = request.not_before.is_some_and(|at| payload.message.accepted_at < at);
            if row.leased_until > request.now || payload.expires_at <= request.now || too_old {
                continue;
            }
            size += payload.message.body.len() as u64;
            let full = leased.len() >= request.limit as usize;
            if full || (size > request.max_bytes && !leased.is_empty()) {
                break;
            }
            row.leased_until = request.until;
            row.deliveries += 1;
            leased.push(Waiting {
                slot: row.slot.clone(),
                deliveries: row.deliveries,
                ..payload.message.clone()
            });
        }
        leased
    }
}
