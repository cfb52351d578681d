//! From one era of message ids to the next, in the background.
//!
//! Several programs may do this at the same time: an era is closed by one of them, and its filter made
//! by one of them. A program that ends in the midst leaves nothing half done, and the next one goes on.

use futures_util::TryStreamExt;
use sqlx::query;
use tokio::task::spawn_blocking;

use super::super::PostgresStore;
use super::super::link::Link;
use super::super::rows::{id, time, value};
use super::{ERAS, FILTER_BYTES, Filters, Seen, Taken};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, SHARDS};
use crate::storage::error::{StoreError, during};
use crate::storage::filter::{Filter, Placing};

#[cfg(test)]
pub(in crate::storage::postgres) const STATEMENTS: &[&str] = &[COUNT, READ];

/// How many statements read an era, each some of its shards.
const PARTS: i64 = 16;

impl PostgresStore {
    /// Closes the open era if it is full, makes a filter that is missing, forgets eras whose ids are
    /// all older than `before`, and learns what others did: each of it, whatever becomes of the rest.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub(in super::super) async fn turn_eras(&self, before: Timestamp) -> Result<(), Fault> {
        let forgetting = "forgetting eras of message ids";
        let closed = self.close_full().await;
        let made = self.tidy((), |(), link| Box::pin(make_filter(link))).await;
        let forgotten = self.forget_old(FORGET_ERAS, forgetting, before, ERAS_AT_ONCE).await;
        let learned = self.learn_eras().await.map_err(Fault::from);
        closed.and(made).and(forgotten.map(drop)).and(learned)
    }

    /// Learns which eras there are, and reads their filters.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub(in super::super) async fn learn_eras(&self) -> Result<(), StoreError> {
        self.memory.seen.refresh(&mut self.reader().await?, Filters::Read).await
    }

    async fn close_full(&self) -> Result<(), Fault> {
        let seen = &self.memory.seen;
        let full = self.era_ids.max(seen.eras().ids / ERAS);
        let known = self.count_open(full).await?;
        if known.ids >= full {
            let is_closed = self.tidy(known.era, |era, link| Box::pin(close(*era, link))).await?;
            if !is_closed {
                seen.put_off(known.era, full / 10);
            }
        }
        Ok(())
    }

    /// What is known of the open era, after a count if nobody has counted yet.
    async fn count_open(&self, full: u64) -> Result<Taken, Fault> {
        let known = *self.memory.seen.taken();
        if known.is_counted {
            return Ok(known);
        }
        let most = i64::try_from(full).unwrap_or(i64::MAX);
        let counted = query(COUNT).bind(known.era).bind(SHARDS).bind(most);
        let counted = counted.fetch_one(&mut self.unhurried_reader().await?).await;
        let counted = counted.map_err(during("counting message ids"))?;
        Ok(self.memory.seen.counted(known.era, value::<i64>(&counted, "ids")?.unsigned_abs()))
    }
}

impl Seen {
    /// So many ids were counted in that era. What this process stores meanwhile may be missed, or
    /// counted twice: an era that is closed a little sooner or later is as good.
    fn counted(&self, era: i64, ids: u64) -> Taken {
        let mut taken = self.taken();
        if taken.era == era && !taken.is_counted {
            *taken = Taken { era, ids: taken.ids.max(ids), is_counted: true };
        }
        *taken
    }

    /// It is tried again when so many more ids are stored.
    fn put_off(&self, era: i64, ids: u64) {
        let mut taken = self.taken();
        if taken.era == era {
            taken.ids = taken.ids.saturating_sub(ids);
        }
    }
}

/// An era in its parts, one for each shard, so that no plan reads all of the table.
const COUNT: &str = "
    SELECT count(*) AS ids FROM (
        SELECT 1 FROM generate_series(0, $2::bigint - 1) AS part (shard)
        CROSS JOIN LATERAL (
            SELECT 1 FROM seen_messages WHERE seen_messages.shard = part.shard AND era = $1 OFFSET 0
        ) AS seen
        LIMIT $3
    ) AS counted";

/// As in `seen_era_is_open`, but alone.
const LOCK: &str = "
    SELECT pg_advisory_xact_lock('seen_eras'::regclass::oid::integer, $1::bigint::integer)";

