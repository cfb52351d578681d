//! Putting rows of inboxes into their table, and noting on disk how far that is.
//!
//! A round takes all rows that are fresh when it begins, in the order of the table, in steps that
//! share their transaction with what is accepted meanwhile: two rows for each that comes in, so a
//! round ends before as many have come again. Where it stands is on disk with each step, so a start
//! knows which rows it still has to remember.

mod load;

use std::fmt::Write;
use std::sync::LazyLock;

use sqlx::{SqliteConnection, query};

use super::SqliteStore;
use super::fresh::{Draft, FreshRow, Progress, RowKey};
use super::rows::json_list;
use super::values::Rows;
use crate::domain::Fault;
use crate::domain::inbox::InboxKey;
use crate::storage::error::{StoreError, during};

pub(super) use load::load;
#[cfg(test)]
pub(super) use load::{NOTES, UNSETTLED};

/// How many rows a step of the sweeper's takes.
const STEP_ROWS: usize = 1024;

/// How many notes are dropped for each row that comes in; no more than one is written for it.
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
    let added = draft.added();
    if added == 0 {
        return Ok(());
    }
    if draft.is_due() {
        put(connection, draft, added * 2).await?;
    }
    drop_notes(connection, draft, added * NOTES_A_ROW).await
}

/// The next step of a round, of so many rows.
async fn put(
    connection: &mut SqliteConnection,
    draft: &mut Draft,
    limit: usize,
) -> Result<(), StoreError> {
    let rows = draft.advance(limit);
    insert_rows(connection, &rows).await
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
    limit: usize,
) -> Result<(), StoreError> {
    let Some(through) = draft.may_have_notes() else { return Ok(()) };
    let drop = query(DROP_NOTES).bind(through).bind(limit as i64).execute(connection);
    let dropped = drop.await.map_err(during("dropping notes on rows of inboxes"))?;
    if dropped.rows_affected() < limit as u64 {
        draft.has_no_notes(through);
    }
    Ok(())
}

impl SqliteStore {
    /// Puts all rows into the table that are fresh now.
    pub(super) async fn settle_all(&self) -> Result<(), Fault> {
        let last = self.fresh.last();
        while self.fresh.has_work_through(last) {
            self.fill((), 0, |(), connection, inboxes| {
                Box::pin(async move {
                    put(connection, &mut inboxes.rows, STEP_ROWS).await?;
                    drop_notes(connection, &mut inboxes.rows, STEP_ROWS * NOTES_A_ROW).await?;
                    Ok(Ok(()))
                })
            })
            .await?;
        }
        Ok(())
    }
}
