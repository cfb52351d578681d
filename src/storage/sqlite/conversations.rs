//! Conversations and who takes part.

use std::collections::HashMap;
use std::fmt::Write;

use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, SqliteExecutor, query};

use super::SqliteStore;
use super::rows::{id, id_list, json_list, time, value};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::conversation::{
    ContactPair, Conversation, ConversationCategory, Participant, Role,
};
use crate::domain::ids::{AccountNumber, ConversationId, ConversationNumber, UserId};
use crate::domain::ports::Conversations;
use crate::storage::error::{StoreError, during};

pub(super) const BY_IDS: &str = "
    SELECT conversations.number, conversations.id, conversations.category,
        creators.id AS creator, conversations.created_at, conversations.generation,
        participants.account, participants.role,
        members.id AS user_id, participants.joined_at
    FROM json_each(?1) AS wanted
    CROSS JOIN conversations ON conversations.id = unhex(wanted.value)
    CROSS JOIN accounts AS creators ON creators.number = conversations.creator
    CROSS JOIN participants ON participants.conversation = conversations.number
    CROSS JOIN accounts AS members ON members.number = participants.account
    ORDER BY conversations.number, participants.joined_at, participants.account";

pub(super) const COMPANIONS: &str = "
    SELECT accounts.id
    FROM json_each(?2) AS wanted CROSS JOIN accounts ON accounts.id = unhex(wanted.value)
    WHERE EXISTS (
        SELECT 1 FROM participants AS theirs
        CROSS JOIN participants AS mine ON mine.conversation = theirs.conversation
            AND mine.account = ?1
        WHERE theirs.account = accounts.number
    )";

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
        let list = id_list(ids.iter().copied());
        let rows = query(BY_IDS).bind(list).fetch_all(&self.readers).await;
        let mut conversations: Vec<Conversation> = Vec::new();
        for row in rows.map_err(during("reading conversations"))? {
            let participant = participant(&row)?;
            let number = ConversationNumber(value(&row, "number")?);
            match conversations.last_mut().filter(|last| last.number == number) {
                Some(same) => same.participants.push(participant),
                None => conversations.push(conversation(&row, number, participant)?),
            }
        }
        Ok(conversations)
    }

    async fn fresh_conversations(
        &self,
        ids: &[ConversationId],
    ) -> Result<Vec<Conversation>, Fault> {
        self.conversations(ids).await
    }

    async fn companions_among(
        &self,
        account: AccountNumber,
        users: &[UserId],
    ) -> Result<Vec<UserId>, Fault> {
        let list = id_list(users.iter().copied());
        let rows = query(COMPANIONS).bind(account.0).bind(list).fetch_all(&self.readers).await;
        let rows = rows.map_err(during("looking for shared conversations"))?;
        Ok(rows.iter().map(|row| id(row, "id")).collect::<Result<_, _>>()?)
    }
}

fn conversation(
    row: &SqliteRow,
    number: ConversationNumber,
    first: Participant,
) -> Result<Conversation, StoreError> {
    let category = ConversationCategory::from_name(value(row, "category")?);
    Ok(Conversation {
        number,
        id: id(row, "id")?,
        category: category.ok_or(StoreError::Corrupt { column: "conversations.category" })?,
        creator: id(row, "creator")?,
        created_at: time(row, "created_at")?,
        generation: value(row, "generation")?,
        participants: vec![first],
    })
}

fn participant(row: &SqliteRow) -> Result<Participant, StoreError> {
    let role = Role::from_name(value(row, "role")?);
    Ok(Participant {
        role: role.ok_or(StoreError::Corrupt { column: "participants.role" })?,
        account: AccountNumber(value(row, "account")?),
        user: id(row, "user_id")?,
        joined_at: time(row, "joined_at")?,
    })
}

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
