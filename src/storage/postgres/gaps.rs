//! Gap markers: the gateway's own messages, which say what is missing from an inbox.
//!
//! Markers have negative numbers. So they are handed out before everything else that waits, and
//! their rows are told from those of messages without a look at the payloads.
//!
//! What is lost is counted by whoever deletes its row, and rows are deleted once, so two programs
//! that sweep at the same time never leave two markers for one loss. Nothing here waits for a row
//! that another transaction has its hands on: such a row is left to it ([`delete_rows`]), and such
//! a marker stays beside the new one until the next loss.

use std::collections::{BTreeMap, HashSet};

use sqlx::postgres::PgRow;
use sqlx::query;

use super::expire::drop_payloads;
use super::link::Link;
use super::rows::{time, value};
use super::successors;
use super::sweep::PayloadKey;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, MessageId, SessionNumber, Shard};
use crate::domain::inbox::{Gap, InboxKey, SYSTEM_GAP};
use crate::storage::error::{StoreError, during};
use crate::storage::gap::Missing;
use crate::storage::packed::pack_waiting;

/// A marker to leave.
pub(super) struct Marker {
    pub id: MessageId,
    pub inbox: InboxKey,
    pub account: AccountNumber,
    pub gap: Gap,
    pub at: Timestamp,
}

/// A marker's payload is that of one inbox, so it is in the same shard.
pub(super) const LEAVE: &str = "
    WITH markers AS MATERIALIZED (
        SELECT -nextval('message_numbers') AS number, wanted.*
        FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bytea[], $5::bigint[],
            $6::bytea[], $7::bytea[])
            AS wanted (shard, session, account, id, at, waiting, body)
    ), stored AS (
        INSERT INTO payloads (shard, number, sender_account, sender_session, message_id, category,
            accepted_at, expires_at, details, waiting, body)
        SELECT shard, number, account, session, id, $8, at, $9, ''::bytea, waiting, body
        FROM markers
    )
    INSERT INTO inbox (shard, session, number, home, slot)
    SELECT shard, session, number, shard, ''::bytea FROM markers";

/// Puts markers in front of the inboxes of live sessions. They do not expire: they stand for what
/// did.
pub(super) async fn leave(link: &mut Link<'_>, markers: &[Marker]) -> Result<(), StoreError> {
    if markers.is_empty() {
        return Ok(());
    }
    let each = |number: fn(&Marker) -> i64| markers.iter().map(number).collect::<Vec<i64>>();
    let bytes = |bytes: fn(&Marker) -> Vec<u8>| markers.iter().map(bytes).collect::<Vec<Vec<u8>>>();
    let left = query(LEAVE)
        .bind(each(|marker| marker.inbox.shard.0))
        .bind(each(|marker| marker.inbox.session.0))
        .bind(each(|marker| marker.account.0))
        .bind(bytes(|marker| marker.id.as_bytes().to_vec()))
        .bind(each(|marker| marker.at.as_micros()))
        .bind(bytes(|marker| pack_waiting(std::iter::once(marker.inbox))))
        .bind(bytes(|marker| marker.gap.to_json().into_bytes()))
        .bind(SYSTEM_GAP)
        .bind(i64::MAX)
        .execute(link)
        .await;
    left.map_err(during("leaving gap markers"))?;
    Ok(())
}

/// What an inbox loses, and the id of the marker that says so.
pub(super) struct Loss {
    pub inbox: InboxKey,
    pub id: MessageId,
    pub missing: Missing,
}

/// What is lost, by the number of the session that it waited for.
pub(super) type Losses = BTreeMap<i64, Loss>;

/// Leaves a marker for each live session, or for the one that took its place, instead of the unread
/// ones of its kind that nobody holds; returns the sessions.
pub(super) async fn leave_for_losses(
    link: &mut Link<'_>,
    mut losses: Losses,
    now: Timestamp,
) -> Result<Vec<SessionNumber>, StoreError> {
    if losses.is_empty() {
        return Ok(Vec::new());
    }
    let accounts = successors::find(link, &mut losses).await?;
    take_free_markers(link, &mut losses, now).await?;
    let marker = |(session, loss): (i64, Loss)| {
        let (account, gap) = (*accounts.get(&session)?, loss.missing.into_gap()?);
        Some(Marker { id: loss.id, inbox: loss.inbox, account, gap, at: now })
    };
    let markers: Vec<Marker> = losses.into_iter().filter_map(marker).collect();
    leave(link, &markers).await?;
    Ok(markers.iter().map(|marker| marker.inbox.session).collect())
}

