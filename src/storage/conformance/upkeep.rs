//! Stories about what happens in the background.

use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use super::scene::{START, Scene, at, ids, inbox_of, message_id, message_ids};
use crate::domain::ids::MessageId;
use crate::domain::inbox::{
    Accepted, Gap, GapReason, OLDEST_MESSAGE, SYSTEM_GAP, Sweep, SweepRequest, Waiting,
};
use crate::domain::ports::Soundness;
use crate::domain::session::Session;

pub(super) async fn only_payloads_that_nobody_waits_for_are_swept(scene: Scene) {
    let (bot, phone, laptop) =
        (scene.device(1).await, scene.device(2).await, scene.device(3).await);
    for n in [1, 2, 3] {
        scene.send(&bot, &[&phone, &laptop], n).await;
    }
    let swept = scene.sweep(None, 100).await;
    assert_eq!((swept.dropped, swept.next), (0, None));

    scene.lease(&phone, START).await;
    scene.lease(&laptop, START).await;
    scene.acknowledge(&phone, &[1, 2]).await;
    scene.acknowledge(&laptop, &[2, 3]).await;
    assert_eq!(scene.sweep(None, 100).await.dropped, 1);
    assert_eq!(scene.sweep(None, 100).await.dropped, 0);
    assert_eq!(ids(&scene.lease(&phone, at(100)).await), message_ids([3]));
    assert_eq!(ids(&scene.lease(&laptop, at(100)).await), message_ids([1]));
}

pub(super) async fn a_sweep_goes_on_where_the_last_one_stopped(scene: Scene) {
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    for n in 1..=7 {
        scene.send(&bot, &[&phone], n).await;
    }
    scene.lease(&phone, START).await;
    scene.acknowledge(&phone, &[2, 4, 5, 7]).await;
    let (mut from, mut dropped) = (None, Vec::new());
    loop {
        let swept = scene.sweep(from, 3).await;
        dropped.push(swept.dropped);
        from = swept.next;
        if from.is_none() {
            break;
        }
    }
    assert_eq!(dropped, [1, 2, 1]);
    assert_eq!(ids(&scene.lease(&phone, at(100)).await), message_ids([1, 3, 6]));
}

pub(super) async fn a_swept_message_stays_a_duplicate(scene: Scene) {
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    let message = scene.message(&bot, &[&phone], 1).await;
    let Accepted::Stored(first) = scene.accept(message.clone()).await else { panic!("stored") };
    scene.lease(&phone, START).await;
    scene.acknowledge(&phone, &[1]).await;
    assert_eq!(scene.sweep(None, 100).await.dropped, 1);
    assert_eq!(scene.accept(message).await, Accepted::Duplicate);

    let next = scene.message(&bot, &[&phone], 2).await;
    let Accepted::Stored(second) = scene.accept(next).await else { panic!("stored") };
    assert!(second > first, "numbers are not used again");
}

pub(super) async fn old_message_ids_are_forgotten_a_few_at_a_time(scene: Scene) {
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    for n in 1..=10 {
        let mut message = scene.message(&bot, &[&phone], n).await;
        message.accepted_at = at(u64::from(n));
        scene.accept(message).await;
    }
    assert_eq!(scene.store.forget_seen(at(1), 100).await.unwrap(), 0);
    let mut forgotten = Vec::new();
    for _ in 0..3 {
        forgotten.push(scene.store.forget_seen(at(8), 3).await.unwrap());
    }
    assert_eq!(forgotten, [3, 3, 1]);
    assert_eq!(scene.store.forget_seen(at(8), 3).await.unwrap(), 0);
    let seen = scene.store.seen(bot.account, &message_ids(1..=10)).await.unwrap();
    let kept: Vec<bool> = seen.iter().map(Option::is_some).collect();
    let expected: Vec<bool> = (1..=10).map(|n| n >= 8).collect();
    assert_eq!(kept, expected);
    assert_eq!(scene.lease(&phone, START).await.len(), 10, "the messages themselves stay");
}

