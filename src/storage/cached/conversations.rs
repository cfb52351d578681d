//! Conversations, remembered until they change.

use async_trait::async_trait;

use super::CachedStore;
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::conversation::change::{Change, Changed};
use crate::domain::conversation::group::NewGroup;
use crate::domain::conversation::{ContactPair, Conversation};
use crate::domain::ids::{AccountNumber, CodeId, ConversationId, ConversationNumber};
use crate::domain::ports::Conversations;

#[async_trait]
impl Conversations for CachedStore {
    async fn ensure_contacts(
        &self,
        pairs: &[ContactPair],
        at: Timestamp,
    ) -> Result<Vec<ConversationNumber>, Fault> {
        let known: Option<Vec<_>> = pairs
            .iter()
            .map(|pair| self.caches.conversations.get(&pair.id).map(|found| found.number))
            .collect();
        match known {
            Some(numbers) => Ok(numbers),
            None => self.inner.ensure_contacts(pairs, at).await,
        }
    }

    async fn conversations(&self, ids: &[ConversationId]) -> Result<Vec<Conversation>, Fault> {
        let read =
            |unknown: Vec<ConversationId>| async move { self.inner.conversations(&unknown).await };
        self.caches.conversations.get_or_read(ids, |found| found.id, read).await
    }

    async fn fresh_conversations(
        &self,
        ids: &[ConversationId],
    ) -> Result<Vec<Conversation>, Fault> {
        let before = self.caches.conversations.before();
        let found = self.inner.fresh_conversations(ids).await?;
        self.caches.conversations.keep(before, found.iter().map(|one| (one.id, one.clone())));
        Ok(found)
    }

    /// Nothing is forgotten: what does not exist is not remembered, and it comes into being whole.
    async fn create_group(&self, group: NewGroup) -> Result<Changed, Fault> {
        self.inner.create_group(group).await
    }

    async fn change_conversation(&self, change: Change) -> Result<Changed, Fault> {
        let id = change.id;
        self.change(
            move |inner| async move { inner.change_conversation(change).await },
            move |caches, _| caches.conversations.forget([id]),
        )
        .await
    }

    async fn conversation_by_code(&self, code: CodeId) -> Result<Option<ConversationId>, Fault> {
        self.inner.conversation_by_code(code).await
    }

    async fn mute(
        &self,
        id: ConversationId,
        conversation: ConversationNumber,
        account: AccountNumber,
        until: Option<Timestamp>,
    ) -> Result<(), Fault> {
        self.change(
            move |inner| async move { inner.mute(id, conversation, account, until).await },
            move |caches, _| caches.conversations.forget([id]),
        )
        .await
    }
}
