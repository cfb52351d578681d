//! Room in inboxes: the quota of a session, without counting for every message.
//!
//! All writers of this process share a memory: for each session what was counted, and what they
//! have stored since. What is acknowledged or swept is not subtracted; only when the quota would be
//! reached are the rows counted again, and that count holds for a second unless something was
//! acknowledged here, so that a sender who hammers at a full inbox does not make anybody count each
//! time. Nothing is refused or trimmed on less than a count.
//!
//! What others store is not in this memory: other writers until their commit, other programs, and
//! steps that leave rows of their own, such as the notices of groups. So an inbox may come to hold
//! more than its quota: by what each writer has in its hands, and by what others store while a
//! count is relied upon. That is [`NEAR_HOLDS`] for an inbox that is filled to a quarter or more,
//! and [`FAR_HOLDS`] for others, which take up to a quarter in that time from each program.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::query;

use super::columns::numbers;
use super::gaps::{self, Loss, Losses};
use super::link::Link;
use super::rows::{count, time, value};
use crate::domain::clock::Timestamp;
use crate::domain::ids::SessionNumber;
use crate::domain::inbox::{GapReason, InboxKey, Intake, Quota};
use crate::storage::error::{StoreError, during};
use crate::storage::gap::Missing;
use crate::storage::own::OwnMap;
use crate::storage::seating::{
    COUNT_HOLDS, Crowded, Found, Room, Seating, Wish, wishes, wishes_of_rows,
};

/// How many sessions are remembered, at most.
const SESSIONS: usize = 100_000;

/// How long a count of an inbox is relied upon that is filled to a quarter or more.
const NEAR_HOLDS: Duration = Duration::from_secs(2);

/// How long a count of another inbox is relied upon.
const FAR_HOLDS: Duration = Duration::from_secs(300);

/// How many rows are trimmed at a time, at most; more are there only if the quota was lowered.
const TRIM: i64 = 10_000;

/// What all writers of a process remember.
#[derive(Default)]
pub(super) struct Rooms {
    memory: Mutex<OwnMap<i64, Remembered>>,
}

/// A room as it was left by the last transaction that told of it.
#[derive(Clone, Copy)]
struct Remembered {
    most: u32,
    found: Option<Found>,
    counted_at: Timestamp,
}

impl Remembered {
    fn holds(&self, wish: &Wish) -> bool {
        let far = self.most < wish.quota / 4;
        let holds = if far { FAR_HOLDS } else { NEAR_HOLDS };
        wish.now < self.counted_at.plus(holds)
    }
}

/// What one transaction knows: only if it is committed does it become everybody's.
#[derive(Default)]
pub(super) struct View {
    seating: Seating,
    /// What was known before messages took room.
    before: OwnMap<i64, Remembered>,
}

impl Rooms {
    fn memory(&self) -> MutexGuard<'_, OwnMap<i64, Remembered>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There may be more room in these inboxes than before.
    pub(super) fn emptied(&self, inboxes: impl Iterator<Item = InboxKey>) {
        let mut memory = self.memory();
        for inbox in inboxes {
            if let Some(room) = memory.get_mut(&inbox.session.0) {
                room.found = None;
            }
        }
    }

    /// There may be less room in these inboxes than before.
    pub(super) fn forget(&self, sessions: impl Iterator<Item = SessionNumber>) {
        let mut memory = self.memory();
        for session in sessions {
            memory.remove(&session.0);
        }
    }

    /// Finds out what [`View::take`] has to know of these messages' inboxes.
    pub(super) async fn look(
        &self,
        link: &mut Link<'_>,
        messages: impl Iterator<Item = Intake<'_>>,
    ) -> Result<View, StoreError> {
        let wishes = wishes(messages);
        let mut view = self.recall(&wishes);
        let unknown = view.seating.unknown(&wishes);
        view.count(link, &unknown).await?;
        let crowded = view.seating.crowded(&wishes);
        view.count_again(link, &crowded).await?;
        Ok(view)
    }

    /// What [`View::take`] has to know of these messages' inboxes, if it is remembered of all of them
    /// and there is room.
    pub(super) fn known<'a>(&self, messages: impl Iterator<Item = Intake<'a>>) -> Option<View> {
        let wishes = wishes(messages);
        let view = self.recall(&wishes);
        let is_known = view.seating.unknown(&wishes).is_empty();
        (is_known && view.seating.crowded(&wishes).is_empty()).then_some(view)
    }

    fn recall(&self, wishes: &OwnMap<i64, Wish>) -> View {
        let mut view = View::default();
        let memory = self.memory();
        for (session, wish) in wishes {
            let Some(known) = memory.get(session).filter(|known| known.holds(wish)) else {
                continue;
            };
            view.before.insert(*session, *known);
            let room = Room { most: known.most, found: known.found };
            view.seating.rooms.insert(*session, room);
        }
        view
    }

    /// Takes over what a transaction knew that is committed now.
    pub(super) fn remember(&self, view: View) {
        let mut memory = self.memory();
        if memory.len() > SESSIONS {
            memory.clear();
        }
        for (session, before) in view.before {
            let Some(room) = view.seating.rooms.get(&session) else {
                memory.remove(&session);
                continue;
            };
            let known = memory.entry(session).or_insert(before);
            if known.counted_at < before.counted_at {
                *known = before;
            }
            known.most = known.most.saturating_add(room.most.saturating_sub(before.most));
        }
    }
}