/// Messages that end their time at these seconds after the beginning; accepted one second apart.
async fn send_expiring(scene: &Scene, from: &Session, to: &[&Session], ends: &[(u16, u64)]) {
    for &(n, seconds) in ends {
        let mut message = scene.message(from, to, n).await;
        message.accepted_at = at(u64::from(n));
        message.expires_at = at(seconds);
        scene.accept(message).await;
    }
}

fn gap(reason: GapReason, count: u64, from: u64, to: u64) -> String {
    Gap { reason, count, from: at(from), to: at(to) }.to_json()
}

/// The marker's body, and the ids of what comes after it.
fn behind_marker(waiting: &[Waiting]) -> (String, Vec<MessageId>) {
    let Some((marker, rest)) = waiting.split_first() else { panic!("nothing waits") };
    assert_eq!(marker.category, SYSTEM_GAP);
    assert!(marker.slot.is_empty() && marker.conversation.is_none());
    (String::from_utf8(marker.body.to_vec()).unwrap(), ids(rest))
}

pub(super) async fn what_was_not_read_in_time_leaves_a_gap_for_each_session(scene: Scene) {
    let (bot, phone, laptop) =
        (scene.device(1).await, scene.device(2).await, scene.device(3).await);
    send_expiring(&scene, &bot, &[&phone, &laptop], &[(1, 50), (2, 60), (3, 70)]).await;
    let mut request = Scene::request(&laptop, START);
    request.limit = 1;
    scene.store.lease(request).await.unwrap();
    scene.acknowledge(&laptop, &[1]).await;
    assert_eq!(scene.sweep_all(at(49), 100, 500).await.expired, 0);

    let mut swept = scene.sweep_all(at(60), 100, 500).await;
    swept.marked.sort_unstable();
    assert_eq!((swept.expired, swept.dropped), (3, 2));
    assert_eq!(swept.marked, [phone.number, laptop.number]);
    let waiting = scene.lease(&phone, at(60)).await;
    assert_eq!(behind_marker(&waiting), (gap(GapReason::Expired, 2, 1, 2), message_ids([3])));
    assert_eq!((waiting[0].sender, waiting[0].sender_session), (phone.user, phone.id));
    assert_eq!((waiting[0].accepted_at, waiting[0].deliveries), (at(60), 1));
    let waiting = scene.lease(&laptop, at(60)).await;
    assert_eq!(behind_marker(&waiting), (gap(GapReason::Expired, 1, 2, 2), message_ids([3])));

    let marker = waiting[0].message_id;
    scene.store.acknowledge(inbox_of(&laptop), vec![marker]).await.unwrap();
    assert_eq!(ids(&scene.lease(&laptop, at(69)).await), []);
    assert_eq!(scene.sweep_all(at(61), 100, 600).await.dropped, 1, "the marker's own payload");
}

pub(super) async fn expiry_goes_on_in_small_steps_and_leaves_one_marker(scene: Scene) {
    let (bot, phone, laptop) =
        (scene.device(1).await, scene.device(2).await, scene.device(3).await);
    let ends: Vec<(u16, u64)> = (1..=7).map(|n| (n, 50)).collect();
    send_expiring(&scene, &bot, &[&phone, &laptop], &ends).await;
    scene.send(&bot, &[&phone], 8).await;
    for _ in ["the first time", "when there is nothing left"] {
        // An odd number, so that steps end between the rows of one message.
        let swept = scene.sweep_all(at(50), 3, 500).await;
        assert!(swept.expired == 14 || swept.expired == 0, "{swept:?}");
    }
    let waiting = scene.lease(&phone, at(50)).await;
    assert_eq!(behind_marker(&waiting), (gap(GapReason::Expired, 7, 1, 7), message_ids([8])));
    let waiting = scene.lease(&laptop, at(50)).await;
    assert_eq!(behind_marker(&waiting), (gap(GapReason::Expired, 7, 1, 7), vec![]));
}

