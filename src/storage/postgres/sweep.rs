//! Dropping what nobody waits for and what was not read in time, in the background.
//!
//! No reference is counted while messages are accepted and acknowledged. A payload names whom it
//! was stored for, so a reader looks whether these rows still exist, a few payloads at a time, and
//! those without any are dropped. Rows are only made together with their payload, or while there
//! is a top-up of it ([`super::top_ups`]); once all are gone, they stay gone. Payloads whose time
//! is over leave their rows first ([`super::expire`]), in the same transaction.
//!
//! Several programs may sweep at once, each from a place of its own. What one has looked up may be
//! out of date when it comes to dropping it, so that compares again; and it waits for nobody.

use std::collections::HashSet;

use sqlx::postgres::PgRow;
use sqlx::query;

use super::PostgresStore;
use super::expire::{self, Step};
use super::gaps::RowKeys;
use super::rows::{time, value};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{Order, SHARDS, Shard};
use crate::domain::inbox::{InboxKey, Sweep, SweepRequest};
use crate::domain::ports::FreshId;
use crate::storage::error::{StoreError, during};
use crate::storage::packed::unpack_waiting;

/// A payload, and the inboxes that it may still wait in.
pub(super) struct Candidate {
    pub payload: PayloadKey,
    pub accepted_at: Timestamp,
    pub expires_at: Timestamp,
    pub waiting: Vec<InboxKey>,
    /// Whether there may come more of them, so that the payload has to stay.
    pub is_open: bool,
}

/// A payload, as somebody has seen it.
#[derive(Clone, Copy, Debug)]
pub(super) struct PayloadKey {
    /// The shard that it is in.
    pub home: Shard,
    pub number: i64,
    /// The length of the list of whom it was stored for, which only grows.
    pub waiting: usize,
}

/// Payloads are kept by shard, so the next ones in the one order of all are among the next few of
/// each shard. Up to the lowest number at which a shard has more than these few, none is missing.
pub(super) const CANDIDATES: &str = "
    WITH heads AS MATERIALIZED (
        SELECT shards.shard, head.number
        FROM generate_series(0, $4 - 1) AS shards (shard)
        CROSS JOIN LATERAL (
            SELECT number FROM payloads WHERE payloads.shard = shards.shard AND number >= $1
            ORDER BY number LIMIT $2
        ) AS head
    ), next AS (
        SELECT shard, number, complete FROM heads CROSS JOIN (
            SELECT min(last) AS complete FROM (
                SELECT max(number) AS last FROM heads GROUP BY shard HAVING count(*) >= $2
            ) AS lasts
        ) AS bound
        WHERE number <= coalesce(complete, number)
        ORDER BY number LIMIT $3
    )
    SELECT next.shard, next.number, payload.*, complete IS NOT NULL AS is_cut,
        coalesce((SELECT true FROM top_ups WHERE top_ups.payload = next.number LIMIT 1), false)
            AS is_open
    FROM next CROSS JOIN LATERAL (
        SELECT accepted_at, expires_at, waiting FROM payloads
        WHERE payloads.shard = next.shard AND payloads.number = next.number
        OFFSET 0
    ) AS payload
    ORDER BY next.number";

/// How many payloads of each shard are looked at first. When they are spread evenly, this is enough
/// for some hundreds in all.
const FEW: i64 = 4;

pub(super) const STILL_WAITING: &str = "
    SELECT DISTINCT wanted.number
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS wanted (shard, session, number)
    CROSS JOIN LATERAL (
        SELECT 1 FROM inbox WHERE inbox.shard = wanted.shard AND inbox.session = wanted.session
            AND inbox.number = wanted.number
        OFFSET 0
    ) AS waiting";

