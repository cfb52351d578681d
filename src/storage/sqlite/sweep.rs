//! Background work: dropping payloads that nobody waits for, and forgetting old message ids.
//!
//! Neither costs the writer's frequent statements anything: there is no reference count and no
//! index over time. A reader walks the tables, a stretch at a time, and the writer deletes what
//! was found.
//!
//! * A payload names whom it was stored for, so the reader looks whether these rows still exist.
//!   Rows are only made together with their payload; once all are gone, they stay gone.
//! * Seen ids are kept in the order of their senders. The reader walks along that order, from
//!   where it stopped before, and notes those that are old enough. The position is kept in memory:
//!   a restart begins anew, which costs time and nothing else.
//!
//! A payload whose time is over is not handed out any more, but as long as rows wait for it, it
//! stays on the disk.

use std::fmt::Write;
use std::sync::PoisonError;

use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, query};

use super::SqliteStore;
use super::rows::{id, json_list, value};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{MessageId, Order};
use crate::domain::inbox::{InboxKey, Sweep};
use crate::storage::error::{StoreError, during};
use crate::storage::packed::unpack_waiting;

/// How many seen ids a call looks at, at most.
const STRETCH: i64 = 10_000;

/// A payload, and the inboxes that it may still wait in.
struct Candidate {
    number: i64,
    waiting: Vec<InboxKey>,
}

const CANDIDATES: &str = "
    SELECT number, waiting FROM payloads WHERE number >= ?1 ORDER BY number LIMIT ?2";

const STILL_WAITING: &str = "
    SELECT DISTINCT value ->> 2 AS number FROM json_each(?1)
    WHERE EXISTS (
        SELECT 1 FROM inbox
        WHERE shard = value ->> 0 AND session = value ->> 1 AND number = value ->> 2
    )";

impl SqliteStore {
    pub(super) async fn sweep_payloads(
        &self,
        from: Option<Order>,
        limit: u32,
    ) -> Result<Sweep, Fault> {
        let from = from.map_or(0, |order| order.0);
        let rows = query(CANDIDATES).bind(from).bind(limit).fetch_all(&self.readers).await;
        let rows = rows.map_err(during("looking for payloads to drop"))?;
        let candidates = rows.iter().map(candidate).collect::<Result<Vec<_>, _>>()?;
        let full = u32::try_from(candidates.len()).is_ok_and(|found| found >= limit);
        let next = candidates.last().filter(|_| full).map(|last| Order(last.number + 1));
        let unwaited = self.unwaited(candidates).await?;
        if unwaited.is_empty() {
            return Ok(Sweep { next, dropped: 0 });
        }
        let dropped = self
            .change(unwaited, |numbers, connection| Box::pin(drop_payloads(numbers, connection)));
        Ok(Sweep { next, dropped: dropped.await? })
    }

    /// Those of the candidates that no inbox holds. One row that waits is enough to keep a
    /// payload, so only a few recipients of each are looked up at first, and then more and more
    /// of those that are left.
    async fn unwaited(&self, mut candidates: Vec<Candidate>) -> Result<Vec<i64>, StoreError> {
        let mut unwaited = Vec::new();
        let mut step = 1;
        while !candidates.is_empty() {
            let mut asked = Vec::new();
            for candidate in &mut candidates {
                let rest = candidate.waiting.len().saturating_sub(step);
                let number = candidate.number;
                asked.extend(candidate.waiting.drain(rest..).map(|inbox| (inbox, number)));
            }
            let list = json_list(asked, |json, (inbox, number)| {
                write!(json, "[{},{},{number}]", inbox.shard.0, inbox.session.0)
            });
            let rows = query(STILL_WAITING).bind(list).fetch_all(&self.readers).await;
            let rows = rows.map_err(during("looking for waiting rows"))?;
            let waited = rows.iter().map(|row| value(row, "number"));
            let waited = waited.collect::<Result<std::collections::HashSet<i64>, _>>()?;
            candidates.retain(|candidate| !waited.contains(&candidate.number));
            let done = candidates.iter().filter(|candidate| candidate.waiting.is_empty());
            unwaited.extend(done.map(|candidate| candidate.number));
            candidates.retain(|candidate| !candidate.waiting.is_empty());
            step *= 4;
        }
        Ok(unwaited)
    }
}

fn candidate(row: &SqliteRow) -> Result<Candidate, StoreError> {
    let waiting = unpack_waiting(value(row, "waiting")?)?;
    Ok(Candidate { number: value(row, "number")?, waiting })
}

const DROP_PAYLOADS: &str = "
    DELETE FROM payloads WHERE number IN (SELECT value FROM json_each(?1))";

async fn drop_payloads(
    numbers: &Vec<i64>,
    connection: &mut SqliteConnection,
) -> Result<Result<u64, Fault>, StoreError> {
    let list = json_list(numbers, |json, number| write!(json, "{number}"));
    let dropped = query(DROP_PAYLOADS).bind(list).execute(connection).await;
    Ok(Ok(dropped.map_err(during("dropping payloads"))?.rows_affected()))
}

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

const OLD_IDS: &str = "
    SELECT shard, sender, message_id FROM (
        SELECT shard, sender, message_id, accepted_at FROM seen_messages
        WHERE (shard, sender, message_id) > (?1, ?2, ?3)
        ORDER BY shard, sender, message_id LIMIT ?4
    )
    WHERE accepted_at < ?5 LIMIT ?6";

const END_OF_STRETCH: &str = "
    SELECT shard, sender, message_id FROM seen_messages
    WHERE (shard, sender, message_id) > (?1, ?2, ?3)
    ORDER BY shard, sender, message_id LIMIT 1 OFFSET ?4 - 1";

const FORGET: &str = "
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
