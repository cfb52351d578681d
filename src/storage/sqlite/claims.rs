//! Holding, freeing and deleting rows of inboxes; those of a whole group at a time.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use sqlx::{SqliteConnection, query};

use super::super::batch::Answer;
use super::super::error::{StoreError, during};
use super::rows::{json_list, value};
use super::set_aside::{Hopeless, set_aside};
use crate::domain::clock::Timestamp;
use crate::domain::ids::Order;
use crate::domain::inbox::InboxKey;

/// Rows of one inbox that a reader found free and wants to hold.
pub(super) struct ClaimJob {
    pub inbox: InboxKey,
    /// Each with how often it had been handed out when it was found.
    pub rows: Vec<(Order, u32)>,
    pub until: Timestamp,
    /// What the reader found that is to be set aside.
    pub hopeless: Hopeless,
    pub answer: Answer<Claimed>,
}

/// What became of a [`ClaimJob`].
pub(super) struct Claimed {
    /// What the reader holds now.
    pub held: HashSet<Order>,
    /// How many messages were set aside.
    pub set_aside: usize,
}

/// Rows of one inbox.
pub(super) struct RowsJob {
    pub inbox: InboxKey,
    pub orders: Vec<Order>,
}

/// About what a row takes in a job.
const ROW_BYTES: usize = 64;

impl ClaimJob {
    pub(super) fn cost(&self) -> usize {
        ROW_BYTES * (1 + self.rows.len() + self.hopeless.rows.len())
    }
}

impl RowsJob {
    pub(super) fn cost(&self) -> usize {
        ROW_BYTES * (1 + self.orders.len())
    }
}

/// A row is only held if it has not been handed out since it was found, and if its session has not
/// ended since.
pub(super) const CLAIM: &str = "
    UPDATE inbox SET leased_until = wanted.until, deliveries = wanted.deliveries + 1
    FROM (
        SELECT value ->> 0 AS shard, value ->> 1 AS session, value ->> 2 AS number,
            value ->> 3 AS deliveries, value ->> 4 AS until
        FROM json_each(?1)
    ) AS wanted
    WHERE inbox.shard = wanted.shard AND inbox.session = wanted.session
        AND inbox.number = wanted.number AND inbox.deliveries = wanted.deliveries
        AND inbox.set_aside_at IS NULL
        AND NOT EXISTS (
            SELECT 1 FROM ended_inboxes
            WHERE ended_inboxes.shard = wanted.shard AND ended_inboxes.session = wanted.session
        )
    RETURNING session, number";

/// Holds rows for their readers; when two of a group want the same row, the first gets it.
pub(super) async fn claim(
    connection: &mut SqliteConnection,
    jobs: &[&ClaimJob],
) -> Result<(), StoreError> {
    if jobs.is_empty() {
        return Ok(());
    }
    let set_aside = set_aside(connection, jobs).await?;
    let mut takers = HashMap::new();
    let mut wanted = Vec::new();
    for (index, job) in jobs.iter().enumerate() {
        for &(order, deliveries) in &job.rows {
            if takers.contains_key(&(job.inbox.session.0, order.0)) {
                continue;
            }
            takers.insert((job.inbox.session.0, order.0), index);
            wanted.push((job.inbox, order, deliveries, job.until));
        }
    }
    let list = json_list(wanted, |json, (inbox, order, deliveries, until)| {
        let (shard, session, until) = (inbox.shard.0, inbox.session.0, until.as_micros());
        write!(json, "[{shard},{session},{},{deliveries},{until}]", order.0)
    });
    let rows = query(CLAIM).bind(list).fetch_all(connection).await;
    let mut held = vec![HashSet::new(); jobs.len()];
    for row in rows.map_err(during("leasing messages"))? {
        let key: (i64, i64) = (value(&row, "session")?, value(&row, "number")?);
        if let Some(&index) = takers.get(&key) {
            held[index].insert(Order(key.1));
        }
    }
    for ((job, held), set_aside) in jobs.iter().zip(held).zip(set_aside) {
        job.answer.set(Claimed { held, set_aside });
    }
    Ok(())
}

pub(super) const RELEASE: &str = "
    UPDATE inbox SET leased_until = 0
    WHERE (shard, session, number) IN (
        SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1)
    )";

/// Ends leases before their time.
pub(super) async fn release(
    connection: &mut SqliteConnection,
    jobs: &[&RowsJob],
) -> Result<(), StoreError> {
    run(connection, RELEASE, jobs, "releasing messages").await
}

/// A row that was never handed out has nothing to take back; one whose lease was taken over by
/// another reader meanwhile has another count, which only makes it look younger by one.
pub(super) const TAKE_BACK: &str = "
    UPDATE inbox SET leased_until = 0, deliveries = max(deliveries - 1, 0)
    WHERE (shard, session, number) IN (
        SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1)
    )";

/// Ends leases of deliveries that did not happen.
pub(super) async fn take_back(
    connection: &mut SqliteConnection,
    jobs: &[&RowsJob],
) -> Result<(), StoreError> {
    run(connection, TAKE_BACK, jobs, "taking deliveries back").await
}

pub(super) const ACKNOWLEDGE: &str = "
    DELETE FROM inbox
    WHERE (shard, session, number) IN (
        SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1)
    )
    AND deliveries > 0";

/// Deletes rows that were handed out.
pub(super) async fn acknowledge(
    connection: &mut SqliteConnection,
    jobs: &[&RowsJob],
) -> Result<(), StoreError> {
    run(connection, ACKNOWLEDGE, jobs, "acknowledging messages").await
}

async fn run(
    connection: &mut SqliteConnection,
    statement: &'static str,
    jobs: &[&RowsJob],
    doing: &'static str,
) -> Result<(), StoreError> {
    if jobs.is_empty() {
        return Ok(());
    }
    let rows = jobs.iter().flat_map(|job| job.orders.iter().map(|order| (job.inbox, *order)));
    let list = json_list(rows, |json, (inbox, order)| {
        write!(json, "[{},{},{}]", inbox.shard.0, inbox.session.0, order.0)
    });
    query(statement).bind(list).execute(connection).await.map_err(during(doing))?;
    Ok(())
}
