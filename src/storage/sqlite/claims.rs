//! Holding, freeing and deleting rows of inboxes; those of a whole group at a time.
//!
//! What happens to fresh rows is left to the transaction's [`Draft`], which notes all of it at once.

use std::collections::HashMap;

use super::super::error::StoreError;
use super::connection::WriterConnection;
use super::fresh::{Draft, FreshRow, RowKey};
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
    UPDATE inbox SET leased_until = ?5, deliveries = max(deliveries, ?4)
    WHERE shard = ?1 AND session = ?2 AND number = ?3 AND set_aside_at IS NULL";

/// Notes in the rows what readers hold; of several claims to a row the last one counts.
pub(super) fn claim(
    connection: &WriterConnection,
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
    let values = wanted.into_iter().map(|(RowKey { inbox, number }, (deliveries, until))| {
        (inbox.shard.0, inbox.session.0, number, deliveries, until.as_micros())
    });
    connection.each(CLAIM, values, "leasing messages")
}

/// Only rows that are still leased until the time at which the reader's own lease ends: what was
/// leased since is somebody else's. A lease that the row was never told of ends in memory. A delivery
/// that did not happen is counted down.
pub(super) const RELEASE: &str = "
    UPDATE inbox SET leased_until = 0, deliveries = max(deliveries - ?5, 0)
    WHERE shard = ?1 AND session = ?2 AND number = ?3 AND leased_until = ?4";

/// Ends leases before their time.
pub(super) fn release(
    connection: &WriterConnection,
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
    let values = rows.into_iter().map(|(RowKey { inbox, number }, until, undone)| {
        (inbox.shard.0, inbox.session.0, number, until.as_micros(), undone)
    });
    connection.each(RELEASE, values, "releasing messages")
}

/// What a fresh row says once its lease has ended, with so many deliveries that did not happen.
fn released(row: FreshRow, undone: u32) -> FreshRow {
    let deliveries = row.deliveries.saturating_sub(undone);
    FreshRow { leased_until: Timestamp::from_micros(0), deliveries, ..row }
}

pub(super) const ACKNOWLEDGE: &str =
    "DELETE FROM inbox WHERE shard = ?1 AND session = ?2 AND number = ?3";

/// Deletes rows that were handed out.
pub(super) fn acknowledge(
    connection: &WriterConnection,
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
    let values =
        rows.into_iter().map(|RowKey { inbox, number }| (inbox.shard.0, inbox.session.0, number));
    connection.each(ACKNOWLEDGE, values, "acknowledging messages")
}
