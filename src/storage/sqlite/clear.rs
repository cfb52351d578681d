//! Removing what waited for sessions that have ended, in the background.

use sqlx::{SqliteConnection, query};

use super::SqliteStore;
use super::rows::value;
use crate::domain::Fault;
use crate::domain::inbox::Cleared;
use crate::storage::error::{StoreError, during};

/// How many inboxes a step looks at, at most.
const INBOXES: i64 = 50;

const ENDED: &str = "SELECT shard, session FROM ended_inboxes LIMIT ?1";

pub(super) const REMOVE_ROWS: &str = "
    DELETE FROM inbox WHERE shard = ?1 AND session = ?2 AND number IN (
        SELECT number FROM inbox WHERE shard = ?1 AND session = ?2 LIMIT ?3
    )";

pub(super) const IS_CLEAR: &str = "DELETE FROM ended_inboxes WHERE shard = ?1 AND session = ?2";

impl SqliteStore {
    pub(super) async fn clear_ended_inboxes(&self, limit: u32) -> Result<Cleared, Fault> {
        let any = query(ENDED).bind(1).fetch_optional(&self.readers).await;
        if any.map_err(during("looking for ended inboxes"))?.is_none() {
            return Ok(Cleared::default());
        }
        let limit = u64::from(limit.max(1));
        let more = self.change(limit, |limit, connection| Box::pin(clear(*limit, connection)));
        // Whoever signs in again takes out what waited, so nothing here is anybody's.
        Ok(Cleared { more: more.await?, marked: Vec::new() })
    }
}

/// Removes some rows; returns whether there may be more.
async fn clear(
    limit: u64,
    connection: &mut SqliteConnection,
) -> Result<Result<bool, Fault>, StoreError> {
    let doing = "removing the rows of ended inboxes";
    let ended = query(ENDED).bind(INBOXES).fetch_all(&mut *connection).await;
    let ended = ended.map_err(during(doing))?;
    let mut left = limit;
    for row in &ended {
        let (shard, session): (i64, i64) = (value(row, "shard")?, value(row, "session")?);
        let rows = query(REMOVE_ROWS).bind(shard).bind(session).bind(left.cast_signed());
        let rows = rows.execute(&mut *connection).await.map_err(during(doing))?;
        left = left.saturating_sub(rows.rows_affected());
        if left == 0 {
            return Ok(Ok(true));
        }
        let entry = query(IS_CLEAR).bind(shard).bind(session).execute(&mut *connection);
        entry.await.map_err(during(doing))?;
    }
    Ok(Ok(u64::try_from(INBOXES).is_ok_and(|most| ended.len() as u64 == most)))
}
