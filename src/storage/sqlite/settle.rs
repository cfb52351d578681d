//! Putting rows of inboxes into their table, and finding at the start those that are not there.
//!
//! A round takes all rows that are fresh when it begins, in the order of the table, in steps that
//! share their transaction with what is accepted meanwhile: two rows for each that comes in, so a
//! round ends before as many have come again. Where it stands is on disk with each step, so a start
//! knows which rows it still has to remember.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::sync::LazyLock;

use futures_util::TryStreamExt;
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, query};

use super::SqliteStore;
use super::fresh::{Draft, Fresh, FreshRow, Progress, RowKey};
use super::rows::{json_list, time, value};
use super::values::Rows;
use crate::domain::Fault;
use crate::domain::ids::{SessionNumber, Shard};
use crate::domain::inbox::InboxKey;
use crate::storage::error::{StoreError, during};
use crate::storage::packed::unpack_places;

/// How many rows a step of the sweeper's takes.
const STEP_ROWS: usize = 4096;

/// How many notes are dropped with each step, for each row of it.
const NOTES_A_ROW: usize = 2;

static INBOX_ROWS: LazyLock<Rows> = LazyLock::new(|| {
    let head = "INSERT OR FAIL INTO inbox \
        (shard, session, number, leased_until, deliveries, slot_start, slot_length)";
    Rows::new(head, 7, 9)
});

/// Inserts rows into inboxes; in the order of their keys, neighbours in the tree go in together.
pub(super) async fn insert_rows(
    connection: &mut SqliteConnection,
    rows: &[(RowKey, FreshRow)],
) -> Result<(), StoreError> {
    let insert = INBOX_ROWS.insert(connection, rows, |statement, (key, row)| {
        statement
            .bind(key.inbox.shard.0)
            .bind(key.inbox.session.0)
            .bind(key.number)
            .bind(row.leased_until.as_micros())
            .bind(row.deliveries)
            .bind(row.start)
            .bind(row.length)
    });
    insert.await.map_err(during("putting rows into inboxes"))
}

/// Puts all fresh rows of an inbox into the table, for what needs them there.
pub(super) async fn settle_inbox(
    connection: &mut SqliteConnection,
    draft: &mut Draft,
    inbox: InboxKey,
) -> Result<(), StoreError> {
    let rows = draft.rows_of(inbox);
    settle(connection, draft, &rows).await
}

/// Puts those of these rows into the table that are fresh.
pub(super) async fn settle_rows(
    connection: &mut SqliteConnection,
    draft: &mut Draft,
    keys: impl Iterator<Item = RowKey>,
) -> Result<(), StoreError> {
    let rows: Vec<_> = keys.filter_map(|key| Some((key, draft.row(key)?))).collect();
    settle(connection, draft, &rows).await
}

async fn settle(
    connection: &mut SqliteConnection,
    draft: &mut Draft,
    rows: &[(RowKey, FreshRow)],
) -> Result<(), StoreError> {
    insert_rows(connection, rows).await?;
    rows.iter().for_each(|(key, _)| draft.remove(*key));
    Ok(())
}

/// Moves a round on in proportion to what the transaction adds, if there is enough for one.
pub(super) async fn keep_up(
    connection: &mut SqliteConnection,
    draft: &mut Draft,
) -> Result<(), StoreError> {
    match draft.added() {
        0 => Ok(()),
        added if draft.is_long() => step(connection, draft, added * 2).await,
        _ => Ok(()),
    }
}

/// The next step of a round, of so many rows.
async fn step(
    connection: &mut SqliteConnection,
    draft: &mut Draft,
    limit: usize,
) -> Result<(), StoreError> {
    let rows = draft.advance(limit);
    insert_rows(connection, &rows).await?;
    match draft.progress() {
        Some(progress) if draft.may_have_notes(progress.through) => {
            drop_notes(connection, draft, progress.through, limit * NOTES_A_ROW).await
        }
        _ => Ok(()),
    }
}

pub(super) const NOTE: &str = "
    INSERT INTO fresh_rows (number, session, leased_until, deliveries, is_gone)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?1)
    WHERE true
    ON CONFLICT (number, session) DO UPDATE SET leased_until = excluded.leased_until,
        deliveries = excluded.deliveries, is_gone = excluded.is_gone";

pub(super) const ADVANCE: &str = "
    UPDATE settled SET through = ?1, target = ?2, shard = ?3, session = ?4, number = ?5";

