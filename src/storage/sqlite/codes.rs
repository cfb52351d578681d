//! Codes that prove a number or allow a device.

use async_trait::async_trait;
use sqlx::{SqliteConnection, query};

use super::SqliteStore;
use super::rows::value;
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::phone::code::CODES_COUNTED;
use crate::domain::phone::{
    CodePurpose, CodeTry, CodeUse, NewCode, OutboxCode, PendingCode, PhoneNumber, Transport, Window,
};
use crate::domain::ports::Codes;
use crate::storage::error::{StoreError, during};
use crate::storage::records;

#[async_trait]
impl Codes for SqliteStore {
    async fn put_code(&self, code: NewCode) -> Result<(), Fault> {
        self.change(code, |code, connection| Box::pin(put(code, connection))).await
    }

    async fn hand_over(&self, code: CodeUse, transport: Transport) -> Result<(), Fault> {
        self.change((code, transport), |input, connection| Box::pin(hand_over(input, connection)))
            .await
    }

    async fn try_code(&self, attempt: CodeTry) -> Result<Option<PendingCode>, Fault> {
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
        self.forget_old(FORGET, "forgetting codes", now, limit).await
    }
}

/// The counts of a window that has not ended stay.
pub(super) const PUT: &str = "
    INSERT INTO codes (purpose, number, code, attempts, outbox, created_at, expires_at,
        window_ends_at, window_codes, window_tries, kept_until)
    VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6, ?7, 1, 0, max(?6, ?7))
    ON CONFLICT (purpose, number) DO UPDATE SET code = excluded.code, attempts = 0,
        outbox = excluded.outbox, created_at = excluded.created_at,
        expires_at = excluded.expires_at,
        window_ends_at = CASE WHEN codes.window_ends_at > ?5
            THEN codes.window_ends_at ELSE excluded.window_ends_at END,
        window_codes = CASE WHEN codes.window_ends_at > ?5 THEN codes.window_codes + 1 ELSE 1 END,
        window_tries = CASE WHEN codes.window_ends_at > ?5 THEN codes.window_tries ELSE 0 END,
        kept_until = max(excluded.expires_at, CASE WHEN codes.window_ends_at > ?5
            THEN codes.window_ends_at ELSE excluded.window_ends_at END)
    WHERE codes.window_ends_at <= ?5 OR codes.window_codes < ?8";

pub(super) const WINDOW: &str = "
    SELECT window_ends_at, window_tries FROM codes WHERE purpose = ?1 AND number = ?2";

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
        .bind(new.expires_at.as_micros())
        .bind(new.window.ends_at.as_micros())
        .bind(new.window.most);
    let put = put.execute(&mut *connection).await.map_err(during("keeping a code"))?;
    if put.rows_affected() > 0 {
        return Ok(Ok(()));
    }
    let window = query(WINDOW).bind(new.purpose.as_str()).bind(new.number.as_str());
    let row = window.fetch_one(connection).await.map_err(during("counting codes"))?;
    let ends_at = Timestamp::from_micros(value(&row, "window_ends_at")?);
    Ok(Err(Window::refusal(CODES_COUNTED, ends_at, new.created_at)))
}

pub(super) const HAND_OVER: &str = "
    UPDATE codes SET outbox = ?4 WHERE purpose = ?1 AND number = ?2 AND code = ?3";

async fn hand_over(
    (code, transport): &(CodeUse, Transport),
    connection: &mut SqliteConnection,
) -> Result<Result<(), Fault>, StoreError> {
    let noted = query(HAND_OVER)
        .bind(code.purpose.as_str())
        .bind(code.number.as_str())
        .bind(code.code.0.as_slice())
        .bind(transport.as_str());
    noted.execute(connection).await.map_err(during("handing a code over"))?;
    Ok(Ok(()))
}

/// A try is counted before the code is looked at, so no two of them count as one.
pub(super) const TRY: &str = "
    UPDATE codes SET attempts = attempts + 1,
        window_ends_at = CASE WHEN window_ends_at > ?3 THEN window_ends_at ELSE ?5 END,
        window_codes = CASE WHEN window_ends_at > ?3 THEN window_codes ELSE 1 END,
        window_tries = CASE WHEN window_ends_at > ?3 THEN window_tries + 1 ELSE 1 END,
        kept_until = max(expires_at,
            CASE WHEN window_ends_at > ?3 THEN window_ends_at ELSE ?5 END)
    WHERE purpose = ?1 AND number = ?2 AND expires_at > ?3 AND attempts < ?4
        AND (window_ends_at <= ?3 OR window_tries < ?6)
    RETURNING code, attempts";

async fn count(
    attempt: &CodeTry,
    connection: &mut SqliteConnection,
) -> Result<Result<Option<PendingCode>, Fault>, StoreError> {
    let row = query(TRY)
        .bind(attempt.purpose.as_str())
        .bind(attempt.number.as_str())
        .bind(attempt.now.as_micros())
        .bind(attempt.most)
        .bind(attempt.window.ends_at.as_micros())
        .bind(attempt.window.most)
        .fetch_optional(&mut *connection)
        .await
        .map_err(during("trying a code"))?;
    if let Some(row) = row {
        return Ok(Ok(Some(records::pending_code(&row)?)));
    }
    let window = query(WINDOW).bind(attempt.purpose.as_str()).bind(attempt.number.as_str());
    let row = window.fetch_optional(connection).await.map_err(during("counting tries"))?;
    let Some(row) = row else { return Ok(Ok(None)) };
    let ends_at = Timestamp::from_micros(value(&row, "window_ends_at")?);
    let none_left = attempt.check_window(ends_at, value(&row, "window_tries")?);
    Ok(none_left.map(|()| None))
}

pub(super) const OUTBOX: &str = "
    SELECT number, outbox, code, created_at, expires_at
    FROM codes INDEXED BY codes_outbox
    WHERE outbox IS NOT NULL AND created_at > 0 AND expires_at > ?1
    ORDER BY created_at LIMIT ?2";

pub(super) const OLD: &str = "SELECT number FROM codes WHERE kept_until <= ?1 LIMIT 1";

pub(super) const FORGET: &str = "
    DELETE FROM codes WHERE (purpose, number) IN (
        SELECT purpose, number FROM codes WHERE kept_until <= ?1 ORDER BY kept_until LIMIT ?2
    )";

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