impl PostgresStore {
    pub(super) async fn sweep_payloads(
        &self,
        request: SweepRequest,
        fresh_id: FreshId<'_>,
    ) -> Result<Sweep, Fault> {
        let (candidates, mut next) = self.candidates(&request).await?;
        let (expired, mut current): (Vec<_>, Vec<_>) =
            candidates.into_iter().partition(|candidate| candidate.expires_at <= request.now);
        let over = self.find_expired(expired, &request).await?;
        if let Some(number) = over.unfinished {
            next = Some(Order(number));
            current.retain(|candidate| candidate.payload.number < number);
        }
        current.retain(|candidate| !candidate.is_open);
        let unwaited = self.unwaited(current).await?;
        let step = Step::new(over, unwaited, request.now, fresh_id);
        if step.is_empty() {
            return Ok(Sweep { next, ..Sweep::default() });
        }
        let swept = self.tidy(step, |step, link| Box::pin(expire::apply(step, link)));
        Ok(Sweep { next, ..swept.await? })
    }

    /// The payloads to look at, and where the next call begins.
    async fn candidates(
        &self,
        request: &SweepRequest,
    ) -> Result<(Vec<Candidate>, Option<Order>), StoreError> {
        let doing = "looking for payloads to drop";
        let from = request.from.map_or(i64::MIN, |order| order.0);
        let limit = i64::from(request.limit.max(1));
        let mut few = FEW.min(limit);
        loop {
            let rows = query(CANDIDATES).bind(from).bind(few).bind(limit).bind(SHARDS);
            let rows =
                rows.fetch_all(&mut self.unhurried_reader().await?).await.map_err(during(doing))?;
            let found = i64::try_from(rows.len()).unwrap_or(i64::MAX);
            let is_cut = rows.first().map_or(Ok(false), |row| value(row, "is_cut"))?;
            // A few shards may have nearly all of them.
            if is_cut && found < limit / 2 && few < limit {
                few = (few * 8).min(limit);
                continue;
            }
            let candidates = rows.iter().map(candidate).collect::<Result<Vec<_>, _>>()?;
            let last = candidates.last().filter(|_| is_cut || found >= limit);
            let next = last.map(|last| Order(last.payload.number + 1));
            return Ok((candidates, next));
        }
    }

    /// Those of the candidates that no inbox holds. One row that waits is enough to keep a
    /// payload, so only a few recipients of each are looked up at first, and then more and more
    /// of those that are left.
    async fn unwaited(
        &self,
        mut candidates: Vec<Candidate>,
    ) -> Result<Vec<PayloadKey>, StoreError> {
        let mut unwaited = Vec::new();
        let mut step = 1;
        while !candidates.is_empty() {
            let mut keys = RowKeys::default();
            for candidate in &mut candidates {
                let rest = candidate.waiting.len().saturating_sub(step);
                let number = candidate.payload.number;
                candidate.waiting.drain(rest..).for_each(|inbox| keys.push(inbox, number));
            }
            let rows = query(STILL_WAITING).bind(keys.shards).bind(keys.sessions);
            let rows = rows.bind(keys.numbers).fetch_all(&mut self.unhurried_reader().await?).await;
            let rows = rows.map_err(during("looking for waiting rows"))?;
            let waited = rows.iter().map(|row| value(row, "number"));
            let waited = waited.collect::<Result<HashSet<i64>, _>>()?;
            candidates.retain(|candidate| !waited.contains(&candidate.payload.number));
            let done = candidates.iter().filter(|candidate| candidate.waiting.is_empty());
            unwaited.extend(done.map(|candidate| candidate.payload));
            candidates.retain(|candidate| !candidate.waiting.is_empty());
            step *= 4;
        }
        Ok(unwaited)
    }
}

fn candidate(row: &PgRow) -> Result<Candidate, StoreError> {
    let waiting: &[u8] = value(row, "waiting")?;
    let home = Shard(value(row, "shard")?);
    Ok(Candidate {
        payload: PayloadKey { home, number: value(row, "number")?, waiting: waiting.len() },
        accepted_at: time(row, "accepted_at")?,
        expires_at: time(row, "expires_at")?,
        waiting: unpack_waiting(waiting)?,
        is_open: value(row, "is_open")?,
    })
}
