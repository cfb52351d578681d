//! Stories about storing messages.

use bytes::Bytes;

use super::scene::{START, Scene, at, ids, message_id, message_ids, user_id};
use crate::domain::inbox::{Accepted, Details, MessageDigest};

pub(super) async fn a_message_is_handed_out_as_it_came(scene: Scene) {
    let (bot, phone, laptop) =
        (scene.device(1).await, scene.device(2).await, scene.device(3).await);
    let mut message = scene.message(&bot, &[&phone, &laptop], 1).await;
    message.details = Details {
        representative: Some(user_id(9)),
        quote: Some(message_id(8)),
        silent: true,
        expire_in: 30,
    };
    message.slots[1].bytes = Bytes::from_static(b"a slot of another length");
    message.accepted_at = at(3);
    let Accepted::Stored(order) = scene.accept(message.clone()).await else { panic!("stored") };

    for (device, slot) in [&phone, &laptop].into_iter().zip(&message.slots) {
        let handed_out = scene.lease(device, at(4)).await;
        let [waiting] = &handed_out[..] else { panic!("one message") };
        assert_eq!((waiting.order, waiting.message_id), (order, message_id(1)));
        assert_eq!((waiting.sender, waiting.sender_session), (bot.user, bot.id));
        let conversation =
            sealpost_sdk::conversation::contact_conversation_id(bot.user, phone.user);
        assert_eq!(waiting.conversation, Some(conversation));
        assert_eq!((&waiting.category, &waiting.body), (&message.category, &message.body));
        assert_eq!((&waiting.slot, &waiting.details), (&slot.bytes, &message.details));
        assert_eq!((waiting.accepted_at, waiting.deliveries), (at(3), 1));
    }
}

pub(super) async fn the_same_message_is_stored_once(scene: Scene) {
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    let message = scene.message(&bot, &[&phone], 1).await;
    let twice = vec![message.clone(), message.clone()];
    let outcomes = scene.store.accept(twice).await.unwrap();
    assert!(matches!(outcomes[..], [Accepted::Stored(_), Accepted::Duplicate]));
    assert_eq!(scene.accept(message).await, Accepted::Duplicate);
    assert_eq!(scene.lease(&phone, START).await.len(), 1);
}

pub(super) async fn an_id_belongs_to_its_first_message(scene: Scene) {
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    let message = scene.message(&bot, &[&phone], 1).await;
    let mut other = message.clone();
    other.digest = MessageDigest([99; 16]);
    other.body = Bytes::from_static(b"another");
    let outcomes = scene.store.accept(vec![message.clone(), other.clone()]).await.unwrap();
    assert!(matches!(outcomes[..], [Accepted::Stored(_), Accepted::MessageIdUsed]));
    assert_eq!(scene.accept(other).await, Accepted::MessageIdUsed);
    assert_eq!(scene.lease(&phone, START).await[0].body, message.body);
}

pub(super) async fn an_id_belongs_to_its_sender(scene: Scene) {
    let (one, other, phone) = (scene.device(1).await, scene.device(2).await, scene.device(3).await);
    scene.send(&one, &[&phone], 1).await;
    scene.send(&other, &[&phone], 1).await;
    assert_eq!(scene.lease(&phone, START).await.len(), 2);
}

pub(super) async fn a_moved_roster_stores_nothing(scene: Scene) {
    let bot = scene.device(1).await;
    let account = scene.account(2).await;
    let phone = scene.session(&account, 2).await;
    let stale = scene.message(&bot, &[&phone], 1).await;
    // A cache that knew the roster must forget it when the store says that it has moved.
    scene.store.rosters(&[account.id]).await.unwrap();
    scene.session(&account, 3).await;
    assert_eq!(scene.accept(stale).await, Accepted::RosterMoved);
    assert!(scene.lease(&phone, START).await.is_empty());
    let seen = scene.store.seen(bot.account, &[message_id(1)]).await.unwrap();
    assert_eq!(seen, [None]);
    assert_eq!(scene.store.rosters(&[account.id]).await.unwrap()[0].members.len(), 2);

    scene.send(&bot, &[&phone], 1).await;
}

