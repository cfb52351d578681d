//! Room in inboxes, as far as it is known while messages are judged: whatever the database.

use std::collections::BTreeMap;
use std::time::Duration;

use super::own::OwnMap;
use crate::domain::clock::Timestamp;
use crate::domain::inbox::{InboxKey, Intake, Quota, WhenFull};

/// How long a count of a full inbox holds.
pub(super) const COUNT_HOLDS: Duration = Duration::from_secs(1);

/// What is known of inboxes, by the numbers of their sessions.
#[derive(Default)]
pub(super) struct Seating {
    pub rooms: OwnMap<i64, Room>,
    /// Inboxes that have to make room once the messages are stored.
    pub crowded: BTreeMap<i64, Crowded>,
}

/// What is known of one inbox.
pub(super) struct Room {
    /// So many messages wait, or fewer.
    pub most: u32,
    /// What was found when the quota was reached.
    pub found: Option<Found>,
}

/// The circumstances of a full inbox.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub holds_until: Timestamp,
    pub last_seen: Timestamp,
}

/// An inbox that takes more than there is room for.
pub(super) struct Crowded {
    pub inbox: InboxKey,
    pub quota: Quota,
    pub now: Timestamp,
}

/// What the messages of a group want of an inbox.
pub(super) struct Wish {
    pub inbox: InboxKey,
    pub messages: u32,
    pub quota: u32,
    pub now: Timestamp,
}

impl Seating {
    /// Those of the inboxes that nothing is known of.
    pub(super) fn unknown<'w>(&self, wishes: &'w OwnMap<i64, Wish>) -> Vec<&'w Wish> {
        let unknown = wishes.iter().filter(|(session, _)| !self.rooms.contains_key(session));
        unknown.map(|(_, wish)| wish).collect()
    }

    /// Those of the inboxes where the quota would be reached, and no count still holds.
    pub(super) fn crowded<'w>(&self, wishes: &'w OwnMap<i64, Wish>) -> Vec<&'w Wish> {
        let crowded = wishes.iter().filter(|(session, wish)| {
            let Some(room) = self.rooms.get(session) else { return true };
            let holds = room.found.is_some_and(|found| wish.now < found.holds_until);
            room.most.saturating_add(wish.messages) > wish.quota && !holds
        });
        crowded.map(|(_, wish)| wish).collect()
    }

    /// Takes room for a message in all its inboxes, or says that there is none. A message that has
    /// room is stored.
    pub(super) fn take(&mut self, message: Intake<'_>) -> bool {
        let quota = message.quota;
        let is_full = |session: i64| {
            let room = self.rooms.get(&session);
            room.is_some_and(|room| room.most >= quota.messages).then_some(session)
        };
        let mut full = message.slots.iter().filter_map(|slot| is_full(slot.session.0));
        let waits = quota.when_full == WhenFull::Defer
            && full.any(|session| !self.is_abandoned(session, quota.abandoned_before));
        if waits {
            return false;
        }
        for slot in message.slots {
            let Some(room) = self.rooms.get_mut(&slot.session.0) else { continue };
            room.most = room.most.saturating_add(1);
            if room.most > quota.messages {
                let inbox = InboxKey { shard: slot.shard, session: slot.session };
                let crowded = Crowded { inbox, quota, now: message.now };
                self.crowded.entry(slot.session.0).or_insert(crowded);
            }
        }
        true
    }

    /// Takes room for messages that are stored however much waits.
    pub(super) fn take_all(&mut self, wishes: OwnMap<i64, Wish>, quota: Quota) {
        for (session, Wish { inbox, messages, now, .. }) in wishes {
            let Some(room) = self.rooms.get_mut(&session) else { continue };
            room.most = room.most.saturating_add(messages);
            if room.most > quota.messages {
                self.crowded.entry(session).or_insert(Crowded { inbox, quota, now });
            }
        }
    }

    fn is_abandoned(&self, session: i64, before: Timestamp) -> bool {
        let found = self.rooms.get(&session).and_then(|room| room.found);
        found.is_some_and(|found| found.last_seen < before)
    }
}

/// What these messages want of the inboxes that they are for, by their sessions' numbers.
pub(super) fn wishes<'a>(messages: impl Iterator<Item = Intake<'a>>) -> OwnMap<i64, Wish> {
    let mut wishes: OwnMap<i64, Wish> = OwnMap::default();
    for message in messages {
        for slot in message.slots {
            let wish = wishes.entry(slot.session.0).or_insert_with(|| Wish {
                inbox: InboxKey { shard: slot.shard, session: slot.session },
                messages: 0,
                quota: message.quota.messages,
                now: message.now,
            });
            wish.messages += 1;
            wish.quota = wish.quota.max(message.quota.messages);
        }
    }
    wishes
}

/// What rows want that come to inboxes however much waits there.
pub(super) fn wishes_of_rows(
    rows: impl Iterator<Item = InboxKey>,
    quota: Quota,
    now: Timestamp,
) -> OwnMap<i64, Wish> {
    let mut wishes: OwnMap<i64, Wish> = OwnMap::default();
    for inbox in rows {
        let new = || Wish { inbox, messages: 0, quota: quota.messages, now };
        wishes.entry(inbox.session.0).or_insert_with(new).messages += 1;
    }
    wishes
}
