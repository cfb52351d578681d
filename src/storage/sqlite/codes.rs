//! Codes that prove a number or allow a device.

use async_trait::async_trait;
use sqlx::{SqliteConnection, query};

use super::SqliteStore;
use super::rows::value;
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::phone::{
    CodePurpose, CodeUse, NewCode, OutboxCode, PendingCode, PhoneNumber, Transport,
};
use crate::domain::ports::Codes;
use crate::storage::error::{StoreError, during};
use crate::storage::records;

#[async_trait]
impl Codes for SqliteStore {
    async fn put_code(&self, code: NewCode) -> Result<(), Fault> {
        self.change(code, |code, connection| Box::pin(put(code, connection))).await
    }

    async fn try_code(
        &self,
        purpose: CodePurpose,
        number: &PhoneNumber,
        now: Timestamp,
        most: u32,
    ) -> Result<Option<PendingCode>, Fault> {
        let attempt = Attempt { purpose, number: number.clone(), now, most };
        self.change(attempt, |attempt, connection| Box::pin(count(attempt, connection))).await
    }

    async fn outbox(&self, now: Timestamp, limit: u32) -> Result<Vec<OutboxCode>, Fault> {
        let rows = query(OUTBOX).bind(now.as_micros()).bind(limit).fetch_all(&self.readers).await;
        let rows = rows.map_err(during("reading codes that wait for the operator"))?;
        Ok(rows.iter().map(records::outbox_code).collect::<Result<_, _>>()?)
    }

    async fn forget_codes(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        // Nearly always there is nothing to do, and a reader finds that out.
        let old = query(OLD).bind(now.as_micros()).fetch_optional(&self.readers).await;
        if old.map_err(during("looking for codes"))?.is_none() {
            return Ok(0);
        }
        self.change((now, limit), |input, connection| Box::pin(forget(input, connection))).await
    }
}

pub(super) const PUT: &str = "
    INSERT INTO codes (purpose, number, code, attempts, outbox, created_at, expires_at)
    VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6)
    ON CONFLICT (purpose, number) DO UPDATE SET code = excluded.code, attempts = 0,
        outbox = excluded.outbox, created_at = excluded.created_at,
        expires_at = excluded.expires_at";

async fn put(
    new: &NewCode,
    connection: &mut SqliteConnection,
) -> Result<Result<(), Fault>, StoreError> {
    let put = query(PUT)
        .bind(new.purpose.as_str())
        .bind(new.number.as_str())
        .bind(new.code.0.as_slice())
        .bind(new.outbox.map(Transport::as_str))
        .bind(new.created_at.as_micros())
        .bind(new.expires_at.as_micros());
    put.execute(connection).await.map_err(during("keeping a code"))?;
    Ok(Ok(()))
}

/// Somebody tries a code.
struct Attempt {
    purpose: CodePurpose,
    number: PhoneNumber,
    now: Timestamp,
    most: u32,
}

/// A try is counted before the code is looked at, so no two of them count as one.
pub(super) const TRY: &str = "
    UPDATE codes SET attempts = attempts + 1
    WHERE purpose = ?1 AND number = ?2 AND expires_at > ?3 AND attempts < ?4
    RETURNING code, attempts";

async fn count(
    attempt: &Attempt,
    connection: &mut SqliteConnection,
) -> Result<Result<Option<PendingCode>, Fault>, StoreError> {
    let row = query(TRY)
        .bind(attempt.purpose.as_str())
        .bind(attempt.number.as_str())
        .bind(attempt.now.as_micros())
        .bind(attempt.most)
        .fetch_optional(connection)
        .await
        .map_err(during("trying a code"))?;
    Ok(Ok(row.as_ref().map(records::pending_code).transpose()?))
}

pub(super) const OUTBOX: &str = "
    SELECT number, outbox, code, created_at, expires_at
    FROM codes INDEXED BY codes_outbox
    WHERE outbox IS NOT NULL AND created_at > 0 AND expires_at > ?1
    ORDER BY created_at LIMIT ?2";

pub(super) const OLD: &str = "SELECT number FROM codes WHERE expires_at <= ?1 LIMIT 1";

pub(super) const FORGET: &str = "
    DELETE FROM codes WHERE (purpose, number) IN (
        SELECT purpose, number FROM codes WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2
    )";

async fn forget(
    (now, limit): &(Timestamp, u32),
    connection: &mut SqliteConnection,
) -> Result<Result<u64, Fault>, StoreError> {
    let forgotten = query(FORGET).bind(now.as_micros()).bind(limit).execute(connection).await;
    Ok(Ok(forgotten.map_err(during("forgetting codes"))?.rows_affected()))
}

pub(super) const READ: &str = "SELECT code FROM codes WHERE purpose = ?1 AND number = ?2";

/// Whether a code is still the one on file; nothing is written, so the caller may still refuse.
pub(super) async fn check(
    code: &CodeUse,
    connection: &mut SqliteConnection,
) -> Result<Result<(), Fault>, StoreError> {
    let row = query(READ).bind(code.purpose.as_str()).bind(code.number.as_str());
    let row = row.fetch_optional(connection).await.map_err(during("reading a code"))?;
    let kept: Option<Vec<u8>> = row.as_ref().map(|row| value(row, "code")).transpose()?;
    let is_same = kept.is_some_and(|kept| kept == code.code.0);
    Ok(is_same.then_some(()).ok_or_else(CodeUse::refusal))
}

pub(super) const DROP: &str = "DELETE FROM codes WHERE purpose = ?1 AND number = ?2";

/// Uses a code up that was checked in the same transaction.
pub(super) async fn drop_used(
    code: &CodeUse,
    connection: &mut SqliteConnection,
) -> Result<(), StoreError> {
    drop_one(code.purpose, &code.number, connection).await
}

/// Drops all codes of a number.
pub(super) async fn drop_all(
    number: &PhoneNumber,
    connection: &mut SqliteConnection,
) -> Result<(), StoreError> {
    for purpose in CodePurpose::ALL {
        drop_one(purpose, number, connection).await?;
    }
    Ok(())
}

async fn drop_one(
    purpose: CodePurpose,
    number: &PhoneNumber,
    connection: &mut SqliteConnection,
) -> Result<(), StoreError> {
    let drop = query(DROP).bind(purpose.as_str()).bind(number.as_str());
    drop.execute(connection).await.map_err(during("dropping a code"))?;
    Ok(())
}
