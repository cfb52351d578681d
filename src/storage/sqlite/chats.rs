//! Chats of members, as lists of them show them.

use std::fmt::Write;

use async_trait::async_trait;
use sqlx::{SqliteConnection, query};

use super::rows::{id, json_list, value};
use super::{SqliteStore, receipts};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::conversation::{ConversationCategory, Role};
use crate::domain::ids::{AccountNumber, ConversationId, ConversationNumber, MessageId};
use crate::domain::messenger::chat::{id_is_taken, may_have_id};
use crate::domain::messenger::receipt::NewReceipt;
use crate::domain::messenger::{Chat, LatestMessage, Receipt};
use crate::domain::ports::Chats;
use crate::storage::error::{StoreError, during};
use crate::storage::records;

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[KNOWN, IS_TAKEN, LIST];

#[async_trait]
impl Chats for SqliteStore {
    async fn ensure_chat(
        &self,
        id: ConversationId,
        creator: AccountNumber,
        other: AccountNumber,
        at: Timestamp,
    ) -> Result<ConversationId, Fault> {
        let wish = Wish { id, insists: false, creator, other, at };
        self.change(wish, |wish, connection| Box::pin(ensure(wish, connection))).await
    }

    async fn direct_chat(
        &self,
        one: AccountNumber,
        other: AccountNumber,
    ) -> Result<Option<ConversationId>, Fault> {
        let known = query(KNOWN).bind(one.min(other).0).bind(one.max(other).0);
        let row = known.fetch_optional(&self.readers).await;
        let row = row.map_err(during("looking for a chat"))?;
        Ok(row.as_ref().map(|row| id(row, "id")).transpose()?)
    }

    async fn chats(&self, account: AccountNumber, limit: u32) -> Result<Vec<Chat>, Fault> {
        let rows = query(LIST).bind(account.0).bind(limit).fetch_all(&self.readers).await;
        Ok(records::chats(&rows.map_err(during("listing chats"))?)?)
    }

    async fn note_latest(
        &self,
        latest: Vec<(ConversationNumber, LatestMessage)>,
    ) -> Result<(), Fault> {
        self.change(latest, |latest, connection| Box::pin(note_latest(latest, connection))).await
    }

    async fn note_receipts(&self, receipts: Vec<NewReceipt>, at: Timestamp) -> Result<(), Fault> {
        self.change((receipts, at), |input, connection| Box::pin(receipts::note(input, connection)))
            .await
    }

    async fn receipts(
        &self,
        sender: AccountNumber,
        message: MessageId,
    ) -> Result<Vec<Receipt>, Fault> {
        Ok(receipts::of_message(&self.readers, sender, message).await?)
    }

    async fn forget_receipts(&self, before: Timestamp, limit: u32) -> Result<u64, Fault> {
        if !receipts::are_there_older(&self.readers, before).await? {
            return Ok(0);
        }
        self.forget_old(receipts::FORGET, "forgetting receipts", before, limit).await
    }
}

/// Two accounts that are to have a chat.
pub(super) struct Wish {
    /// The id that it gets.
    pub id: ConversationId,
    /// Whether no other will do.
    pub insists: bool,
    pub creator: AccountNumber,
    pub other: AccountNumber,
    pub at: Timestamp,
}

const KNOWN: &str = "
    SELECT conversations.id
    FROM direct_chats
    CROSS JOIN conversations ON conversations.number = direct_chats.conversation
    WHERE direct_chats.low = ?1 AND direct_chats.high = ?2";

const IS_TAKEN: &str = "SELECT number FROM conversations WHERE id = ?1";

const CREATE: &str = "
    INSERT INTO conversations (id, category, creator, created_at) VALUES (?1, ?2, ?3, ?4)
    RETURNING number";

const JOIN: &str = "
    INSERT INTO participants (conversation, account, role, joined_at) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (conversation, account) DO NOTHING";

