//! What is over goes, a few rows at a time. Boxes that somebody works on just now are passed over, so
//! that nobody waits for somebody who waits; they have their turn the next time.

use sqlx::postgres::PgRow;
use sqlx::query;

use super::files;
use super::messages::shrink;
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::storage::error::{StoreError, during};
use crate::storage::postgres::link::Link;
use crate::storage::postgres::rows::value;
use crate::storage::records;

#[cfg(test)]
pub(in crate::storage::postgres) const STATEMENTS: &[&str] =
    &[ANY_OVER, HOLD, MESSAGES, LETTERS, BOXES, CONTENTS, EMPTY];

const DOING: &str = "forgetting what is over in drop boxes";

const ANY_OVER: &str = "
    SELECT EXISTS (SELECT 1 FROM drop_messages WHERE ends_at <= $1 ORDER BY ends_at LIMIT 1)
        OR EXISTS (SELECT 1 FROM drop_letters WHERE ends_at <= $1 ORDER BY ends_at LIMIT 1)
        OR EXISTS (SELECT 1 FROM drop_boxes WHERE ends_at <= $1 ORDER BY ends_at LIMIT 1) AS is_any";

/// Whether there is anything to forget.
pub(super) async fn are_over(now: Timestamp, link: &mut Link<'_>) -> Result<bool, StoreError> {
    let any = query(ANY_OVER).bind(now.as_micros()).fetch_one(link).await;
    value(&any.map_err(during("looking for what is over in drop boxes"))?, "is_any")
}

const HOLD: &str = "
    SELECT number FROM drop_boxes WHERE number = ANY (ARRAY(
        SELECT box FROM drop_messages WHERE ends_at <= $1 ORDER BY ends_at LIMIT $2
    )) FOR NO KEY UPDATE SKIP LOCKED";

const MESSAGES: &str = concat!(
    "DELETE FROM drop_messages WHERE ctid = ANY (ARRAY(
        SELECT place FROM (
            SELECT ctid AS place, box FROM drop_messages
            WHERE ends_at <= $1 ORDER BY ends_at LIMIT $2
        ) AS old WHERE box = ANY($3)
    )) RETURNING ",
    records::gone_columns!()
);

/// Forgets at most so many messages; returns how many.
pub(super) async fn messages(
    (now, limit): (Timestamp, i64),
    link: &mut Link<'_>,
) -> Result<Result<i64, Fault>, StoreError> {
    let held = query(HOLD).bind(now.as_micros()).bind(limit).fetch_all(&mut *link).await;
    let held = numbers_of(&held.map_err(during(DOING))?)?;
    let rows = query(MESSAGES).bind(now.as_micros()).bind(limit).bind(held);
    let rows = rows.fetch_all(&mut *link).await.map_err(during(DOING))?;
    Ok(Ok(settle(&rows, now, link).await?))
}

const LETTERS: &str = "
    DELETE FROM drop_letters WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM drop_letters WHERE ends_at <= $1 ORDER BY ends_at LIMIT $2
        FOR UPDATE SKIP LOCKED
    )) RETURNING file";

/// The same for letters.
pub(super) async fn letters(
    (now, limit): (Timestamp, i64),
    link: &mut Link<'_>,
) -> Result<Result<i64, Fault>, StoreError> {
    let rows = query(LETTERS).bind(now.as_micros()).bind(limit).fetch_all(&mut *link).await;
    let rows = rows.map_err(during(DOING))?;
    let files = rows.iter().map(records::file).collect::<Result<Vec<_>, _>>()?;
    files::end(files.into_iter().flatten(), now, link).await?;
    Ok(Ok(rows.len() as i64))
}

const BOXES: &str = "
    SELECT number FROM drop_boxes WHERE ends_at <= $1 ORDER BY ends_at LIMIT $2
    FOR NO KEY UPDATE SKIP LOCKED";

const CONTENTS: &str = concat!(
    "DELETE FROM drop_messages WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM drop_messages WHERE box = ANY($1) LIMIT $2
    )) RETURNING ",
    records::gone_columns!()
);

const EMPTY: &str = "DELETE FROM drop_boxes WHERE number = ANY($1)";

/// The same for what is in boxes that are over, and then the boxes.
pub(super) async fn boxes(
    (now, limit): (Timestamp, i64),
    link: &mut Link<'_>,
) -> Result<Result<i64, Fault>, StoreError> {
    let over = query(BOXES).bind(now.as_micros()).bind(limit).fetch_all(&mut *link).await;
    let over = numbers_of(&over.map_err(during(DOING))?)?;
    let rows = query(CONTENTS).bind(over.as_slice()).bind(limit).fetch_all(&mut *link).await;
    let contents = settle(&rows.map_err(during(DOING))?, now, link).await?;
    // As long as there was room for more, all of them are empty by now.
    let room = usize::try_from(limit - contents).unwrap_or_default();
    let empty = &over[..over.len().min(room)];
    let emptied = query(EMPTY).bind(empty).execute(link).await.map_err(during(DOING))?;
    Ok(Ok(contents + emptied.rows_affected().cast_signed()))
}

/// Notes that messages went; returns how many.
async fn settle(rows: &[PgRow], now: Timestamp, link: &mut Link<'_>) -> Result<i64, StoreError> {
    let gone = records::gone(rows)?;
    shrink(&gone, link).await?;
    files::end(gone.files, now, link).await?;
    Ok(rows.len() as i64)
}

fn numbers_of(rows: &[PgRow]) -> Result<Vec<i64>, StoreError> {
    rows.iter().map(|row| value(row, "number")).collect()
}
