//! What both databases tell about their migrations: long ones deserve a line each.

use std::time::Duration;

/// Logs that a migration was done.
pub(super) fn tell(number: i64, last: i64, name: &str, took: Duration) {
    let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    tracing::info!(number, of = last, name, milliseconds, "migrated");
}
