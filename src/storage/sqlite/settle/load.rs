//! Finding the rows of inboxes that are not in their table: at the start, and when nobody knows what
//! became of a transaction.

use std::collections::{BTreeMap, HashMap};

use futures_util::TryStreamExt;
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, query};

use crate::domain::clock::Timestamp;
use crate::domain::ids::{SessionNumber, Shard};
use crate::domain::inbox::InboxKey;
use crate::storage::error::{StoreError, during};
use crate::storage::packed::unpack_places;
use crate::storage::sqlite::fresh::{Found, FreshRow, Progress, RowKey};
use crate::storage::sqlite::rows::{time, value};

const PROGRESS: &str = "SELECT through, target, shard, session, number FROM settled";

pub(in super::super) const NOTES: &str = "
    SELECT number, session, leased_until, deliveries, is_gone FROM fresh_rows WHERE number > ?1";

pub(in super::super) const UNSETTLED: &str = "
    SELECT number, waiting, accepted_at, expires_at FROM payloads WHERE number > ?1";

/// Finds the rows that are not in the table.
pub(in super::super) async fn load(connection: &mut SqliteConnection) -> Result<Found, StoreError> {
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
        let (accepted_at, expires_at) = (time(&row, "accepted_at")?, time(&row, "expires_at")?);
        last = last.max(number);
        for place in unpack_places(value(&row, "waiting")?)? {
            let key = RowKey { inbox: place.inbox, number };
            let new = FreshRow::new((place.start, place.length), accepted_at, expires_at);
            let row = match notes.get(&(number, place.inbox.session)) {
                Some(None) => None,
                Some(Some((leased_until, deliveries))) => {
                    Some(FreshRow { leased_until: *leased_until, deliveries: *deliveries, ..new })
                }
                None => Some(new),
            };
            rows.extend(row.filter(|_| !progress.has_settled(key)).map(|row| (key, row)));
        }
    }
    Ok(Found { rows, last, progress })
}

fn inbox(row: &SqliteRow) -> Result<InboxKey, StoreError> {
    Ok(InboxKey {
        shard: Shard(value(row, "shard")?),
        session: SessionNumber(value(row, "session")?),
    })
}

type Notes = HashMap<(i64, SessionNumber), Option<(Timestamp, u32)>>;

/// Until when rows are leased, and how often they were handed out; `None` of those that are fresh no
/// more.
async fn notes(connection: &mut SqliteConnection, through: i64) -> Result<Notes, StoreError> {
    let rows = query(NOTES).bind(through).fetch_all(connection).await;
    let rows = rows.map_err(during("reading notes on rows of inboxes"))?;
    let note = |row: &SqliteRow| {
        let key = (value(row, "number")?, SessionNumber(value(row, "session")?));
        if value(row, "is_gone")? {
            return Ok((key, None));
        }
        let (leased_until, deliveries) = (time(row, "leased_until")?, value(row, "deliveries")?);
        Ok((key, Some((leased_until, deliveries))))
    };
    rows.iter().map(note).collect()
}
