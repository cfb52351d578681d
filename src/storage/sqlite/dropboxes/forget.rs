//! What is over goes, a few rows at a time.

use std::fmt::Write;

use sqlx::sqlite::SqliteExecutor;
use sqlx::{SqliteConnection, query};

use super::files;
use super::messages::shrink;
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::storage::error::{StoreError, during};
use crate::storage::records;
use crate::storage::sqlite::rows::{json_list, value};

#[cfg(test)]
pub(in crate::storage::sqlite) const STATEMENTS: &[&str] =
    &[ANY_OVER, MESSAGES, LETTERS, BOXES, CONTENTS, EMPTY];

const DOING: &str = "forgetting what is over in drop boxes";

const ANY_OVER: &str = "
    SELECT EXISTS (SELECT 1 FROM drop_messages WHERE ends_at <= ?1)
        OR EXISTS (SELECT 1 FROM drop_letters WHERE ends_at <= ?1)
        OR EXISTS (SELECT 1 FROM drop_boxes WHERE ends_at <= ?1) AS is_any";

/// Whether there is anything to forget.
pub(super) async fn are_over(
    now: Timestamp,
    executor: impl SqliteExecutor<'_>,
) -> Result<bool, StoreError> {
    let any = query(ANY_OVER).bind(now.as_micros()).fetch_one(executor).await;
    value(&any.map_err(during("looking for what is over in drop boxes"))?, "is_any")
}

/// Forgets at most so many rows; returns how many.
pub(super) async fn forget(
    (now, limit): (Timestamp, u32),
    connection: &mut SqliteConnection,
) -> Result<Result<u64, Fault>, StoreError> {
    let limit = u64::from(limit);
    let messages = forget_messages(now, limit, connection).await?;
    let letters = forget_letters(now, limit - messages, connection).await?;
    let boxes = forget_boxes(now, limit - messages - letters, connection).await?;
    Ok(Ok(messages + letters + boxes))
}

const MESSAGES: &str = concat!(
    "DELETE FROM drop_messages WHERE (box, number) IN (
        SELECT box, number FROM drop_messages WHERE ends_at <= ?1 ORDER BY ends_at LIMIT ?2
    ) RETURNING ",
    records::gone_columns!()
);

async fn forget_messages(
    now: Timestamp,
    limit: u64,
    connection: &mut SqliteConnection,
) -> Result<u64, StoreError> {
    let rows = query(MESSAGES).bind(now.as_micros()).bind(limit.cast_signed());
    let rows = rows.fetch_all(&mut *connection).await.map_err(during(DOING))?;
    let gone = records::gone(&rows)?;
    shrink(&gone, connection).await?;
    files::end(gone.files, now, connection).await?;
    Ok(rows.len() as u64)
}

const LETTERS: &str = "
    DELETE FROM drop_letters
    WHERE id IN (SELECT id FROM drop_letters WHERE ends_at <= ?1 ORDER BY ends_at LIMIT ?2)
    RETURNING file";

async fn forget_letters(
    now: Timestamp,
    limit: u64,
    connection: &mut SqliteConnection,
) -> Result<u64, StoreError> {
    let rows = query(LETTERS).bind(now.as_micros()).bind(limit.cast_signed());
    let rows = rows.fetch_all(&mut *connection).await.map_err(during(DOING))?;
    let files = rows.iter().map(records::file).collect::<Result<Vec<_>, _>>()?;
    files::end(files.into_iter().flatten(), now, connection).await?;
    Ok(rows.len() as u64)
}

const BOXES: &str = "SELECT number FROM drop_boxes WHERE ends_at <= ?1 ORDER BY ends_at LIMIT ?2";

const CONTENTS: &str = concat!(
    "DELETE FROM drop_messages WHERE (box, number) IN (
        SELECT drop_messages.box, drop_messages.number FROM json_each(?1) AS wanted
        CROSS JOIN drop_messages ON drop_messages.box = wanted.value
        LIMIT ?2
    ) RETURNING ",
    records::gone_columns!()
);

const EMPTY: &str = "DELETE FROM drop_boxes WHERE number IN (SELECT value FROM json_each(?1))";

/// What is in boxes that are over, and then the boxes.
async fn forget_boxes(
    now: Timestamp,
    limit: u64,
    connection: &mut SqliteConnection,
) -> Result<u64, StoreError> {
    let over = query(BOXES).bind(now.as_micros()).bind(limit.cast_signed());
    let over = over.fetch_all(&mut *connection).await.map_err(during(DOING))?;
    let over = over.iter().map(|row| value(row, "number")).collect::<Result<Vec<i64>, _>>()?;
    let list = |boxes: &[i64]| json_list(boxes, |json, number| write!(json, "{number}"));
    let rows = query(CONTENTS).bind(list(&over)).bind(limit.cast_signed());
    let rows = rows.fetch_all(&mut *connection).await.map_err(during(DOING))?;
    let gone = records::gone(&rows)?;
    shrink(&gone, connection).await?;
    files::end(gone.files, now, connection).await?;
    // As long as there was room for more, all of them are empty by now.
    let room = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(rows.len());
    let empty = &over[..over.len().min(room)];
    let emptied = query(EMPTY).bind(list(empty)).execute(connection).await;
    Ok(rows.len() as u64 + emptied.map_err(during(DOING))?.rows_affected())
}
