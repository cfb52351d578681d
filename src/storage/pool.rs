//! How many connections a pool has.

use sqlx::{Database, Pool};

use crate::domain::ports::Connections;

/// The connections of a pool at this moment, or nearly so: others come and go.
pub(super) fn connections<D: Database>(pool: &Pool<D>) -> Connections {
    let open = u64::from(pool.size());
    Connections {
        open,
        idle: (pool.num_idle() as u64).min(open),
        most: pool.options().get_max_connections().into(),
    }
}
