//! Removing what waited for sessions that have ended, in the background.
//!
//! Several programs may do this at once: each takes entries that no other has its hands on. A
//! message that was on its way while its session ended may still arrive when the entry is gone. Its row is
//! out of reach then, and goes when its time is over.

use sqlx::query;

use super::PostgresStore;
use super::link::Link;
use super::rows::value;
use crate::domain::Fault;
use crate::storage::error::{StoreError, during};

/// How many inboxes a step looks at, at most.
const INBOXES: i64 = 50;

const ANY_ENDED: &str = "SELECT shard FROM ended_inboxes LIMIT 1";

const ENDED: &str = "
    SELECT shard, session FROM ended_inboxes ORDER BY shard, session LIMIT $1
    FOR UPDATE SKIP LOCKED";

pub(super) const REMOVE_ROWS: &str = "
    DELETE FROM inbox WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM inbox WHERE shard = $1 AND session = $2 ORDER BY number LIMIT $3
        FOR UPDATE SKIP LOCKED
    )) AND shard = $1";

pub(super) const IS_CLEAR: &str = "
    DELETE FROM ended_inboxes WHERE shard = $1 AND session = $2
        AND NOT EXISTS (SELECT 1 FROM inbox WHERE shard = $1 AND session = $2)";

impl PostgresStore {
    pub(super) async fn clear_ended_inboxes(&self, limit: u32) -> Result<bool, Fault> {
        let any = query(ANY_ENDED).fetch_optional(&mut self.reader().await?).await;
        if any.map_err(during("looking for ended inboxes"))?.is_none() {
            return Ok(false);
        }
        let limit = u64::from(limit.max(1));
        self.write(limit, |limit, link| Box::pin(clear(*limit, link))).await
    }
}

/// Removes some rows; returns whether there may be more.
async fn clear(limit: u64, link: &mut Link<'_>) -> Result<Result<bool, Fault>, StoreError> {
    let doing = "removing the rows of ended inboxes";
    let ended = query(ENDED).bind(INBOXES).fetch_all(&mut *link).await.map_err(during(doing))?;
    let mut left = limit;
    for row in &ended {
        let (shard, session): (i64, i64) = (value(row, "shard")?, value(row, "session")?);
        let rows = query(REMOVE_ROWS).bind(shard).bind(session).bind(left.cast_signed());
        let rows = rows.execute(&mut *link).await.map_err(during(doing))?;
        left = left.saturating_sub(rows.rows_affected());
        if left == 0 {
            return Ok(Ok(true));
        }
        let entry = query(IS_CLEAR).bind(shard).bind(session).execute(&mut *link);
        entry.await.map_err(during(doing))?;
    }
    Ok(Ok(u64::try_from(INBOXES).is_ok_and(|most| ended.len() as u64 == most)))
}
