//! Removing what waited for sessions that have ended, in the background.
//!
//! A message that was on its way while its session ended may come to lie in the inbox after all of
//! it was removed. So an entry is kept for some minutes after that, longer than anything is on its
//! way, and the inbox is cleared once more before the entry goes. (A row that came even later would
//! be out of reach, and go when its time is over.) If another session took the place of the ended
//! one, it is told what is removed: when it signed in, it was told of what it saw, and took it out.
//!
//! Several programs may do this at once: each takes entries that no other has its hands on.

use sqlx::postgres::PgRow;
use sqlx::query;

use super::PostgresStore;
use super::gaps::{self, Loss, Losses};
use super::link::Link;
use super::rows::{id, value};
use super::successors;
use crate::domain::Fault;
use crate::domain::ids::{MessageId, SessionNumber, Shard};
use crate::domain::inbox::{Cleared, InboxKey};
use crate::storage::error::{StoreError, during};

/// How many inboxes a step looks at, at most.
const INBOXES: i64 = 50;

macro_rules! now {
    () => {
        "(extract(epoch FROM statement_timestamp()) * 1000000)::bigint"
    };
}

pub(super) const ANY_ENDED: &str =
    concat!("SELECT shard FROM ended_inboxes WHERE look_at <= ", now!(), " LIMIT 1");

pub(super) const ENDED: &str = concat!(
    "SELECT shard, session, successor, look_at = 0 AS is_first FROM ended_inboxes
    WHERE look_at <= ",
    now!(),
    " ORDER BY look_at, shard, session LIMIT $1
    FOR UPDATE SKIP LOCKED"
);

/// A row is found by its place, and never along its shard: that is why nothing can be looked up by
/// `shard + 0`.
pub(super) const REMOVE_ROWS: &str = "
    DELETE FROM inbox WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM inbox WHERE shard = $1 AND session = $2 ORDER BY number LIMIT $3
        FOR UPDATE SKIP LOCKED
    )) AND shard + 0 = $1";

/// The second look is two minutes later; groups of messages have half of one.
pub(super) const LOOK_AGAIN: &str = concat!(
    "UPDATE ended_inboxes SET look_at = ",
    now!(),
    " + 120000000
    WHERE shard = $1 AND session = $2
        AND NOT EXISTS (SELECT 1 FROM inbox WHERE shard = $1 AND session = $2)"
);

pub(super) const IS_CLEAR: &str = "
    DELETE FROM ended_inboxes WHERE shard = $1 AND session = $2
        AND NOT EXISTS (SELECT 1 FROM inbox WHERE shard = $1 AND session = $2)";

impl PostgresStore {
    pub(super) async fn clear_ended_inboxes(&self, limit: u32) -> Result<Cleared, Fault> {
        let any = query(ANY_ENDED).fetch_optional(&mut self.unhurried_reader().await?).await;
        if any.map_err(during("looking for ended inboxes"))?.is_none() {
            return Ok(Cleared::default());
        }
        self.tidy(limit.max(1), |limit, link| Box::pin(clear(*limit, link))).await
    }
}

const CLEARING: &str = "removing the rows of ended inboxes";

/// Removes some rows.
async fn clear(limit: u32, link: &mut Link<'_>) -> Result<Result<Cleared, Fault>, StoreError> {
    let ended = query(ENDED).bind(INBOXES).fetch_all(&mut *link).await.map_err(during(CLEARING))?;
    let mut left = limit;
    let mut losses = Losses::new();
    for row in &ended {
        let (shard, session) = (Shard(value(row, "shard")?), SessionNumber(value(row, "session")?));
        let inbox = InboxKey { shard, session };
        let removed = remove(link, row, inbox, left, &mut losses).await?;
        left = left.saturating_sub(u32::try_from(removed).unwrap_or(u32::MAX));
        if left == 0 {
            break;
        }
        let after = if value(row, "is_first")? { LOOK_AGAIN } else { IS_CLEAR };
        let entry = query(after).bind(shard.0).bind(session.0).execute(&mut *link);
        entry.await.map_err(during(CLEARING))?;
    }
    // By the clock of whoever accepted the messages: what is held by then is left to its reader.
    let now = losses.values().filter_map(|loss| loss.missing.last()).max().unwrap_or_default();
    let marked = gaps::leave_for_losses(link, losses, now).await?;
    let more = left == 0 || u64::try_from(INBOXES).is_ok_and(|most| ended.len() as u64 == most);
    Ok(Ok(Cleared { more, marked }))
}

/// Removes rows of one inbox, and notes what its successor misses; returns how many.
async fn remove(
    link: &mut Link<'_>,
    entry: &PgRow,
    inbox: InboxKey,
    most: u32,
    losses: &mut Losses,
) -> Result<u64, StoreError> {
    let Some(successor) = value::<Option<i64>>(entry, "successor")? else {
        let rows = query(REMOVE_ROWS).bind(inbox.shard.0).bind(inbox.session.0);
        let rows = rows.bind(i64::from(most)).execute(link).await;
        return Ok(rows.map_err(during(CLEARING))?.rows_affected());
    };
    let taken = successors::take(link, inbox, most).await?;
    if taken.missing.last().is_some() {
        let inbox = InboxKey { session: SessionNumber(successor), ..inbox };
        let id = fresh_id(link).await?;
        losses.insert(successor, Loss { inbox, id, missing: taken.missing });
    }
    Ok(taken.rows)
}

const FRESH_ID: &str = "SELECT uuid_send(gen_random_uuid()) AS id";

/// For a marker of which nobody knew that it would be needed.
async fn fresh_id(link: &mut Link<'_>) -> Result<MessageId, StoreError> {
    let row = query(FRESH_ID).fetch_one(link).await.map_err(during(CLEARING))?;
    id(&row, "id")
}
