//! Stories about what was handed out and not acknowledged.

use super::phone_scene::number;
use super::scene::{START, Scene, at, ids, inbox_of, message_ids};
use crate::domain::ids::MessageId;
use crate::domain::inbox::{Release, SYSTEM_GAP};
use crate::domain::session::Session;

impl Scene {
    async fn handed_out(&self, session: &Session, limit: u32) -> Vec<MessageId> {
        ids(&self.store.handed_out(inbox_of(session), limit).await.unwrap())
    }
}

pub(super) async fn what_was_handed_out_is_found_until_it_is_acknowledged(scene: Scene) {
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    let laptop = scene.device(3).await;
    for n in 1..=4 {
        scene.send(&bot, &[&phone, &laptop], n).await;
    }
    assert_eq!(scene.handed_out(&phone, 10).await, []);
    let mut request = Scene::request(&phone, START);
    request.limit = 3;
    let leased = scene.store.lease(request).await.unwrap().messages;
    for _ in ["held", "still held, by the same"] {
        let found = scene.store.handed_out(inbox_of(&phone), 10).await.unwrap();
        assert_eq!(found, leased, "as it was handed out");
    }
    assert_eq!(scene.handed_out(&phone, 2).await, message_ids([1, 2]));
    assert_eq!(scene.handed_out(&laptop, 10).await, []);
    scene.acknowledge(&phone, &[2]).await;
    assert_eq!(scene.handed_out(&phone, 10).await, message_ids([1, 3]));
    let orders = vec![leased[0].order];
    scene.release(&phone, orders, at(10), Release::Unacknowledged).await;
    assert_eq!(scene.handed_out(&phone, 10).await, message_ids([1, 3]), "free, but known");
    assert_eq!(ids(&scene.lease(&phone, at(100)).await), message_ids([1, 3, 4]), "unharmed");
    let again = scene.store.handed_out(inbox_of(&phone), 10).await.unwrap();
    assert_eq!(ids(&again), message_ids([1, 3, 4]));
    scene.acknowledge(&phone, &[1, 3, 4]).await;
    assert_eq!(scene.handed_out(&phone, 10).await, []);
}

pub(super) async fn what_was_not_sent_was_not_handed_out(scene: Scene) {
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    for n in 1..=2 {
        scene.send(&bot, &[&phone], n).await;
    }
    let held = scene.lease(&phone, START).await;
    scene.release(&phone, vec![held[0].order], at(10), Release::Unsent).await;
    assert_eq!(scene.handed_out(&phone, 10).await, message_ids([2]));
}

pub(super) async fn what_is_set_aside_is_found_elsewhere(scene: Scene) {
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    scene.send(&bot, &[&phone], 1).await;
    for n in 0..10 {
        assert_eq!(scene.lease(&phone, at(100 * n)).await.len(), 1);
    }
    scene.send(&bot, &[&phone], 2).await;
    let mut now = at(1000);
    while scene.store.set_aside(inbox_of(&phone), None, 1).await.unwrap().is_empty() {
        scene.lease(&phone, now).await;
        now = now.plus(std::time::Duration::from_secs(100));
    }
    scene.lease(&phone, now).await;
    let found = scene.store.handed_out(inbox_of(&phone), 10).await.unwrap();
    assert_eq!(found[0].category, SYSTEM_GAP, "the marker stands in front");
    assert_eq!(ids(&found[1..]), message_ids([2]));
}

pub(super) async fn what_an_ended_session_was_handed_is_not_found(scene: Scene) {
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    scene.send(&bot, &[&phone], 1).await;
    scene.lease(&phone, START).await;
    scene.store.end_session(phone.user, phone.id, at(1)).await.unwrap();
    assert_eq!(scene.handed_out(&phone, 10).await, []);

    let (ann, ben) = (scene.phone(11).await, scene.phone(12).await);
    scene.send_text(&ann, &ben, 2).await;
    let device = &ben.devices[0];
    assert_eq!(scene.lease_of(&ben, device, START).await.len(), 1);
    let handed_out = async || {
        let found = scene.store.handed_out(ben.inbox(device), 10).await.unwrap();
        found.iter().map(|message| message.slot.clone()).collect::<Vec<_>>()
    };
    assert_eq!(handed_out().await, ["2 for 1"]);
    assert_eq!(scene.store.phone(&number(12)).await.unwrap(), Some(ben.clone()));
    let mut again = super::phone_scene::new_phone(12);
    again.device = super::phone_scene::new_device(13);
    scene.store.register_phone(again).await.unwrap();
    assert!(handed_out().await.is_empty());
}
