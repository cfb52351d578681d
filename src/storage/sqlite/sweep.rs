//! Dropping what nobody waits for and what was not read in time, in the background.
//!
//! A round begins with putting all rows of inboxes into their table ([`super::settle`]), and looks
//! only at messages whose rows are there.
//!
//! No reference is counted while messages are accepted and acknowledged. A payload names whom it
//! was stored for, so a reader looks whether these rows still exist, a few payloads at a time, and
//! the writer drops those without any. Rows are only made together with their payload, or while
//! there is a top-up of it ([`super::top_ups`]); once all are gone, they stay gone. Payloads whose time is over leave their rows first ([`expire`]), in
//! the same transaction.

use std::collections::HashSet;
use std::fmt::Write;

use sqlx::query;
use sqlx::sqlite::SqliteRow;

use super::SqliteStore;
use super::expire::{self, Step};
use super::rows::{json_list, time, value};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::Order;
use crate::domain::inbox::{InboxKey, Sweep, SweepRequest};
use crate::domain::ports::FreshId;
use crate::storage::error::{StoreError, during};
use crate::storage::packed::unpack_waiting;

/// A payload, and the inboxes that it may still wait in.
pub(super) struct Candidate {
    pub number: i64,
    pub accepted_at: Timestamp,
    pub expires_at: Timestamp,
    pub waiting: Vec<InboxKey>,
    /// Whether there may come more of them, so that the payload has to stay.
    pub is_open: bool,
}

/// Whether more rows may come and who they are so far belong to the same moment.
pub(super) const CANDIDATES: &str = "
    SELECT number, accepted_at, expires_at, waiting,
        EXISTS (SELECT 1 FROM top_ups WHERE top_ups.payload = payloads.number) AS is_open
    FROM payloads
    WHERE number >= ?1 AND number <= ?3 ORDER BY number LIMIT ?2";

pub(super) const STILL_WAITING: &str = "
    SELECT DISTINCT value ->> 2 AS number FROM json_each(?1)
    WHERE EXISTS (
        SELECT 1 FROM inbox
        WHERE shard = value ->> 0 AND session = value ->> 1 AND number = value ->> 2
    )";

impl SqliteStore {
    pub(super) async fn sweep_payloads(
        &self,
        request: SweepRequest,
        fresh_id: FreshId<'_>,
    ) -> Result<Sweep, Fault> {
        if request.from.is_none() {
            self.settle_all().await?;
        }
        let (candidates, mut next) = self.candidates(&request).await?;
        let (expired, mut current): (Vec<_>, Vec<_>) =
            candidates.into_iter().partition(|candidate| candidate.expires_at <= request.now);
        let over = self.find_expired(expired, &request).await?;
        if let Some(number) = over.unfinished {
            next = Some(Order(number));
            current.retain(|candidate| candidate.number < number);
        }
        current.retain(|candidate| !candidate.is_open);
        let unwaited = self.unwaited(current).await?;
        let step = Step::new(over, unwaited, request.now, fresh_id);
        if step.is_empty() {
            return Ok(Sweep { next, ..Sweep::default() });
        }
        let swept = self.change(step, |step, connection| Box::pin(expire::apply(step, connection)));
        Ok(Sweep { next, ..swept.await? })
    }

    /// The payloads to look at, and where the next call begins.
    async fn candidates(
        &self,
        request: &SweepRequest,
    ) -> Result<(Vec<Candidate>, Option<Order>), StoreError> {
        let from = request.from.map_or(i64::MIN, |order| order.0);
        let limit = request.limit.max(1);
        let through = self.fresh.progress().through;
        let rows = query(CANDIDATES).bind(from).bind(limit).bind(through);
        let rows = rows.fetch_all(&self.readers).await;
        let rows = rows.map_err(during("looking for payloads to drop"))?;
        let candidates = rows.iter().map(candidate).collect::<Result<Vec<_>, _>>()?;
        let full = u32::try_from(candidates.len()).is_ok_and(|found| found >= limit);
        let next = candidates.last().filter(|_| full).map(|last| Order(last.number + 1));
        Ok((candidates, next))
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
    Ok(Candidate {
        number: value(row, "number")?,
        accepted_at: time(row, "accepted_at")?,
        expires_at: time(row, "expires_at")?,
        waiting: unpack_waiting(value(row, "waiting")?)?,
        is_open: value(row, "is_open")?,
    })
}
