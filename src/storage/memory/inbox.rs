//! Messages and who waits for them, in memory.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::{FREE, MemoryStore, Payload, Row, State};
use crate::domain::Fault;
use crate::domain::acknowledge::Acknowledged;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, MessageId, Order, SessionNumber};
use crate::domain::inbox::{
    Acceptance, Accepted, Cleared, Guard, InboxKey, InboxStatus, Intake, LeaseRequest, Leased,
    MessageDigest, Release, Returned, SetAside, Stretch, StuckInbox, Sweep, SweepRequest, Waiting,
};
use crate::domain::ports::{FreshId, Inbox};
use crate::domain::top_up::OpenTopUp;

#[async_trait]
impl Inbox for MemoryStore {
    async fn accept(&self, messages: Vec<Acceptance>) -> Result<Vec<Accepted>, Fault> {
        let mut state = self.change();
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

    async fn lease(&self, request: LeaseRequest) -> Result<Leased, Fault> {
        Ok(self.change().lease(&request))
    }

    async fn acknowledge(
        &self,
        inbox: InboxKey,
        ids: Vec<MessageId>,
    ) -> Result<Vec<Acknowledged>, Fault> {
        let mut state = self.change();
        let State { inbox: rows, payloads, accounts, .. } = &mut *state;
        let mut gone = Vec::new();
        rows.retain(|(session, order), row| {
            let message = &payloads[order].message;
            let acknowledged = *session == inbox.session
                && row.deliveries > 0
                && ids.contains(&message.message_id);
            let sender = accounts.values().find(|account| account.id == message.sender);
            if acknowledged && let Some(sender) = sender {
                gone.push(Acknowledged {
                    message_id: message.message_id,
                    sender: sender.number,
                    category: message.category.clone(),
                });
            }
            !acknowledged
        });
        Ok(gone)
    }

    async fn release(&self, inbox: InboxKey, returned: Returned) -> Result<(), Fault> {
        let mut state = self.change();
        for order in returned.orders {
            let row = state.inbox.get_mut(&(inbox.session, order));
            if let Some(row) = row.filter(|row| row.leased_until == returned.until) {
                row.leased_until = FREE;
                if returned.how == Release::Unsent {
                    row.deliveries = row.deliveries.saturating_sub(1);
                }
            }
        }
        Ok(())
    }

    async fn browse(&self, inbox: InboxKey, stretch: Stretch) -> Result<Vec<Waiting>, Fault> {
        Ok(self.state().browse(inbox.session, stretch))
    }

    async fn withdraw(&self, inbox: InboxKey, order: Order) -> Result<(), Fault> {
        self.change().inbox.remove(&(inbox.session, order));
        Ok(())
    }

    async fn set_aside(
        &self,
        inbox: InboxKey,
        after: Option<MessageId>,
        limit: u32,
    ) -> Result<Vec<SetAside>, Fault> {
        Ok(self.state().list_set_aside(inbox.session, after, limit))
    }

    async fn stuck_inboxes(&self, limit: u32) -> Result<Vec<StuckInbox>, Fault> {
        Ok(self.state().list_stuck(limit))
    }

    async fn retry_set_aside(&self, inbox: InboxKey, id: MessageId) -> Result<bool, Fault> {
        Ok(self.change().retry_set_aside(inbox.session, id))
    }

    async fn drop_set_aside(&self, inbox: InboxKey, id: MessageId) -> Result<bool, Fault> {
        Ok(self.change().drop_set_aside(inbox.session, id))
    }

    async fn inbox_status(&self, inbox: InboxKey, most: u32) -> Result<InboxStatus, Fault> {
        Ok(self.state().inbox_status(inbox.session, most))
    }

    async fn note_seen(
        &self,
        session: SessionNumber,
        at: Timestamp,
        _precision: Duration,
    ) -> Result<(), Fault> {
        self.change().last_seen.insert(session, at);
        Ok(())
    }

    async fn sweep(&self, request: SweepRequest, fresh_id: FreshId<'_>) -> Result<Sweep, Fault> {
        Ok(self.change().sweep(request, fresh_id))
    }

    /// Ending a session has removed them.
    async fn clear_ended(&self, _limit: u32) -> Result<Cleared, Fault> {
        match self.state().fails_to_clear {
            true => Err(Fault::unavailable("this store is to fail", None)),
            false => Ok(Cleared::default()),
        }
    }

    async fn forget_seen(&self, before: Timestamp, limit: u32) -> Result<u64, Fault> {
        let mut state = self.change();
        let old = state.seen.iter().filter(|(_, (_, at))| *at < before).map(|entry| *entry.0);
        let old: Vec<_> = old.take(limit as usize).collect();
        state.seen.retain(|key, _| !old.contains(key));
        Ok(old.len() as u64)
    }
}

impl State {
    pub(super) fn holds(&self, guard: &Guard) -> bool {
        match guard {
            Guard::Roster { account, generation } => self.generation(*account) == Some(*generation),
            Guard::Conversation { conversation, generation } => {
                let found = self.conversations.get(conversation);
                found.is_some_and(|found| found.generation == *generation)
            }
        }
    }

    fn browse(&self, session: SessionNumber, stretch: Stretch) -> Vec<Waiting> {
        let rows = self.inbox.range((session, Order(i64::MIN))..=(session, Order(i64::MAX)));
        let behind = rows.filter(|((_, order), row)| {
            stretch.after.is_none_or(|after| *order > after) && row.set_aside_at.is_none()
        });
        let messages = behind.take(stretch.limit as usize).map(|((_, order), row)| Waiting {
            slot: row.slot.clone(),
            deliveries: row.deliveries,
            ..self.payloads[order].message.clone()
        });
        let mut bytes = 0_u64;
        let fits = messages.enumerate().take_while(|(nth, message)| {
            bytes = bytes.saturating_add(message.size());
            *nth == 0 || bytes <= stretch.max_bytes
        });
        fits.map(|(_, message)| message).collect()
    }

    fn accept(&mut self, new: Acceptance) -> Accepted {
        match self.seen.get(&(new.sender, new.message_id)) {
            Some((digest, _)) if *digest == new.digest => return Accepted::Duplicate,
            Some(_) => return Accepted::MessageIdUsed,
            None => {}
        }
        if !new.guards.iter().all(|guard| self.holds(guard)) {
            return Accepted::RosterMoved;
        }
        if !self.has_room(Intake::of(&new)) {
            return Accepted::Full;
        }
        let order = self.next_order();
        let message = Waiting {
            order,
            message_id: new.message_id,
            conversation: self.conversations.get(&new.conversation).map(|found| found.id),
            sender: self.accounts[&new.sender].id,
            sender_session: self.seats[&new.sender_session].id,
            category: new.category,
            body: new.body,
            slot: Bytes::new(),
            details: new.details,
            accepted_at: new.accepted_at,
            deliveries: 0,
        };
        self.seen.insert((new.sender, new.message_id), (new.digest, new.accepted_at));
        self.payloads.insert(order, Payload { message, expires_at: new.expires_at });
        if let Some(offer) = new.top_up {
            let stored_for = new.slots.iter();
            let stored_for = stored_for
                .map(|slot| InboxKey { shard: slot.shard, session: slot.session })
                .collect();
            let open = OpenTopUp { order, offer, stored_for };
            self.top_ups.insert((new.sender, new.message_id), open);
        }
        for slot in new.slots {
            self.inbox.insert((slot.session, order), Row::new(slot.bytes));
            self.make_room(slot.session, &new.quota, new.accepted_at);
        }
        Accepted::Stored(order)
    }
}
