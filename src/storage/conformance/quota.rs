//! Stories about full inboxes.

use std::time::Duration;

use super::scene::{START, Scene, at, ids, inbox_of, message_id, message_ids};
use crate::domain::clock::Timestamp;
use crate::domain::ids::Order;
use crate::domain::inbox::{
    Acceptance, Accepted, Gap, GapReason, Quota, Release, SYSTEM_GAP, Waiting, WhenFull,
};
use crate::domain::session::Session;

const DAY: u64 = 24 * 3600;

/// A message that is accepted at that time under a quota of so many.
async fn message(
    scene: &Scene,
    from: &Session,
    to: &[&Session],
    n: u16,
    (messages, now): (u32, Timestamp),
) -> Acceptance {
    let mut message = scene.message(from, to, n).await;
    message.quota = Scene::quota(messages, now);
    message.accepted_at = now;
    message.expires_at = now.plus(Duration::from_secs(7 * DAY));
    message
}

/// Fills an inbox with these messages, one second after another.
async fn fill(
    scene: &Scene,
    from: &Session,
    to: &[&Session],
    numbers: std::ops::RangeInclusive<u16>,
) {
    for n in numbers {
        let message = message(scene, from, to, n, (100, at(n.into()))).await;
        assert!(matches!(scene.accept(message).await, Accepted::Stored(_)));
    }
}

fn gap(reason: GapReason, count: u64, from: u64, to: u64) -> String {
    Gap { reason, count, from: at(from), to: at(to) }.to_json()
}

/// The marker's body, and the ids of what comes after it.
fn behind_marker(waiting: &[Waiting]) -> (String, Vec<crate::domain::ids::MessageId>) {
    let Some((marker, rest)) = waiting.split_first() else { panic!("nothing waits") };
    assert_eq!(marker.category, SYSTEM_GAP);
    (String::from_utf8(marker.body.to_vec()).unwrap(), ids(rest))
}

pub(super) async fn a_full_inbox_turns_a_message_away_whole(scene: Scene) {
    let (bot, phone, laptop) =
        (scene.device(1).await, scene.device(2).await, scene.device(3).await);
    fill(&scene, &bot, &[&phone], 1..=3).await;
    let fourth = message(&scene, &bot, &[&laptop, &phone], 4, (3, at(4))).await;
    assert_eq!(scene.accept(fourth.clone()).await, Accepted::Full);
    assert_eq!(scene.accept(fourth.clone()).await, Accepted::Full, "remembered");
    assert!(scene.lease(&laptop, at(4)).await.is_empty());
    assert_eq!(scene.store.seen(bot.account, &[message_id(4)]).await.unwrap(), [None]);

    assert_eq!(ids(&scene.lease(&phone, at(4)).await), message_ids(1..=3));
    scene.acknowledge(&phone, &[2]).await;
    assert!(matches!(scene.accept(fourth).await, Accepted::Stored(_)), "there is room at once");
    assert_eq!(ids(&scene.lease(&laptop, at(4)).await), message_ids([4]));
    assert_eq!(ids(&scene.lease(&phone, at(4)).await), message_ids([4]));
}

pub(super) async fn messages_of_one_call_fill_an_inbox_in_order(scene: Scene) {
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    let mut batch = Vec::new();
    for n in [1, 2, 3, 4, 4, 1] {
        batch.push(message(&scene, &bot, &[&phone], n, (3, START)).await);
    }
    let outcomes = scene.store.accept(batch).await.unwrap();
    let stored = |it: &Accepted| matches!(it, Accepted::Stored(_));
    assert!(outcomes[..3].iter().all(stored), "{outcomes:?}");
    assert_eq!(outcomes[3..], [Accepted::Full, Accepted::Full, Accepted::Duplicate]);
    assert_eq!(ids(&scene.lease(&phone, START).await), message_ids(1..=3));
}

pub(super) async fn a_message_that_is_stored_is_a_duplicate_in_a_full_inbox(scene: Scene) {
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    let first = message(&scene, &bot, &[&phone], 1, (1, START)).await;
    assert!(matches!(scene.accept(first.clone()).await, Accepted::Stored(_)));
    assert_eq!(scene.accept(first).await, Accepted::Duplicate);
}

pub(super) async fn what_expires_makes_room(scene: Scene) {
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    fill(&scene, &bot, &[&phone], 1..=3).await;
    let later = at(7 * DAY + 10);
    scene.store.note_seen(phone.number, later, Duration::ZERO).await.unwrap();
    let fourth = message(&scene, &bot, &[&phone], 4, (3, later)).await;
    assert_eq!(scene.accept(fourth.clone()).await, Accepted::Full, "nobody has swept");
    assert_eq!(scene.sweep_all(later, 100, 500).await.expired, 3);
    let mut fourth = fourth;
    fourth.accepted_at = later.plus(Duration::from_secs(1));
    assert!(matches!(scene.accept(fourth).await, Accepted::Stored(_)));
}

