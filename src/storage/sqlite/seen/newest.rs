//! The newest ids on disk: a row for each group of messages, in the order in which they came.

use sqlx::{SqliteConnection, query};

use super::entry::{BYTES, Entry, Secret, pack, unpack};
use crate::storage::cells::Cells;
use crate::storage::error::{StoreError, during};
use crate::storage::sqlite::connection::WriterConnection;
use crate::storage::sqlite::rows::value;

pub(super) const APPEND: &str =
    "INSERT OR FAIL INTO seen_newest (number, newest_at, ids) VALUES (?1, ?2, ?3)";

/// A row.
pub(super) struct Group {
    /// Above that of every row before.
    pub number: i64,
    /// When the last of them was accepted, in microseconds.
    pub newest_at: i64,
    pub entries: Vec<Entry>,
}

/// Adds a row.
pub(super) fn append(connection: &WriterConnection, group: &Group) -> Result<(), StoreError> {
    let values = (group.number, group.newest_at, pack(&group.entries));
    connection.run(APPEND, values, "storing message ids")?;
    Ok(())
}

pub(super) const AFTER: &str = "
    SELECT number, newest_at, ids FROM seen_newest WHERE number > ?1 ORDER BY number LIMIT ?2";

/// At most so many rows after a number.
pub(super) async fn after(
    connection: &mut SqliteConnection,
    number: i64,
    limit: i64,
    secret: Secret,
) -> Result<Vec<Group>, StoreError> {
    let rows = query(AFTER).bind(number).bind(limit).fetch_all(connection).await;
    let group = |row| {
        let entries = unpack(value(row, "ids")?, secret)?.collect();
        Ok(Group { number: value(row, "number")?, newest_at: value(row, "newest_at")?, entries })
    };
    rows.map_err(during("reading the newest message ids"))?.iter().map(group).collect()
}

pub(super) const SIZES: &str = "
    SELECT number, length(ids) AS bytes FROM seen_newest
    WHERE number <= ?1 ORDER BY number LIMIT ?2";

pub(super) const REMOVE: &str = "DELETE FROM seen_newest WHERE number BETWEEN ?1 AND ?2";

/// Removes the first rows, up to a number and until about so many ids are gone. Returns how many
/// went, and whether nothing is left up to that number.
pub(super) fn remove_first(
    connection: &WriterConnection,
    up_to: i64,
    ids: usize,
) -> Result<(usize, bool), StoreError> {
    let limit = i64::try_from(ids.max(1)).unwrap_or(i64::MAX);
    let mut rows = Vec::new();
    connection.rows(SIZES, (up_to, limit), "removing message ids", |row| {
        rows.push((row.integer("number")?, row.integer("bytes")?));
        Ok(())
    })?;
    let (mut removed, mut numbers) = (0, Vec::new());
    for (number, bytes) in &rows {
        numbers.push(*number);
        removed += usize::try_from(*bytes).unwrap_or(0) / BYTES;
        if removed >= ids {
            break;
        }
    }
    let all = numbers.len() == rows.len() && rows.len() < ids.max(1);
    if let (Some(first), Some(last)) = (numbers.first(), numbers.last()) {
        remove(connection, *first, *last)?;
    }
    Ok((removed, all))
}

/// Removes the rows from one number to another.
pub(super) fn remove(
    connection: &WriterConnection,
    first: i64,
    last: i64,
) -> Result<(), StoreError> {
    connection.run(REMOVE, [first, last], "removing message ids")?;
    Ok(())
}
