//! Freeing and deleting rows of inboxes; those of a whole group at a time.
//!
//! Here, and only here, rows that somebody else has locked are waited for: what was acknowledged
//! must not come again. They are locked in the order of their keys, before anything else of the
//! group, so two writers that want the same ones do not wait for each other.
//!
//! Here and in other places `shard = ANY (ARRAY[…])` says no more than `shard = …` would. But a plan
//! that is made while there are hardly any rows, and kept, might otherwise read all of the index in
//! its order to join it with what is wanted. The planner sees no such way through this.

use std::collections::HashSet;

use sqlx::query;

use super::gaps::RowKeys;
use super::link::Link;
use crate::domain::ids::Order;
use crate::domain::inbox::{InboxKey, Release, Returned};
use crate::storage::error::{StoreError, during};

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

impl RowsJob {
    pub(super) fn cost(&self) -> usize {
        ROW_BYTES * (1 + self.orders.len())
    }
}

impl ReleaseJob {
    pub(super) fn cost(&self) -> usize {
        ROW_BYTES * (1 + self.returned.orders.len())
    }
}

pub(super) const ACKNOWLEDGE: &str = "
    WITH gone AS MATERIALIZED (
        SELECT inbox.shard, inbox.session, inbox.number
        FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) WITH ORDINALITY
            AS wanted (shard, session, number, place)
        JOIN inbox ON inbox.shard = ANY (ARRAY[wanted.shard]) AND inbox.session = wanted.session
            AND inbox.number = wanted.number
        ORDER BY wanted.place
        FOR UPDATE OF inbox
    )
    DELETE FROM inbox USING gone
    WHERE inbox.shard = ANY (ARRAY[gone.shard]) AND inbox.session = gone.session AND inbox.number = gone.number";

/// All that a group wants, when it wants to delete some and to free others.
pub(super) const LOCK: &str = "
    SELECT count(*) FROM (
        SELECT 1 FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) WITH ORDINALITY
            AS wanted (shard, session, number, place)
        JOIN inbox ON inbox.shard = ANY (ARRAY[wanted.shard]) AND inbox.session = wanted.session
            AND inbox.number = wanted.number
        ORDER BY wanted.place
        FOR UPDATE OF inbox
    ) AS held";

/// Deletes rows that were handed out, and ends leases before their time.
pub(super) async fn let_go(
    link: &mut Link<'_>,
    acknowledged: &[&RowsJob],
    released: &[&ReleaseJob],
) -> Result<(), StoreError> {
    if !acknowledged.is_empty() && !released.is_empty() {
        let gone = acknowledged.iter().flat_map(|job| keys_of(job.inbox, &job.orders));
        let freed = released.iter().flat_map(|job| keys_of(job.inbox, &job.returned.orders));
        let keys = sorted(gone.chain(freed));
        let locked = query(LOCK).bind(keys.shards).bind(keys.sessions).bind(keys.numbers);
        locked.execute(&mut *link).await.map_err(during("waiting for rows of inboxes"))?;
    }
    acknowledge(link, acknowledged).await?;
    release(link, released).await
}

fn keys_of(inbox: InboxKey, orders: &[Order]) -> impl Iterator<Item = (InboxKey, i64)> {
    orders.iter().map(move |order| (inbox, order.0))
}

/// In the order in which they are locked.
fn sorted(rows: impl Iterator<Item = (InboxKey, i64)>) -> RowKeys {
    let mut rows: Vec<_> = rows.collect();
    rows.sort_unstable_by_key(|(inbox, number)| (inbox.shard, inbox.session, *number));
    RowKeys::of(rows.into_iter())
}

/// Deletes rows that were handed out.
async fn acknowledge(link: &mut Link<'_>, jobs: &[&RowsJob]) -> Result<(), StoreError> {
    if jobs.is_empty() {
        return Ok(());
    }
    let keys = sorted(jobs.iter().flat_map(|job| keys_of(job.inbox, &job.orders)));
    let deleted = query(ACKNOWLEDGE).bind(keys.shards).bind(keys.sessions).bind(keys.numbers);
    deleted.execute(link).await.map_err(during("acknowledging messages"))?;
    Ok(())
}

/// Only rows that are still leased until the time at which the reader's own lease ends: what was
/// leased since is somebody else's. A delivery that did not happen is not counted.
pub(super) const RELEASE: &str = "
    WITH held AS MATERIALIZED (
        SELECT inbox.shard, inbox.session, inbox.number, wanted.undone
        FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
            WITH ORDINALITY AS wanted (shard, session, number, until, undone, place)
        JOIN inbox ON inbox.shard = ANY (ARRAY[wanted.shard]) AND inbox.session = wanted.session
            AND inbox.number = wanted.number AND inbox.leased_until = wanted.until
        ORDER BY wanted.place
        FOR UPDATE OF inbox
    )
    UPDATE inbox SET leased_until = 0, deliveries = greatest(inbox.deliveries - held.undone, 0)
    FROM held
    WHERE inbox.shard = ANY (ARRAY[held.shard]) AND inbox.session = held.session AND inbox.number = held.number";

/// Ends leases before their time.
async fn release(link: &mut Link<'_>, jobs: &[&ReleaseJob]) -> Result<(), StoreError> {
    if jobs.is_empty() {
        return Ok(());
    }
    // A reader may ask twice.
    let mut asked = HashSet::new();
    let mut rows = Vec::new();
    for ReleaseJob { inbox, returned: Returned { orders, until, how } } in jobs {
        for order in orders.iter().filter(|order| asked.insert((*inbox, **order, *until))) {
            rows.push((*inbox, order.0, until.as_micros(), i64::from(*how == Release::Unsent)));
        }
    }
    rows.sort_unstable_by_key(|(inbox, number, ..)| (inbox.shard, inbox.session, *number));
    let keys = RowKeys::of(rows.iter().map(|(inbox, number, ..)| (*inbox, *number)));
    let ends: Vec<i64> = rows.iter().map(|row| row.2).collect();
    let undone: Vec<i64> = rows.iter().map(|row| row.3).collect();
    let released = query(RELEASE).bind(keys.shards).bind(keys.sessions).bind(keys.numbers);
    let released = released.bind(ends).bind(undone).execute(link).await;
    released.map_err(during("releasing messages"))?;
    Ok(())
}
