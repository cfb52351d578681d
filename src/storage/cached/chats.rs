//! What is asked of members rarely, or changes all the time: nothing of it is remembered.

use async_trait::async_trait;

use super::CachedStore;
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{
    AccountNumber, ConversationId, ConversationNumber, MessageId, SessionNumber,
};
use crate::domain::messenger::introduction::{IntroductionHead, IntroductionId, Page, Room};
use crate::domain::messenger::receipt::NewReceipt;
use crate::domain::messenger::{
    Chat, Confirmation, Confirmed, Introduced, Introduction, LatestMessage, NewIntroduction,
    Receipt,
};
use crate::domain::ports::{Chats, Introductions, OneTimeKeys};

#[async_trait]
impl OneTimeKeys for CachedStore {
    async fn add_one_time_keys(
        &self,
        session: SessionNumber,
        keys: Vec<String>,
        most: u32,
    ) -> Result<u64, Fault> {
        self.inner.add_one_time_keys(session, keys, most).await
    }

    async fn one_time_keys(
        &self,
        sessions: &[SessionNumber],
        limit: u32,
    ) -> Result<Vec<Vec<String>>, Fault> {
        self.inner.one_time_keys(sessions, limit).await
    }

    async fn take_one_time_keys(
        &self,
        sessions: &[SessionNumber],
        until: Timestamp,
    ) -> Result<Vec<Option<String>>, Fault> {
        self.inner.take_one_time_keys(sessions, until).await
    }

    async fn forget_taken_keys(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        self.inner.forget_taken_keys(now, limit).await
    }
}

/// A chat that comes to be was not remembered before.
#[async_trait]
impl Introductions for CachedStore {
    async fn introduce(
        &self,
        introductions: Vec<NewIntroduction>,
        room: Room,
    ) -> Result<Vec<Introduced>, Fault> {
        self.inner.introduce(introductions, room).await
    }

    async fn introductions(
        &self,
        to: SessionNumber,
        page: Page,
    ) -> Result<Vec<Introduction>, Fault> {
        self.inner.introductions(to, page).await
    }

    async fn introduction_heads(
        &self,
        to: SessionNumber,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<IntroductionHead>, Fault> {
        self.inner.introduction_heads(to, now, limit).await
    }

    async fn introduction(
        &self,
        to: SessionNumber,
        now: Timestamp,
        id: IntroductionId,
    ) -> Result<Option<IntroductionHead>, Fault> {
        self.inner.introduction(to, now, id).await
    }

    async fn has_introduced(
        &self,
        from: AccountNumber,
        to: &[SessionNumber],
        now: Timestamp,
    ) -> Result<bool, Fault> {
        self.inner.has_introduced(from, to, now).await
    }

    async fn confirm(&self, confirmation: Confirmation) -> Result<Confirmed, Fault> {
        self.inner.confirm(confirmation).await
    }

    async fn forget_introductions(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        self.inner.forget_introductions(now, limit).await
    }
}

#[async_trait]
impl Chats for CachedStore {
    async fn ensure_chat(
        &self,
        id: ConversationId,
        creator: AccountNumber,
        other: AccountNumber,
        at: Timestamp,
    ) -> Result<ConversationId, Fault> {
        self.inner.ensure_chat(id, creator, other, at).await
    }

    async fn direct_chat(
        &self,
        one: AccountNumber,
        other: AccountNumber,
    ) -> Result<Option<ConversationId>, Fault> {
        self.inner.direct_chat(one, other).await
    }

    async fn chats(&self, account: AccountNumber, limit: u32) -> Result<Vec<Chat>, Fault> {
        self.inner.chats(account, limit).await
    }

    async fn note_latest(
        &self,
        latest: Vec<(ConversationNumber, LatestMessage)>,
    ) -> Result<(), Fault> {
        self.inner.note_latest(latest).await
    }

    async fn note_receipts(&self, receipts: Vec<NewReceipt>, at: Timestamp) -> Result<(), Fault> {
        self.inner.note_receipts(receipts, at).await
    }

    async fn receipts(
        &self,
        sender: AccountNumber,
        message: MessageId,
    ) -> Result<Vec<Receipt>, Fault> {
        self.inner.receipts(sender, message).await
    }

    async fn forget_receipts(&self, before: Timestamp, limit: u32) -> Result<u64, Fault> {
        self.inner.forget_receipts(before, limit).await
    }
}
