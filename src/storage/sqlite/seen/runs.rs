//! Runs on disk: chunks of ids in their order, and a filter beside each stretch of them.

use std::fmt::Write;
use std::sync::LazyLock;

use sqlx::{SqliteConnection, SqliteExecutor, query};

use super::entry::{self, BYTES, Entry, Key, Secret, pack, unpack};
use super::filter::Filter;
use super::ledger::Record;
use crate::domain::inbox::MessageDigest;
use crate::storage::error::{StoreError, during};
use crate::storage::sqlite::rows::{json_list, value};
use crate::storage::sqlite::values::Rows;

static CHUNK_ROWS: LazyLock<Rows> =
    LazyLock::new(|| Rows::new("INSERT OR FAIL INTO seen_chunks (run, first, ids)", 3, 4));

pub(super) const INSERT_FILTER: &str =
    "INSERT OR FAIL INTO seen_filters (run, first, bits) VALUES (?1, ?2, ?3)";

/// Adds a stretch to a run; `entries` are in their order and come after all that it has. Returns
/// the stretch's first place and its filter.
pub(super) async fn write_stretch(
    connection: &mut SqliteConnection,
    run: i64,
    entries: &[Entry],
    chunk: usize,
) -> Result<Option<(i64, Filter)>, StoreError> {
    let Some(first) = entries.first() else { return Ok(None) };
    let first = first.key.place;
    let doing = "writing a run of message ids";
    CHUNK_ROWS
        .insert(connection, &cut(entries, chunk), |row, entries| {
            let first = entries.first().map(|it| it.key.place);
            row.bind(run).bind(first).bind(pack(entries))
        })
        .await
        .map_err(during(doing))?;
    let filter = Filter::of(entries.iter().map(|it| it.key.place));
    let insert = query(INSERT_FILTER).bind(run).bind(first).bind(filter.as_bytes());
    insert.execute(connection).await.map_err(during(doing))?;
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
    SELECT chunks.ids FROM json_each(?1) AS wanted
    CROSS JOIN seen_chunks AS chunks ON chunks.run = wanted.value
        AND chunks.first <= ?3
        AND chunks.first >= coalesce((
            SELECT earlier.first FROM seen_chunks AS earlier
            WHERE earlier.run = wanted.value AND earlier.first <= ?2
            ORDER BY earlier.first DESC LIMIT 1
        ), 0)";

/// The ids of these runs after one place and up to another, in their order.
pub(super) async fn read_stretch(
    connection: &mut SqliteConnection,
    runs: &[&Record],
    (after, to): (i64, i64),
    secret: Secret,
) -> Result<Vec<Entry>, StoreError> {
    let runs = json_list(runs, |json, run| write!(json, "{}", run.number));
    let rows = query(STRETCH).bind(runs).bind(after).bind(to).fetch_all(connection).await;
    let mut entries = Vec::new();
    for row in rows.map_err(during("reading runs of message ids"))? {
        let all = unpack(value(&row, "ids")?, secret)?;
        entries.extend(all.filter(|it| it.key.place > after && it.key.place <= to));
    }
    entries.sort_unstable_by_key(|it| it.key);
    Ok(entries)
}

pub(super) const LOOK: &str = "
    SELECT wanted.key AS place, chunks.ids
    FROM json_each(?1) AS wanted
    CROSS JOIN seen_chunks AS chunks ON chunks.number = (
        SELECT number FROM seen_chunks
        WHERE run = wanted.value ->> 0 AND first <= wanted.value ->> 1
        ORDER BY first DESC LIMIT 1
    )";

/// The digests of ids in runs: of each pair of a run and an id, the place in the list of those that
/// are there.
pub(super) async fn look(
    executor: impl SqliteExecutor<'_>,
    wanted: &[(i64, Key)],
) -> Result<Vec<(usize, MessageDigest)>, StoreError> {
    let list = json_list(wanted, |json, (run, key)| write!(json, "[{run},{}]", key.place));
    let rows = query(LOOK).bind(list).fetch_all(executor).await;
    let mut found = Vec::new();
    for row in rows.map_err(during("looking for repeated messages"))? {
        let place: i64 = value(&row, "place")?;
        let place = usize::try_from(place).map_err(|_| StoreError::Corrupt { column: "place" })?;
        let (_, key) = wanted.get(place).ok_or(StoreError::Corrupt { column: "place" })?;
        found.extend(entry::find(value(&row, "ids")?, key).map(|digest| (place, digest)));
    }
    Ok(found)
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
pub(super) async fn clear(
    connection: &mut SqliteConnection,
    run: i64,
    chunks: usize,
) -> Result<(usize, bool), StoreError> {
    let doing = "removing a run of message ids";
    let limit = i64::try_from(chunks.max(1)).unwrap_or(i64::MAX);
    let clear = query(CLEAR_CHUNKS).bind(run).bind(limit);
    let rows = clear.fetch_all(&mut *connection).await.map_err(during(doing))?;
    let mut ids = 0;
    for row in &rows {
        let bytes: i64 = value(row, "bytes")?;
        ids += usize::try_from(bytes).unwrap_or(0) / BYTES;
    }
    let clear = query(CLEAR_FILTERS).bind(run).bind(limit).execute(connection).await;
    let filters = clear.map_err(during(doing))?.rows_affected();
    Ok((ids, rows.len() < chunks.max(1) && filters < limit.unsigned_abs()))
}
