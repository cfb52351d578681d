//! Stories about introductions.

use super::member_scene::{ALL, ROOM, chat_id, introduction, introduction_id, remote_device};
use super::scene::{START, Scene, at, conflict, session_id, user_id};
use crate::domain::Fault;
use crate::domain::ids::SessionNumber;
use crate::domain::messenger::introduction::{IntroductionHead, Page, Room};
use crate::domain::messenger::{Confirmation, NewIntroduction};

pub(super) async fn an_introduction_waits_as_it_came(scene: Scene) {
    let (ann, ben) = (scene.member(1).await, scene.member(2).await);
    let (from, to) = (&ann.devices[0], &ben.devices[0]);
    let new = NewIntroduction { one_time_key: "key 1".to_owned(), ..introduction(from, to, 1) };
    let introduced = scene.introduce(new.clone()).await.unwrap();
    assert_eq!((introduced.id, introduced.at, introduced.is_new), (new.id, new.at, true));
    assert_eq!((introduced.account, introduced.user), (ben.account, ben.user));
    scene.introduce(introduction(from, to, 2)).await.unwrap();
    let waiting = scene.store.introductions(to.session, ALL).await.unwrap();
    let [first, second] = &waiting[..] else { panic!("{waiting:?}") };
    assert_eq!((first.id, first.from, first.sender, first.to), (new.id, from.id, ann.user, to.id));
    assert_eq!((&first.ephemeral_key, &first.sender_key), (&new.ephemeral_key, &new.sender_key));
    assert_eq!((&first.one_time_key, &first.ciphertext), (&new.one_time_key, &new.ciphertext));
    assert_eq!((first.at, second.id), (new.at, introduction_id(2)));
    assert_eq!(
        scene.store.introductions(to.session, Page { limit: 1, ..ALL }).await.unwrap().len(),
        1
    );
    assert!(scene.store.introductions(from.session, ALL).await.unwrap().is_empty());
}

pub(super) async fn a_list_of_introductions_has_so_many_bytes(scene: Scene) {
    let (ann, ben) = (scene.member(1).await, scene.member(2).await);
    let (from, to) = (&ann.devices[0], &ben.devices[0]);
    for n in 1..=3 {
        let ciphertext = "\u{e9}".repeat(500);
        let new = NewIntroduction { ciphertext, ..introduction(from, to, n) };
        scene.introduce(new).await.unwrap();
    }
    // Each has 1000 bytes, and its keys.
    for (max_bytes, count) in [(0, 1), (1000, 1), (1100, 2), (2000, 2), (2100, 3), (9000, 3)] {
        let page = Page { max_bytes, ..ALL };
        let waiting = scene.store.introductions(to.session, page).await.unwrap();
        assert_eq!(waiting.len(), count, "{max_bytes}");
    }
}

pub(super) async fn who_introduced_itself_is_found_without_the_texts(scene: Scene) {
    let (ann, ben, eve) = (scene.member(1).await, scene.member(2).await, scene.member(3).await);
    let (from, to, other) = (&ann.devices[0], &ben.devices[0], &eve.devices[0]);
    for n in [1, 2] {
        scene.introduce(introduction(from, to, n)).await.unwrap();
    }
    let head = |n| IntroductionHead {
        id: introduction_id(n),
        from: from.id,
        to: to.id,
        at: at(u64::from(n)),
    };
    let store = &scene.store;
    assert_eq!(store.introduction_heads(to.session, START, 10).await.unwrap(), [head(1), head(2)]);
    assert_eq!(store.introduction_heads(to.session, START, 1).await.unwrap(), [head(1)]);
    assert_eq!(store.introduction_heads(from.session, START, 10).await.unwrap(), []);
    let one = async |device: SessionNumber, n| {
        store.introduction(device, at(60), introduction_id(n)).await.unwrap()
    };
    assert_eq!(one(to.session, 2).await, Some(head(2)));
    assert_eq!((one(to.session, 3).await, one(from.session, 2).await), (None, None));
    for (account, devices, expected) in [
        (ann.account, vec![other.session, to.session], true),
        (ann.account, vec![other.session], false),
        (ann.account, vec![], false),
        (eve.account, vec![to.session], false),
        (ben.account, vec![to.session], false),
    ] {
        assert_eq!(store.has_introduced(account, &devices, at(60)).await.unwrap(), expected);
    }
    // When their time is over.
    let device = to.session;
    assert_eq!(store.introduction_heads(device, at(1001), 10).await.unwrap(), [head(2)]);
    assert_eq!(store.introduction(device, at(1001), introduction_id(1)).await.unwrap(), None);
    assert!(store.has_introduced(ann.account, &[device], at(1001)).await.unwrap());
    assert!(!store.has_introduced(ann.account, &[device], at(1002)).await.unwrap());
}

