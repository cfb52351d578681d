//! Room in inboxes: the quota of a session, without counting for every message.
//!
//! The writer remembers for each session a number that is never below what waits for it: it counts
//! once when it meets a session, and then adds what it stores. What is acknowledged or swept is not
//! subtracted; only when the number reaches the quota are the rows counted again, and that count
//! holds for a second unless something was acknowledged, so that a sender who hammers at a full
//! inbox does not make the writer count each time. Nothing is refused or trimmed on less than a
//! count. All this is a memory: it is dropped when a transaction fails, when it grows too large, and
//! when rows were made that it knows nothing of (gap markers of the sweeper's), which the order of all
//! messages tells after each step that may have made some.

use std::collections::HashMap;
use std::fmt::Write;

use sqlx::{SqliteConnection, query};

use super::fresh::Draft;
use super::gaps::{self, Loss, Losses};
use super::rows::{json_list, time, value};
use super::settle::settle_inbox;
use crate::domain::clock::Timestamp;
use crate::domain::inbox::{GapReason, InboxKey, Intake, Quota};
use crate::storage::error::{StoreError, during};
use crate::storage::gap::Missing;
use crate::storage::seating::{
    COUNT_HOLDS, Crowded, Found, Room, Seating, Wish, wishes, wishes_of_rows,
};

/// How many sessions are remembered, at most.
const SESSIONS: usize = 100_000;

/// How many rows are trimmed at a time, at most; more are there only if the quota was lowered.
const TRIM: i64 = 10_000;

/// What the writer knows of the room in inboxes.
#[derive(Default)]
pub(super) struct Rooms {
    seating: Seating,
    /// The last number in the one order of all messages that is accounted for here.
    last_number: i64,
    /// Whether nobody else can have taken one since.
    is_sure: bool,
}

impl Rooms {
    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.seating = Seating::default();
    }

    /// Others may take numbers of the one order now.
    pub(super) fn unsure(&mut self) {
        self.is_sure = false;
    }

    /// There may be more room in these inboxes than before.
    pub(super) fn emptied(&mut self, inboxes: impl Iterator<Item = InboxKey>) {
        for inbox in inboxes {
            if let Some(room) = self.seating.rooms.get_mut(&inbox.session.0) {
                room.found = None;
            }
        }
    }

    /// Finds out what [`Self::take`] has to know of these messages' inboxes.
    pub(super) async fn look(
        &mut self,
        connection: &mut SqliteConnection,
        rows: &Draft,
        messages: impl Iterator<Item = Intake<'_>>,
    ) -> Result<(), StoreError> {
        self.look_into(connection, rows, &wishes(messages)).await
    }

    async fn look_into(
        &mut self,
        connection: &mut SqliteConnection,
        rows: &Draft,
        wishes: &HashMap<i64, Wish>,
    ) -> Result<(), StoreError> {
        if self.seating.rooms.len() > SESSIONS {
            self.clear();
        }
        if !self.is_sure {
            self.notice_others(connection).await?;
            self.is_sure = true;
        }
        let unknown = self.seating.unknown(wishes);
        self.count(connection, rows, &unknown).await?;
        let crowded = self.seating.crowded(wishes);
        self.count_again(connection, rows, &crowded).await
    }

    /// Takes room for a message in all its inboxes, or says that there is none.
    pub(super) fn take(&mut self, message: Intake<'_>) -> bool {
        self.seating.take(message)
    }

    /// Takes room for messages that are stored however much waits, so many in each of these inboxes.
    pub(super) async fn take_all(
        &mut self,
        connection: &mut SqliteConnection,
        rows: &Draft,
        (inboxes, quota, now): (impl Iterator<Item = InboxKey>, Quota, Timestamp),
    ) -> Result<(), StoreError> {
        let wishes = wishes_of_rows(inboxes, quota, now);
        self.look_into(connection, rows, &wishes).await?;
        self.seating.take_all(wishes, quota);
        Ok(())
    }

    /// Notes that so many numbers of the one order were taken for what is accounted for here.
    pub(super) fn numbered(&mut self, count: usize) {
        self.last_number = self.last_number.saturating_add(i64::try_from(count).unwrap_or(0));
    }
}

const LAST_NUMBER: &str = "SELECT value FROM sequences WHERE name = 'messages'";

/// Markers have no part in the quota.
pub(super) const COUNT: &str = "
    SELECT wanted.value ->> 1 AS session, (
        SELECT count(*) FROM (
            SELECT 1 FROM inbox
            WHERE shard = wanted.value ->> 0 AND session = wanted.value ->> 1 AND number > 0
            LIMIT ?2
        )
    ) AS messages
    FROM json_each(?1) AS wanted";

/// Signing in is a way of being seen.
pub(super) const LAST_SEEN: &str = "
    SELECT sessions.number AS session,
        max(sessions.last_seen_at, sessions.created_at) AS last_seen
    FROM json_each(?1) AS wanted CROSS JOIN sessions ON sessions.number = wanted.value ->> 1";

