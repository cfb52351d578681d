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

use rusqlite::Row;

use super::connection::WriterConnection;
use super::fresh::Draft;
use super::gaps::{self, Loss, Losses};
use super::settle::settle_inbox;
use crate::domain::clock::Timestamp;
use crate::domain::inbox::{GapReason, InboxKey, Intake, Quota};
use crate::storage::cells::{Cells, small, time};
use crate::storage::error::StoreError;
use crate::storage::gap::Missing;
use crate::storage::own::OwnMap;
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
    pub(super) fn look<'m>(
        &mut self,
        connection: &WriterConnection,
        rows: &Draft,
        messages: impl Iterator<Item = Intake<'m>>,
    ) -> Result<(), StoreError> {
        self.look_into(connection, rows, &wishes(messages))
    }

    fn look_into(
        &mut self,
        connection: &WriterConnection,
        rows: &Draft,
        wishes: &OwnMap<i64, Wish>,
    ) -> Result<(), StoreError> {
        if self.seating.rooms.len() > SESSIONS {
            self.clear();
        }
        if !self.is_sure {
            self.notice_others(connection)?;
            self.is_sure = true;
        }
        let unknown = self.seating.unknown(wishes);
        self.count(connection, rows, &unknown)?;
        let crowded = self.seating.crowded(wishes);
        self.count_again(connection, rows, &crowded)
    }

    /// Takes room for a message in all its inboxes, or says that there is none.
    pub(super) fn take(&mut self, message: Intake<'_>) -> bool {
        self.seating.take(message)
    }

    /// Takes room for messages that are stored however much waits, so many in each of these inboxes.
    pub(super) fn take_all(
        &mut self,
        connection: &WriterConnection,
        rows: &Draft,
        (inboxes, quota, now): (impl Iterator<Item = InboxKey>, Quota, Timestamp),
    ) -> Result<(), StoreError> {
        let wishes = wishes_of_rows(inboxes, quota, now);
        self.look_into(connection, rows, &wishes)?;
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
    SELECT count(*) AS messages FROM (
        SELECT 1 FROM inbox WHERE shard = ?1 AND session = ?2 AND number > 0 LIMIT ?3
    )";

/// Signing in is a way of being seen.
pub(super) const LAST_SEEN: &str = "
    SELECT max(last_seen_at, created_at) AS last_seen FROM sessions WHERE number = ?1";

impl Rooms {
    /// Whoever else makes rows takes numbers for them.
    fn notice_others(&mut self, connection: &WriterConnection) -> Result<(), StoreError> {
        let read = |row: &Row<'_>| row.integer("value");
        let last_number = connection.first(LAST_NUMBER, [], "looking for other writers", read)?;
        let last_number = last_number.ok_or(StoreError::Corrupt { column: "value" })?;
        if last_number != self.last_number {
            self.clear();
        }
        self.last_number = last_number;
        Ok(())
    }

    /// Counts what waits in inboxes, as far as the quota.
    fn count(
        &mut self,
        connection: &WriterConnection,
        rows: &Draft,
        wishes: &[&Wish],
    ) -> Result<(), StoreError> {
        for Wish { inbox, quota, .. } in wishes {
            let values = (inbox.shard.0, inbox.session.0, quota);
            let read = |row: &Row<'_>| small(row, "messages");
            let settled = connection.first(COUNT, values, "counting waiting messages", read)?;
            let fresh = u32::try_from(rows.rows_of(*inbox).len()).unwrap_or(u32::MAX);
            let most = settled.unwrap_or(0).saturating_add(fresh);
            self.seating.rooms.insert(inbox.session.0, Room { most, found: None });
        }
        Ok(())
    }

    /// Counts where the quota would be reached, and looks when these sessions were seen.
    fn count_again(
        &mut self,
        connection: &WriterConnection,
        rows: &Draft,
        wishes: &[&Wish],
    ) -> Result<(), StoreError> {
        self.count(connection, rows, wishes)?;
        for wish in wishes {
            let session = wish.inbox.session.0;
            let read = |row: &Row<'_>| time(row, "last_seen");
            let seen =
                connection.first(LAST_SEEN, [session], "looking when a session was seen", read)?;
            let last_seen = seen.unwrap_or_default();
            if let Some(room) = self.seating.rooms.get_mut(&session) {
                let holds_until = wish.now.plus(COUNT_HOLDS);
                room.found = Some(Found { holds_until, last_seen });
            }
        }
        Ok(())
    }
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
        connection: &mut WriterConnection,
        fresh: &mut Draft,
    ) -> Result<(), StoreError> {
        let mut losses = Losses::new();
        let mut rows = Vec::new();
        let mut now = Timestamp::default();
        for (session, crowded) in std::mem::take(&mut self.seating.crowded) {
            // What is left is counted when the next message comes.
            self.seating.rooms.remove(&session);
            now = now.max(crowded.now);
            settle_inbox(connection, fresh, crowded.inbox)?;
            let (missing, numbers) = surplus(connection, &crowded)?;
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

fn surplus(
    connection: &WriterConnection,
    crowded: &Crowded,
) -> Result<(Missing, Vec<i64>), StoreError> {
    let Crowded { inbox, quota, now } = crowded;
    let values = (inbox.shard.0, inbox.session.0, now.as_micros(), quota.kept(), TRIM);
    let (mut missing, mut numbers) = (Missing::new(GapReason::Trimmed), Vec::new());
    connection.rows(SURPLUS, values, "making room in an inbox", |row| {
        let accepted_at = time(row, "accepted_at")?;
        missing.add(1, accepted_at, accepted_at);
        numbers.push(row.integer("number")?);
        Ok(())
    })?;
    Ok((missing, numbers))
}
