//! What a session misses that took another one's place.
//!
//! Signing in again takes everything out of the old inbox that it sees there, and leaves a marker.
//! But a message that was judged before may be stored after, and so may a notice, a slot that is
//! added to a message, or a marker: nobody locks a roster to send to it. Such a row lies in an inbox
//! that nobody reads any more. As everywhere, whoever takes a row out of an inbox counts it, and it
//! is taken out once: by signing in, by the sweeper, by who makes room, or by who clears the inbox
//! ([`super::clear`]). What they count for a session that was replaced is told to its successor.

use std::collections::{BTreeMap, HashMap};

use sqlx::query;

use super::gaps::{Loss, Losses, RowKeys};
use super::link::Link;
use super::rows::{count, value};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, SessionNumber};
use crate::domain::inbox::{GapReason, InboxKey};
use crate::storage::error::{StoreError, during};
use crate::storage::gap::Missing;

/// What was taken out of an inbox.
pub(super) struct Taken {
    /// Unread markers are counted with what they stand for.
    pub missing: Missing,
    pub rows: u64,
}

/// Deletes along one range of the primary key, and reads two payloads beside those of markers. Rows
/// that another transaction has its hands on are left to it.
pub(super) const TAKE: &str = "
    WITH gone AS MATERIALIZED (
        DELETE FROM inbox WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM inbox WHERE shard = $1 AND session = $2 ORDER BY number LIMIT $3
            FOR UPDATE SKIP LOCKED
        )) AND shard + 0 = $1
        RETURNING number, home
    ), counted AS MATERIALIZED (
        SELECT count(*) AS total, count(*) FILTER (WHERE number > 0) AS messages,
            min(number) FILTER (WHERE number > 0) AS oldest, max(number) AS newest
        FROM gone
    )
    SELECT gone.number, payload.accepted_at, payload.body,
        (SELECT total FROM counted) AS total, (SELECT messages FROM counted) AS messages
    FROM gone LEFT JOIN LATERAL (
        SELECT accepted_at, CASE WHEN gone.number < 0 THEN body END AS body FROM payloads
        WHERE payloads.shard = gone.home AND payloads.number = gone.number
        LIMIT 1
    ) AS payload ON true
    WHERE gone.number < 0 OR gone.number = (SELECT oldest FROM counted)
        OR gone.number = (SELECT newest FROM counted)";

/// Takes what waits in the inbox of a session that has ended, so many rows at most.
pub(super) async fn take(
    link: &mut Link<'_>,
    inbox: InboxKey,
    most: u32,
) -> Result<Taken, StoreError> {
    let rows = query(TAKE).bind(inbox.shard.0).bind(inbox.session.0).bind(i64::from(most));
    let rows = rows.fetch_all(link).await.map_err(during("taking what waits in an inbox"))?;
    let mut taken = Taken { missing: Missing::new(GapReason::SignedInAgain), rows: 0 };
    let (mut messages, mut span) = (0, None);
    for row in &rows {
        taken.rows = count(row, "total")?;
        let at = value::<Option<i64>>(row, "accepted_at")?.map(Timestamp::from_micros);
        let at = at.unwrap_or_default();
        if value::<i64>(row, "number")? < 0 {
            let body: Option<&[u8]> = value(row, "body")?;
            taken.missing.add_marker(body.unwrap_or_default(), at);
            continue;
        }
        messages = count(row, "messages")?;
        // Messages of concurrent requests may be numbered in another order than they came in.
        let (from, to) = span.unwrap_or((at, at));
        span = Some((at.min(from), at.max(to)));
    }
    if let Some((from, to)) = span {
        taken.missing.add(messages, from, to);
    }
    Ok(taken)
}

/// The live ones of these sessions.
pub(super) const OWNERS: &str =
    "SELECT number, account FROM sessions WHERE number = ANY($1) AND ended_at IS NULL";

pub(super) const SUCCESSORS: &str = "
    SELECT wanted.session, ended.successor
    FROM unnest($1::bigint[], $2::bigint[]) AS wanted (shard, session)
    CROSS JOIN LATERAL (
        SELECT successor FROM ended_inboxes
        WHERE shard = wanted.shard AND session = wanted.session AND successor IS NOT NULL
        LIMIT 1
    ) AS ended";

/// A session that was replaced more often than that in the last minutes is told no more.
const REPLACEMENTS: usize = 8;

/// Finds the accounts of the sessions that lose something. What is lost to one that was replaced is
/// put down for its successor; what is lost to one that has ended without one is left out.
pub(super) async fn find(
    link: &mut Link<'_>,
    losses: &mut Losses,
) -> Result<HashMap<i64, AccountNumber>, StoreError> {
    let doing = "looking for whom messages waited";
    let mut accounts = HashMap::new();
    for _ in 0..REPLACEMENTS {
        let unknown = losses.keys().filter(|session| !accounts.contains_key(*session));
        let unknown: Vec<i64> = unknown.copied().collect();
        if unknown.is_empty() {
            break;
        }
        let owners = query(OWNERS).bind(unknown).fetch_all(&mut *link).await;
        for row in owners.map_err(during(doing))? {
            accounts.insert(value(&row, "number")?, AccountNumber(value(&row, "account")?));
        }
        let ended: Losses;
        (ended, *losses) = std::mem::take(losses)
            .into_iter()
            .partition(|(session, _)| !accounts.contains_key(session));
        hand_on(link, ended, losses).await?;
    }
    losses.retain(|session, _| accounts.contains_key(session));
    Ok(accounts)
}

/// What is set aside stays where it is, and is counted when it is taken out.
async fn hand_on(
    link: &mut Link<'_>,
    mut ended: Losses,
    losses: &mut Losses,
) -> Result<(), StoreError> {
    ended.retain(|_, loss| loss.missing.is_loss());
    if ended.is_empty() {
        return Ok(());
    }
    let keys = RowKeys::of(ended.values().map(|loss| (loss.inbox, 0)));
    let found = query(SUCCESSORS).bind(keys.shards).bind(keys.sessions).fetch_all(link).await;
    let mut successors: BTreeMap<i64, i64> = BTreeMap::new();
    for row in found.map_err(during("looking for who took a session's place"))? {
        successors.insert(value(&row, "session")?, value(&row, "successor")?);
    }
    for (session, loss) in ended {
        let Some(successor) = successors.get(&session) else { continue };
        let inbox = InboxKey { session: SessionNumber(*successor), ..loss.inbox };
        match losses.get_mut(successor) {
            Some(other) => other.missing.absorb(loss.missing),
            None => {
                losses.insert(*successor, Loss { inbox, ..loss });
            }
        }
    }
    Ok(())
}