/// This has to be a statement of its own, which sees what was committed while the lock was waited for.
const CLOSE: &str = "
    WITH closed AS (
        UPDATE seen_eras SET is_closed = 1 WHERE era = $1 AND is_closed = 0 RETURNING era
    )
    INSERT INTO seen_eras (era) SELECT era + 1 FROM closed";

/// Whoever stores messages waits meanwhile, no longer than two seconds. So this does not wait long for
/// somebody who stands still; and when this program stands still itself, it is soon cut off.
const HURRY: &str = "
    SELECT set_config('lock_timeout', '1s', true),
        set_config('idle_in_transaction_session_timeout', '1s', true)";

/// Closes an era, unless somebody else has, and opens the next one. Says no when somebody stores in it
/// for too long.
async fn close(era: i64, link: &mut Link<'_>) -> Result<Result<bool, Fault>, StoreError> {
    let doing = "closing an era of message ids";
    query(HURRY).execute(&mut *link).await.map_err(during(doing))?;
    match query(LOCK).bind(era).execute(&mut *link).await.map_err(during(doing)) {
        Err(error) if error.waited() => return Ok(Ok(false)),
        locked => locked?,
    };
    query(CLOSE).bind(era).execute(link).await.map_err(during(doing))?;
    Ok(Ok(true))
}

/// Nobody else makes it meanwhile.
const WITHOUT_FILTER: &str = "
    SELECT era FROM seen_eras WHERE is_closed = 1 AND filter IS NULL ORDER BY era LIMIT 1
    FOR UPDATE SKIP LOCKED";

const READ: &str = "
    SELECT sender, message_id, accepted_at
    FROM generate_series($2::bigint, $3::bigint - 1) AS part (shard)
    CROSS JOIN LATERAL (
        SELECT sender, message_id, accepted_at FROM seen_messages
        WHERE seen_messages.shard = part.shard AND era = $1 OFFSET 0
    ) AS seen";

const PUT: &str = "UPDATE seen_eras SET filter = $2, newest_at = $3 WHERE era = $1";

/// More ids than there is room for in memory: their filter is empty, which is none.
const MOST_IDS: usize = FILTER_BYTES / 2;

/// Makes the filter of one closed era that has none.
async fn make_filter(link: &mut Link<'_>) -> Result<Result<(), Fault>, StoreError> {
    let doing = "making a filter of message ids";
    let found = query(WITHOUT_FILTER).fetch_optional(&mut *link).await.map_err(during(doing))?;
    let Some(found) = found else { return Ok(Ok(())) };
    let era: i64 = value(&found, "era")?;
    let (mut places, mut newest_at) = (Vec::new(), Timestamp::default());
    for part in 0..PARTS {
        let (first, end) = (part * SHARDS / PARTS, (part + 1) * SHARDS / PARTS);
        let rows = query(READ).bind(era).bind(first).bind(end);
        let mut rows = rows.fetch(&mut *link);
        while let Some(row) = rows.try_next().await.map_err(during(doing))? {
            let sender = AccountNumber(value(&row, "sender")?);
            if places.len() <= MOST_IDS {
                places.push(Placing::default().place(sender, id(&row, "message_id")?));
            }
            newest_at = newest_at.max(time(&row, "accepted_at")?);
        }
    }
    let filter = spawn_blocking(move || match places.len() {
        0..=MOST_IDS => Filter::of(places.into_iter()).as_bytes().to_vec(),
        _ => Vec::new(),
    });
    let filter = filter.await.map_err(|_| StoreError::Panicked)?;
    let put = query(PUT).bind(era).bind(filter).bind(newest_at.as_micros());
    put.execute(link).await.map_err(during(doing))?;
    Ok(Ok(()))
}

/// How many eras are forgotten at a time.
const ERAS_AT_ONCE: u32 = 100;

/// Their ids are forgotten one by one ([`super::super::forget`]); nobody looks for them any more.
const FORGET_ERAS: &str = "
    DELETE FROM seen_eras WHERE era = ANY (ARRAY(
        SELECT era FROM seen_eras WHERE filter IS NOT NULL AND newest_at < $1
        ORDER BY era LIMIT $2 FOR UPDATE SKIP LOCKED
    ))";
