//! Holding, freeing and deleting rows of inboxes; those of a whole group at a time.
//!
//! What happens to fresh rows is left to the transaction's [`Draft`], which notes all of it at once.

use std::collections::HashMap;
use std::fmt::Write;

use sqlx::{SqliteConnection, query};

use super::super::error::{StoreError, during};
use super::fresh::{Draft, FreshRow, RowKey};
use super::rows::json_list;
use crate::domain::clock::Timestamp;
use crate::domain::ids::Order;
use crate::domain::inbox::{InboxKey, Release, Returned};

/// Rows of one inbox that a reader holds ([`super::leases`]).
pub(super) struct ClaimJob {
    pub inbox: InboxKey,
    /// Each with how often it has been handed out, this time included.
    pub rows: Vec<(Order, u32)>,
    pub until: Timestamp,
}

/// Rows of one inbox.
pub(super) struct RowsJob {
    pub inbox: InboxKey,
    pub orders: Vec<Order>,
}

/// Rows of one inbox that their reader lets go of.
pub(super) struct ReleaseJob {
    pub inbox: InboxKey,
    pub returned: Returned,
}

/// About what a row takes in a job.
const ROW_BYTES: usize = 64;

impl ClaimJob {
    pub(super) fn cost(&self) -> usize {
        ROW_BYTES * (1 + self.rows.len())
    }
}

impl ReleaseJob {
    /// Each row, when the lease ends that its reader lets go of, and how many deliveries of it did
    /// not happen.
    fn rows(&self) -> impl Iterator<Item = (RowKey, Timestamp, u32)> {
        let Returned { orders, until, how } = &self.returned;
        let undone = u32::from(*how == Release::Unsent);
        let key = |order: &Order| RowKey { inbox: self.inbox, number: order.0 };
        orders.iter().map(move |order| (key(order), *until, undone))
    }

    pub(super) fn cost(&self) -> usize {
        ROW_BYTES * (1 + self.returned.orders.len())
    }
}

impl RowsJob {
    pub(super) fn cost(&self) -> usize {
        ROW_BYTES * (1 + self.orders.len())
    }
}

/// Deliveries are never counted down here: a claim may be late.
pub(super) const CLAIM: &str = "
    UPDATE inbox SET leased_until = wanted.until,
        deliveries = max(inbox.deliveries, wanted.deliveries)
    FROM (
        SELECT value ->> 0 AS shard, value ->> 1 AS session, value ->> 2 AS number,
            value ->> 3 AS deliveries, value ->> 4 AS until
        FROM json_each(?1)
    ) AS wanted
    WHERE inbox.shard = wanted.shard AND inbox.session = wanted.session
        AND inbox.number = wanted.number AND inbox.set_aside_at IS NULL";

/// Notes in the rows what readers hold; of several claims to a row the last one counts.
pub(super) async fn claim(
    connection: &mut SqliteConnection,
    fresh: &mut Draft,
    jobs: &[&ClaimJob],
) -> Result<(), StoreError> {
    let mut wanted = HashMap::new();
    for job in jobs {
        for (order, deliveries) in &job.rows {
            let key = RowKey { inbox: job.inbox, number: order.0 };
            let Some(row) = fresh.row(key) else {
                wanted.insert(key, (*deliveries, job.until));
                continue;
            };
            let deliveries = row.deliveries.max(*deliveries);
            fresh.change(key, FreshRow { leased_until: job.until, deliveries, ..row });
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let list = json_list(wanted, |json, (RowKey { inbox, number }, (deliveries, until))| {
        let (shard, session, until) = (inbox.shard.0, inbox.session.0, until.as_micros());
        write!(json, "[{shard},{session},{number},{deliveries},{until}]")
    });
    query(CLAIM).bind(list).execute(connection).await.map_err(during("leasing messages"))?;
    Ok(())
}

/// Only rows that are still leased until the time at which the reader's own lease ends: what was
/// leased since is somebody else's. A lease that the row was never told of ends in memory. A delivery
/// that did not happen is counted down.
pub(super) const RELEASE: &str = "
    UPDATE inbox SET leased_until = 0, deliveries = max(deliveries - wanted.undone, 0)
    FROM (
        SELECT value ->> 0 AS shard, value ->> 1 AS session, value ->> 2 AS number,
            value ->> 3 AS until, value ->> 4 AS undone
        FROM json_each(?1)
    ) AS wanted
    WHERE inbox.shard = wanted.shard AND inbox.session = wanted.session
        AND inbox.number = wanted.number AND inbox.leased_until = wanted.until";

/// Ends leases before their time.
pub(super) async fn release(
    connection: &mut SqliteConnection,
    fresh: &mut Draft,
    jobs: &[&ReleaseJob],
) -> Result<(), StoreError> {
    let mut rows = Vec::new();
    for (key, until, undone) in jobs.iter().flat_map(|job| job.rows()) {
        match fresh.row(key) {
            Some(row) if row.leased_until == until => fresh.change(key, released(row, undone)),
            Some(_) => {}
            None => rows.push((key, until, undone)),
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    let list = json_list(rows, |json, (RowKey { inbox, number }, until, undone)| {
        let (shard, session, until) = (inbox.shard.0, inbox.session.0, until.as_micros());
        write!(json, "[{shard},{session},{number},{until},{undone}]")
    });
    let released = query(RELEASE).bind(list).execute(connection).await;
    released.map_err(during("releasing messages"))?;
    Ok(())
}

/// What a fresh row says once its lease has ended, with so many deliveries that did not happen.
fn released(row: FreshRow, undone: u32) -> FreshRow {
    let deliveries = row.deliveries.saturating_sub(undone);
    FreshRow { leased_until: Timestamp::from_micros(0), deliveries, ..row }
}

pub(super) const ACKNOWLEDGE: &str = "
    DELETE FROM inbox
    WHERE (shard, session, number) IN (
        SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1)
    )";

/// Deletes rows that were handed out.
pub(super) async fn acknowledge(
    connection: &mut SqliteConnection,
    fresh: &mut Draft,
    jobs: &[&RowsJob],
) -> Result<(), StoreError> {
    let mut rows = Vec::new();
    for job in jobs {
        for order in &job.orders {
            let key = RowKey { inbox: job.inbox, number: order.0 };
            match fresh.row(key) {
                Some(_) => fresh.remove(key),
                None => rows.push(key),
            }
        }
    }
    if rows.is_empty() {
        return Ok(());
    }
    let list = json_list(rows, |json, RowKey { inbox, number }| {
        write!(json, "[{},{},{number}]", inbox.shard.0, inbox.session.0)
    });
    let deleted = query(ACKNOWLEDGE).bind(list).execute(connection).await;
    deleted.map_err(during("acknowledging messages"))?;
    Ok(())
}
