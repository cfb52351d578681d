//! Stories about looking through an inbox, and about taking single messages out.

use super::phone_scene::number;
use super::scene::{START, Scene, at, ids, inbox_of, message_ids};
use crate::domain::ids::MessageId;
use crate::domain::inbox::{Release, SYSTEM_GAP, Stretch};
use crate::domain::ports::Backlog;
use crate::domain::session::Session;

const ALL: Stretch = Stretch { after: None, limit: 10, max_bytes: u64::MAX };

impl Scene {
    async fn browse(&self, session: &Session, stretch: Stretch) -> Vec<MessageId> {
        ids(&self.store.browse(inbox_of(session), stretch).await.unwrap())
    }
}

pub(super) async fn what_waits_is_found_handed_out_or_not(scene: Scene) {
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    let laptop = scene.device(3).await;
    assert_eq!(scene.browse(&phone, ALL).await, []);
    for n in 1..=4 {
        scene.send(&bot, &[&phone, &laptop], n).await;
    }
    let mut request = Scene::request(&phone, START);
    request.limit = 3;
    let leased = scene.store.lease(request).await.unwrap().messages;
    for _ in ["held", "still held, by the same"] {
        let found = scene.store.browse(inbox_of(&phone), ALL).await.unwrap();
        assert_eq!(found[..3], leased, "as it was handed out");
        assert_eq!((found[3].message_id, found[3].deliveries), (message_ids([4])[0], 0));
    }
    assert_eq!(scene.browse(&laptop, ALL).await, message_ids([1, 2, 3, 4]));
    scene.acknowledge(&phone, &[2]).await;
    assert_eq!(scene.browse(&phone, ALL).await, message_ids([1, 3, 4]));
    let orders = vec![leased[0].order];
    scene.release(&phone, orders, at(10), Release::Unacknowledged).await;
    assert_eq!(ids(&scene.lease(&phone, at(100)).await), message_ids([1, 3, 4]), "unharmed");
    scene.acknowledge(&phone, &[1, 3, 4]).await;
    assert_eq!(scene.browse(&phone, ALL).await, []);
}

pub(super) async fn what_waits_in_all_inboxes_is_counted_up_to_a_bound(scene: Scene) {
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    let laptop = scene.device(3).await;
    assert_eq!(scene.store.backlog(10).await.unwrap(), Backlog::default());
    for n in 1..=3 {
        scene.send(&bot, &[&phone, &laptop], n).await;
    }
    let oldest = scene.store.browse(inbox_of(&phone), ALL).await.unwrap()[0].accepted_at;
    let found = scene.store.backlog(10).await.unwrap();
    assert_eq!(found, Backlog { waiting: 6, oldest: Some(oldest) });
    assert_eq!(scene.store.backlog(4).await.unwrap().waiting, 4);
    scene.lease(&phone, START).await;
    scene.acknowledge(&phone, &[1, 2]).await;
    assert_eq!(scene.store.backlog(10).await.unwrap().waiting, 4);
}

pub(super) async fn an_inbox_is_looked_through_in_stretches(scene: Scene) {
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    for n in 1..=5 {
        scene.send(&bot, &[&phone], n).await;
    }
    let size = scene.store.browse(inbox_of(&phone), ALL).await.unwrap()[0].size();
    for (limit, max_bytes, expected) in
        [(2, u64::MAX, 2), (10, 3 * size, 3), (10, 3 * size - 1, 2), (10, 0, 1)]
    {
        let (mut after, mut seen) = (None, Vec::new());
        loop {
            let stretch = Stretch { after, limit, max_bytes };
            let found = scene.store.browse(inbox_of(&phone), stretch).await.unwrap();
            let Some(last) = found.last() else { break };
            after = Some(last.order);
            assert!(found.len() <= expected, "{limit} {max_bytes}");
            seen.extend(ids(&found));
        }
        assert_eq!(seen, message_ids([1, 2, 3, 4, 5]), "{limit} {max_bytes}");
    }
}

pub(super) async fn any_message_can_be_withdrawn(scene: Scene) {
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    let laptop = scene.device(3).await;
    for n in 1..=3 {
        scene.send(&bot, &[&phone, &laptop], n).await;
    }
    let mut request = Scene::request(&phone, START);
    request.limit = 1;
    scene.store.lease(request).await.unwrap();
    let found = scene.store.browse(inbox_of(&phone), ALL).await.unwrap();
    for (message, rest) in [(1, vec![1, 3]), (0, vec![3])] {
        for _ in ["there", "gone"] {
            scene.store.withdraw(inbox_of(&phone), found[message].order).await.unwrap();
        }
        assert_eq!(scene.browse(&phone, ALL).await, message_ids(rest));
    }
    assert_eq!(scene.browse(&laptop, ALL).await, message_ids([1, 2, 3]), "a copy of its own");
    assert_eq!(ids(&scene.lease(&phone, at(100)).await), message_ids([3]));
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
    let found = scene.store.browse(inbox_of(&phone), ALL).await.unwrap();
    assert_eq!(found[0].category, SYSTEM_GAP, "the marker stands in front");
    assert_eq!(ids(&found[1..]), message_ids([2]));
}

pub(super) async fn what_waited_for_an_ended_session_is_not_found(scene: Scene) {
    let (bot, phone) = (scene.device(1).await, scene.device(2).await);
    scene.send(&bot, &[&phone], 1).await;
    scene.lease(&phone, START).await;
    scene.store.end_session(phone.user, phone.id, at(1)).await.unwrap();
    assert_eq!(scene.browse(&phone, ALL).await, []);

    let (ann, ben) = (scene.phone(11).await, scene.phone(12).await);
    scene.send_text(&ann, &ben, 2).await;
    let device = &ben.devices[0];
    assert_eq!(scene.lease_of(&ben, device, START).await.len(), 1);
    let waiting = async || {
        let found = scene.store.browse(ben.inbox(device), ALL).await.unwrap();
        found.iter().map(|message| message.slot.clone()).collect::<Vec<_>>()
    };
    assert_eq!(waiting().await, ["2 for 1"]);
    assert_eq!(scene.store.phone(&number(12)).await.unwrap(), Some(ben.clone()));
    let mut again = super::phone_scene::new_phone(12);
    again.device = super::phone_scene::new_device(13);
    scene.store.register_phone(again).await.unwrap();
    assert!(waiting().await.is_empty());
}
