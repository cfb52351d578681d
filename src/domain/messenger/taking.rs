//! Taking: what a reader has goes, when it says so by its next look or in so many words, and its
//! sender hears of that.

use std::collections::{HashMap, HashSet};

use futures_util::future::join;

use super::Messenger;
use super::actor::Actor;
use super::content::HUSHNET;
use super::event::MemberEvent;
use super::handed_out::Given;
use super::reading::MOST_AT_ONCE;
use super::receipt::{NewReceipt, Receipt, Receipts};
use crate::domain::acknowledge::Acknowledged;
use crate::domain::clock::Timestamp;
use crate::domain::error::{Fault, chain};
use crate::domain::ids::{MessageId, SessionId, UserId};
use crate::domain::inbox::Stretch;

/// The messages that one acknowledgement may name.
pub const MOST_ACKNOWLEDGED: usize = 1_000;

/// The messages of which one request may say that they were read.
pub const MOST_READ: usize = 100;

/// A message that a reader has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadMessage {
    /// Which.
    pub id: MessageId,
    /// Who sent it, as the reader says; needed once the message has been acknowledged.
    pub from: Option<UserId>,
}

impl Messenger {
    /// Drops what the reader has by its own word, and notes that it was delivered.
    ///
    /// The two are done beside each other, so that they share a commit and the reader waits once:
    /// that loses nothing. Whatever becomes of the rows, all of this was handed out to this device in
    /// answers that were written to their ends, so the receipts are true; those that are on file
    /// already stay as they are. If either fails the messages are not forgotten, and the next look
    /// does both again, where receipts that come after would be lost with the rows that they follow
    /// from. An explicit acknowledgement ([`Self::acknowledge`]) has its receipts afterwards: which
    /// of the ids that a client names waited for this device only the store knows.
    pub(super) async fn take_read(&self, reader: Actor, given: &[Given]) -> Result<(), Fault> {
        let receipts = self.receipts_of(reader, given).await?;
        let (ids, at) = (given.iter().map(|(id, _)| *id).collect(), self.gateway.clock.now());
        let note = async {
            match receipts.is_empty() {
                true => Ok(()),
                false => self.gateway.store.note_receipts(receipts.clone(), at).await,
            }
        };
        let (gone, noted) = join(self.gateway.take_out(reader.inbox(), ids), note).await;
        let gone: HashSet<_> = gone?.into_iter().map(|one| one.message_id).collect();
        noted?;
        // What had gone before was told of before.
        let new: Vec<_> = receipts.into_iter().filter(|it| gone.contains(&it.message)).collect();
        self.tell_of_receipts(reader.device, &new, &given.iter().copied().collect(), at);
        Ok(())
    }

    /// The receipts of what was handed out, for those senders that are still here. Those of other
    /// gateways cannot ask for any.
    async fn receipts_of(&self, reader: Actor, given: &[Given]) -> Result<Vec<NewReceipt>, Fault> {
        let mut accounts = HashMap::new();
        for (_, user) in given {
            if !accounts.contains_key(user) {
                let member = self.gateway.store.member(*user).await?;
                let ours = member.filter(|member| member.relay.is_none());
                accounts.insert(*user, ours.map(|member| member.account));
            }
        }
        let receipt = |(message, user): &Given| {
            let sender = accounts.get(user).copied().flatten()?;
            let (message, device) = (*message, reader.session);
            Some(NewReceipt { sender, message, device, is_read: false })
        };
        Ok(given.iter().filter_map(receipt).collect())
    }

    /// Drops what its reader has, and tells the senders what was taken and what was read. What is
    /// unknown, was never handed out to this device or has gone before is no mistake; it can still
    /// be read for the first time. Returns how many messages went.
    ///
    /// # Errors
    /// [`Fault::Invalid`] when the request names too many.
    pub async fn acknowledge(
        &self,
        reader: Actor,
        taken: &[MessageId],
        read: &[ReadMessage],
    ) -> Result<usize, Fault> {
        let named = taken.len() + read.len();
        if named > MOST_ACKNOWLEDGED {
            let reason = format!("names {named} messages, the limit is {MOST_ACKNOWLEDGED}");
            return Err(Fault::invalid("message_ids", reason));
        }
        if read.len() > MOST_READ {
            let reason = format!("names {} messages, the limit is {MOST_READ}", read.len());
            return Err(Fault::invalid("read", reason));
        }
        let ids: HashSet<_> = taken.iter().copied().chain(read.iter().map(|one| one.id)).collect();
        let senders = self.senders(reader, &ids, read).await?;
        let is_read: HashSet<_> = read.iter().map(|one| one.id).collect();
        let gone = self.take(reader, ids.into_iter().collect(), &is_read, senders).await?;
        for one in read.iter().filter(|one| !gone.contains(&one.id)) {
            if let Some(from) = one.from {
                self.read_late(reader, one.id, from).await?;
            }
        }
        Ok(gone.len())
    }

