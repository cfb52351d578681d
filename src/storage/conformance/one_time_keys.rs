//! Stories about one-time prekeys of members' devices.

use std::collections::HashSet;
use std::time::Duration;

use super::member_scene::{introduction, keys};
use super::scene::{Scene, at, conflict, session_id};
use crate::domain::Fault;
use crate::domain::ids::SessionNumber;
use crate::domain::messenger::NewIntroduction;
use crate::domain::messenger::member::KEYS_REMEMBERED;

const SECOND: Duration = Duration::from_secs(1);

async fn listed(scene: &Scene, session: SessionNumber) -> Vec<String> {
    scene.store.one_time_keys(&[session], 100).await.unwrap().remove(0)
}

pub(super) async fn one_time_keys_are_added_behind_the_others(scene: Scene) {
    let session = scene.member(1).await.devices[0].session;
    let add = async |numbers: &[u16], most| {
        let keys = keys(numbers.iter().copied());
        scene.store.add_one_time_keys(session, keys, most).await
    };
    assert_eq!(add(&[5, 2, 4, 5], 5).await.unwrap(), 5, "doubles are passed over");
    assert_eq!(listed(&scene, session).await, keys([1, 2, 3, 5, 4]));
    let full = add(&[6], 5).await;
    assert!(matches!(full, Err(Fault::TooLarge { actual: 6, limit: 5, .. })), "{full:?}");
    assert_eq!(add(&[1, 4], 5).await.unwrap(), 5);
    scene.store.take_one_time_keys(&[session], at(60)).await.unwrap();
    assert_eq!(add(&[1, 6], 5).await.unwrap(), 5, "what was given out does not come back");
    assert_eq!(listed(&scene, session).await, keys([2, 3, 5, 4, 6]));
    let first = scene.store.one_time_keys(&[session, session], 2).await.unwrap();
    assert_eq!(first, [keys([2, 3]), keys([2, 3])]);

    let account = scene.known_member(1).await.account;
    scene.enrol(1, 2).await;
    scene.store.end_member_device(account, session_id(1), at(1)).await.unwrap();
    assert_eq!(add(&[7], 5).await.unwrap(), 0);
    assert_eq!(listed(&scene, session).await, keys([]));
}

pub(super) async fn a_one_time_key_is_given_out_once(scene: Scene) {
    let (ann, ben) = (scene.member(1).await, scene.member(2).await);
    let sessions = [ben.devices[0].session, ann.devices[0].session];
    let take = async || scene.store.take_one_time_keys(&sessions, at(60)).await.unwrap();
    let first = Some("key 1".to_owned());
    assert_eq!(take().await, [first.clone(), first]);
    let many = futures_util::future::join_all((0..6).map(|_| take())).await;
    let of_ben: Vec<String> = many.into_iter().filter_map(|mut given| given.remove(0)).collect();
    assert_eq!(of_ben.iter().collect::<HashSet<_>>().len(), 2);
    assert_eq!(of_ben.len(), 2);
    assert_eq!(take().await, [None, None]);
    assert_eq!(scene.store.take_one_time_keys(&[], at(60)).await.unwrap(), []);
}

pub(super) async fn a_key_that_was_used_does_not_come_back(scene: Scene) {
    let (ann, ben) = (scene.member(1).await, scene.member(2).await);
    let (from, to) = (&ann.devices[0], &ben.devices[0]);
    let with = |n: u16, key: &str| NewIntroduction {
        one_time_key: key.to_owned(),
        ..introduction(from, to, n)
    };
    let refill = async || scene.store.add_one_time_keys(to.session, keys(1..5), 10).await.unwrap();
    scene.store.take_one_time_keys(&[to.session], at(60)).await.unwrap();
    scene.introduce(with(1, "key 1")).await.unwrap();
    scene.introduce(with(2, "key 2")).await.unwrap();
    assert_eq!(refill().await, 2, "one was given out, and both were used");
    assert_eq!(listed(&scene, to.session).await, keys([3, 4]));
    scene.store.forget_taken_keys(at(3600), 10).await.unwrap();
    assert_eq!(refill().await, 2);
    let again = scene.introduce(with(3, "key 1")).await;
    assert_eq!(conflict(again).as_deref(), Some("otpk_used"));

    scene.store.take_one_time_keys(&[to.session], at(60)).await.unwrap();
    let late = scene.introduce(NewIntroduction { at: at(60), ..with(4, "key 3") }).await;
    assert_eq!(conflict(late).as_deref(), Some("otpk_used"), "its time is over");
}

pub(super) async fn keys_that_were_given_out_are_forgotten_in_time(scene: Scene) {
    let session = scene.member(1).await.devices[0].session;
    for _ in 0..3 {
        scene.store.take_one_time_keys(&[session], at(60)).await.unwrap();
    }
    let end = at(60).plus(KEYS_REMEMBERED);
    assert_eq!(scene.store.forget_taken_keys(end.minus(SECOND), 10).await.unwrap(), 0);
    assert_eq!(scene.store.forget_taken_keys(end, 2).await.unwrap(), 2);
    assert_eq!(scene.store.forget_taken_keys(end, 2).await.unwrap(), 1);
}
