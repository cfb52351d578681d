//! Requests under a key of their caller's.

use std::collections::HashMap;

use async_trait::async_trait;
use sqlx::{SqliteConnection, SqliteExecutor, query};

use super::SqliteStore;
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
    WHERE shard = ?1 AND account = ?2 AND hash = ?3";

pub(super) const DROP: &str = "
    DELETE FROM requests WHERE shard = ?1 AND account = ?2 AND hash = ?3
    RETURNING coalesce(length(body), 0) AS bytes";

const CLAIM: &str = "
    INSERT INTO requests
        (shard, account, hash, digest, claim, claimed_until, expires_at, status, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL, NULL)";

pub(super) const ANSWER: &str = "
    UPDATE requests SET status = ?5, body = ?6
    WHERE shard = ?1 AND account = ?2 AND hash = ?3 AND claim = ?4 AND status IS NULL";

pub(super) const GIVE_BACK: &str = "
    DELETE FROM requests
    WHERE shard = ?1 AND account = ?2 AND hash = ?3 AND claim = ?4 AND status IS NULL";

pub(super) const ANY_OLD: &str = "SELECT 1 FROM requests WHERE expires_at <= ?1 LIMIT 1";

pub(super) const FORGET: &str = "
    DELETE FROM requests WHERE (shard, account, hash) IN (
        SELECT shard, account, hash FROM requests WHERE expires_at <= ?1
        ORDER BY expires_at LIMIT ?2
    ) RETURNING account, coalesce(length(body), 0) AS bytes";

pub(super) const TOTALS: &str = "
    SELECT requests, bytes FROM request_totals WHERE shard = ?1 AND account = ?2";

const COUNT: &str = "
    INSERT INTO request_totals (shard, account, requests, bytes) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (shard, account) DO UPDATE
    SET requests = requests + excluded.requests, bytes = bytes + excluded.bytes";

pub(super) const DROP_TOTALS: &str = "
    DELETE FROM request_totals WHERE shard = ?1 AND account = ?2 AND requests <= 0";

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
        quota: AnswerQuota,
    ) -> Result<(), Fault> {
        let input = (running, answer, quota);
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
    row.map_or(Ok(None), |row| records::claimed(&row, claim))
}

async fn take(
    claim: &RequestClaim,
    connection: &mut SqliteConnection,
) -> Result<Result<Claimed, Fault>, StoreError> {
    if let Some(known) = known(&mut *connection, claim).await? {
        return Ok(Ok(known));
    }
    let RequestKey { account, hash } = claim.running.key;
    // One whose time is over makes place.
    let old = query(DROP).bind(account.shard().0).bind(account.0).bind(hash.to_vec());
    let old = old.fetch_optional(&mut *connection).await.map_err(during("dropping a request"))?;
    if let Some(old) = old {
        let change = Change { requests: -1, bytes: -value::<i64>(&old, "bytes")? };
        count(account, change, connection).await?;
    }
    let (requests, bytes) = totals(account, connection).await?;
    if !claim.quota.has_room(requests, bytes) {
        return Ok(Ok(Claimed::Full));
    }
    query(CLAIM)
        .bind(account.shard().0)
        .bind(account.0)
        .bind(hash.to_vec())
        .bind(claim.digest.to_vec())
        .bind(claim.running.claim.to_vec())
        .bind(claim.claimed_until.as_micros())
        .bind(claim.expires_at.as_micros())
        .execute(&mut *connection)
        .await
        .map_err(during("claiming a request"))?;
    count(account, Change { requests: 1, bytes: 0 }, connection).await?;
    Ok(Ok(Claimed::First))
}

async fn finish(
    (running, answer, quota): &(RunningRequest, Option<StoredAnswer>, AnswerQuota),
    connection: &mut SqliteConnection,
) -> Result<Result<(), Fault>, StoreError> {
    let RequestKey { account, hash } = running.key;
    let statement = query(if answer.is_some() { ANSWER } else { GIVE_BACK })
        .bind(account.shard().0)
        .bind(account.0)
        .bind(hash.to_vec())
        .bind(running.claim.to_vec());
    let (statement, change) = match answer {
        None => (statement, Change { requests: -1, bytes: 0 }),
        Some(answer) => {
            let (_, kept) = totals(account, connection).await?;
            let length = answer.body.len();
            let body = quota.fits(kept, length as u64).then(|| answer.body.to_vec());
            let bytes = body.as_ref().map_or(0, |_| i64::try_from(length).unwrap_or(i64::MAX));
            let statement = statement.bind(i64::from(answer.status)).bind(body);
            (statement, Change { requests: 0, bytes })
        }
    };
    let done = statement.execute(&mut *connection).await.map_err(during("finishing a request"))?;
    if done.rows_affected() > 0 {
        count(account, change, connection).await?;
    }
    Ok(Ok(()))
}

async fn forget(
    (now, limit): &(Timestamp, u32),
    connection: &mut SqliteConnection,
) -> Result<Result<u64, Fault>, StoreError> {
    let forgotten = query(FORGET).bind(now.as_micros()).bind(*limit).fetch_all(&mut *connection);
    let forgotten = forgotten.await.map_err(during("forgetting requests"))?;
    let mut changes: HashMap<AccountNumber, Change> = HashMap::new();
    for row in &forgotten {
        let change = changes.entry(AccountNumber(value(row, "account")?)).or_default();
        change.requests -= 1;
        change.bytes -= value::<i64>(row, "bytes")?;
    }
    for (account, change) in changes {
        count(account, change, connection).await?;
    }
    Ok(Ok(forgotten.len() as u64))
}

/// How many requests are kept for an account, and the bytes of their answers.
async fn totals(
    account: AccountNumber,
    connection: &mut SqliteConnection,
) -> Result<(u64, u64), StoreError> {
    let row = query(TOTALS).bind(account.shard().0).bind(account.0);
    let row = row.fetch_optional(connection).await.map_err(during("counting requests"))?;
    let Some(row) = row else { return Ok((0, 0)) };
    let number = |column| -> Result<u64, StoreError> {
        let number: i64 = value(&row, column)?;
        u64::try_from(number).map_err(|_| StoreError::Corrupt { column: "request_totals" })
    };
    Ok((number("requests")?, number("bytes")?))
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
    connection: &mut SqliteConnection,
) -> Result<(), StoreError> {
    let counted = query(COUNT)
        .bind(account.shard().0)
        .bind(account.0)
        .bind(change.requests)
        .bind(change.bytes)
        .execute(&mut *connection);
    counted.await.map_err(during("counting requests"))?;
    if change.requests < 0 {
        let dropped = query(DROP_TOTALS).bind(account.shard().0).bind(account.0);
        dropped.execute(connection).await.map_err(during("counting requests"))?;
    }
    Ok(())
}