pub(super) async fn the_oldest_messages_go_first_whoever_they_are_for(scene: Scene) {
    let (bot, phone, laptop) =
        (scene.device(1).await, scene.device(2).await, scene.device(3).await);
    for n in 1..=6 {
        let to = if n % 2 == 0 { &laptop } else { &phone };
        send_expiring(&scene, &bot, &[to], &[(n, 50)]).await;
    }
    assert_eq!(scene.sweep(None, 100).await.dropped, 0, "none is over yet");
    let next_id = AtomicU16::new(500);
    let fresh_id = || message_id(next_id.fetch_add(1, Ordering::Relaxed));
    let mut request = SweepRequest { from: Some(OLDEST_MESSAGE), limit: 3, now: at(50) };
    let swept = scene.store.sweep(request, &fresh_id).await.unwrap();
    assert_eq!((swept.expired, swept.dropped), (3, 3));
    let waiting = scene.lease(&phone, at(50)).await;
    assert_eq!(behind_marker(&waiting), (gap(GapReason::Expired, 2, 1, 3), vec![]));
    let waiting = scene.lease(&laptop, at(50)).await;
    assert_eq!(behind_marker(&waiting), (gap(GapReason::Expired, 1, 2, 2), vec![]));

    request.from = swept.next;
    let swept = scene.store.sweep(request, &fresh_id).await.unwrap();
    assert_eq!((swept.expired, swept.dropped), (3, 3));
}

pub(super) async fn a_held_message_is_left_to_its_reader(scene: Scene) {
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    send_expiring(&scene, &bot, &[&phone], &[(1, 50), (2, 50)]).await;
    assert_eq!(scene.lease(&phone, at(45)).await.len(), 2);
    assert_eq!(scene.sweep_all(at(50), 100, 500).await, Sweep::default());
    scene.acknowledge(&phone, &[1]).await;
    let swept = scene.sweep_all(at(55), 100, 500).await;
    assert_eq!((swept.expired, swept.dropped), (1, 2), "the reader let go of the second");
    let waiting = scene.lease(&phone, at(55)).await;
    assert_eq!(behind_marker(&waiting), (gap(GapReason::Expired, 1, 2, 2), vec![]));
}

pub(super) async fn a_held_marker_is_left_to_its_reader(scene: Scene) {
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    send_expiring(&scene, &bot, &[&phone], &[(1, 50), (2, 55), (3, 65)]).await;
    scene.sweep_all(at(50), 100, 501).await;
    let mut request = Scene::request(&phone, at(50));
    request.limit = 1;
    assert_eq!(ids(&scene.store.lease(request).await.unwrap().messages), message_ids([501]));
    // While the first marker is held, what expires goes into another one.
    scene.sweep_all(at(55), 100, 502).await;
    request.now = at(55);
    let second = scene.store.lease(request).await.unwrap().messages;
    assert_eq!(behind_marker(&second).0, gap(GapReason::Expired, 1, 2, 2));
    // Nobody holds them any more: both go into the third.
    scene.sweep_all(at(65), 100, 503).await;
    scene.acknowledge(&phone, &[501, 502]).await;
    let third = scene.lease(&phone, at(65)).await;
    assert_eq!(behind_marker(&third), (gap(GapReason::Expired, 3, 1, 3), vec![]));
    assert_eq!(third[0].message_id, message_id(503));
    scene.acknowledge(&phone, &[503]).await;
    assert!(scene.lease(&phone, at(100)).await.is_empty());
}

pub(super) async fn a_marker_does_not_expire(scene: Scene) {
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    send_expiring(&scene, &bot, &[&phone], &[(1, 50)]).await;
    assert_eq!(scene.sweep_all(at(50), 100, 500).await.marked, [phone.number]);
    let years = 100 * 366 * 24 * 3600;
    assert_eq!(scene.sweep_all(at(years), 100, 600).await, Sweep::default());
    assert_eq!(ids(&scene.lease(&phone, at(years)).await), message_ids([500]));
}

