//! What is kept on disk of each run beside its ids.

use rusqlite::params;
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, query};

use super::ledger::{Record, State};
use crate::storage::error::{StoreError, during};
use crate::storage::sqlite::connection::WriterConnection;
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
pub(super) fn put(connection: &WriterConnection, record: &Record) -> Result<(), StoreError> {
    let values = params![
        record.number,
        record.level,
        i64::try_from(record.ids).unwrap_or(i64::MAX),
        record.newest_at,
        record.state.name(),
        record.written_to,
        record.folds_to,
        record.merged_into,
    ];
    connection.run(PUT, values, "noting a run of message ids")?;
    Ok(())
}

pub(super) const REMOVE: &str = "DELETE FROM seen_runs WHERE number = ?1";

/// Removes what is kept of a run.
pub(super) fn remove(connection: &WriterConnection, number: i64) -> Result<(), StoreError> {
    connection.run(REMOVE, [number], "removing a run of message ids")?;
    Ok(())
}
