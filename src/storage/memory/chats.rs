//! Chats and receipts in memory.

use std::cmp::Reverse;

use async_trait::async_trait;

use super::{MemoryStore, State};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::conversation::{ContactPair, Conversation, Participant};
use crate::domain::ids::{
    AccountNumber, ConversationId, ConversationNumber, MessageId, SessionNumber,
};
use crate::domain::messenger::receipt::NewReceipt;
use crate::domain::messenger::{Chat, ChatMember, LatestMessage, Receipt, chat};
use crate::domain::ports::Chats;

/// Sender, message, and the session that it came to.
pub(super) type ReceiptKey = (AccountNumber, MessageId, SessionNumber);

/// When it was taken, and when it was read.
pub(super) type Times = (Timestamp, Option<Timestamp>);

#[async_trait]
impl Chats for MemoryStore {
    async fn ensure_chat(
        &self,
        id: ConversationId,
        creator: AccountNumber,
        other: AccountNumber,
        at: Timestamp,
    ) -> Result<ConversationId, Fault> {
        self.change().ensure_chat(id, creator, other, at, false)
    }

    async fn direct_chat(
        &self,
        one: AccountNumber,
        other: AccountNumber,
    ) -> Result<Option<ConversationId>, Fault> {
        let state = self.state();
        let known = state.messenger.direct_chats.get(&(one.min(other), one.max(other)));
        Ok(known.and_then(|known| state.conversations.get(known)).map(|known| known.id))
    }

    async fn chats(&self, account: AccountNumber, limit: u32) -> Result<Vec<Chat>, Fault> {
        let state = self.state();
        let own = state.conversations.values();
        let own = own.filter(|it| it.participants.iter().any(|it| it.account == account));
        let mut chats: Vec<Chat> = own.map(|conversation| state.chat(conversation)).collect();
        chats.sort_by_key(|chat| Reverse(chat.updated_at()));
        chats.truncate(limit as usize);
        Ok(chats)
    }

    async fn note_latest(
        &self,
        latest: Vec<(ConversationNumber, LatestMessage)>,
    ) -> Result<(), Fault> {
        let mut state = self.change();
        for (chat, message) in latest {
            let newest = state.messenger.latest.entry(chat).or_insert(message);
            if newest.at < message.at {
                *newest = message;
            }
        }
        Ok(())
    }

    async fn note_receipts(&self, receipts: Vec<NewReceipt>, at: Timestamp) -> Result<(), Fault> {
        let mut state = self.change();
        for new in receipts {
            let key = (new.sender, new.message, new.device);
            let times = state.messenger.receipts.entry(key).or_insert((at, None));
            times.1 = times.1.or(new.is_read.then_some(at));
        }
        Ok(())
    }

    async fn receipts(
        &self,
        sender: AccountNumber,
        message: MessageId,
    ) -> Result<Vec<Receipt>, Fault> {
        let state = self.state();
        let whole =
            (sender, message, SessionNumber(i64::MIN))..=(sender, message, SessionNumber(i64::MAX));
        let receipts = state.messenger.receipts.range(whole);
        let receipt = |((_, message, device), (delivered_at, read_at)): (&ReceiptKey, &Times)| {
            let device = state.seats[device].id;
            Receipt { message: *message, device, delivered_at: *delivered_at, read_at: *read_at }
        };
        Ok(receipts.map(receipt).collect())
    }

    async fn forget_receipts(&self, before: Timestamp, limit: u32) -> Result<u64, Fault> {
        let mut state = self.change();
        let old = state.messenger.receipts.extract_if(.., |_, times| times.0 < before);
        Ok(old.take(limit as usize).count() as u64)
    }
}

impl State {
    fn chat(&self, conversation: &Conversation) -> Chat {
        let member = |participant: &Participant| {
            let member = self.messenger.members.get(&participant.account);
            ChatMember {
                account: participant.account,
                user: participant.user,
                name: member.map(|member| member.name.clone()),
                relay: member.and_then(|member| member.relay.clone()),
                role: participant.role,
            }
        };
        Chat {
            number: conversation.number,
            id: conversation.id,
            category: conversation.category,
            name: conversation.name.clone(),
            created_at: conversation.created_at,
            latest: self.messenger.latest.get(&conversation.number).copied(),
            members: conversation.participants.iter().map(member).collect(),
        }
    }

    /// The chat of two accounts, made unless it exists.
    pub(super) fn ensure_chat(
        &mut self,
        id: ConversationId,
        creator: AccountNumber,
        other: AccountNumber,
        at: Timestamp,
        insists: bool,
    ) -> Result<ConversationId, Fault> {
        let key = (creator.min(other), creator.max(other));
        if let Some(known) = self.messenger.direct_chats.get(&key) {
            let known = self.conversations[known].id;
            let is_fine = known == id || !insists;
            return is_fine.then_some(known).ok_or_else(chat::id_is_taken);
        }
        let is_taken = self.conversations.values().any(|conversation| conversation.id == id);
        if is_taken || !chat::may_have_id(id) {
            return Err(chat::id_is_taken());
        }
        let number = self.ensure_contact(&ContactPair { id, creator, other }, at);
        self.messenger.direct_chats.insert(key, number);
        Ok(id)
    }
}