pub(super) async fn a_repeated_message_is_a_duplicate_whatever_the_roster_is(scene: Scene) {
    let bot = scene.device(1).await;
    let account = scene.account(2).await;
    let phone = scene.session(&account, 2).await;
    let message = scene.message(&bot, &[&phone], 1).await;
    scene.accept(message.clone()).await;
    scene.session(&account, 3).await;
    assert_eq!(scene.accept(message).await, Accepted::Duplicate);
}

pub(super) async fn items_of_one_call_keep_their_order(scene: Scene) {
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    let mut last = None;
    for call in 0..3 {
        let mut batch = Vec::new();
        for n in [9, 2, 7, 1] {
            batch.push(scene.message(&bot, &[&phone], call * 10 + n).await);
        }
        for outcome in scene.store.accept(batch).await.unwrap() {
            let Accepted::Stored(order) = outcome else { panic!("stored") };
            assert!(last < Some(order), "a later message sees a later number");
            last = Some(order);
        }
    }
    let expected = message_ids([9, 2, 7, 1, 19, 12, 17, 11, 29, 22, 27, 21]);
    assert_eq!(ids(&scene.lease(&phone, START).await), expected);
}

pub(super) async fn each_message_is_judged_alone(scene: Scene) {
    let (bot, ann) = (scene.device(1).await, scene.device(2).await);
    let account = scene.account(3).await;
    let ben = scene.session(&account, 3).await;
    let repeated = scene.message(&bot, &[&ann], 1).await;
    scene.accept(repeated.clone()).await;
    let mut other = repeated.clone();
    other.digest = MessageDigest([99; 16]);
    let stale = scene.message(&bot, &[&ben], 2).await;
    scene.session(&account, 4).await;
    let good = scene.message(&bot, &[&ann], 3).await;

    let outcomes = scene.store.accept(vec![stale, repeated, good, other]).await.unwrap();
    assert!(matches!(
        outcomes[..],
        [Accepted::RosterMoved, Accepted::Duplicate, Accepted::Stored(_), Accepted::MessageIdUsed]
    ));
    assert_eq!(ids(&scene.lease(&ann, START).await), message_ids([1, 3]));
    assert!(scene.store.accept(Vec::new()).await.unwrap().is_empty());
}

pub(super) async fn seen_digests_come_in_the_order_of_the_ids(scene: Scene) {
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    for n in [1, 2, 3] {
        scene.send(&bot, &[&phone], n).await;
    }
    let asked = message_ids([3, 50, 1]);
    let seen = scene.store.seen(bot.account, &asked).await.unwrap();
    assert_eq!(seen, [Some(MessageDigest([3; 16])), None, Some(MessageDigest([1; 16]))]);
    let foreign = scene.store.seen(phone.account, &asked).await.unwrap();
    assert_eq!(foreign, [None, None, None]);
}

/// More rows than one statement takes, and a number of them that is no power of two.
pub(super) async fn many_messages_with_many_slots_arrive_whole(scene: Scene) {
    let bot = scene.device(1).await;
    let mut devices = Vec::new();
    for n in 2..=14 {
        devices.push(scene.device(n).await);
    }
    let all: Vec<_> = devices.iter().collect();
    let mut batch = Vec::new();
    for n in 1..=83 {
        batch.push(scene.message(&bot, &all, n).await);
    }
    let outcomes = scene.store.accept(batch).await.unwrap();
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Accepted::Stored(_))));
    for device in &devices {
        let waiting = scene.lease(device, START).await;
        assert_eq!(ids(&waiting), message_ids(1..=83));
        for (message, n) in waiting.iter().zip(1..) {
            assert_eq!(message.body, format!("body of {n}"));
            assert_eq!(message.slot, vec![device.number.0.to_le_bytes()[0]; 64]);
        }
    }
}