pub(super) async fn an_unread_marker_goes_into_that_of_what_expired(scene: Scene) {
    let bot = scene.device(1).await;
    let account = scene.account(2).await;
    let old = scene.session(&account, 2).await;
    send_expiring(&scene, &bot, &[&old], &[(1, 900), (2, 900)]).await;
    let mut new = Scene::new_session(&account, 3);
    new.replaces = Some(old.id);
    let phone = scene.sign_in(new).await.unwrap().session;
    send_expiring(&scene, &bot, &[&phone], &[(5, 50)]).await;
    scene.sweep_all(at(50), 100, 500).await;
    let waiting = scene.lease(&phone, at(50)).await;
    assert_eq!(behind_marker(&waiting), (gap(GapReason::Expired, 3, 1, 5), vec![]));
}

pub(super) async fn an_ended_session_is_told_nothing(scene: Scene) {
    let (bot, phone, laptop) =
        (scene.device(1).await, scene.device(2).await, scene.device(3).await);
    send_expiring(&scene, &bot, &[&phone, &laptop], &[(1, 50)]).await;
    scene.store.end_session(phone.user, phone.id, at(5)).await.unwrap();
    assert_eq!(scene.sweep_all(at(50), 100, 500).await.marked, [laptop.number]);
    assert!(scene.lease(&phone, at(50)).await.is_empty());
    assert_eq!(scene.lease(&laptop, at(50)).await.len(), 1);
}

pub(super) async fn what_waited_for_ended_sessions_is_removed_in_small_steps(scene: Scene) {
    let (bot, phone, laptop) =
        (scene.device(1).await, scene.device(2).await, scene.device(3).await);
    let tablet = scene.device(4).await;
    for n in 1..=7 {
        scene.send(&bot, &[&phone, &laptop], n).await;
    }
    scene.send(&bot, &[&laptop, &tablet], 8).await;
    assert!(!scene.store.clear_ended(3).await.unwrap().more, "nobody has gone");
    for session in [&phone, &tablet] {
        scene.lease(session, START).await;
        scene.store.end_session(session.user, session.id, at(5)).await.unwrap();
        assert!(scene.lease(session, at(100)).await.is_empty(), "out of reach at once");
    }
    while scene.store.clear_ended(3).await.unwrap().more {}
    assert_eq!(scene.sweep(None, 100).await.dropped, 0, "the laptop has not read them");
    assert_eq!(ids(&scene.lease(&laptop, START).await), message_ids(1..=8));
    scene.acknowledge(&laptop, &[1, 2, 3, 4, 5, 6, 7, 8]).await;
    assert_eq!(scene.sweep(None, 100).await.dropped, 8);
}

pub(super) async fn the_store_answers_a_ping(scene: Scene) {
    scene.store.ping().await.unwrap();
}

pub(super) async fn the_store_counts_its_commits(scene: Scene) {
    let empty = scene.store.statistics().await.unwrap();
    assert_eq!((empty.newest_message, empty.waiting_writes), (None, 0));
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    let mut message = scene.message(&bot, &[&phone], 1).await;
    message.accepted_at = at(7);
    let before = scene.commit_groups().await;
    scene.accept(message).await;
    scene.store.seen(bot.account, &message_ids([1])).await.unwrap();
    scene.roster(phone.user).await;
    let after = scene.store.statistics().await.unwrap();
    assert_eq!(after.commit_groups, before + 1, "one for the message, none for reading");
    assert_eq!(after.newest_message, Some(at(7)));
}

pub(super) async fn a_new_store_is_sound(scene: Scene) {
    let found = scene.store.check(Duration::from_secs(60)).await.unwrap();
    assert_eq!(found, Soundness { complete: true, damage: vec![] });
}
