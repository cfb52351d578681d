//! Taking messages whose time is over out of the inboxes.

use sqlx::{PgConnection, query};

use crate::domain::ids::Shard;
use crate::storage::error::{StoreError, during};

/// Where a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct PayloadKey {
    pub home: Shard,
    pub number: i64,
}

pub(super) const DROP_PAYLOADS: &str = "
    WITH gone AS MATERIALIZED (
        SELECT payloads.shard, payloads.number
        FROM unnest($1::bigint[], $2::bigint[]) AS wanted (shard, number)
        JOIN payloads ON payloads.shard = wanted.shard AND payloads.number = wanted.number
        FOR UPDATE OF payloads SKIP LOCKED
    )
    DELETE FROM payloads USING gone
    WHERE payloads.shard = gone.shard AND payloads.number = gone.number";

/// Drops payloads that no row refers to and no slot is added to any more; returns how many there
/// were.
pub(super) async fn drop_payloads(
    connection: &mut PgConnection,
    payloads: impl Iterator<Item = PayloadKey>,
) -> Result<u64, StoreError> {
    let (homes, numbers): (Vec<i64>, Vec<i64>) =
        payloads.map(|payload| (payload.home.0, payload.number)).unzip();
    if numbers.is_empty() {
        return Ok(0);
    }
    let dropped = query(DROP_PAYLOADS).bind(homes).bind(numbers).execute(connection).await;
    Ok(dropped.map_err(during("dropping payloads"))?.rows_affected())
}
