//! Forgetting old message ids, in the background.
//!
//! Ids are kept in the order of their eras and senders, and an index over time would cost every accepted
//! message a second insert. So they are walked along in their order, a stretch at a time, and what
//! is old enough is deleted. Nothing is walked twice in a round; the position is kept in memory, and
//! a restart begins anew, which costs time and nothing else. Several programs may walk at once: an
//! id is deleted by one of them.

use std::sync::PoisonError;

use sqlx::postgres::PgRow;
use sqlx::query;

use super::PostgresStore;
use super::link::Link;
use super::rows::{id, value};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::MessageId;
use crate::storage::error::{StoreError, during};

/// How many ids a call looks at, at most.
const STRETCH: i64 = 10_000;

/// A place in the order of seen ids: shard, era, sender, message.
#[derive(Clone, Copy)]
pub(super) struct SeenKey {
    shard: i64,
    era: i64,
    sender: i64,
    message: MessageId,
}

/// Before every place.
const BEGINNING: SeenKey =
    SeenKey { shard: -1, era: 0, sender: 0, message: MessageId::from_bytes([0; 16]) };

/// A stretch to walk along, and what to forget of it.
struct Walk {
    from: SeenKey,
    before: Timestamp,
    limit: u32,
}

/// Rows are never updated, so those that were found are where they were found. A place is one of a
/// partition, should there be any; the list of places alone is what leads to them.
pub(super) const FORGET: &str = "
    WITH old AS MATERIALIZED (
        SELECT part, place FROM (
            SELECT tableoid AS part, ctid AS place, accepted_at FROM seen_messages
            WHERE (shard, era, sender, message_id) > ($1, $2, $3, $4)
            ORDER BY shard, era, sender, message_id LIMIT $5
        ) AS stretch
        WHERE accepted_at < $6 LIMIT $7
    )
    DELETE FROM seen_messages
    WHERE ctid = ANY (ARRAY(SELECT place FROM old))
        AND (tableoid, ctid) IN (SELECT part, place FROM old)
    RETURNING shard, era, sender, message_id";

pub(super) const END_OF_STRETCH: &str = "
    SELECT shard, era, sender, message_id FROM seen_messages
    WHERE (shard, era, sender, message_id) > ($1, $2, $3, $4)
    ORDER BY shard, era, sender, message_id LIMIT 1 OFFSET $5 - 1";

impl PostgresStore {
    /// Turns [eras](super::seen), and forgets old ids of the next stretch. 0 means that this stretch
    /// has none, unless the table is shorter than a stretch.
    pub(super) async fn forget_seen_ids(
        &self,
        before: Timestamp,
        limit: u32,
    ) -> Result<u64, Fault> {
        let turned = self.turn_eras(before).await;
        let started = self.position();
        let from = started.unwrap_or(BEGINNING);
        let (mut forgotten, mut next) = self.walk(Walk { from, before, limit }).await?;
        if forgotten == 0 && started.is_some() && next.is_none() {
            (forgotten, next) = self.walk(Walk { from: BEGINNING, before, limit }).await?;
        }
        *self.forgotten.lock().unwrap_or_else(PoisonError::into_inner) = next;
        turned.map(|()| forgotten)
    }

    fn position(&self) -> Option<SeenKey> {
        *self.forgotten.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many were forgotten, and where the next call begins; `None` for the beginning.
    async fn walk(&self, walk: Walk) -> Result<(u64, Option<SeenKey>), Fault> {
        self.tidy(walk, |walk, link| Box::pin(forget(walk, link))).await
    }
}

async fn forget(
    Walk { from, before, limit }: &Walk,
    link: &mut Link<'_>,
) -> Result<Result<(u64, Option<SeenKey>), Fault>, StoreError> {
    let end = query(END_OF_STRETCH)
        .bind(from.shard)
        .bind(from.era)
        .bind(from.sender)
        .bind(from.message.as_bytes().to_vec())
        .bind(STRETCH)
        .fetch_optional(&mut *link)
        .await
        .map_err(during("looking for old message ids"))?;
    let end = end.as_ref().map(seen_key).transpose()?;
    let forgotten = query(FORGET)
        .bind(from.shard)
        .bind(from.era)
        .bind(from.sender)
        .bind(from.message.as_bytes().to_vec())
        .bind(STRETCH)
        .bind(before.as_micros())
        .bind(i64::from(*limit))
        .fetch_all(link)
        .await
        .map_err(during("forgetting message ids"))?;
    let forgotten = forgotten.iter().map(seen_key).collect::<Result<Vec<_>, _>>()?;
    let count = forgotten.len() as u64;
    if count < u64::from(*limit) {
        return Ok(Ok((count, end)));
    }
    // The stretch may hold more of them.
    let last =
        forgotten.into_iter().max_by_key(|key| (key.shard, key.era, key.sender, key.message));
    Ok(Ok((count, last.or(end))))
}

fn seen_key(row: &PgRow) -> Result<SeenKey, StoreError> {
    Ok(SeenKey {
        shard: value(row, "shard")?,
        era: value(row, "era")?,
        sender: value(row, "sender")?,
        message: id(row, "message_id")?,
    })
}
