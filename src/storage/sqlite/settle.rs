//! Putting rows of inboxes into their table, and noting on disk how far that is.
//!
//! A round takes all rows that are fresh when it begins, in the order of the table, in steps that
//! share their transaction with what is accepted meanwhile: two rows for each that comes in, so a
//! round ends before as many have come again. Where it stands is on disk with each step, so a start
//! knows which rows it still has to remember.

mod load;

use super::SqliteStore;
use super::connection::WriterConnection;
use super::fresh::{Draft, FreshRow, Progress, RowKey};
use crate::domain::Fault;
use crate::domain::inbox::InboxKey;
use crate::storage::error::StoreError;

pub(super) use load::load;
#[cfg(test)]
pub(super) use load::{NOTES, UNSETTLED};

/// How many rows a step of the sweeper's takes.
const STEP_ROWS: usize = 1024;

/// How many notes are dropped for each row that comes in; no more than one is written for it.
const NOTES_A_ROW: usize = 2;

const INSERT_ROW: &str = "
    INSERT OR FAIL INTO inbox
        (shard, session, number, leased_until, deliveries, slot_start, slot_length)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

/// Inserts rows into inboxes; in the order of their keys, neighbours in the tree go in together.
pub(super) fn insert_rows(
    connection: &WriterConnection,
    rows: &[(RowKey, FreshRow)],
) -> Result<(), StoreError> {
    let values = rows.iter().map(|(key, row)| {
        let RowKey { inbox: InboxKey { shard, session }, number } = key;
        let until = row.leased_until.as_micros();
        (shard.0, session.0, number, until, row.deliveries, row.start, row.length)
    });
    connection.each(INSERT_ROW, values, "putting rows into inboxes")
}

/// Puts all fresh rows of an inbox into the table, for what needs them there.
pub(super) fn settle_inbox(
    connection: &WriterConnection,
    draft: &mut Draft,
    inbox: InboxKey,
) -> Result<(), StoreError> {
    let rows = draft.rows_of(inbox);
    settle(connection, draft, &rows)
}

/// Puts those of these rows into the table that are fresh.
pub(super) fn settle_rows(
    connection: &WriterConnection,
    draft: &mut Draft,
    keys: impl Iterator<Item = RowKey>,
) -> Result<(), StoreError> {
    let rows: Vec<_> = keys.filter_map(|key| Some((key, draft.row(key)?))).collect();
    settle(connection, draft, &rows)
}

fn settle(
    connection: &WriterConnection,
    draft: &mut Draft,
    rows: &[(RowKey, FreshRow)],
) -> Result<(), StoreError> {
    insert_rows(connection, rows)?;
    rows.iter().for_each(|(key, _)| draft.remove(*key));
    Ok(())
}

/// Moves a round on in proportion to what the transaction adds, if there is enough for one.
pub(super) fn keep_up(connection: &WriterConnection, draft: &mut Draft) -> Result<(), StoreError> {
    let added = draft.added();
    if added == 0 {
        return Ok(());
    }
    if draft.is_due() {
        put(connection, draft, added * 2)?;
    }
    drop_notes(connection, draft, added * NOTES_A_ROW)
}

/// The next step of a round, of so many rows.
fn put(connection: &WriterConnection, draft: &mut Draft, limit: usize) -> Result<(), StoreError> {
    let rows = draft.advance(limit);
    insert_rows(connection, &rows)
}

pub(super) const NOTE: &str = "
    INSERT INTO fresh_rows (number, session, leased_until, deliveries, is_gone)
    VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (number, session) DO UPDATE SET leased_until = excluded.leased_until,
        deliveries = excluded.deliveries, is_gone = excluded.is_gone";

pub(super) const ADVANCE: &str = "
    UPDATE settled SET through = ?1, target = ?2, shard = ?3, session = ?4, number = ?5";

/// Notes what the transaction changes, as its last statements.
pub(super) fn note(connection: &WriterConnection, draft: &Draft) -> Result<(), StoreError> {
    // In the order of the table, so that neighbours go in together.
    let mut notes: Vec<_> = draft.changed().iter().collect();
    notes.sort_unstable_by_key(|(key, _)| (key.number, key.inbox.session));
    let values = notes.into_iter().map(|(key, row)| {
        let (until, deliveries) =
            row.map_or((0, 0), |row| (row.leased_until.as_micros(), row.deliveries));
        (key.number, key.inbox.session.0, until, deliveries, row.is_none())
    });
    connection.each(NOTE, values, "noting what became of messages")?;
    let Some(progress) = draft.progress() else { return Ok(()) };
    let Progress { through, target, cursor } = progress;
    let RowKey { inbox: InboxKey { shard, session }, number } = cursor;
    let values = (through, target, shard.0, session.0, number);
    connection.run(ADVANCE, values, "noting how far rows were put into inboxes")?;
    Ok(())
}

pub(super) const DROP_NOTES: &str = "
    DELETE FROM fresh_rows WHERE (number, session) IN (
        SELECT number, session FROM fresh_rows WHERE number <= ?1
        ORDER BY number, session LIMIT ?2
    )";

/// Drops notes on rows of messages that are all in the table: nobody reads them any more.
fn drop_notes(
    connection: &WriterConnection,
    draft: &mut Draft,
    limit: usize,
) -> Result<(), StoreError> {
    let Some(through) = draft.may_have_notes() else { return Ok(()) };
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let doing = "dropping notes on rows of inboxes";
    if connection.run(DROP_NOTES, [through, most], doing)? < limit {
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
                    put(connection, &mut inboxes.rows, STEP_ROWS)?;
                    drop_notes(connection, &mut inboxes.rows, STEP_ROWS * NOTES_A_ROW)?;
                    Ok(Ok(()))
                })
            })
            .await?;
        }
        Ok(())
    }
}
