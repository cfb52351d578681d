//! Freeing and deleting rows of inboxes; those of a whole group at a time.

use sqlx::PgConnection;

use crate::domain::ids::Order;
use crate::domain::inbox::{InboxKey, Returned};
use crate::storage::error::StoreError;

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

/// Deletes rows that were handed out.
pub(super) async fn acknowledge(
    _connection: &mut PgConnection,
    _jobs: &[&RowsJob],
) -> Result<(), StoreError> {
    Ok(())
}

/// Ends leases before their time.
pub(super) async fn release(
    _connection: &mut PgConnection,
    _jobs: &[&ReleaseJob],
) -> Result<(), StoreError> {
    Ok(())
}