/// Markers have no part in the quota.
pub(super) const COUNT: &str = "
    SELECT wanted.session, (
        SELECT count(*) FROM (
            SELECT 1 FROM inbox
            WHERE shard = wanted.shard AND session = wanted.session AND number > 0
            LIMIT $3
        ) AS waiting
    ) AS messages
    FROM unnest($1::bigint[], $2::bigint[]) AS wanted (shard, session)";

/// Signing in is a way of being seen.
pub(super) const LAST_SEEN: &str = "
    SELECT number AS session, greatest(last_seen_at, created_at) AS last_seen
    FROM sessions WHERE number = ANY($1)";

impl View {
    /// Takes room for a message in all its inboxes, or says that there is none.
    pub(super) fn take(&mut self, message: Intake<'_>) -> bool {
        self.seating.take(message)
    }

    /// Whether inboxes have to make room once the messages are stored.
    pub(super) fn is_crowded(&self) -> bool {
        !self.seating.crowded.is_empty()
    }

    /// Counts what waits in inboxes, as far as the quota.
    async fn count(&mut self, link: &mut Link<'_>, wishes: &[&Wish]) -> Result<(), StoreError> {
        let Some(quota) = wishes.iter().map(|wish| wish.quota).max() else { return Ok(()) };
        let rows = query(COUNT)
            .bind(numbers(wishes, |wish| wish.inbox.shard.0))
            .bind(numbers(wishes, |wish| wish.inbox.session.0))
            .bind(i64::from(quota))
            .fetch_all(link)
            .await
            .map_err(during("counting waiting messages"))?;
        let mut counts = HashMap::with_capacity(rows.len());
        for row in &rows {
            counts.insert(value::<i64>(row, "session")?, count(row, "messages")?);
        }
        for wish in wishes {
            let session = wish.inbox.session.0;
            let most = counts.get(&session).copied().unwrap_or_default();
            let most = u32::try_from(most).unwrap_or(u32::MAX);
            self.seating.rooms.insert(session, Room { most, found: None });
            let known = Remembered { most, found: None, counted_at: wish.now };
            self.before.insert(session, known);
        }
        Ok(())
    }

    /// Counts where the quota would be reached, and looks when these sessions were seen.
    async fn count_again(
        &mut self,
        link: &mut Link<'_>,
        wishes: &[&Wish],
    ) -> Result<(), StoreError> {
        if wishes.is_empty() {
            return Ok(());
        }
        self.count(link, wishes).await?;
        let sessions = query(LAST_SEEN).bind(numbers(wishes, |wish| wish.inbox.session.0));
        let rows = sessions.fetch_all(link).await;
        let mut last_seen = OwnMap::default();
        for row in rows.map_err(during("looking when sessions were seen"))? {
            last_seen.insert(value::<i64>(&row, "session")?, time(&row, "last_seen")?);
        }
        for wish in wishes {
            let session = wish.inbox.session.0;
            let last_seen = last_seen.get(&session).copied().unwrap_or_default();
            let found = Some(Found { holds_until: wish.now.plus(COUNT_HOLDS), last_seen });
            if let Some(room) = self.seating.rooms.get_mut(&session) {
                room.found = found;
            }
            if let Some(known) = self.before.get_mut(&session) {
                known.found = found;
            }
        }
        Ok(())
    }
}

/// The oldest messages of an inbox beyond those that it keeps, those first that nobody holds.
pub(super) const SURPLUS: &str = "
    SELECT surplus.number, payloads.accepted_at
    FROM (
        SELECT number, home FROM inbox WHERE shard = $1 AND session = $2 AND number > 0
        ORDER BY leased_until > $3, number
        LIMIT greatest(0, (
            SELECT count(*) FROM (
                SELECT 1 FROM inbox WHERE shard = $1 AND session = $2 AND number > 0
                LIMIT $4::bigint + $5::bigint
            ) AS waiting
        ) - $4::bigint)
    ) AS surplus
    CROSS JOIN LATERAL (
        SELECT accepted_at FROM payloads
        WHERE payloads.shard = surplus.home AND payloads.number = surplus.number
        LIMIT 1
    ) AS payloads";