pub(super) async fn an_abandoned_inbox_loses_its_oldest_messages(scene: Scene) {
    let (bot, phone, laptop) =
        (scene.device(1).await, scene.device(2).await, scene.device(3).await);
    fill(&scene, &bot, &[&phone], 1..=16).await;
    let now = at(2 * DAY);
    scene.store.note_seen(laptop.number, now, Duration::ZERO).await.unwrap();
    let next = message(&scene, &bot, &[&phone, &laptop], 17, (16, now)).await;
    assert!(matches!(scene.accept(next).await, Accepted::Stored(_)));
    // An eighth of the quota is free now: 14 stay.
    let waiting = scene.lease(&phone, now).await;
    assert_eq!(behind_marker(&waiting), (gap(GapReason::Trimmed, 3, 1, 3), message_ids(4..=17)));
    assert_eq!((waiting[0].sender, waiting[0].accepted_at), (phone.user, now));
    assert_eq!(ids(&scene.lease(&laptop, now).await), message_ids([17]));
}

pub(super) async fn a_session_that_was_seen_is_not_trimmed(scene: Scene) {
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    fill(&scene, &bot, &[&phone], 1..=3).await;
    let now = at(2 * DAY);
    scene.store.note_seen(phone.number, now, Duration::ZERO).await.unwrap();
    let fourth = message(&scene, &bot, &[&phone], 4, (3, now)).await;
    assert_eq!(scene.accept(fourth).await, Accepted::Full);
    let status = scene.store.inbox_status(inbox_of(&phone), 100).await.unwrap();
    assert_eq!((status.waiting, status.set_aside, status.last_seen), (3, 0, Some(now)));
    let counted = scene.store.inbox_status(inbox_of(&phone), 2).await.unwrap();
    assert_eq!(counted.waiting, 2, "no further than asked");
}

pub(super) async fn a_sighting_is_noted_with_its_precision(scene: Scene) {
    let phone = scene.device(1).await;
    let seen = async |now: u64| {
        scene.store.note_seen(phone.number, at(now), Duration::from_secs(60)).await.unwrap();
        scene.store.inbox_status(inbox_of(&phone), 1).await.unwrap().last_seen
    };
    assert_eq!(scene.store.inbox_status(inbox_of(&phone), 1).await.unwrap().last_seen, None);
    assert_eq!(seen(10).await, Some(at(10)));
    let soon = seen(69).await.unwrap();
    assert!(at(10) <= soon && soon <= at(69));
    assert_eq!(seen(130).await, Some(at(130)));
}

pub(super) async fn one_full_device_does_not_stop_a_group(scene: Scene) {
    let (bot, phone, laptop) =
        (scene.device(1).await, scene.device(2).await, scene.device(3).await);
    fill(&scene, &bot, &[&phone], 1..=8).await;
    let mut post = message(&scene, &bot, &[&phone, &laptop], 9, (8, at(10))).await;
    post.quota.when_full = WhenFull::Trim;
    assert!(matches!(scene.accept(post).await, Accepted::Stored(_)));
    let waiting = scene.lease(&phone, at(10)).await;
    assert_eq!(behind_marker(&waiting), (gap(GapReason::Trimmed, 2, 1, 2), message_ids(3..=9)));
    assert_eq!(ids(&scene.lease(&laptop, at(10)).await), message_ids([9]));
}

pub(super) async fn what_is_held_is_trimmed_last(scene: Scene) {
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    fill(&scene, &bot, &[&phone], 1..=8).await;
    let mut request = Scene::request(&phone, at(10));
    request.limit = 3;
    scene.store.lease(request).await.unwrap();
    let mut post = message(&scene, &bot, &[&phone], 9, (8, at(11))).await;
    post.quota.when_full = WhenFull::Trim;
    scene.accept(post).await;
    scene.acknowledge(&phone, &[1, 2, 3]).await;
    let waiting = scene.lease(&phone, at(12)).await;
    assert_eq!(behind_marker(&waiting), (gap(GapReason::Trimmed, 2, 4, 5), message_ids(6..=9)));
}

pub(super) async fn unread_markers_of_what_was_trimmed_become_one(scene: Scene) {
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    fill(&scene, &bot, &[&phone], 1..=8).await;
    for n in 9..=30 {
        let mut post = message(&scene, &bot, &[&phone], n, (8, at(n.into()))).await;
        post.quota.when_full = WhenFull::Trim;
        post.quota.gap_id = message_id(1000 + n);
        assert!(matches!(scene.accept(post).await, Accepted::Stored(_)));
    }
    let waiting = scene.lease(&phone, at(40)).await;
    let left = u16::try_from(waiting.len()).unwrap() - 1;
    let gone = u64::from(30 - left);
    let (marker, rest) = behind_marker(&waiting);
    assert_eq!(marker, gap(GapReason::Trimmed, gone, 1, gone));
    assert_eq!(rest, message_ids(31 - left..=30));
    assert!((7..=8).contains(&left), "{left}");
    assert_eq!(scene.sweep(None, 100).await.dropped, gone, "nobody waits for them");
}

