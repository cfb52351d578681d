//! Conversations and who takes part.

use std::collections::HashMap;

use async_trait::async_trait;
use sqlx::query;

use super::PostgresStore;
use super::groups;
use super::link::Link;
use super::rows::{id, id_array, value};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::conversation::change::{Change, Changed};
use crate::domain::conversation::group::NewGroup;
use crate::domain::conversation::{ContactPair, Conversation, ConversationCategory, Role};
use crate::domain::ids::{AccountNumber, CodeId, ConversationId, ConversationNumber};
use crate::domain::ports::Conversations;
use crate::storage::error::{StoreError, during};
use crate::storage::records;

pub(super) const BY_IDS: &str = "
    SELECT conversations.number, conversations.id, conversations.category,
        creators.id AS creator, conversations.created_at, conversations.generation,
        conversations.name, conversations.announcement, conversations.code,
        conversations.expire_in, participants.account, participants.role,
        members.id AS user_id, participants.joined_at, participants.muted_until
    FROM conversations
    JOIN accounts AS creators ON creators.number = conversations.creator
    LEFT JOIN participants ON participants.conversation = conversations.number
    LEFT JOIN accounts AS members ON members.number = participants.account
    WHERE conversations.id = ANY($1)
    ORDER BY conversations.number, participants.joined_at, participants.account";

#[async_trait]
impl Conversations for PostgresStore {
    async fn ensure_contacts(
        &self,
        pairs: &[ContactPair],
        at: Timestamp,
    ) -> Result<Vec<ConversationNumber>, Fault> {
        // They nearly always exist, and then nothing has to be written.
        let found = numbers(&mut self.reader().await?, pairs).await?;
        if let Some(numbers) = in_order(pairs, &found) {
            return Ok(numbers);
        }
        self.write((pairs.to_vec(), at), |input, link| Box::pin(ensure(input, link))).await
    }

    async fn conversations(&self, ids: &[ConversationId]) -> Result<Vec<Conversation>, Fault> {
        self.fresh_conversations(ids).await
    }

    async fn fresh_conversations(
        &self,
        ids: &[ConversationId],
    ) -> Result<Vec<Conversation>, Fault> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = query(BY_IDS).bind(id_array(ids.iter().copied()));
        let rows = wanted.fetch_all(&mut self.reader().await?).await;
        let rows = rows.map_err(during("reading conversations"))?;
        let mut conversations = records::Conversations::default();
        rows.iter().try_for_each(|row| conversations.add(row))?;
        Ok(conversations.done())
    }

    async fn create_group(&self, group: NewGroup) -> Result<Changed, Fault> {
        let made = self.write(group, |input, link| Box::pin(groups::create(input, link))).await?;
        Ok(self.noting(made))
    }

    async fn change_conversation(&self, change: Change) -> Result<Changed, Fault> {
        let made = self.write(change, |input, link| Box::pin(groups::change(input, link))).await?;
        Ok(self.noting(made))
    }

    async fn conversation_by_code(&self, code: CodeId) -> Result<Option<ConversationId>, Fault> {
        let found = query(BY_CODE).bind(&code.as_bytes()[..]);
        let row = found.fetch_optional(&mut self.reader().await?).await;
        let row = row.map_err(during("looking for a code"))?;
        Ok(row.map(|row| id(&row, "id")).transpose()?)
    }

    async fn mute(
        &self,
        _id: ConversationId,
        conversation: ConversationNumber,
        account: AccountNumber,
        until: Option<Timestamp>,
    ) -> Result<(), Fault> {
        let input = (conversation, account, until);
        self.write(input, |input, link| Box::pin(groups::mute(input, link))).await
    }
}

impl PostgresStore {
    /// Notices were left beside the writers, who count again in these inboxes.
    fn noting(&self, changed: Changed) -> Changed {
        if let Changed::Made(woken) = &changed {
            self.memory.rooms.forget(woken.iter().copied());
        }
        changed
    }
}

pub(super) const BY_CODE: &str = "SELECT id FROM conversations WHERE code = $1";

pub(super) const NUMBERS: &str = "SELECT id, number FROM conversations WHERE id = ANY($1)";

async fn numbers(
    link: &mut Link<'_>,
    pairs: &[ContactPair],
) -> Result<HashMap<ConversationId, ConversationNumber>, StoreError> {
    let wanted = query(NUMBERS).bind(id_array(pairs.iter().map(|pair| pair.id)));
    let rows = wanted.fetch_all(link).await.map_err(during("looking for conversations"))?;
    rows.iter().map(|row| Ok((id(row, "id")?, ConversationNumber(value(row, "number")?)))).collect()
}

/// The numbers in the order of `pairs`, unless one is missing.
fn in_order(
    pairs: &[ContactPair],
    found: &HashMap<ConversationId, ConversationNumber>,
) -> Option<Vec<ConversationNumber>> {
    pairs.iter().map(|pair| found.get(&pair.id).copied()).collect()
}

const CREATE: &str = "
    INSERT INTO conversations (id, category, creator, created_at)
    SELECT pair.id, $3, pair.creator, $4
    FROM unnest($1::bytea[], $2::bigint[]) AS pair (id, creator)
    ON CONFLICT (id) DO NOTHING";

const JOIN: &str = "
    INSERT INTO participants (conversation, account, role, joined_at)
    SELECT conversations.number, pair.account, $3, $4
    FROM unnest($1::bytea[], $2::bigint[]) AS pair (id, account)
    JOIN conversations ON conversations.id = pair.id
    ON CONFLICT (conversation, account) DO NOTHING";

/// Each statement leaves out what is on file, whoever put it there and however short ago. The pairs
/// go in by the order of their ids, so that two such steps do not wait for each other.
async fn ensure(
    (pairs, at): &(Vec<ContactPair>, Timestamp),
    link: &mut Link<'_>,
) -> Result<Result<Vec<ConversationNumber>, Fault>, StoreError> {
    let doing = "creating conversations";
    let mut sorted: Vec<&ContactPair> = pairs.iter().collect();
    sorted.sort_unstable_by_key(|pair| pair.id);
    let ids = id_array(sorted.iter().map(|pair| pair.id));
    let creators: Vec<i64> = sorted.iter().map(|pair| pair.creator.0).collect();
    let others: Vec<i64> = sorted.iter().map(|pair| pair.other.0).collect();
    query(CREATE)
        .bind(&ids)
        .bind(&creators)
        .bind(ConversationCategory::Contact.as_str())
        .bind(at.as_micros())
        .execute(&mut *link)
        .await
        .map_err(during(doing))?;
    for side in [&creators, &others] {
        query(JOIN)
            .bind(&ids)
            .bind(side)
            .bind(Role::Member.as_str())
            .bind(at.as_micros())
            .execute(&mut *link)
            .await
            .map_err(during(doing))?;
    }
    let found = numbers(link, pairs).await?;
    let numbers = in_order(pairs, &found);
    numbers.map(Ok).ok_or(StoreError::Corrupt { column: "conversations.id" })
}
