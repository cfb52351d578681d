//! How far messages got.

use std::fmt::Write;

use sqlx::{SqliteConnection, SqlitePool, query};

use super::rows::json_list;
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, MessageId};
use crate::domain::messenger::Receipt;
use crate::domain::messenger::receipt::NewReceipt;
use crate::storage::error::{StoreError, during};
use crate::storage::records;

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[OF_MESSAGE, OLD, FORGET];

const NOTE: &str = "
    INSERT INTO receipts (shard, sender, message_id, session, delivered_at, read_at)
    SELECT value ->> 0, value ->> 1, unhex(value ->> 2), value ->> 3, ?2,
        CASE WHEN value ->> 4 THEN ?2 END
    FROM json_each(?1) WHERE true
    ON CONFLICT (shard, sender, message_id, session) DO UPDATE
        SET read_at = excluded.read_at
        WHERE receipts.read_at IS NULL AND excluded.read_at IS NOT NULL";

/// Notes how far messages got; what is known already stays as it is.
pub(super) async fn note(
    (receipts, at): &(Vec<NewReceipt>, Timestamp),
    connection: &mut SqliteConnection,
) -> Result<Result<(), Fault>, StoreError> {
    let list = json_list(receipts, |json, new| {
        let (shard, message) = (new.sender.shard().0, new.message.uuid());
        let (message, is_read) = (message.as_simple(), u8::from(new.is_read));
        write!(json, "[{shard},{},\"{message}\",{},{is_read}]", new.sender.0, new.device.0)
    });
    let note = query(NOTE).bind(list).bind(at.as_micros()).execute(connection).await;
    note.map_err(during("noting receipts"))?;
    Ok(Ok(()))
}

const OF_MESSAGE: &str = "
    SELECT receipts.message_id, sessions.id AS session_id, receipts.delivered_at,
        receipts.read_at
    FROM receipts CROSS JOIN sessions ON sessions.number = receipts.session
    WHERE receipts.shard = ?1 AND receipts.sender = ?2 AND receipts.message_id = ?3
    ORDER BY receipts.session";

/// How far a message got.
pub(super) async fn of_message(
    readers: &SqlitePool,
    sender: AccountNumber,
    message: MessageId,
) -> Result<Vec<Receipt>, StoreError> {
    let found = query(OF_MESSAGE).bind(sender.shard().0).bind(sender.0);
    let rows = found.bind(&message.as_bytes()[..]).fetch_all(readers).await;
    rows.map_err(during("reading receipts"))?.iter().map(records::receipt).collect()
}

const OLD: &str =
    "SELECT sender FROM receipts WHERE delivered_at < ?1 ORDER BY delivered_at LIMIT 1";

/// Whether there is anything to forget.
pub(super) async fn are_there_older(
    readers: &SqlitePool,
    before: Timestamp,
) -> Result<bool, StoreError> {
    let old = query(OLD).bind(before.as_micros()).fetch_optional(readers).await;
    Ok(old.map_err(during("looking for old receipts"))?.is_some())
}

pub(super) const FORGET: &str = "
    DELETE FROM receipts WHERE (shard, sender, message_id, session) IN (
        SELECT shard, sender, message_id, session FROM receipts
        WHERE delivered_at < ?1 ORDER BY delivered_at LIMIT ?2
    )";