/// Random dealings with two inboxes: whatever is accepted is acknowledged, waits, or is counted by
/// a marker, and by one alone.
pub(super) async fn nothing_is_dropped_without_being_counted(scene: Scene) {
    let (bot, phone, laptop) =
        (scene.device(1).await, scene.device(2).await, scene.device(3).await);
    let mut ledgers = [Ledger::of(&phone), Ledger::of(&laptop)];
    let mut dice = Dice(0x5ea1_9057);
    let (mut now, mut next) = (START, 1);
    for _ in 0..250 {
        now =
            now.plus(Duration::from_secs(u64::from(dice.below(3)) * u64::from(dice.below(40_000))));
        match dice.below(6) {
            0..=2 => {
                let to = [vec![&phone], vec![&phone, &laptop]][usize::from(dice.below(2))].clone();
                let mut post = message(&scene, &bot, &to, next, (12, now)).await;
                let when_full = [WhenFull::Defer, WhenFull::Trim][usize::from(dice.below(2))];
                let gap_id = message_id(20_000 + next);
                post.quota = Quota { when_full, gap_id, ..post.quota };
                next += 1;
                if matches!(scene.accept(post).await, Accepted::Stored(_)) {
                    ledgers.iter_mut().take(to.len()).for_each(|ledger| ledger.accepted += 1);
                }
            }
            3 => {
                scene.sweep_all(now, 5, 30_000 + next).await;
                next += 10;
            }
            _ => {
                let which = usize::from(dice.below(2));
                ledgers[which].read(&scene, now, &mut dice, 40_000 + next).await;
                next += 1;
            }
        }
        for ledger in &ledgers {
            ledger.check(&scene).await;
        }
    }
    let gone: u64 = ledgers.iter().map(|ledger| ledger.missing).sum();
    assert!(gone > 10 && ledgers[0].acknowledged > 10, "{gone} gone: the story is too quiet");
}

/// What went into an inbox and what came of it.
struct Ledger {
    session: Session,
    accepted: u64,
    acknowledged: u64,
    /// Counted by markers that were acknowledged.
    missing: u64,
}

impl Ledger {
    fn of(session: &Session) -> Self {
        Self { session: session.clone(), accepted: 0, acknowledged: 0, missing: 0 }
    }

    /// Reads some of the inbox, and acknowledges some of that or lets go of it.
    async fn read(&mut self, scene: &Scene, now: Timestamp, dice: &mut Dice, gap_id: u16) {
        let mut request = Scene::request(&self.session, now);
        request.limit = 1 + u32::from(dice.below(6));
        request.isolation.gap_id = message_id(gap_id);
        scene.store.note_seen(self.session.number, now, Duration::ZERO).await.unwrap();
        for message in scene.store.lease(request).await.unwrap().messages {
            if dice.below(3) > 0 {
                let inbox = inbox_of(&self.session);
                scene.store.acknowledge(inbox, vec![message.message_id]).await.unwrap();
                match lost(&message) {
                    Some(count) => self.missing += count,
                    None => self.acknowledged += 1,
                }
            } else {
                self.release(scene, message.order, request.until, Release::Unacknowledged).await;
            }
        }
    }

    async fn release(&self, scene: &Scene, order: Order, until: Timestamp, how: Release) {
        scene.release(&self.session, vec![order], until, how).await;
    }

    async fn check(&self, scene: &Scene) {
        let status = scene.store.inbox_status(inbox_of(&self.session), 1000).await.unwrap();
        let markers = self.unread_markers(scene).await;
        let counted: u64 = markers.iter().sum();
        let waiting = status.waiting - markers.len() as u64;
        let sum = self.acknowledged + self.missing + counted + waiting;
        assert_eq!(sum, self.accepted, "{waiting} wait, markers {markers:?}");
    }

    /// What the markers that wait count; those of what is set aside count nothing.
    async fn unread_markers(&self, scene: &Scene) -> Vec<u64> {
        let mut markers = Vec::new();
        let mut request = Scene::request(&self.session, START);
        request.limit = 1;
        request.isolation.after = u32::MAX;
        request.isolation.set_aside_after = u32::MAX;
        loop {
            let found = scene.store.lease(request).await.unwrap().messages;
            let Some(message) = found.first() else { break };
            if message.category != SYSTEM_GAP {
                self.release(scene, message.order, request.until, Release::Unsent).await;
                break;
            }
            markers.push((message.order, lost(message).unwrap_or(0)));
        }
        for (order, _) in &markers {
            self.release(scene, *order, request.until, Release::Unsent).await;
        }
        markers.into_iter().map(|(_, count)| count).collect()
    }
}

/// What a marker counts as gone; `None` for a message.
fn lost(message: &Waiting) -> Option<u64> {
    if message.category != SYSTEM_GAP {
        return None;
    }
    let gap: sealpost_sdk::types::Gap = serde_json::from_slice(&message.body).unwrap();
    let is_loss = gap.reason != sealpost_sdk::types::GapReason::SetAside;
    Some(if is_loss { gap.count } else { 0 })
}

/// The same numbers every time (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u16) -> u16 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u16::try_from(self.0 % u64::from(sides)).unwrap_or_default()
    }
}
