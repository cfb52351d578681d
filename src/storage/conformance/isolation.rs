//! Stories about messages that a reader does not get past.

use super::scene::{SESSION_LIMIT, START, Scene, at, ids, inbox_of, message_id, message_ids};
use crate::domain::clock::Timestamp;
use crate::domain::inbox::{GapReason, Release, SYSTEM_GAP, StuckInbox, Waiting};
use crate::domain::session::Session;

/// A bot and a phone for which these messages wait.
async fn waiting(scene: &Scene, numbers: std::ops::RangeInclusive<u16>) -> (Session, Session) {
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    for n in numbers {
        scene.send(&bot, &[&phone], n).await;
    }
    (bot, phone)
}

/// Hands everything out so often, in vain, each time for ten seconds; returns the time after it.
async fn in_vain(scene: &Scene, phone: &Session, times: u64) -> Timestamp {
    for n in 0..times {
        while !scene.lease(phone, at(10 * n)).await.is_empty() {}
    }
    at(10 * times)
}

/// The reason and the count of the marker in front, and the ids of what comes after it.
fn behind_marker(waiting: &[Waiting]) -> (GapReason, u64, Vec<crate::domain::ids::MessageId>) {
    let Some((marker, rest)) = waiting.split_first() else { panic!("nothing waits") };
    assert_eq!(marker.category, SYSTEM_GAP);
    let gap: sealpost_sdk::types::Gap = serde_json::from_slice(&marker.body).unwrap();
    let reasons = [GapReason::Expired, GapReason::SetAside, GapReason::SignedInAgain];
    let of = |reason: &GapReason| marker.body == reason_body(*reason, marker).as_bytes();
    let reason = reasons.into_iter().find(of).expect("one of these");
    (reason, gap.count, ids(rest))
}

