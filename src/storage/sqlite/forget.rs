//! Forgetting old message ids, in the background.
//!
//! Ids are kept in the order of their senders, and an index over time would cost every accepted
//! message a second insert. So a reader walks along their order, a stretch at a time, and the
//! writer deletes what was old enough. Nothing is walked twice in a round; the position is kept in
//! memory, and a restart begins anew, which costs time and nothing else.

use std::fmt::Write;
use std::sync::PoisonError;

use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, query};

use super::SqliteStore;
use super::rows::{id, json_list, value};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::MessageId;
use crate::storage::error::{StoreError, during};

/// How many ids a call looks at, at most.
const STRETCH: i64 = 10_000;

/// A place in the order of seen ids: shard, sender, message.
#[derive(Clone, Copy)]
pub(super) struct SeenKey {
    shard: i64,
    sender: i64,
    message: MessageId,
}

/// Before every place.
const BEGINNING: SeenKey =
    SeenKey { shard: -1, sender: 0, message: MessageId::from_bytes([0; 16]) };

pub(super) const OLD_IDS: &str = "
    SELECT shard, sender, message_id FROM (
        SELECT shard, sender, message_id, accepted_at FROM seen_messages
        WHERE (shard, sender, message_id) > (?1, ?2, ?3)
        ORDER BY shard, sender, message_id LIMIT ?4
    )
    WHERE accepted_at < ?5 LIMIT ?6";

pub(super) const END_OF_STRETCH: &str = "
    SELECT shard, sender, message_id FROM seen_messages
    WHERE (shard, sender, message_id) > (?1, ?2, ?3)
    ORDER BY shard, sender, message_id LIMIT 1 OFFSET ?4 - 1";

pub(super) const FORGET: &str = "
    DELETE FROM seen_messages WHERE (shard, sender, message_id) IN (
        SELECT value ->> 0, value ->> 1, unhex(value ->> 2) FROM json_each(?1)
    )";

impl SqliteStore {
    /// Forgets old ids of the next stretch. 0 means that this stretch has none, unless the table
    /// is shorter than a stretch.
    pub(super) async fn forget_seen_ids(
        &self,
        before: Timestamp,
        limit: u32,
    ) -> Result<u64, Fault> {
        let started = self.position();
        let mut old = self.old_ids(started.unwrap_or(BEGINNING), before, limit).await?;
        let mut next = self.after(started.unwrap_or(BEGINNING), &old, limit).await?;
        if old.is_empty() && started.is_some() && next.is_none() {
            old = self.old_ids(BEGINNING, before, limit).await?;
            next = self.after(BEGINNING, &old, limit).await?;
        }
        *self.forgotten.lock().unwrap_or_else(PoisonError::into_inner) = next;
        if old.is_empty() {
            return Ok(0);
        }
        self.change(old, |keys, connection| Box::pin(forget(keys, connection))).await
    }

    fn position(&self) -> Option<SeenKey> {
        *self.forgotten.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn old_ids(
        &self,
        after: SeenKey,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<SeenKey>, StoreError> {
        let rows = query(OLD_IDS)
            .bind(after.shard)
            .bind(after.sender)
            .bind(&after.message.as_bytes()[..])
            .bind(STRETCH)
            .bind(before.as_micros())
            .bind(limit)
            .fetch_all(&self.readers)
            .await
            .map_err(during("looking for old message ids"))?;
        rows.iter().map(seen_key).collect()
    }

    /// Where the next call begins; `None` for the beginning.
    async fn after(
        &self,
        start: SeenKey,
        old: &[SeenKey],
        limit: u32,
    ) -> Result<Option<SeenKey>, StoreError> {
        if u32::try_from(old.len()).is_ok_and(|found| found >= limit) {
            return Ok(old.last().copied());
        }
        let row = query(END_OF_STRETCH)
            .bind(start.shard)
            .bind(start.sender)
            .bind(&start.message.as_bytes()[..])
            .bind(STRETCH)
            .fetch_optional(&self.readers)
            .await
            .map_err(during("looking for old message ids"))?;
        row.as_ref().map(seen_key).transpose()
    }
}

fn seen_key(row: &SqliteRow) -> Result<SeenKey, StoreError> {
    Ok(SeenKey {
        shard: value(row, "shard")?,
        sender: value(row, "sender")?,
        message: id(row, "message_id")?,
    })
}

async fn forget(
    keys: &Vec<SeenKey>,
    connection: &mut SqliteConnection,
) -> Result<Result<u64, Fault>, StoreError> {
    let list = json_list(keys, |json, key| {
        let id = key.message.uuid();
        write!(json, "[{},{},\"{}\"]", key.shard, key.sender, id.as_simple())
    });
    let forgotten = query(FORGET).bind(list).execute(connection).await;
    Ok(Ok(forgotten.map_err(during("forgetting message ids"))?.rows_affected()))
}
