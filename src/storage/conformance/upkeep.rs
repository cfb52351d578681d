//! Stories about what happens in the background.

use super::scene::{START, Scene, at, ids, message_ids};
use crate::domain::inbox::Accepted;

pub(super) async fn only_payloads_that_nobody_waits_for_are_swept(scene: Scene) {
    let (bot, phone, laptop) =
        (scene.device(1).await, scene.device(2).await, scene.device(3).await);
    for n in [1, 2, 3] {
        scene.send(&bot, &[&phone, &laptop], n).await;
    }
    let swept = scene.store.sweep(None, 100).await.unwrap();
    assert_eq!((swept.dropped, swept.next), (0, None));

    scene.lease(&phone, START).await;
    scene.lease(&laptop, START).await;
    scene.acknowledge(&phone, &[1, 2]).await;
    scene.acknowledge(&laptop, &[2, 3]).await;
    assert_eq!(scene.store.sweep(None, 100).await.unwrap().dropped, 1);
    assert_eq!(scene.store.sweep(None, 100).await.unwrap().dropped, 0);
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
        let swept = scene.store.sweep(from, 3).await.unwrap();
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
    assert_eq!(scene.store.sweep(None, 100).await.unwrap().dropped, 1);
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

pub(super) async fn the_store_answers_a_ping(scene: Scene) {
    scene.store.ping().await.unwrap();
}