impl View {
    /// Makes room in the inboxes that took more than there was room for, and leaves gap markers.
    pub(super) async fn trim(&mut self, link: &mut Link<'_>) -> Result<(), StoreError> {
        let mut losses = Losses::new();
        let mut now = Timestamp::default();
        for (session, crowded) in std::mem::take(&mut self.seating.crowded) {
            // What is left is counted when the next message comes.
            self.seating.rooms.remove(&session);
            now = now.max(crowded.now);
            let missing = make_room(link, &crowded).await?;
            let Crowded { inbox, quota, .. } = crowded;
            losses.insert(session, Loss { inbox, id: quota.gap_id, missing });
        }
        gaps::leave_for_losses(link, losses, now).await?;
        Ok(())
    }
}

/// Makes room in the inboxes that more was just put into than there is room for, and leaves gap
/// markers. Whoever does this tells [`Rooms::forget`] once it is committed.
pub(super) async fn trim_stored(
    link: &mut Link<'_>,
    rows: impl Iterator<Item = InboxKey>,
    quota: Quota,
    now: Timestamp,
) -> Result<(), StoreError> {
    // One more than there is room for is looked for.
    let beyond = Quota { messages: quota.messages.saturating_add(1), ..quota };
    let wishes = wishes_of_rows(rows, beyond, now);
    let mut view = View::default();
    view.count(link, &wishes.values().collect::<Vec<_>>()).await?;
    for (session, Wish { inbox, .. }) in wishes {
        if view.seating.rooms.get(&session).is_some_and(|room| room.most > quota.messages) {
            view.seating.crowded.insert(session, Crowded { inbox, quota, now });
        }
    }
    view.trim(link).await
}

/// Deletes what is too much; returns what that was.
async fn make_room(link: &mut Link<'_>, crowded: &Crowded) -> Result<Missing, StoreError> {
    let found = query(SURPLUS)
        .bind(crowded.inbox.shard.0)
        .bind(crowded.inbox.session.0)
        .bind(crowded.now.as_micros())
        .bind(i64::from(crowded.quota.kept()))
        .bind(TRIM)
        .fetch_all(&mut *link)
        .await
        .map_err(during("making room in an inbox"))?;
    let mut surplus = HashMap::with_capacity(found.len());
    for row in &found {
        surplus.insert((crowded.inbox, value::<i64>(row, "number")?), time(row, "accepted_at")?);
    }
    let rows: Vec<(InboxKey, i64)> = surplus.keys().copied().collect();
    let mut missing = Missing::new(GapReason::Trimmed);
    // What another transaction deletes is counted there, or was read.
    for row in gaps::delete_rows(link, &rows).await? {
        let accepted_at = surplus.get(&row).copied().unwrap_or_default();
        missing.add(1, accepted_at, accepted_at);
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{MessageId, Shard};
    use crate::domain::inbox::{Quota, Slot, WhenFull};

    const SESSION: i64 = 7;

    fn slot() -> Slot {
        Slot { shard: Shard(1), session: SessionNumber(SESSION), bytes: bytes::Bytes::new() }
    }

    fn intake(slots: &[Slot], seconds: i64) -> Intake<'_> {
        let quota = Quota {
            messages: 100,
            abandoned_before: Timestamp::default(),
            when_full: WhenFull::Defer,
            gap_id: MessageId::from_bytes([0; 16]),
        };
        Intake { slots, quota, now: Timestamp::from_micros(seconds * 1_000_000) }
    }

    fn recall(rooms: &Rooms, seconds: i64) -> View {
        rooms.recall(&wishes(std::iter::once(intake(&[slot()], seconds))))
    }

    /// A memory in which so many messages were counted at second 10.
    fn counted(most: u32) -> Rooms {
        let mut view = View::default();
        let counted_at = Timestamp::from_micros(10_000_000);
        view.before.insert(SESSION, Remembered { most, found: None, counted_at });
        view.seating.rooms.insert(SESSION, Room { most, found: None });
        let rooms = Rooms::default();
        rooms.remember(view);
        rooms
    }

    fn most(rooms: &Rooms) -> Option<u32> {
        rooms.memory().get(&SESSION).map(|known| known.most)
    }

    #[test]
    fn what_several_writers_store_adds_up() {
        let rooms = counted(3);
        let mut views = [recall(&rooms, 11), recall(&rooms, 11)];
        for view in &mut views {
            assert!(view.take(intake(&[slot()], 11)) && view.take(intake(&[slot()], 11)));
        }
        let [committed, failed] = views;
        rooms.remember(committed);
        drop(failed);
        assert_eq!(most(&rooms), Some(5));
        rooms.remember(recall(&rooms, 12));
        assert_eq!(most(&rooms), Some(5));
    }

    #[test]
    fn a_count_is_relied_upon_for_longer_where_there_is_much_room() {
        let known = |most, seconds| !recall(&counted(most), seconds).seating.rooms.is_empty();
        assert!(known(24, 309) && !known(24, 310));
        assert!(known(25, 11) && !known(25, 12));
    }

    #[test]
    fn an_inbox_that_made_room_is_counted_again() {
        let rooms = counted(3);
        let mut view = recall(&rooms, 11);
        view.seating.rooms.remove(&SESSION);
        rooms.remember(view);
        assert_eq!(most(&rooms), None);
    }
}
