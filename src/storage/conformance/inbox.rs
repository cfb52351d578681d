//! Stories about leases, acknowledgements and expiry.

use std::collections::HashSet;

use bytes::Bytes;
use futures_util::future::join_all;

use super::scene::{START, Scene, at, ids, message_id, message_ids};
use crate::domain::inbox::{LeaseRequest, Release};
use crate::domain::session::Session;

/// A bot and a phone for which these messages wait.
async fn waiting(scene: &Scene, numbers: impl IntoIterator<Item = u16>) -> (Session, Session) {
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    let mut batch = Vec::new();
    for n in numbers {
        batch.push(scene.message(&bot, &[&phone], n).await);
    }
    scene.store.accept(batch).await.unwrap();
    (bot, phone)
}

pub(super) async fn messages_are_handed_out_oldest_first(scene: Scene) {
    let (bot, phone) = waiting(&scene, [5, 3]).await;
    scene.send(&bot, &[&phone], 4).await;
    let mut request = Scene::request(&phone, START);
    request.limit = 2;
    assert_eq!(ids(&scene.store.lease(request).await.unwrap().messages), message_ids([5, 3]));
    assert_eq!(ids(&scene.store.lease(request).await.unwrap().messages), message_ids([4]));
    assert!(scene.store.lease(request).await.unwrap().messages.is_empty());
}

pub(super) async fn a_lease_takes_no_more_than_its_limits(scene: Scene) {
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    for (n, size) in [(1, 1000), (2, 40), (3, 60), (4, 10)] {
        let mut message = scene.message(&bot, &[&phone], n).await;
        message.body = Bytes::from(vec![0; size]);
        scene.accept(message).await;
    }
    let mut request = Scene::request(&phone, START);
    // Each has a slot of 64 bytes.
    request.max_bytes = 100 + 2 * 64;
    // The first is larger than the limit, but one message is always handed out.
    assert_eq!(ids(&scene.store.lease(request).await.unwrap().messages), message_ids([1]));
    assert_eq!(ids(&scene.store.lease(request).await.unwrap().messages), message_ids([2, 3]));
    assert_eq!(ids(&scene.store.lease(request).await.unwrap().messages), message_ids([4]));
    request.limit = 0;
    request.now = at(100);
    assert!(scene.store.lease(request).await.unwrap().messages.is_empty());
}

pub(super) async fn a_lease_hides_a_message_until_its_time_is_over(scene: Scene) {
    let (_, phone) = waiting(&scene, [1]).await;
    assert_eq!(scene.lease(&phone, at(0)).await[0].deliveries, 1);
    assert!(scene.lease(&phone, at(9)).await.is_empty());
    let again = scene.lease(&phone, at(10)).await;
    assert_eq!((ids(&again), again[0].deliveries), (message_ids([1]), 2));
    assert!(scene.lease(&phone, at(19)).await.is_empty());
}

pub(super) async fn parallel_leases_are_disjoint(scene: Scene) {
    let (_, phone) = waiting(&scene, 1..=60).await;
    let mut request = Scene::request(&phone, START);
    request.limit = 10;
    let mut taken = HashSet::new();
    // Some of them may find that others were faster; in the end everything is taken, once.
    while taken.len() < 60 {
        let pages = join_all((0..8).map(|_| scene.store.lease(request))).await;
        let before = taken.len();
        for message in pages.into_iter().flat_map(|page| page.unwrap().messages) {
            assert!(taken.insert(message.order), "handed out twice");
        }
        assert!(taken.len() > before, "somebody is always the fastest");
    }
    assert!(scene.lease(&phone, START).await.is_empty());
}

pub(super) async fn an_acknowledged_message_is_gone_for_its_session_only(scene: Scene) {
    let (bot, phone, laptop) =
        (scene.device(1).await, scene.device(2).await, scene.device(3).await);
    for n in [1, 2] {
        scene.send(&bot, &[&phone, &laptop], n).await;
    }
    scene.lease(&phone, START).await;
    scene.lease(&laptop, START).await;
    scene.acknowledge(&phone, &[1, 99, 1]).await;
    assert_eq!(ids(&scene.lease(&phone, at(100)).await), message_ids([2]));
    assert_eq!(ids(&scene.lease(&laptop, at(100)).await), message_ids([1, 2]));
    scene.acknowledge(&phone, &[1, 2]).await;
    assert!(scene.lease(&phone, at(200)).await.is_empty());
}

pub(super) async fn only_what_was_handed_out_can_be_acknowledged(scene: Scene) {
    let (_, phone) = waiting(&scene, [1, 2]).await;
    scene.acknowledge(&phone, &[1, 2]).await;
    let mut request = Scene::request(&phone, START);
    request.limit = 1;
    assert_eq!(ids(&scene.store.lease(request).await.unwrap().messages), message_ids([1]));
    scene.acknowledge(&phone, &[1, 2]).await;
    assert_eq!(ids(&scene.lease(&phone, at(100)).await), message_ids([2]));
}

pub(super) async fn an_overdue_message_can_still_be_acknowledged(scene: Scene) {
    let (_, phone) = waiting(&scene, [1]).await;
    scene.lease(&phone, START).await;
    // Its lease is long over by the time at which it would be handed out again.
    scene.acknowledge(&phone, &[1]).await;
    assert!(scene.lease(&phone, at(1000)).await.is_empty());
}