/// What the body would be for that reason.
fn reason_body(reason: GapReason, marker: &Waiting) -> String {
    let text = String::from_utf8(marker.body.to_vec()).unwrap();
    let word = match reason {
        GapReason::Expired => "expired",
        GapReason::SetAside => "set_aside",
        GapReason::SignedInAgain => "signed_in_again",
        GapReason::Trimmed => "trimmed",
    };
    let rest = text.split_once(',').map(|(_, rest)| rest).unwrap_or_default();
    format!(r#"{{"reason":"{word}",{rest}"#)
}

pub(super) async fn a_suspect_message_is_handed_out_alone(scene: Scene) {
    let (bot, phone) = waiting(&scene, 1..=1).await;
    let now = in_vain(&scene, &phone, 5).await;
    scene.send(&bot, &[&phone], 2).await;
    scene.send(&bot, &[&phone], 3).await;
    let alone = scene.lease(&phone, now).await;
    assert_eq!((ids(&alone), alone[0].deliveries), (message_ids([1]), 6));
    // While it is held, the others flow.
    assert_eq!(ids(&scene.lease(&phone, now).await), message_ids([2, 3]));
    scene.acknowledge(&phone, &[1, 2, 3]).await;
    assert!(scene.lease(&phone, at(900)).await.is_empty());
}

pub(super) async fn a_run_stops_before_a_suspect_message(scene: Scene) {
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    for n in 1..=4 {
        scene.send(&bot, &[&phone], n).await;
    }
    for n in 0..5 {
        let held = scene.lease(&phone, at(10 * n)).await;
        let others = held.iter().filter(|it| it.message_id != message_id(3));
        let others = others.map(|it| it.order).collect();
        scene.release(&phone, others, at(10 * n + 10), Release::Unsent).await;
    }
    let look = async || {
        let leased = scene.store.lease(Scene::request(&phone, at(50))).await.unwrap();
        (ids(&leased.messages), leased.more)
    };
    assert_eq!(look().await, (message_ids([1, 2]), true));
    assert_eq!(look().await, (message_ids([3]), true));
    assert_eq!(look().await, (message_ids([4]), false));
    assert_eq!(look().await, (vec![], false));
}

pub(super) async fn a_delivery_that_was_not_sent_raises_no_suspicion(scene: Scene) {
    let (_, phone) = waiting(&scene, 1..=2).await;
    for n in 0..20 {
        let held = scene.lease(&phone, at(n)).await;
        assert_eq!((ids(&held), held[0].deliveries), (message_ids([1, 2]), 1));
        let orders = held.iter().map(|it| it.order).collect();
        scene.release(&phone, orders, at(n + 10), Release::Unsent).await;
    }
}

pub(super) async fn a_hopeless_message_is_set_aside_and_the_rest_flows(scene: Scene) {
    let (bot, phone) = waiting(&scene, 1..=1).await;
    let now = in_vain(&scene, &phone, 10).await;
    scene.send(&bot, &[&phone], 2).await;
    let mut found = scene.lease(&phone, now).await;
    found.extend(scene.lease(&phone, now).await);
    found.sort_by_key(|message| message.order);
    assert_eq!(behind_marker(&found), (GapReason::SetAside, 1, message_ids([2])));
    assert_eq!(found[0].message_id, message_id(60_002));

    let aside = scene.store.set_aside(inbox_of(&phone), None, 10).await.unwrap();
    let [aside] = &aside[..] else { panic!("{aside:?}") };
    assert_eq!((aside.message_id, aside.sender), (message_id(1), bot.user));
    assert_eq!((aside.deliveries, aside.at, aside.accepted_at), (10, now, START));
    assert!(aside.conversation.is_some() && aside.category == "ENCRYPTED_TEXT");
    assert_eq!(aside.reason(), "delivered 10 times without an acknowledgement");
    let status = scene.store.inbox_status(inbox_of(&phone), 100).await.unwrap();
    assert_eq!((status.waiting, status.set_aside), (3, 1));
    assert_eq!(scene.store.statistics().await.unwrap().set_aside, 1);

    // It stays, whatever happens to the others.
    scene.store.acknowledge(inbox_of(&phone), ids(&found)).await.unwrap();
    assert_eq!(scene.sweep(None, 100).await.dropped, 2);
    assert!(scene.lease(&phone, at(5000)).await.is_empty());
    assert_eq!(scene.store.set_aside(inbox_of(&phone), None, 10).await.unwrap().len(), 1);
    let bots = scene.store.set_aside(inbox_of(&bot), None, 10).await.unwrap();
    assert!(bots.is_empty(), "not in another inbox");
}

pub(super) async fn an_inbox_is_stuck_until_nothing_is_set_aside_in_it(scene: Scene) {
    let (_, phone) = waiting(&scene, 1..=1).await;
    let now = in_vain(&scene, &phone, 10).await;
    let stuck = async || scene.store.stuck_inboxes(10).await.unwrap();
    assert_eq!(stuck().await, []);
    scene.lease(&phone, now).await;
    let inbox = StuckInbox { user: phone.user, session: phone.id, messages: 1, since: now };
    assert_eq!(stuck().await, [inbox]);
    assert_eq!(scene.store.stuck_inboxes(0).await.unwrap(), []);
    assert!(scene.store.retry_set_aside(inbox_of(&phone), message_id(1)).await.unwrap());
    assert_eq!(stuck().await, []);
}

pub(super) async fn a_late_acknowledgement_removes_what_is_set_aside(scene: Scene) {
    let (_, phone) = waiting(&scene, 1..=1).await;
    let now = in_vain(&scene, &phone, 10).await;
    scene.lease(&phone, now).await;
    scene.acknowledge(&phone, &[1]).await;
    assert!(scene.store.set_aside(inbox_of(&phone), None, 10).await.unwrap().is_empty());
}

pub(super) async fn what_is_set_aside_gets_another_try(scene: Scene) {
    let (bot, phone) = waiting(&scene, 1..=1).await;
    let now = in_vain(&scene, &phone, 10).await;
    scene.send(&bot, &[&phone], 2).await;
    scene.lease(&phone, now).await;
    let inbox = inbox_of(&phone);
    assert!(!scene.store.retry_set_aside(inbox, message_id(2)).await.unwrap(), "it waits");
    assert!(!scene.store.retry_set_aside(inbox_of(&bot), message_id(1)).await.unwrap());
    assert!(scene.store.retry_set_aside(inbox, message_id(1)).await.unwrap());
    assert!(!scene.store.retry_set_aside(inbox, message_id(1)).await.unwrap(), "once");
    let again: Vec<Waiting> = scene.lease(&phone, at(500)).await;
    let messages: Vec<&Waiting> = again.iter().filter(|it| it.category != SYSTEM_GAP).collect();
    assert_eq!((messages[0].message_id, messages[0].deliveries), (message_id(1), 1));
    assert_eq!(messages.len(), 2, "not alone, and in its old place");
}

pub(super) async fn what_is_set_aside_can_be_dropped(scene: Scene) {
    let (bot, phone) = waiting(&scene, 1..=1).await;
    let now = in_vain(&scene, &phone, 10).await;
    scene.lease(&phone, now).await;
    let inbox = inbox_of(&phone);
    assert!(!scene.store.drop_set_aside(inbox_of(&bot), message_id(1)).await.unwrap());
    assert!(scene.store.drop_set_aside(inbox, message_id(1)).await.unwrap());
    assert!(!scene.store.drop_set_aside(inbox, message_id(1)).await.unwrap());
    assert!(scene.store.set_aside(inbox, None, 10).await.unwrap().is_empty());
    assert_eq!(scene.sweep(None, 100).await.dropped, 1);
}

pub(super) async fn what_is_set_aside_is_listed_in_pages(scene: Scene) {
    let (_, phone) = waiting(&scene, 1..=5).await;
    let now = in_vain(&scene, &phone, 10).await;
    while !scene.lease(&phone, now).await.is_empty() {}
    let inbox = inbox_of(&phone);
    let page = async |after, limit| {
        let found = scene.store.set_aside(inbox, after, limit).await.unwrap();
        found.iter().map(|it| it.message_id).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 3).await, message_ids(1..=3));
    assert_eq!(page(Some(message_id(3)), 3).await, message_ids(4..=5));
    assert_eq!(page(Some(message_id(99)), 2).await, message_ids(1..=2));
}

