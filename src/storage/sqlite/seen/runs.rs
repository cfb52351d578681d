//! Runs on disk: chunks of ids in their order, and a filter beside each stretch of them.

use std::fmt::Write;

use rusqlite::Row;
use sqlx::{SqliteExecutor, query};

use super::entry::{self, BYTES, Entry, Key, Secret, pack, unpack};
use super::ledger::Record;
use crate::domain::inbox::MessageDigest;
use crate::storage::cells::Cells;
use crate::storage::error::{StoreError, during};
use crate::storage::filter::Filter;
use crate::storage::sqlite::connection::WriterConnection;
use crate::storage::sqlite::rows::{json_list, value};

const INSERT_CHUNK: &str = "INSERT OR FAIL INTO seen_chunks (run, first, ids) VALUES (?1, ?2, ?3)";

pub(super) const INSERT_FILTER: &str =
    "INSERT OR FAIL INTO seen_filters (run, first, bits) VALUES (?1, ?2, ?3)";

/// Adds a stretch to a run; `entries` are in their order and come after all that it has. Returns
/// the stretch's first place and its filter.
pub(super) fn write_stretch(
    connection: &WriterConnection,
    run: i64,
    entries: &[Entry],
    chunk: usize,
) -> Result<Option<(i64, Filter)>, StoreError> {
    let Some(first) = entries.first() else { return Ok(None) };
    let first = first.key.place;
    let doing = "writing a run of message ids";
    let chunks = cut(entries, chunk).into_iter();
    let rows = chunks.map(|entries| (run, entries.first().map(|it| it.key.place), pack(entries)));
    connection.each(INSERT_CHUNK, rows, doing)?;
    let filter = Filter::of(entries.iter().map(|it| it.key.place));
    connection.run(INSERT_FILTER, (run, first, filter.as_bytes()), doing)?;
    Ok(Some((first, filter)))
}

/// Chunks of about so many ids. Ids of one place stay together, so that the last chunk that begins
/// at or before a place has all of its ids.
fn cut(entries: &[Entry], chunk: usize) -> Vec<&[Entry]> {
    let mut chunks = Vec::new();
    let mut rest = entries;
    while !rest.is_empty() {
        let mut end = chunk.min(rest.len());
        while end < rest.len() && rest[end].key.place == rest[end - 1].key.place {
            end += 1;
        }
        let (now, later) = rest.split_at(end);
        chunks.push(now);
        rest = later;
    }
    chunks
}

pub(super) const STRETCH: &str = "
    SELECT ids FROM seen_chunks
    WHERE run = ?1 AND first <= ?3 AND first >= coalesce((
        SELECT earlier.first FROM seen_chunks AS earlier
        WHERE earlier.run = ?1 AND earlier.first <= ?2
        ORDER BY earlier.first DESC LIMIT 1
    ), 0)";

/// The ids of these runs after one place and up to another, in their order.
pub(super) fn read_stretch(
    connection: &WriterConnection,
    runs: &[&Record],
    (after, to): (i64, i64),
    secret: Secret,
) -> Result<Vec<Entry>, StoreError> {
    let mut entries = Vec::new();
    for run in runs {
        connection.rows(
            STRETCH,
            (run.number, after, to),
            "reading runs of message ids",
            |row| {
                let all = unpack(row.blob("ids")?, secret)?;
                entries.extend(all.filter(|it| it.key.place > after && it.key.place <= to));
                Ok(())
            },
        )?;
    }
    entries.sort_unstable_by_key(|it| it.key);
    Ok(entries)
}

const LOOKING: &str = "looking for repeated messages";

pub(super) const LOOK: &str = "
    SELECT wanted.key AS place, chunks.ids
    FROM json_each(?1) AS wanted
    CROSS JOIN seen_chunks AS chunks ON chunks.number = (
        SELECT number FROM seen_chunks
        WHERE run = wanted.value ->> 0 AND first <= wanted.value ->> 1
        ORDER BY first DESC LIMIT 1
    )";

/// The digests of ids in runs, for a reader: of each pair of a run and an id, the place in the list
/// of those that are there.
pub(super) async fn look(
    executor: impl SqliteExecutor<'_>,
    wanted: &[(i64, Key)],
) -> Result<Vec<(usize, MessageDigest)>, StoreError> {
    let list = json_list(wanted, |json, (run, key)| write!(json, "[{run},{}]", key.place));
    let rows = query(LOOK).bind(list).fetch_all(executor).await;
    let mut found = Vec::new();
    for row in rows.map_err(during(LOOKING))? {
        let place: i64 = value(&row, "place")?;
        let place = usize::try_from(place).map_err(|_| StoreError::Corrupt { column: "place" })?;
        let (_, key) = wanted.get(place).ok_or(StoreError::Corrupt { column: "place" })?;
        found.extend(entry::find(value(&row, "ids")?, key).map(|digest| (place, digest)));
    }
    Ok(found)
}

pub(super) const CHUNK: &str = "
    SELECT ids FROM seen_chunks WHERE run = ?1 AND first <= ?2 ORDER BY first DESC LIMIT 1";

/// The digest of an id in a run, for the writer.
pub(super) fn find(
    connection: &WriterConnection,
    run: i64,
    key: &Key,
) -> Result<Option<MessageDigest>, StoreError> {
    let found = |row: &Row<'_>| Ok(entry::find(row.blob("ids")?, key));
    Ok(connection.first(CHUNK, (run, key.place), LOOKING, found)?.flatten())
}

pub(super) const CLEAR_CHUNKS: &str = "
    DELETE FROM seen_chunks WHERE number IN (
        SELECT number FROM seen_chunks WHERE run = ?1 ORDER BY first LIMIT ?2
    ) RETURNING length(ids) AS bytes";

pub(super) const CLEAR_FILTERS: &str = "
    DELETE FROM seen_filters WHERE number IN (
        SELECT number FROM seen_filters WHERE run = ?1 ORDER BY first LIMIT ?2
    )";

/// Removes up to so many chunks of a run, and as many filters. Returns how many ids went, and
/// whether nothing is left.
pub(super) fn clear(
    connection: &WriterConnection,
    run: i64,
    chunks: usize,
) -> Result<(usize, bool), StoreError> {
    let doing = "removing a run of message ids";
    let limit = i64::try_from(chunks.max(1)).unwrap_or(i64::MAX);
    let (mut cleared, mut ids) = (0, 0);
    connection.rows(CLEAR_CHUNKS, (run, limit), doing, |row| {
        cleared += 1;
        ids += usize::try_from(row.integer("bytes")?).unwrap_or(0) / BYTES;
        Ok(())
    })?;
    let filters = connection.run(CLEAR_FILTERS, (run, limit), doing)?;
    Ok((ids, cleared < chunks.max(1) && filters < chunks.max(1)))
}
