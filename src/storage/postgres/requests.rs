//! Requests under a key of their caller's.

use async_trait::async_trait;
use bytes::Bytes;
use sqlx::postgres::PgRow;
use sqlx::query;

use super::PostgresStore;
use super::link::Link;
use super::rows::{array, time, value};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::idempotency::{Claimed, RequestClaim, RequestKey, RunningRequest, StoredAnswer};
use crate::domain::ports::Requests;
use crate::storage::error::{StoreError, during};

const READ: &str = "
    SELECT digest, claimed_until, expires_at, status, body FROM requests
    WHERE shard = $1 AND account = $2 AND hash = $3";

/// Takes the place of what is over; leaves everything else as it is, and returns nothing then.
const CLAIM: &str = "
    INSERT INTO requests (shard, account, hash, digest, claim, claimed_until, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (shard, account, hash) DO UPDATE
    SET digest = excluded.digest, claim = excluded.claim, claimed_until = excluded.claimed_until,
        expires_at = excluded.expires_at, status = NULL, body = NULL
    WHERE requests.expires_at <= $8
        OR (requests.status IS NULL AND requests.claimed_until <= $8)
    RETURNING 1";

const ANSWER: &str = "
    UPDATE requests SET status = $5, body = $6
    WHERE shard = $1 AND account = $2 AND hash = $3 AND claim = $4";

const GIVE_BACK: &str = "
    DELETE FROM requests WHERE shard = $1 AND account = $2 AND hash = $3 AND claim = $4";

const ANY_OLD: &str = "SELECT 1 FROM requests WHERE expires_at <= $1 LIMIT 1";

const FORGET: &str = "
    WITH old AS MATERIALIZED (
        SELECT shard, account, hash FROM requests WHERE expires_at <= $1
        ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
    )
    DELETE FROM requests USING old
    WHERE requests.shard = old.shard AND requests.account = old.account
        AND requests.hash = old.hash";

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
    ) -> Result<(), Fault> {
        let input = (running, answer);
        self.write(input, |input, link| Box::pin(finish(input, link))).await
    }

    async fn forget_requests(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        let any = query(ANY_OLD).bind(now.as_micros());
        let any = any.fetch_optional(&mut self.reader().await?).await;
        if any.map_err(during("looking for old requests"))?.is_none() {
            return Ok(0);
        }
        self.write((now, limit), |input, link| Box::pin(forget(input, link))).await
    }
}

/// What is on file, when that is an answer to the claim.
async fn known(link: &mut Link<'_>, claim: &RequestClaim) -> Result<Option<Claimed>, StoreError> {
    let RequestKey { account, hash } = claim.running.key;
    let row = query(READ).bind(account.shard().0).bind(account.0).bind(hash.to_vec());
    let row = row.fetch_optional(link).await.map_err(during("reading a request"))?;
    row.map_or(Ok(None), |row| answer(&row, claim))
}

fn answer(row: &PgRow, claim: &RequestClaim) -> Result<Option<Claimed>, StoreError> {
    let status: Option<i64> = value(row, "status")?;
    let lapsed = status.is_none() && time(row, "claimed_until")? <= claim.now;
    if lapsed || time(row, "expires_at")? <= claim.now {
        return Ok(None);
    }
    if array::<32>(row, "digest")? != claim.digest {
        return Ok(Some(Claimed::Differs));
    }
    let Some(status) = status else { return Ok(Some(Claimed::Running)) };
    let status = u16::try_from(status);
    let status = status.map_err(|_| StoreError::Corrupt { column: "requests.status" })?;
    let body: Option<Vec<u8>> = value(row, "body")?;
    let body = Bytes::from(body.unwrap_or_default());
    Ok(Some(Claimed::Answered(StoredAnswer { status, body })))
}

/// Whoever comes second waits for the first, and then finds out what that one left.
async fn take(
    claim: &RequestClaim,
    link: &mut Link<'_>,
) -> Result<Result<Claimed, Fault>, StoreError> {
    let doing = "claiming a request";
    let RequestKey { account, hash } = claim.running.key;
    let taken = query(CLAIM)
        .bind(account.shard().0)
        .bind(account.0)
        .bind(&hash[..])
        .bind(&claim.digest[..])
        .bind(&claim.running.claim[..])
        .bind(claim.claimed_until.as_micros())
        .bind(claim.expires_at.as_micros())
        .bind(claim.now.as_micros())
        .fetch_optional(&mut *link)
        .await
        .map_err(during(doing))?;
    if taken.is_some() {
        return Ok(Ok(Claimed::First));
    }
    // Given back, or forgotten, between these two looks: it is as if it still ran.
    Ok(Ok(known(link, claim).await?.unwrap_or(Claimed::Running)))
}

async fn finish(
    (running, answer): &(RunningRequest, Option<StoredAnswer>),
    link: &mut Link<'_>,
) -> Result<Result<(), Fault>, StoreError> {
    let RequestKey { account, hash } = running.key;
    let statement = query(if answer.is_some() { ANSWER } else { GIVE_BACK })
        .bind(account.shard().0)
        .bind(account.0)
        .bind(hash.to_vec())
        .bind(running.claim.to_vec());
    let statement = match answer {
        Some(answer) => statement.bind(i64::from(answer.status)).bind(answer.body.to_vec()),
        None => statement,
    };
    statement.execute(link).await.map_err(during("finishing a request"))?;
    Ok(Ok(()))
}

async fn forget(
    (now, limit): &(Timestamp, u32),
    link: &mut Link<'_>,
) -> Result<Result<u64, Fault>, StoreError> {
    let forgotten = query(FORGET).bind(now.as_micros()).bind(i64::from(*limit)).execute(link).await;
    Ok(Ok(forgotten.map_err(during("forgetting requests"))?.rows_affected()))
}