pub(super) async fn a_repeated_introduction_is_the_same(scene: Scene) {
    let (ann, ben) = (scene.member(1).await, scene.member(2).await);
    let (from, to) = (&ann.devices[0], &ben.devices[0]);
    let new = NewIntroduction { one_time_key: "key 1".to_owned(), ..introduction(from, to, 1) };
    let again = NewIntroduction { id: introduction_id(9), at: at(9), ..new.clone() };
    let first = scene.introduce(new.clone()).await.unwrap();
    assert_eq!((first.id, first.is_new), (new.id, true));
    let later = scene.introduce(again.clone()).await.unwrap();
    assert_eq!((later.id, later.at, later.is_new), (new.id, new.at, false));
    assert_eq!(scene.store.introductions(to.session, ALL).await.unwrap().len(), 1);
    scene.confirm(to, 1, 1).await.unwrap();
    let late = scene.introduce(again).await.unwrap();
    assert_eq!((late.id, late.is_new), (new.id, false), "it was confirmed");
    assert!(scene.store.introductions(to.session, ALL).await.unwrap().is_empty());
}

pub(super) async fn introductions_are_kept_together_or_not_at_all(scene: Scene) {
    let (ann, ben) = (scene.member(1).await, scene.member(2).await);
    let remote = scene.store.note_remote_device(remote_device(3)).await.unwrap().device;
    let carl = scene.member(4).await;
    let (from, to, other) = (&ann.devices[0], &ben.devices[0], &carl.devices[0]);
    let unknown = NewIntroduction { to: session_id(9), ..introduction(from, to, 2) };
    let with_key = |n: u16, key: &str| NewIntroduction {
        one_time_key: key.to_owned(),
        ..introduction(from, to, n)
    };
    let introduce = async |list| scene.store.introduce(list, ROOM).await;
    for nobody in [unknown, introduction(from, &remote, 2)] {
        let refused = introduce(vec![with_key(1, "key 1"), nobody]).await;
        assert!(matches!(refused, Err(Fault::NotFound { what: "device" })), "{refused:?}");
    }
    let refused = introduce(vec![introduction(from, other, 1), with_key(2, "key 9")]).await;
    assert_eq!(conflict(refused).as_deref(), Some("otpk_used"));
    let kept = scene.store.one_time_keys(&[to.session], 10).await.unwrap().remove(0);
    assert_eq!(kept.len(), 3, "nothing was used up");
    for device in [to, other] {
        assert!(scene.store.introductions(device.session, ALL).await.unwrap().is_empty());
    }
    introduce(vec![with_key(1, "key 1"), introduction(from, other, 2)]).await.unwrap();
    for device in [to, other] {
        assert_eq!(scene.store.introductions(device.session, ALL).await.unwrap().len(), 1);
    }
}

pub(super) async fn a_sender_cannot_take_the_room_of_others(scene: Scene) {
    let (ann, ben, eve) = (scene.member(1).await, scene.member(2).await, scene.member(3).await);
    let (from, to, other) = (&ann.devices[0], &ben.devices[0], &eve.devices[0]);
    let room = Room { all: 3, of_one: 2 };
    let introduce = async |new| scene.store.introduce(vec![new], room).await;
    let waiting = async || {
        let waiting = scene.store.introductions(to.session, ALL).await.unwrap();
        waiting.into_iter().map(|one| one.id).collect::<Vec<_>>()
    };
    let ids = |list: &[u16]| list.iter().map(|n| introduction_id(*n)).collect::<Vec<_>>();
    for n in 1..=4 {
        assert!(introduce(introduction(from, to, n)).await.unwrap()[0].is_new);
    }
    assert_eq!(waiting().await, ids(&[3, 4]), "the newest stay");
    introduce(introduction(other, to, 5)).await.unwrap();
    let refused = introduce(introduction(other, to, 6)).await;
    assert!(matches!(refused, Err(Fault::Deferred { .. })), "{refused:?}");
    introduce(introduction(from, to, 7)).await.unwrap();
    introduce(introduction(from, other, 8)).await.unwrap();
    assert_eq!(waiting().await, ids(&[4, 5, 7]), "that of others stays");
}

