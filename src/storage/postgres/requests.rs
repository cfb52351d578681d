//! Requests under a key of their caller's.

use async_trait::async_trait;
use sqlx::query;

use super::PostgresStore;
use super::link::Link;
use super::rows::value;
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::idempotency::{
    AnswerQuota, Claimed, RequestClaim, RequestKey, RunningRequest, StoredAnswer,
};
use crate::domain::ids::AccountNumber;
use crate::domain::ports::Requests;
use crate::storage::error::{StoreError, during};
use crate::storage::records;

pub(super) const READ: &str = "
    SELECT digest, claimed_until, expires_at, status, body FROM requests
    WHERE shard = $1 AND account = $2 AND hash = $3";

/// One whose time is over makes place.
pub(super) const DROP: &str = "
    DELETE FROM requests
    WHERE shard = $1 AND account = $2 AND hash = $3
        AND (expires_at <= $4 OR (status IS NULL AND claimed_until <= $4))
    RETURNING coalesce(length(body), 0)::bigint AS bytes";

/// Leaves what is there as it is, and returns nothing then.
const CLAIM: &str = "
    INSERT INTO requests (shard, account, hash, digest, claim, claimed_until, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (shard, account, hash) DO NOTHING
    RETURNING 1";

pub(super) const ANSWER: &str = "
    UPDATE requests SET status = $5, body = $6
    WHERE shard = $1 AND account = $2 AND hash = $3 AND claim = $4 AND status IS NULL";

pub(super) const GIVE_BACK: &str = "
    DELETE FROM requests
    WHERE shard = $1 AND account = $2 AND hash = $3 AND claim = $4 AND status IS NULL";

pub(super) const ANY_OLD: &str =
    "SELECT 1 FROM requests WHERE expires_at <= $1 ORDER BY expires_at LIMIT 1";

/// Whose requests are old. Where one of them is in somebody's hands, it is left for the next time.
pub(super) const OLD: &str = "
    SELECT shard, account, array_agg(hash) AS hashes FROM (
        SELECT shard, account, hash FROM requests WHERE expires_at <= $1
        ORDER BY expires_at LIMIT $2
    ) AS old
    GROUP BY shard, account ORDER BY shard, account";

/// Everybody who changes an account's requests has its totals first, and so nobody waits here for
/// who waits for us.
pub(super) const LOCK_TOTALS: &str = "
    SELECT account FROM request_totals WHERE shard = $1 AND account = $2 FOR UPDATE SKIP LOCKED";

pub(super) const FORGET: &str = "
    DELETE FROM requests
    WHERE shard = $1 AND account = $2 AND hash = ANY ($3) AND expires_at <= $4
    RETURNING coalesce(length(body), 0)::bigint AS bytes";

/// Counts, and says what there is then. Whoever asks for an account's totals waits for the others
/// who have, so what the first takes is not there for the second.
pub(super) const COUNT: &str = "
    INSERT INTO request_totals (shard, account, requests, bytes) VALUES ($1, $2, $3, $4)
    ON CONFLICT (shard, account) DO UPDATE
    SET requests = request_totals.requests + excluded.requests,
        bytes = request_totals.bytes + excluded.bytes
    RETURNING requests, bytes";

pub(super) const DROP_TOTALS: &str = "
    DELETE FROM request_totals WHERE shard = $1 AND account = $2 AND requests <= 0";

#[async_trait]
impl Requests for PostgresStore {
    /// A request that was answered is found by a reader, so that repeating it writes nothing.
    async fn claim_request(&self, claim: RequestClaim) -> Result<Claimed, Fault> {
        if let Some(known) = known(&mut self.reader().await?, &claim).await? {
            return Ok(known);
        }
        self.write(claim, |claim, link| Box::pin(take(claim, link))).await
    }

    async fn finish_request(
        &self,
        running: RunningRequest,
        answer: Option<StoredAnswer>,
        quota: AnswerQuota,
    ) -> Result<(), Fault> {
        let input = (running, answer, quota);
        self.write(input, |input, link| Box::pin(finish(input, link))).await
    }

    async fn forget_requests(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        let any = query(ANY_OLD).bind(now.as_micros());
        let any = any.fetch_optional(&mut self.unhurried_reader().await?).await;
        if any.map_err(during("looking for old requests"))?.is_none() {
            return Ok(0);
        }
        self.tidy((now, limit), |input, link| Box::pin(forget(input, link))).await
    }
}

/// What is on file, when that is an answer to the claim.
async fn known(link: &mut Link<'_>, claim: &RequestClaim) -> Result<Option<Claimed>, StoreError> {
    let RequestKey { account, hash } = claim.running.key;
    let row = query(READ).bind(account.shard().0).bind(account.0).bind(hash.to_vec());
    let row = row.fetch_optional(link).await.map_err(during("reading a request"))?;
    row.map_or(Ok(None), |row| records::claimed(&row, claim))
}

/// Whoever comes second waits for the first, and then finds out what that one left.
async fn take(
    claim: &RequestClaim,
    link: &mut Link<'_>,
) -> Result<Result<Claimed, Fault>, StoreError> {
    let doing = "claiming a request";
    let RequestKey { account, hash } = claim.running.key;
    let mut kept = count(account, Change::default(), link).await?;
    let old = query(DROP)
        .bind(account.shard().0)
        .bind(account.0)
        .bind(&hash[..])
        .bind(claim.now.as_micros())
        .fetch_optional(&mut *link)
        .await
        .map_err(during("dropping a request"))?;
    if let Some(old) = old {
        let change = Change { requests: -1, bytes: -value::<i64>(&old, "bytes")? };
        kept = count(account, change, link).await?;
    }
    if let Some(known) = known(link, claim).await? {
        return Ok(Ok(known));
    }
    if !claim.quota.has_room(kept.requests, kept.bytes) {
        drop_if_empty(account, &kept, link).await?;
        return Ok(Ok(Claimed::Full));
    }
    let taken = query(CLAIM)
        .bind(account.shard().0)
        .bind(account.0)
        .bind(&hash[..])
        .bind(&claim.digest[..])
        .bind(&claim.running.claim[..])
        .bind(claim.claimed_until.as_micros())
        .bind(claim.expires_at.as_micros())
        .fetch_optional(&mut *link)
        .await
        .map_err(during(doing))?;
    if taken.is_none() {
        return Ok(Ok(Claimed::Running));
    }
    count(account, Change { requests: 1, bytes: 0 }, link).await?;
    Ok(Ok(Claimed::First))
}

async fn finish(
    (running, answer, quota): &(RunningRequest, Option<StoredAnswer>, AnswerQuota),
    link: &mut Link<'_>,
) -> Result<Result<(), Fault>, StoreError> {
    let RequestKey { account, hash } = running.key;
    let kept = count(account, Change::default(), link).await?;
    let statement = query(if answer.is_some() { ANSWER } else { GIVE_BACK })
        .bind(account.shard().0)
        .bind(account.0)
        .bind(hash.to_vec())
        .bind(running.claim.to_vec());
    let (statement, change) = match answer {
        None => (statement, Change { requests: -1, bytes: 0 }),
        Some(answer) => {
            let length = answer.body.len();
            let body = quota.fits(kept.bytes, length as u64).then(|| answer.body.to_vec());
            let bytes = body.as_ref().map_or(0, |_| i64::try_from(length).unwrap_or(i64::MAX));
            let statement = statement.bind(i64::from(answer.status)).bind(body);
            (statement, Change { requests: 0, bytes })
        }
    };
    let done = statement.execute(&mut *link).await.map_err(during("finishing a request"))?;
    if done.rows_affected() == 0 {
        drop_if_empty(account, &kept, link).await?;
    } else {
        count(account, change, link).await?;
    }
    Ok(Ok(()))
}

async fn forget(
    (now, limit): &(Timestamp, u32),
    link: &mut Link<'_>,
) -> Result<Result<u64, Fault>, StoreError> {
    let doing = "forgetting requests";
    let old = query(OLD).bind(now.as_micros()).bind(i64::from(*limit));
    let old = old.fetch_all(&mut *link).await.map_err(during(doing))?;
    let mut forgotten = 0;
    for row in &old {
        let (shard, account): (i64, i64) = (value(row, "shard")?, value(row, "account")?);
        let lock = query(LOCK_TOTALS).bind(shard).bind(account).fetch_optional(&mut *link).await;
        if lock.map_err(during(doing))?.is_none() {
            continue;
        }
        let hashes: Vec<Vec<u8>> = value(row, "hashes")?;
        let gone = query(FORGET).bind(shard).bind(account).bind(hashes).bind(now.as_micros());
        let gone = gone.fetch_all(&mut *link).await.map_err(during(doing))?;
        let mut change = Change::default();
        for row in &gone {
            change.requests -= 1;
            change.bytes -= value::<i64>(row, "bytes")?;
        }
        count(AccountNumber(account), change, link).await?;
        forgotten += gone.len() as u64;
    }
    Ok(Ok(forgotten))
}

/// What is kept for an account.
struct Totals {
    requests: u64,
    bytes: u64,
}

/// What is kept more, or less.
#[derive(Clone, Copy, Default)]
struct Change {
    requests: i64,
    bytes: i64,
}

/// Counts what was done to an account's requests in this transaction.
async fn count(
    account: AccountNumber,
    change: Change,
    link: &mut Link<'_>,
) -> Result<Totals, StoreError> {
    let doing = "counting requests";
    let row = query(COUNT)
        .bind(account.shard().0)
        .bind(account.0)
        .bind(change.requests)
        .bind(change.bytes)
        .fetch_one(&mut *link)
        .await
        .map_err(during(doing))?;
    let number = |column| -> Result<u64, StoreError> {
        let number: i64 = value(&row, column)?;
        u64::try_from(number).map_err(|_| StoreError::Corrupt { column: "request_totals" })
    };
    let totals = Totals { requests: number("requests")?, bytes: number("bytes")? };
    if change.requests < 0 {
        drop_if_empty(account, &totals, link).await?;
    }
    Ok(totals)
}

/// Leaves no totals of nothing behind.
async fn drop_if_empty(
    account: AccountNumber,
    totals: &Totals,
    link: &mut Link<'_>,
) -> Result<(), StoreError> {
    if totals.requests > 0 {
        return Ok(());
    }
    let dropped = query(DROP_TOTALS).bind(account.shard().0).bind(account.0);
    dropped.execute(link).await.map_err(during("counting requests"))?;
    Ok(())
}