const REMEMBER: &str = "INSERT INTO direct_chats (low, high, conversation) VALUES (?1, ?2, ?3)";

/// The chat of two accounts, made unless it exists.
pub(super) async fn ensure(
    wish: &Wish,
    connection: &mut SqliteConnection,
) -> Result<Result<ConversationId, Fault>, StoreError> {
    let doing = "making a chat";
    let (low, high) = (wish.creator.min(wish.other).0, wish.creator.max(wish.other).0);
    let known = query(KNOWN).bind(low).bind(high).fetch_optional(&mut *connection).await;
    if let Some(row) = known.map_err(during(doing))? {
        let known: ConversationId = id(&row, "id")?;
        let is_fine = known == wish.id || !wish.insists;
        return Ok(is_fine.then_some(known).ok_or_else(id_is_taken));
    }
    let taken = query(IS_TAKEN).bind(&wish.id.as_bytes()[..]).fetch_optional(&mut *connection);
    if taken.await.map_err(during(doing))?.is_some() || !may_have_id(wish.id) {
        return Ok(Err(id_is_taken()));
    }
    let create = query(CREATE)
        .bind(&wish.id.as_bytes()[..])
        .bind(ConversationCategory::Contact.as_str())
        .bind(wish.creator.0)
        .bind(wish.at.as_micros());
    let row = create.fetch_one(&mut *connection).await.map_err(during(doing))?;
    let number: i64 = value(&row, "number")?;
    for account in [wish.creator, wish.other] {
        let join = query(JOIN).bind(number).bind(account.0).bind(Role::Member.as_str());
        let join = join.bind(wish.at.as_micros()).execute(&mut *connection);
        join.await.map_err(during(doing))?;
    }
    let remember = query(REMEMBER).bind(low).bind(high).bind(number).execute(connection);
    remember.await.map_err(during(doing))?;
    Ok(Ok(wish.id))
}

/// Those in which something happened last, if there are more.
const LIST: &str = "
    SELECT conversations.number, conversations.id, conversations.category, conversations.name,
        conversations.created_at, chats.message_id, chats.latest_at, participants.account,
        participants.role, accounts.id AS user_id, members.name AS member_name, members.relay
    FROM (
        SELECT own.conversation
        FROM participants AS own
        CROSS JOIN conversations AS known ON known.number = own.conversation
        LEFT JOIN chats AS newest ON newest.conversation = own.conversation
        WHERE own.account = ?1
        ORDER BY coalesce(newest.latest_at, known.created_at) DESC LIMIT ?2
    ) AS recent
    CROSS JOIN conversations ON conversations.number = recent.conversation
    LEFT JOIN chats ON chats.conversation = conversations.number
    LEFT JOIN participants ON participants.conversation = conversations.number
    LEFT JOIN accounts ON accounts.number = participants.account
    LEFT JOIN members ON members.account = participants.account
    ORDER BY conversations.number, participants.joined_at, participants.account";

const NOTE_LATEST: &str = "
    INSERT INTO chats (conversation, message_id, latest_at)
    SELECT value ->> 0, unhex(value ->> 1), value ->> 2 FROM json_each(?1) WHERE true
    ON CONFLICT (conversation) DO UPDATE SET message_id = excluded.message_id,
        latest_at = excluded.latest_at
        WHERE excluded.latest_at > chats.latest_at";

async fn note_latest(
    latest: &[(ConversationNumber, LatestMessage)],
    connection: &mut SqliteConnection,
) -> Result<Result<(), Fault>, StoreError> {
    let list = json_list(latest, |json, (chat, message)| {
        let (id, at) = (message.id.uuid(), message.at.as_micros());
        write!(json, "[{},\"{}\",{at}]", chat.0, id.as_simple())
    });
    let note = query(NOTE_LATEST).bind(list).execute(connection).await;
    note.map_err(during("noting the newest messages"))?;
    Ok(Ok(()))
}
