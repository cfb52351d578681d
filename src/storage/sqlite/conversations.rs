//! Conversations and who takes part.

use std::collections::HashMap;
use std::fmt::Write;

use async_trait::async_trait;
use sqlx::{SqliteConnection, SqliteExecutor, query};

use super::SqliteStore;
use super::connection::{NamedRow, hand_out};
use super::readers::AsOf;
use super::rows::{id, id_list, json_list, value};
use super::{groups, notices};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::conversation::change::{Change, Changed};
use crate::domain::conversation::group::NewGroup;
use crate::domain::conversation::{ContactPair, Conversation, ConversationCategory, Role};
use crate::domain::ids::{AccountNumber, CodeId, ConversationId, ConversationNumber};
use crate::domain::ports::Conversations;
use crate::storage::error::{StoreError, during};
use crate::storage::records;

/// The loops are in the order in which they stand, so the rows of a conversation follow each other.
pub(super) const BY_IDS: &str = "
    SELECT conversations.number, conversations.id, conversations.category,
        creators.id AS creator, conversations.created_at, conversations.generation,
        conversations.name, conversations.announcement, conversations.code,
        conversations.expire_in, participants.account, participants.role,
        members.id AS user_id, participants.joined_at, participants.muted_until
    FROM json_each(?1) AS wanted
    CROSS JOIN conversations ON conversations.id = unhex(wanted.value)
    CROSS JOIN accounts AS creators ON creators.number = conversations.creator
    LEFT JOIN participants ON participants.conversation = conversations.number
    LEFT JOIN accounts AS members ON members.number = participants.account";

#[async_trait]
impl Conversations for SqliteStore {
    async fn ensure_contacts(
        &self,
        pairs: &[ContactPair],
        at: Timestamp,
    ) -> Result<Vec<ConversationNumber>, Fault> {
        // They nearly always exist, and then nothing has to be written.
        let found = numbers(&self.readers, pairs).await?;
        if let Some(numbers) = in_order(pairs, &found) {
            return Ok(numbers);
        }
        self.change((pairs.to_vec(), at), |input, connection| Box::pin(ensure(input, connection)))
            .await
    }

    async fn conversations(&self, ids: &[ConversationId]) -> Result<Vec<Conversation>, Fault> {
        Ok(self.conversations_as_of(AsOf::LastChange, ids).await?)
    }

    async fn fresh_conversations(
        &self,
        ids: &[ConversationId],
    ) -> Result<Vec<Conversation>, Fault> {
        Ok(self.conversations_as_of(AsOf::Now, ids).await?)
    }

    async fn create_group(&self, group: NewGroup) -> Result<Changed, Fault> {
        let cost = notices::cost(&group.notices);
        self.fill(group, cost, |group, connection, inboxes| {
            Box::pin(groups::create(group, connection, inboxes))
        })
        .await
    }

    async fn change_conversation(&self, change: Change) -> Result<Changed, Fault> {
        let cost = notices::cost(&change.notices);
        self.fill(change, cost, |change, connection, inboxes| {
            Box::pin(groups::change(change, connection, inboxes))
        })
        .await
    }

    async fn conversation_by_code(&self, code: CodeId) -> Result<Option<ConversationId>, Fault> {
        let row = query(BY_CODE).bind(code.as_bytes().to_vec()).fetch_optional(&self.readers).await;
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
        self.change(input, |input, connection| Box::pin(groups::mute(input, connection))).await
    }
}

impl SqliteStore {
    async fn conversations_as_of(
        &self,
        as_of: AsOf,
        ids: &[ConversationId],
    ) -> Result<Vec<Conversation>, StoreError> {
        let list = id_list(ids.iter().copied());
        let read = self.direct.read(as_of, move |view| {
            let mut conversations = records::Conversations::default();
            let each = |row: &NamedRow<'_>| conversations.add(row);
            hand_out(view.connection, BY_IDS, [list], "reading conversations", each)?;
            let conversations = conversations.done();
            let groups = conversations.iter().filter(|one| one.is_group());
            view.hold(groups.map(Conversation::guard));
            Ok(conversations)
        });
        read.await
    }
}

pub(super) const BY_CODE: &str = "SELECT id FROM conversations WHERE code = ?1";

pub(super) const NUMBERS: &str = "
    SELECT conversations.id, conversations.number
    FROM json_each(?1) AS wanted
    CROSS JOIN conversations ON conversations.id = unhex(wanted.value)";

async fn numbers(
    executor: impl SqliteExecutor<'_>,
    pairs: &[ContactPair],
) -> Result<HashMap<ConversationId, ConversationNumber>, StoreError> {
    let list = id_list(pairs.iter().map(|pair| pair.id));
    let rows = query(NUMBERS).bind(list).fetch_all(executor).await;
    let rows = rows.map_err(during("looking for conversations"))?;
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
    SELECT unhex(value ->> 0), ?2, value ->> 1, ?3 FROM json_each(?1) WHERE true
    ON CONFLICT (id) DO NOTHING";

pub(super) const JOIN: &str = "
    INSERT INTO participants (conversation, account, role, joined_at)
    SELECT conversations.number, pair.account, ?3, ?2
    FROM (
        SELECT unhex(value ->> 0) AS id, value ->> 1 AS account FROM json_each(?1)
        UNION ALL
        SELECT unhex(value ->> 0) AS id, value ->> 2 AS account FROM json_each(?1)
    ) AS pair
    CROSS JOIN conversations ON conversations.id = pair.id WHERE true
    ON CONFLICT (conversation, account) DO NOTHING";

async fn ensure(
    (pairs, at): &(Vec<ContactPair>, Timestamp),
    connection: &mut SqliteConnection,
) -> Result<Result<Vec<ConversationNumber>, Fault>, StoreError> {
    let doing = "creating conversations";
    let list = json_list(pairs, |json, pair| {
        let id = pair.id.uuid();
        write!(json, "[\"{}\",{},{}]", id.as_simple(), pair.creator.0, pair.other.0)
    });
    let category = ConversationCategory::Contact.as_str();
    let create = query(CREATE).bind(list.as_str()).bind(category).bind(at.as_micros());
    create.execute(&mut *connection).await.map_err(during(doing))?;
    let join = query(JOIN).bind(list).bind(at.as_micros()).bind(Role::Member.as_str());
    join.execute(&mut *connection).await.map_err(during(doing))?;
    let found = numbers(connection, pairs).await?;
    let numbers = in_order(pairs, &found);
    numbers.map(Ok).ok_or(StoreError::Corrupt { column: "conversations.id" })
}