pub(super) async fn what_is_set_aside_expires_with_a_marker_of_its_own(scene: Scene) {
    let (_, phone) = waiting(&scene, 1..=2).await;
    let now = in_vain(&scene, &phone, 10).await;
    while !scene.lease(&phone, now).await.is_empty() {}
    let later = at(8 * 24 * 3600);
    assert_eq!(scene.sweep_all(later, 100, 500).await.expired, 2);
    assert!(scene.store.set_aside(inbox_of(&phone), None, 10).await.unwrap().is_empty());
    let found = scene.lease(&phone, later).await;
    assert_eq!(behind_marker(&found), (GapReason::Expired, 2, vec![message_id(60_002)]));
    assert_eq!(behind_marker(&found[1..]), (GapReason::SetAside, 2, vec![]));
}

pub(super) async fn what_is_set_aside_is_missing_after_signing_in_again(scene: Scene) {
    let bot = scene.device(1).await;
    let account = scene.account(2).await;
    let old = scene.session(&account, 2).await;
    for n in 1..=3 {
        scene.send(&bot, &[&old], n).await;
    }
    let now = in_vain(&scene, &old, 10).await;
    scene.send(&bot, &[&old], 4).await;
    scene.lease(&old, now).await;
    let mut new = Scene::new_session(&account, 3);
    new.replaces = Some(old.id);
    let new = scene.store.sign_in(new, SESSION_LIMIT, message_id(7)).await.unwrap().session;
    let found = scene.lease(&new, now).await;
    assert_eq!(behind_marker(&found), (GapReason::SignedInAgain, 4, vec![]), "each once");
    assert!(scene.store.set_aside(inbox_of(&old), None, 10).await.unwrap().is_empty());
}

pub(super) async fn a_marker_is_never_set_aside(scene: Scene) {
    let (_, phone) = waiting(&scene, 1..=1).await;
    in_vain(&scene, &phone, 30).await;
    let found = scene.lease(&phone, at(1000)).await;
    assert_eq!(behind_marker(&found), (GapReason::SetAside, 1, vec![]));
    assert!(found[0].deliveries > 10, "{}", found[0].deliveries);
}