pub(super) async fn a_one_time_key_is_used_once(scene: Scene) {
    let (ann, ben) = (scene.member(1).await, scene.member(2).await);
    let (from, to) = (&ann.devices[0], &ben.devices[0]);
    let with = |n: u16, key: &str| NewIntroduction {
        one_time_key: key.to_owned(),
        ..introduction(from, to, n)
    };
    scene.store.take_one_time_keys(&[to.session], at(60)).await.unwrap();
    scene.introduce(with(1, "key 1")).await.unwrap();
    scene.introduce(with(2, "key 3")).await.unwrap();
    let left = scene.store.take_one_time_keys(&[to.session, to.session], at(60)).await.unwrap();
    assert_eq!(left, [Some("key 2".to_owned()), None]);
    for (n, key) in [(3, "key 1"), (4, "key 3")] {
        let used = scene.introduce(with(n, key)).await;
        assert_eq!(conflict(used).as_deref(), Some("otpk_used"));
    }
    let attempts = (5..10).map(|n| scene.introduce(with(n, "key 2")));
    let outcomes = futures_util::future::join_all(attempts).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
}

pub(super) async fn confirming_makes_a_pair_and_a_chat(scene: Scene) {
    let (ann, ben) = (scene.member(1).await, scene.member(2).await);
    let (from, to) = (&ann.devices[0], &ben.devices[0]);
    for n in [1, 2] {
        scene.introduce(introduction(from, to, n)).await.unwrap();
    }
    let strangers = scene.confirm(from, 1, 1).await;
    assert!(matches!(strangers, Err(Fault::NotFound { what: "introduction" })));
    let first = scene.confirm(to, 1, 1).await.unwrap();
    assert_eq!((first.chat, first.is_first), (chat_id(1), true));
    assert_eq!(first.from, (from.id, ann.account, ann.user));
    let again = scene.confirm(to, 1, 1).await;
    assert!(matches!(again, Err(Fault::NotFound { what: "introduction" })));
    let second = scene.confirm(to, 2, 2).await.unwrap();
    assert_eq!((second.chat, second.is_first), (chat_id(1), false), "they have one chat");

    scene.introduce(introduction(to, from, 3)).await.unwrap();
    let back = scene.confirm(from, 3, 3).await.unwrap();
    assert_eq!((back.chat, back.is_first), (chat_id(1), true));
    let chat = scene.store.conversations(&[chat_id(1)]).await.unwrap().remove(0);
    let mut users: Vec<_> = chat.participants.iter().map(|it| it.user).collect();
    users.sort();
    let mut both = [user_id(1), user_id(2)];
    both.sort();
    assert_eq!(users, both);
}

pub(super) async fn a_chat_gets_the_id_that_somebody_insists_on_or_none(scene: Scene) {
    let (ann, ben, eve) = (scene.member(1).await, scene.member(2).await, scene.member(3).await);
    let (from, to) = (&ann.devices[0], &ben.devices[0]);
    let wish = |n, chat| Confirmation {
        introduction: introduction_id(n),
        to: to.session,
        chat: chat_id(chat),
        insists: true,
        at: at(60),
    };
    for n in [1, 2, 3] {
        scene.introduce(introduction(from, to, n)).await.unwrap();
    }
    scene.store.ensure_chat(chat_id(5), ann.account, eve.account, at(0)).await.unwrap();
    let taken = scene.store.confirm(wish(1, 5)).await;
    assert_eq!(conflict(taken).as_deref(), Some("chat_id"));
    assert_eq!(scene.store.introductions(to.session, ALL).await.unwrap().len(), 3);
    assert_eq!(scene.store.confirm(wish(1, 6)).await.unwrap().chat, chat_id(6));
    assert_eq!(scene.store.confirm(wish(2, 6)).await.unwrap().chat, chat_id(6));
    let other = scene.store.confirm(wish(3, 7)).await;
    assert_eq!(conflict(other).as_deref(), Some("chat_id"));
}

