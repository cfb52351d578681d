//! Dropping payloads that nobody waits for, in the background.
//!
//! No reference is counted while messages are accepted and acknowledged. A payload names whom it
//! was stored for, so a reader looks whether these rows still exist, a few payloads at a time, and
//! the writer drops those without any. Rows are only made together with their payload; once all
//! are gone, they stay gone.
//!
//! A payload whose time is over is not handed out any more, but as long as rows wait for it, it
//! stays on the disk.

use std::collections::HashSet;
use std::fmt::Write;

use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, query};

use super::SqliteStore;
use super::rows::{json_list, value};
use crate::domain::Fault;
use crate::domain::ids::Order;
use crate::domain::inbox::{InboxKey, Sweep};
use crate::storage::error::{StoreError, during};
use crate::storage::packed::unpack_waiting;

/// A payload, and the inboxes that it may still wait in.
struct Candidate {
    number: i64,
    waiting: Vec<InboxKey>,
}

pub(super) const CANDIDATES: &str = "
    SELECT number, waiting FROM payloads WHERE number >= ?1 ORDER BY number LIMIT ?2";

pub(super) const STILL_WAITING: &str = "
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
            let waited = waited.collect::<Result<HashSet<i64>, _>>()?;
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

pub(super) const DROP_PAYLOADS: &str = "
    DELETE FROM payloads WHERE number IN (SELECT value FROM json_each(?1))";

async fn drop_payloads(
    numbers: &Vec<i64>,
    connection: &mut SqliteConnection,
) -> Result<Result<u64, Fault>, StoreError> {
    let list = json_list(numbers, |json, number| write!(json, "{number}"));
    let dropped = query(DROP_PAYLOADS).bind(list).execute(connection).await;
    Ok(Ok(dropped.map_err(during("dropping payloads"))?.rows_affected()))
}