/// What is locked is read again as it is by then, so a marker that somebody leased, acknowledged or
/// counted in meanwhile is not among them.
pub(super) const FREE_MARKERS: &str = "
    SELECT marker.session, marker.number, payload.body, payload.accepted_at
    FROM unnest($1::bigint[], $2::bigint[]) AS wanted (shard, session)
    CROSS JOIN LATERAL (
        SELECT session, number, home FROM inbox
        WHERE inbox.shard = wanted.shard AND inbox.session = wanted.session
            AND inbox.number < 0 AND inbox.leased_until <= $3
        FOR UPDATE SKIP LOCKED
    ) AS marker
    CROSS JOIN LATERAL (
        SELECT body, accepted_at FROM payloads
        WHERE payloads.shard = marker.home AND payloads.number = marker.number
        OFFSET 0
    ) AS payload";

/// Counts unread markers of the same kind in and removes them, unless a reader holds them: its
/// acknowledgement may be on its way. It is the number that goes, so a late acknowledgement of a
/// removed marker does not meet the new one.
async fn take_free_markers(
    link: &mut Link<'_>,
    losses: &mut Losses,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (shards, sessions): (Vec<i64>, Vec<i64>) =
        losses.values().map(|Loss { inbox, .. }| (inbox.shard.0, inbox.session.0)).unzip();
    let found = query(FREE_MARKERS).bind(shards).bind(sessions).bind(now.as_micros());
    let found = found.fetch_all(&mut *link).await;
    let mut taken: Vec<(InboxKey, i64)> = Vec::new();
    for row in found.map_err(during("taking unread gap markers"))? {
        let Some(loss) = losses.get_mut(&value::<i64>(&row, "session")?) else { continue };
        if loss.missing.add_marker(value(&row, "body")?, time(&row, "accepted_at")?) {
            taken.push((loss.inbox, value(&row, "number")?));
        }
    }
    if taken.is_empty() {
        return Ok(());
    }
    delete_rows(link, &taken).await?;
    let payloads = taken.into_iter().map(|(inbox, number)| PayloadKey {
        home: inbox.shard,
        number,
        waiting: pack_waiting(std::iter::once(inbox)).len(),
    });
    drop_payloads(link, payloads).await?;
    Ok(())
}

pub(super) const DELETE_ROWS: &str = "
    WITH gone AS MATERIALIZED (
        SELECT inbox.shard, inbox.session, inbox.number
        FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS wanted (shard, session, number)
        JOIN inbox ON inbox.shard = ANY (ARRAY[wanted.shard]) AND inbox.session = wanted.session
            AND inbox.number = wanted.number
        FOR UPDATE OF inbox SKIP LOCKED
    )
    DELETE FROM inbox USING gone
    WHERE inbox.shard = ANY (ARRAY[gone.shard]) AND inbox.session = gone.session
        AND inbox.number = gone.number
    RETURNING inbox.shard, inbox.session, inbox.number";

/// Deletes rows of inboxes by their numbers, except those that another transaction is about to
/// change or to delete; returns those that it deleted. Only they are lost by it.
pub(super) async fn delete_rows(
    link: &mut Link<'_>,
    rows: &[(InboxKey, i64)],
) -> Result<HashSet<(InboxKey, i64)>, StoreError> {
    if rows.is_empty() {
        return Ok(HashSet::new());
    }
    let keys = RowKeys::of(rows.iter().copied());
    let deleted = query(DELETE_ROWS).bind(keys.shards).bind(keys.sessions).bind(keys.numbers);
    let deleted = deleted.fetch_all(link).await;
    deleted.map_err(during("taking rows out of inboxes"))?.iter().map(row_key).collect()
}

/// Keys of rows of inboxes, as statements take them.
#[derive(Default)]
pub(super) struct RowKeys {
    pub shards: Vec<i64>,
    pub sessions: Vec<i64>,
    pub numbers: Vec<i64>,
}

impl RowKeys {
    /// The keys in this order.
    pub(super) fn of(rows: impl Iterator<Item = (InboxKey, i64)>) -> Self {
        let mut keys = Self::default();
        rows.for_each(|(inbox, number)| keys.push(inbox, number));
        keys
    }

    /// Adds one.
    pub(super) fn push(&mut self, inbox: InboxKey, number: i64) {
        self.shards.push(inbox.shard.0);
        self.sessions.push(inbox.session.0);
        self.numbers.push(number);
    }
}

/// The key of a row of an inbox.
pub(super) fn row_key(row: &PgRow) -> Result<(InboxKey, i64), StoreError> {
    let shard = Shard(value(row, "shard")?);
    let session = SessionNumber(value(row, "session")?);
    Ok((InboxKey { shard, session }, value(row, "number")?))
}