pub(super) async fn introductions_end_with_their_devices_and_in_time(scene: Scene) {
    let (ann, ben) = (scene.member(1).await, scene.member(2).await);
    scene.enrol(2, 3).await;
    let ben = {
        drop(ben);
        scene.known_member(2).await
    };
    let [first, second] = &ben.devices[..] else { panic!("{ben:?}") };
    let from = &ann.devices[0];
    for (n, to) in [(1, first), (2, second), (3, second)] {
        scene.introduce(introduction(from, to, n)).await.unwrap();
    }
    scene.store.end_member_device(ben.account, first.id, at(1)).await.unwrap();
    assert!(scene.store.introductions(first.session, ALL).await.unwrap().is_empty());
    let refused = scene.introduce(introduction(from, first, 4)).await;
    assert!(matches!(refused, Err(Fault::NotFound { what: "device" })));
    assert_eq!(scene.store.forget_introductions(at(1001), 10).await.unwrap(), 0);
    assert_eq!(scene.store.forget_introductions(at(1003), 1).await.unwrap(), 1);
    assert_eq!(scene.store.introductions(second.session, ALL).await.unwrap().len(), 1);
    scene.enrol(1, 4).await;
    scene.store.end_member_device(ann.account, from.id, at(1)).await.unwrap();
    assert!(scene.store.introductions(second.session, ALL).await.unwrap().is_empty());
    assert_eq!(scene.store.forget_introductions(at(2000), 10).await.unwrap(), 0);
}

pub(super) async fn a_device_that_has_ended_introduces_itself_to_nobody(scene: Scene) {
    let (ann, ben) = (scene.member(1).await, scene.member(2).await);
    let (from, to) = (&ann.devices[0], &ben.devices[0]);
    scene.enrol(1, 3).await;
    scene.store.end_member_device(ann.account, from.id, at(1)).await.unwrap();
    let late = scene.introduce(introduction(from, to, 1)).await;
    assert!(matches!(late, Err(Fault::Unauthorized { .. })), "{late:?}");
    assert!(scene.store.introductions(to.session, ALL).await.unwrap().is_empty());
}

pub(super) async fn an_introduction_is_over_when_its_time_is(scene: Scene) {
    let (ann, ben) = (scene.member(1).await, scene.member(2).await);
    let (from, to) = (&ann.devices[0], &ben.devices[0]);
    for n in 1..=3 {
        scene.introduce(introduction(from, to, n)).await.unwrap();
    }
    let waiting = async |moment| {
        let waiting =
            scene.store.introductions(to.session, Page { now: moment, ..ALL }).await.unwrap();
        waiting.into_iter().map(|one| one.id).collect::<Vec<_>>()
    };
    assert_eq!(waiting(at(1000)).await.len(), 3);
    assert_eq!(waiting(at(1001)).await, [introduction_id(2), introduction_id(3)]);
    let late = |n: u16| Confirmation {
        introduction: introduction_id(n),
        to: to.session,
        chat: chat_id(1),
        insists: false,
        at: at(1002),
    };
    for n in [1, 2] {
        let refused = scene.store.confirm(late(n)).await;
        assert!(matches!(refused, Err(Fault::NotFound { what: "introduction" })), "{refused:?}");
    }
    let first = introduction(from, to, 1);
    let again =
        NewIntroduction { id: introduction_id(7), at: at(1002), expires_at: at(2000), ..first };
    let again = scene.introduce(again).await.unwrap();
    assert_eq!((again.id, again.is_new), (introduction_id(7), true), "the earlier one is over");
    let mut left = waiting(at(1002)).await;
    left.sort_unstable();
    assert_eq!(left, [introduction_id(3), introduction_id(7)]);
    let room = NewIntroduction { at: at(1003), expires_at: at(2000), ..introduction(from, to, 8) };
    scene.introduce(room).await.unwrap();
    scene.store.confirm(Confirmation { at: at(1999), ..late(7) }).await.unwrap();
}
