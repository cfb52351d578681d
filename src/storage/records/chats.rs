//! Rows about introductions, chats and receipts.

use super::members::relay;
use crate::domain::clock::Timestamp;
use crate::domain::conversation::{ConversationCategory, Role};
use crate::domain::ids::{AccountNumber, ConversationNumber, SessionNumber};
use crate::domain::messenger::introduction::IntroductionHead;
use crate::domain::messenger::{
    Chat, ChatMember, Introduction, LatestMessage, MemberName, Receipt,
};
use crate::storage::cells::{Cells, count, flag, id, optional_id, time};
use crate::storage::error::StoreError;
use crate::storage::introducing::OnFile;

/// What is on file about an introduction: the earlier one that it repeats is found elsewhere.
pub(in crate::storage) fn on_file(row: &impl Cells) -> Result<OnFile, StoreError> {
    Ok(OnFile {
        to: SessionNumber(row.integer("number")?),
        account: AccountNumber(row.integer("account")?),
        user: id(row, "user_id")?,
        waiting: count(row, "waiting")?,
        of_one: count(row, "of_one")?,
        has_key: flag(row, "keys")?,
        same: None,
    })
}

/// An introduction that waits.
pub(in crate::storage) fn introduction(row: &impl Cells) -> Result<Introduction, StoreError> {
    Ok(Introduction {
        id: id(row, "id")?,
        from: id(row, "sender_id")?,
        sender: id(row, "user_id")?,
        to: id(row, "recipient_id")?,
        ephemeral_key: row.text("ephemeral_key")?.to_owned(),
        sender_key: row.text("sender_key")?.to_owned(),
        one_time_key: row.text("one_time_key")?.to_owned(),
        ciphertext: row.text("ciphertext")?.to_owned(),
        at: time(row, "created_at")?,
    })
}

/// An introduction that waits, without its texts.
pub(in crate::storage) fn introduction_head(
    row: &impl Cells,
) -> Result<IntroductionHead, StoreError> {
    Ok(IntroductionHead {
        id: id(row, "id")?,
        from: id(row, "sender_id")?,
        to: id(row, "recipient_id")?,
        at: time(row, "created_at")?,
    })
}

/// Chats from a row for each of their members; those of one chat follow each other, and one that
/// nobody takes part in has a row as well.
pub(in crate::storage) fn chats(rows: &[impl Cells]) -> Result<Vec<Chat>, StoreError> {
    let mut chats: Vec<Chat> = Vec::new();
    for row in rows {
        let number = ConversationNumber(row.integer("number")?);
        if chats.last().is_none_or(|last| last.number != number) {
            chats.push(chat(row, number)?);
        }
        let Some(last) = chats.last_mut() else { continue };
        last.members.extend(chat_member(row)?);
    }
    Ok(chats)
}

fn chat(row: &impl Cells, number: ConversationNumber) -> Result<Chat, StoreError> {
    let category = ConversationCategory::from_name(row.text("category")?);
    let latest = optional_id(row, "message_id")?.zip(row.optional_integer("latest_at")?);
    let latest = latest.map(|(id, at)| LatestMessage { id, at: Timestamp::from_micros(at) });
    Ok(Chat {
        number,
        id: id(row, "id")?,
        category: category.ok_or(StoreError::Corrupt { column: "conversations.category" })?,
        name: row.text("name")?.to_owned(),
        created_at: time(row, "created_at")?,
        latest,
        members: Vec::new(),
    })
}

fn chat_member(row: &impl Cells) -> Result<Option<ChatMember>, StoreError> {
    let Some(account) = row.optional_integer("account")? else { return Ok(None) };
    let role = Role::from_name(row.text("role")?);
    let name = row.optional_text("member_name")?;
    Ok(Some(ChatMember {
        account: AccountNumber(account),
        user: id(row, "user_id")?,
        name: name.map(|name| MemberName::from_stored(name.to_owned())),
        relay: relay(row)?,
        role: role.ok_or(StoreError::Corrupt { column: "participants.role" })?,
    }))
}

/// How far a message got at one device.
pub(in crate::storage) fn receipt(row: &impl Cells) -> Result<Receipt, StoreError> {
    Ok(Receipt {
        message: id(row, "message_id")?,
        device: id(row, "session_id")?,
        delivered_at: time(row, "delivered_at")?,
        read_at: row.optional_integer("read_at")?.map(Timestamp::from_micros),
    })
}
