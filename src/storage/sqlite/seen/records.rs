//! What is kept on disk of each run beside its ids.

use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, query};

use super::ledger::{Record, State};
use crate::storage::error::{StoreError, during};
use crate::storage::sqlite::rows::value;

pub(super) const RECORDS: &str = "
    SELECT number, level, ids, newest_at, state, written_to, folds_to, merged_into
    FROM seen_runs ORDER BY number";

/// All of them.
pub(super) async fn all(connection: &mut SqliteConnection) -> Result<Vec<Record>, StoreError> {
    let rows = query(RECORDS).fetch_all(connection).await;
    rows.map_err(during("reading which runs of message ids there are"))?
        .iter()
        .map(record)
        .collect()
}

fn record(row: &SqliteRow) -> Result<Record, StoreError> {
    let state = State::from_name(value(row, "state")?);
    let ids: i64 = value(row, "ids")?;
    Ok(Record {
        number: value(row, "number")?,
        level: value(row, "level")?,
        ids: usize::try_from(ids).map_err(|_| StoreError::Corrupt { column: "ids" })?,
        newest_at: value(row, "newest_at")?,
        state: state.ok_or(StoreError::Corrupt { column: "state" })?,
        written_to: value(row, "written_to")?,
        folds_to: value(row, "folds_to")?,
        merged_into: value(row, "merged_into")?,
    })
}

pub(super) const PUT: &str = "
    INSERT INTO seen_runs
        (number, level, ids, newest_at, state, written_to, folds_to, merged_into)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT (number) DO UPDATE SET ids = ?3, state = ?5, written_to = ?6, folds_to = ?7,
        merged_into = ?8";

/// Notes a run as it is now.
pub(super) async fn put(
    connection: &mut SqliteConnection,
    record: &Record,
) -> Result<(), StoreError> {
    let put = query(PUT)
        .bind(record.number)
        .bind(record.level)
        .bind(i64::try_from(record.ids).unwrap_or(i64::MAX))
        .bind(record.newest_at)
        .bind(record.state.name())
        .bind(record.written_to)
        .bind(record.folds_to)
        .bind(record.merged_into);
    put.execute(connection).await.map_err(during("noting a run of message ids"))?;
    Ok(())
}

pub(super) const REMOVE: &str = "DELETE FROM seen_runs WHERE number = ?1";

/// Removes what is kept of a run.
pub(super) async fn remove(
    connection: &mut SqliteConnection,
    number: i64,
) -> Result<(), StoreError> {
    let removed = query(REMOVE).bind(number).execute(connection).await;
    removed.map_err(during("removing a run of message ids"))?;
    Ok(())
}