impl Rooms {
    /// Whoever else makes rows takes numbers for them.
    async fn notice_others(&mut self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let row = query(LAST_NUMBER).fetch_one(connection).await;
        let last_number = value(&row.map_err(during("looking for other writers"))?, "value")?;
        if last_number != self.last_number {
            self.clear();
        }
        self.last_number = last_number;
        Ok(())
    }

    /// Counts what waits in inboxes, as far as the quota.
    async fn count(
        &mut self,
        connection: &mut SqliteConnection,
        rows: &Draft,
        wishes: &[&Wish],
    ) -> Result<(), StoreError> {
        if wishes.is_empty() {
            return Ok(());
        }
        let quota = wishes.iter().map(|wish| wish.quota).max();
        let counted = query(COUNT).bind(list(wishes)).bind(quota).fetch_all(connection).await;
        for row in counted.map_err(during("counting waiting messages"))? {
            let room = Room { most: value(&row, "messages")?, found: None };
            self.seating.rooms.insert(value(&row, "session")?, room);
        }
        for wish in wishes {
            let fresh = u32::try_from(rows.rows_of(wish.inbox).len()).unwrap_or(u32::MAX);
            if let Some(room) = self.seating.rooms.get_mut(&wish.inbox.session.0) {
                room.most = room.most.saturating_add(fresh);
            }
        }
        Ok(())
    }

    /// Counts where the quota would be reached, and looks when these sessions were seen.
    async fn count_again(
        &mut self,
        connection: &mut SqliteConnection,
        rows: &Draft,
        wishes: &[&Wish],
    ) -> Result<(), StoreError> {
        if wishes.is_empty() {
            return Ok(());
        }
        self.count(&mut *connection, rows, wishes).await?;
        let seen = query(LAST_SEEN).bind(list(wishes)).fetch_all(connection).await;
        let mut last_seen = HashMap::new();
        for row in seen.map_err(during("looking when sessions were seen"))? {
            last_seen.insert(value::<i64>(&row, "session")?, time(&row, "last_seen")?);
        }
        for wish in wishes {
            let session = wish.inbox.session.0;
            let last_seen = last_seen.get(&session).copied().unwrap_or_default();
            if let Some(room) = self.seating.rooms.get_mut(&session) {
                let holds_until = wish.now.plus(COUNT_HOLDS);
                room.found = Some(Found { holds_until, last_seen });
            }
        }
        Ok(())
    }
}

fn list(wishes: &[&Wish]) -> String {
    json_list(wishes, |json, Wish { inbox, .. }| {
        write!(json, "[{},{}]", inbox.shard.0, inbox.session.0)
    })
}

/// The oldest messages of an inbox beyond those that it keeps, those first that nobody holds.
pub(super) const SURPLUS: &str = "
    SELECT surplus.number, payloads.accepted_at
    FROM (
        SELECT number FROM inbox WHERE shard = ?1 AND session = ?2 AND number > 0
        ORDER BY leased_until > ?3, number
        LIMIT max(0, (
            SELECT count(*) FROM (
                SELECT 1 FROM inbox WHERE shard = ?1 AND session = ?2 AND number > 0
                LIMIT ?4 + ?5
            )
        ) - ?4)
    ) AS surplus
    CROSS JOIN payloads ON payloads.number = surplus.number";

impl Rooms {
    /// Makes room in the inboxes that took more than there was room for, and leaves gap markers.
    pub(super) async fn trim(
        &mut self,
        connection: &mut SqliteConnection,
        fresh: &mut Draft,
    ) -> Result<(), StoreError> {
        let mut losses = Losses::new();
        let mut rows = Vec::new();
        let mut now = Timestamp::default();
        for (session, crowded) in std::mem::take(&mut self.seating.crowded) {
            // What is left is counted when the next message comes.
            self.seating.rooms.remove(&session);
            now = now.max(crowded.now);
            settle_inbox(connection, fresh, crowded.inbox).await?;
            let (missing, numbers) = surplus(connection, &crowded).await?;
            let Crowded { inbox, quota, .. } = crowded;
            rows.extend(numbers.into_iter().map(|number| (inbox, number)));
            losses.insert(session, Loss { inbox, id: quota.gap_id, missing });
        }
        if rows.is_empty() {
            return Ok(());
        }
        gaps::delete_rows(connection, &rows).await?;
        let marked = gaps::leave_for_losses(connection, losses, now).await?;
        // Markers have no part in the quota.
        self.numbered(marked.len());
        Ok(())
    }
}

async fn surplus(
    connection: &mut SqliteConnection,
    crowded: &Crowded,
) -> Result<(Missing, Vec<i64>), StoreError> {
    let found = query(SURPLUS)
        .bind(crowded.inbox.shard.0)
        .bind(crowded.inbox.session.0)
        .bind(crowded.now.as_micros())
        .bind(crowded.quota.kept())
        .bind(TRIM)
        .fetch_all(connection)
        .await
        .map_err(during("making room in an inbox"))?;
    let mut missing = Missing::new(GapReason::Trimmed);
    let mut numbers = Vec::with_capacity(found.len());
    for row in &found {
        let accepted_at = time(row, "accepted_at")?;
        missing.add(1, accepted_at, accepted_at);
        numbers.push(value(row, "number")?);
    }
    Ok((missing, numbers))
}