    /// Who sent these messages: as was noted when they were handed out, or else, after a restart, as
    /// the store says.
    async fn senders(
        &self,
        reader: Actor,
        ids: &HashSet<MessageId>,
        read: &[ReadMessage],
    ) -> Result<HashMap<MessageId, UserId>, Fault> {
        let mut senders = self.handed_out.senders(reader.session);
        let late: HashSet<_> =
            read.iter().filter(|one| one.from.is_some()).map(|one| one.id).collect();
        if ids.iter().any(|id| !senders.contains_key(id) && !late.contains(id)) {
            let max_bytes = self.gateway.limits.inbox_page_bytes;
            let first = Stretch { after: None, limit: MOST_AT_ONCE, max_bytes };
            let held = self.gateway.store.browse(reader.inbox(), first).await?;
            senders.extend(held.into_iter().map(|waiting| (waiting.message_id, waiting.sender)));
        }
        Ok(senders)
    }

    /// Drops messages, and tells their senders. The store looks and drops in two steps, so of two
    /// readers that take the same at once both may hear that it went, and its sender twice.
    async fn take(
        &self,
        reader: Actor,
        ids: Vec<MessageId>,
        is_read: &HashSet<MessageId>,
        senders: HashMap<MessageId, UserId>,
    ) -> Result<HashSet<MessageId>, Fault> {
        let named = ids.iter().copied().collect();
        let gone = self.gateway.take_out(reader.inbox(), ids).await?;
        // What was not found will not be found again.
        self.handed_out.taken(reader.session, &named);
        let ours: Vec<_> = gone.into_iter().filter(|one| one.category == HUSHNET).collect();
        let gone = ours.iter().map(|one| one.message_id).collect();
        let others = self.of_other_gateways(&ours, &senders).await;
        let known = ours.iter().filter(|one| !others.contains(&one.message_id));
        let new = known.map(|one| NewReceipt {
            sender: one.sender,
            message: one.message_id,
            device: reader.session,
            is_read: is_read.contains(&one.message_id),
        });
        let (new, at) = (new.collect(), self.gateway.clock.now());
        let receipts = Receipts { device: reader.device, new, senders, at };
        if let Err(fault) = self.note_receipts(&receipts).await {
            // The messages are gone, and with them what tells that there is something to note.
            tracing::warn!("could not note receipts yet: {}", chain(&fault));
            self.late_receipts.keep(receipts);
        }
        Ok(gone)
    }

    /// Which of these messages came from other gateways. Those whose sender cannot be found did not.
    async fn of_other_gateways(
        &self,
        messages: &[Acknowledged],
        senders: &HashMap<MessageId, UserId>,
    ) -> HashSet<MessageId> {
        let mut others = HashSet::new();
        for message in messages {
            let Some(user) = senders.get(&message.message_id) else { continue };
            if let Ok(Some(member)) = self.gateway.store.member(*user).await
                && member.relay.is_some()
            {
                others.insert(message.message_id);
            }
        }
        others
    }

    async fn read_late(&self, reader: Actor, id: MessageId, from: UserId) -> Result<(), Fault> {
        let Some(sender) = self.gateway.store.member(from).await? else { return Ok(()) };
        let known = self.gateway.store.receipts(sender.account, id).await?;
        let is_new = |one: &Receipt| one.device == reader.device && one.read_at.is_none();
        if !known.iter().any(is_new) {
            return Ok(());
        }
        let device = reader.session;
        let new = vec![NewReceipt { sender: sender.account, message: id, device, is_read: true }];
        let (senders, at) = ([(id, from)].into(), self.gateway.clock.now());
        self.note_receipts(&Receipts { device: reader.device, new, senders, at }).await
    }

    async fn note_receipts(&self, receipts: &Receipts) -> Result<(), Fault> {
        let Receipts { device, new, senders, at } = receipts;
        if !new.is_empty() {
            self.gateway.store.note_receipts(new.clone(), *at).await?;
            self.tell_of_receipts(*device, new, senders, *at);
        }
        Ok(())
    }

    fn tell_of_receipts(
        &self,
        device: SessionId,
        receipts: &[NewReceipt],
        senders: &HashMap<MessageId, UserId>,
        at: Timestamp,
    ) {
        for receipt in receipts {
            let NewReceipt { sender, message, is_read, .. } = *receipt;
            if let Some(user) = senders.get(&message) {
                let user = *user;
                self.tell(sender, MemberEvent::Receipt { user, message, device, is_read, at });
            }
        }
    }

    /// Notes the receipts that could not be noted when their messages went. To be called from time to
    /// time, and before a stop.
    ///
    /// # Errors
    /// Only when the store fails; nothing is forgotten then.
    pub async fn note_late_receipts(&self) -> Result<(), Fault> {
        let mut late = self.late_receipts.all().into_iter();
        while let Some(receipts) = late.next() {
            if let Err(fault) = self.note_receipts(&receipts).await {
                for receipts in [receipts].into_iter().chain(late) {
                    self.late_receipts.keep(receipts);
                }
                return Err(fault);
            }
        }
        Ok(())
    }

    /// How far one message of this sender got.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn receipts(&self, sender: Actor, message: MessageId) -> Result<Vec<Receipt>, Fault> {
        self.gateway.store.receipts(sender.account, message).await
    }
}
