//! Requests under a key of their caller's.

use async_trait::async_trait;
use bytes::Bytes;
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, SqliteExecutor, query};

use super::SqliteStore;
use super::rows::{array, time, value};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::idempotency::{Claimed, RequestClaim, RequestKey, RunningRequest, StoredAnswer};
use crate::domain::ports::Requests;
use crate::storage::error::{StoreError, during};

pub(super) const READ: &str = "
    SELECT digest, claimed_until, expires_at, status, body FROM requests
    WHERE shard = ?1 AND account = ?2 AND hash = ?3";

const CLAIM: &str = "
    INSERT OR REPLACE INTO requests
        (shard, account, hash, digest, claim, claimed_until, expires_at, status, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL, NULL)";

pub(super) const ANSWER: &str = "
    UPDATE requests SET status = ?5, body = ?6
    WHERE shard = ?1 AND account = ?2 AND hash = ?3 AND claim = ?4";

pub(super) const GIVE_BACK: &str = "
    DELETE FROM requests WHERE shard = ?1 AND account = ?2 AND hash = ?3 AND claim = ?4";

pub(super) const ANY_OLD: &str = "SELECT 1 FROM requests WHERE expires_at <= ?1 LIMIT 1";

pub(super) const FORGET: &str = "
    DELETE FROM requests WHERE (shard, account, hash) IN (
        SELECT shard, account, hash FROM requests WHERE expires_at <= ?1
        ORDER BY expires_at LIMIT ?2
    )";

#[async_trait]
impl Requests for SqliteStore {
    /// A request that was answered is found by a reader, so that repeating it writes nothing.
    async fn claim_request(&self, claim: RequestClaim) -> Result<Claimed, Fault> {
        if let Some(known) = known(&self.readers, &claim).await? {
            return Ok(known);
        }
        self.change(claim, |claim, connection| Box::pin(take(claim, connection))).await
    }

    async fn finish_request(
        &self,
        running: RunningRequest,
        answer: Option<StoredAnswer>,
    ) -> Result<(), Fault> {
        let input = (running, answer);
        self.change(input, |input, connection| Box::pin(finish(input, connection))).await
    }

    async fn forget_requests(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        let any = query(ANY_OLD).bind(now.as_micros()).fetch_optional(&self.readers).await;
        if any.map_err(during("looking for old requests"))?.is_none() {
            return Ok(0);
        }
        self.change((now, limit), |input, connection| Box::pin(forget(input, connection))).await
    }
}

/// What is on file, when that is an answer to the claim.
async fn known(
    executor: impl SqliteExecutor<'_>,
    claim: &RequestClaim,
) -> Result<Option<Claimed>, StoreError> {
    let RequestKey { account, hash } = claim.running.key;
    let row = query(READ).bind(account.shard().0).bind(account.0).bind(hash.to_vec());
    let row = row.fetch_optional(executor).await.map_err(during("reading a request"))?;
    row.map_or(Ok(None), |row| answer(&row, claim))
}

fn answer(row: &SqliteRow, claim: &RequestClaim) -> Result<Option<Claimed>, StoreError> {
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

async fn take(
    claim: &RequestClaim,
    connection: &mut SqliteConnection,
) -> Result<Result<Claimed, Fault>, StoreError> {
    if let Some(known) = known(&mut *connection, claim).await? {
        return Ok(Ok(known));
    }
    let RequestKey { account, hash } = claim.running.key;
    query(CLAIM)
        .bind(account.shard().0)
        .bind(account.0)
        .bind(hash.to_vec())
        .bind(claim.digest.to_vec())
        .bind(claim.running.claim.to_vec())
        .bind(claim.claimed_until.as_micros())
        .bind(claim.expires_at.as_micros())
        .execute(connection)
        .await
        .map_err(during("claiming a request"))?;
    Ok(Ok(Claimed::First))
}

async fn finish(
    (running, answer): &(RunningRequest, Option<StoredAnswer>),
    connection: &mut SqliteConnection,
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
    statement.execute(connection).await.map_err(during("finishing a request"))?;
    Ok(Ok(()))
}

async fn forget(
    (now, limit): &(Timestamp, u32),
    connection: &mut SqliteConnection,
) -> Result<Result<u64, Fault>, StoreError> {
    let forgotten = query(FORGET).bind(now.as_micros()).bind(*limit).execute(connection).await;
    Ok(Ok(forgotten.map_err(during("forgetting requests"))?.rows_affected()))
}
