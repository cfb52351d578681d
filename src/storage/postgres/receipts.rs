//! How far messages got.

use sqlx::query;

use super::columns::{blobs, numbers};
use super::link::Link;
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, MessageId};
use crate::domain::messenger::Receipt;
use crate::domain::messenger::receipt::NewReceipt;
use crate::storage::error::{StoreError, during};
use crate::storage::records;

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[OF_MESSAGE, OLD, FORGET];

/// In the order of their keys, so that nobody waits for each other.
const NOTE: &str = "
    INSERT INTO receipts (shard, sender, message_id, session, delivered_at, read_at)
    SELECT shard, sender, message_id, session, $6::bigint,
        CASE WHEN max(is_read) > 0 THEN $6::bigint END
    FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bigint[], $5::bigint[])
        AS new (shard, sender, message_id, session, is_read)
    GROUP BY shard, sender, message_id, session
    ORDER BY shard, sender, message_id, session
    ON CONFLICT (shard, sender, message_id, session) DO UPDATE
        SET read_at = excluded.read_at
        WHERE receipts.read_at IS NULL AND excluded.read_at IS NOT NULL";

/// Notes how far messages got; what is known already stays as it is.
pub(super) async fn note(
    (receipts, at): &(Vec<NewReceipt>, Timestamp),
    link: &mut Link<'_>,
) -> Result<Result<(), Fault>, StoreError> {
    let note = query(NOTE)
        .bind(numbers(receipts, |new| new.sender.shard().0))
        .bind(numbers(receipts, |new| new.sender.0))
        .bind(blobs(receipts, |new| new.message.as_bytes()))
        .bind(numbers(receipts, |new| new.device.0))
        .bind(numbers(receipts, |new| i64::from(new.is_read)))
        .bind(at.as_micros());
    note.execute(link).await.map_err(during("noting receipts"))?;
    Ok(Ok(()))
}

const OF_MESSAGE: &str = "
    SELECT receipts.message_id, sessions.id AS session_id, receipts.delivered_at,
        receipts.read_at
    FROM receipts JOIN sessions ON sessions.number = receipts.session
    WHERE receipts.shard = $1 AND receipts.sender = $2 AND receipts.message_id = $3
    ORDER BY receipts.session";

/// How far a message got.
pub(super) async fn of_message(
    link: &mut Link<'_>,
    sender: AccountNumber,
    message: MessageId,
) -> Result<Vec<Receipt>, StoreError> {
    let found = query(OF_MESSAGE).bind(sender.shard().0).bind(sender.0);
    let rows = found.bind(&message.as_bytes()[..]).fetch_all(link).await;
    rows.map_err(during("reading receipts"))?.iter().map(records::receipt).collect()
}

const OLD: &str =
    "SELECT sender FROM receipts WHERE delivered_at < $1 ORDER BY delivered_at LIMIT 1";

/// Whether there is anything to forget.
pub(super) async fn are_there_older(
    link: &mut Link<'_>,
    before: Timestamp,
) -> Result<bool, StoreError> {
    let old = query(OLD).bind(before.as_micros()).fetch_optional(link).await;
    Ok(old.map_err(during("looking for old receipts"))?.is_some())
}

/// A place is one of a partition, should there be any.
pub(super) const FORGET: &str = "
    WITH old AS MATERIALIZED (
        SELECT tableoid AS part, ctid AS place FROM receipts WHERE delivered_at < $1
        ORDER BY delivered_at LIMIT $2
        FOR UPDATE SKIP LOCKED
    )
    DELETE FROM receipts
    WHERE ctid = ANY (ARRAY(SELECT place FROM old))
        AND (tableoid, ctid) IN (SELECT part, place FROM old)";