/// Notes what the transaction changes, as its last statements.
pub(super) async fn note(
    connection: &mut SqliteConnection,
    draft: &Draft,
) -> Result<(), StoreError> {
    if !draft.changed().is_empty() {
        // In the order of the table, so that neighbours go in together.
        let mut notes: Vec<_> = draft.changed().iter().collect();
        notes.sort_unstable_by_key(|(key, _)| (key.number, key.inbox.session));
        let list = json_list(notes, |json, (key, row)| {
            let (until, deliveries) =
                row.map_or((0, 0), |row| (row.leased_until.as_micros(), row.deliveries));
            let (number, session) = (key.number, key.inbox.session.0);
            let is_gone = i32::from(row.is_none());
            write!(json, "[{number},{session},{until},{deliveries},{is_gone}]")
        });
        let noted = query(NOTE).bind(list).execute(&mut *connection).await;
        noted.map_err(during("noting what became of messages"))?;
    }
    let Some(progress) = draft.progress() else { return Ok(()) };
    let Progress { through, target, cursor } = progress;
    let advance = query(ADVANCE)
        .bind(through)
        .bind(target)
        .bind(cursor.inbox.shard.0)
        .bind(cursor.inbox.session.0)
        .bind(cursor.number);
    let advanced = advance.execute(connection).await;
    advanced.map_err(during("noting how far rows were put into inboxes"))?;
    Ok(())
}

pub(super) const DROP_NOTES: &str = "
    DELETE FROM fresh_rows WHERE (number, session) IN (
        SELECT number, session FROM fresh_rows WHERE number <= ?1
        ORDER BY number, session LIMIT ?2
    )";

/// Drops notes on rows of messages that are all in the table: nobody reads them any more.
async fn drop_notes(
    connection: &mut SqliteConnection,
    draft: &mut Draft,
    through: i64,
    limit: usize,
) -> Result<(), StoreError> {
    let drop = query(DROP_NOTES).bind(through).bind(limit as i64).execute(connection);
    let dropped = drop.await.map_err(during("dropping notes on rows of inboxes"))?;
    if dropped.rows_affected() == 0 {
        draft.has_no_notes(through);
    }
    Ok(())
}

const PROGRESS: &str = "SELECT through, target, shard, session, number FROM settled";

pub(super) const NOTES: &str = "
    SELECT number, session, leased_until, deliveries, is_gone FROM fresh_rows WHERE number > ?1";

pub(super) const UNSETTLED: &str = "SELECT number, waiting FROM payloads WHERE number > ?1";

/// Finds the rows that are not in the table.
pub(super) async fn load(
    connection: &mut SqliteConnection,
    keeps: usize,
) -> Result<Fresh, StoreError> {
    let doing = "looking for rows of inboxes";
    let row = query(PROGRESS).fetch_one(&mut *connection).await.map_err(during(doing))?;
    let progress = Progress {
        through: value(&row, "through")?,
        target: value(&row, "target")?,
        cursor: RowKey { inbox: inbox(&row)?, number: value(&row, "number")? },
    };
    let notes = notes(connection, progress.through).await?;
    let mut rows = BTreeMap::new();
    let mut last = progress.through.max(progress.target);
    let mut messages = query(UNSETTLED).bind(progress.through).fetch(connection);
    while let Some(row) = messages.try_next().await.map_err(during(doing))? {
        let number: i64 = value(&row, "number")?;
        last = last.max(number);
        for place in unpack_places(value(&row, "waiting")?)? {
            let key = RowKey { inbox: place.inbox, number };
            let row = match notes.get(&(number, place.inbox.session)) {
                Some(None) => None,
                Some(Some(noted)) => {
                    Some(FreshRow { start: place.start, length: place.length, ..*noted })
                }
                None => Some(FreshRow::new(place.start, place.length)),
            };
            rows.extend(row.filter(|_| !progress.has_settled(key)).map(|row| (key, row)));
        }
    }
    Ok(Fresh::new(rows, last, progress, keeps))
}

fn inbox(row: &SqliteRow) -> Result<InboxKey, StoreError> {
    Ok(InboxKey {
        shard: Shard(value(row, "shard")?),
        session: SessionNumber(value(row, "session")?),
    })
}

type Notes = HashMap<(i64, SessionNumber), Option<FreshRow>>;

/// What was noted of rows, without where their slots stand; `None` of those that are fresh no more.
async fn notes(connection: &mut SqliteConnection, through: i64) -> Result<Notes, StoreError> {
    let rows = query(NOTES).bind(through).fetch_all(connection).await;
    let rows = rows.map_err(during("reading notes on rows of inboxes"))?;
    let note = |row: &SqliteRow| {
        let key = (value(row, "number")?, SessionNumber(value(row, "session")?));
        if value(row, "is_gone")? {
            return Ok((key, None));
        }
        let (leased_until, deliveries) = (time(row, "leased_until")?, value(row, "deliveries")?);
        Ok((key, Some(FreshRow { leased_until, deliveries, ..FreshRow::new(0, 0) })))
    };
    rows.iter().map(note).collect()
}

impl SqliteStore {
    /// Puts all rows into the table that are fresh now.
    pub(super) async fn settle_all(&self) -> Result<(), Fault> {
        let last = self.fresh.last();
        while self.fresh.progress().through < last {
            self.fill((), 0, |(), connection, inboxes| {
                Box::pin(async move {
                    step(connection, &mut inboxes.rows, STEP_ROWS).await?;
                    Ok(Ok(()))
                })
            })
            .await?;
        }
        Ok(())
    }
}