/// More messages are held than a search looks through at first.
pub(super) async fn a_late_acknowledgement_far_behind_is_found(scene: Scene) {
    let (_, phone) = waiting(&scene, 1..=1100).await;
    let mut request = Scene::request(&phone, START);
    request.limit = 2000;
    assert_eq!(scene.store.lease(request).await.unwrap().messages.len(), 1100);
    scene.acknowledge(&phone, &[1, 1100]).await;
    request.now = at(100);
    let left = scene.store.lease(request).await.unwrap().messages;
    assert_eq!(ids(&left), message_ids(2..=1099));
}

pub(super) async fn released_messages_are_free_at_once(scene: Scene) {
    let (_, phone) = waiting(&scene, [1, 2, 3]).await;
    let held = scene.lease(&phone, START).await;
    let orders = held.iter().take(2).map(|message| message.order).collect();
    scene.release(&phone, orders, at(10), Release::Unacknowledged).await;
    let again = scene.lease(&phone, START).await;
    assert_eq!((ids(&again), again[0].deliveries), (message_ids([1, 2]), 2));
    // An answer may have arrived after all.
    scene.release(&phone, vec![again[0].order], at(10), Release::Unsent).await;
    scene.acknowledge(&phone, &[1]).await;
    assert_eq!(ids(&scene.lease(&phone, at(100)).await), message_ids([2, 3]));
}

pub(super) async fn what_never_left_cannot_be_acknowledged(scene: Scene) {
    let (_, phone) = waiting(&scene, [1, 2]).await;
    let orders = scene.lease(&phone, START).await.iter().map(|message| message.order).collect();
    scene.release(&phone, orders, at(10), Release::Unsent).await;
    scene.acknowledge(&phone, &[1, 2]).await;
    assert_eq!(ids(&scene.lease(&phone, at(1)).await), message_ids([1, 2]));
}

pub(super) async fn a_late_release_leaves_the_lease_of_another_reader_alone(scene: Scene) {
    let (_, phone) = waiting(&scene, [1]).await;
    let first = scene.lease(&phone, START).await;
    let orders = vec![first[0].order];
    assert_eq!(scene.lease(&phone, at(10)).await[0].deliveries, 2, "by another reader");
    for how in [Release::Unacknowledged, Release::Unsent] {
        scene.release(&phone, orders.clone(), at(10), how).await;
        assert!(scene.lease(&phone, at(11)).await.is_empty(), "{how:?}");
    }
    scene.release(&phone, orders, at(20), Release::Unsent).await;
    let again = scene.lease(&phone, at(12)).await;
    assert_eq!((ids(&again), again[0].deliveries), (message_ids([1]), 2));
}

pub(super) async fn a_lease_says_whether_it_left_anything(scene: Scene) {
    let (_, phone) = waiting(&scene, 1..=4).await;
    let look = async |limit, max_bytes| {
        let mut request = Scene::request(&phone, START);
        (request.limit, request.max_bytes) = (limit, max_bytes);
        let leased = scene.store.lease(request).await.unwrap();
        assert_eq!(leased.until, request.until);
        (ids(&leased.messages), leased.more)
    };
    assert_eq!(look(1, 1000).await, (message_ids([1]), true));
    assert_eq!(look(10, 10).await, (message_ids([2]), true));
    assert_eq!(look(10, 1000).await, (message_ids([3, 4]), false));
    assert_eq!(look(10, 1000).await, (vec![], false));
}

pub(super) async fn expired_messages_are_not_handed_out(scene: Scene) {
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    for (n, seconds) in [(1, 50), (2, 60)] {
        let mut message = scene.message(&bot, &[&phone], n).await;
        message.expires_at = at(seconds);
        scene.accept(message).await;
    }
    assert_eq!(ids(&scene.lease(&phone, at(50)).await), message_ids([2]));
    assert!(scene.lease(&phone, at(70)).await.is_empty());
}

pub(super) async fn what_is_not_handed_out_hides_nothing_behind_it(scene: Scene) {
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    for (n, accepted, expires) in [(1, 1, 50), (2, 2, 50), (3, 3, 500), (4, 4, 500)] {
        let mut message = scene.message(&bot, &[&phone], n).await;
        (message.accepted_at, message.expires_at) = (at(accepted), at(expires));
        scene.accept(message).await;
    }
    let one =
        |now, not_before| LeaseRequest { limit: 1, not_before, ..Scene::request(&phone, now) };
    let later = scene.store.lease(one(at(60), Some(at(4)))).await.unwrap().messages;
    assert_eq!(ids(&later), message_ids([4]));
    let left = scene.store.lease(one(at(61), None)).await.unwrap().messages;
    assert_eq!(ids(&left), message_ids([3]));
}

pub(super) async fn older_messages_can_be_left_where_they_are(scene: Scene) {
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    for n in [1, 2, 3] {
        let mut message = scene.message(&bot, &[&phone], n).await;
        message.accepted_at = at(u64::from(n));
        scene.accept(message).await;
    }
    let mut request = Scene::request(&phone, at(5));
    request.not_before = Some(at(2));
    assert_eq!(ids(&scene.store.lease(request).await.unwrap().messages), message_ids([2, 3]));
    let rest = scene.lease(&phone, at(5)).await;
    assert_eq!(ids(&rest), [message_id(1)]);
}
