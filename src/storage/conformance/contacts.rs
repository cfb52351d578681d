//! Stories about who is listed.

use super::phone_scene::{new_device, new_phone, number, push, token};
use super::scene::{Scene, at};
use crate::domain::phone::{Contact, DeviceChange, DeviceNumber, NewPhone, PushKind, RelayContact};

/// A registration of the phone numbered `n` by a device that does not come by itself.
fn unreachable(n: u16) -> NewPhone {
    let mut new = new_phone(n);
    new.device.fetches = false;
    new
}

fn here(n: u16) -> Contact {
    Contact { token: token(n), relay: None, supports_sms: true }
}

fn there(n: u16, relay: &str) -> Contact {
    Contact { token: token(n), relay: Some(relay.to_owned()), supports_sms: false }
}

fn active(n: u16) -> RelayContact {
    RelayContact { token: token(n), supports_sms: false, is_active: true }
}

fn inactive(n: u16) -> RelayContact {
    RelayContact { is_active: false, ..active(n) }
}

impl Scene {
    async fn contacts(&self, numbers: impl IntoIterator<Item = u16>) -> Vec<Contact> {
        let tokens: Vec<_> = numbers.into_iter().map(token).collect();
        self.store.contacts(&tokens).await.unwrap()
    }
}

pub(super) async fn a_phone_is_listed_while_it_is_active(scene: Scene) {
    let account = scene.store.register_phone(unreachable(1)).await.unwrap().account;
    assert_eq!(scene.contacts([1]).await, []);
    let first = scene.known_phone(1).await.devices[0].session;
    let address = push(PushKind::Gcm, 1);
    for _ in 0..2 {
        let set = DeviceChange::SetPush(address.clone());
        scene.store.change_device(first, set).await.unwrap();
        assert_eq!(scene.contacts([1]).await, [here(1)]);
        let dropped = DeviceChange::DropPush(address.clone());
        scene.store.change_device(first, dropped).await.unwrap();
        assert_eq!(scene.contacts([1]).await, []);
    }
    scene.link(1, 2).await.unwrap();
    assert_eq!(scene.contacts([1]).await, [], "the first device decides");
    scene.store.unlink_device(account, DeviceNumber(2), first, at(1)).await.unwrap();
    assert_eq!(scene.contacts([1]).await, []);
    let fetching = NewPhone { device: new_device(3), supports_sms: false, ..new_phone(1) };
    scene.store.register_phone(fetching).await.unwrap();
    assert_eq!(scene.contacts([1]).await, [Contact { supports_sms: false, ..here(1) }]);
    let again = NewPhone { device: unreachable(4).device, ..new_phone(1) };
    scene.store.register_phone(again).await.unwrap();
    assert_eq!(scene.contacts([1]).await, []);
}

pub(super) async fn contacts_come_in_the_order_of_the_question(scene: Scene) {
    for n in 1..=3 {
        scene.phone(n).await;
    }
    scene.store.merge_contacts("other", vec![active(4)]).await.unwrap();
    let found = scene.contacts([4, 9, 3, 1, 3, 2]).await;
    assert_eq!(found, [there(4, "other"), here(3), here(1), here(3), here(2)]);
    assert_eq!(scene.contacts([]).await, []);
}

pub(super) async fn what_is_here_wins_over_what_another_gateway_says(scene: Scene) {
    scene.phone(1).await;
    scene.store.merge_contacts("other", vec![active(1), active(2)]).await.unwrap();
    assert_eq!(scene.contacts([1, 2]).await, [here(1), there(2, "other")]);
    scene.phone(2).await;
    assert_eq!(scene.contacts([2]).await, [here(2)], "whoever came first");
    scene.store.merge_contacts("other", vec![inactive(1), inactive(2)]).await.unwrap();
    assert_eq!(scene.contacts([1, 2]).await, [here(1), here(2)]);
}

pub(super) async fn a_contact_is_one_gateways(scene: Scene) {
    scene.store.merge_contacts("one", vec![active(1), active(2), active(1)]).await.unwrap();
    scene.store.merge_contacts("other", vec![active(1), inactive(2), active(3)]).await.unwrap();
    let all = [there(1, "one"), there(2, "one"), there(3, "other")];
    assert_eq!(scene.contacts([1, 2, 3]).await, all);
    let with_sms = RelayContact { supports_sms: true, ..active(1) };
    scene.store.merge_contacts("one", vec![with_sms, inactive(2)]).await.unwrap();
    let left = [Contact { supports_sms: true, ..there(1, "one") }, there(3, "other")];
    assert_eq!(scene.contacts([1, 2, 3]).await, left);
    scene.store.merge_contacts("other", vec![active(2)]).await.unwrap();
    assert_eq!(scene.contacts([2]).await, [there(2, "other")]);
    scene.store.merge_contacts("other", Vec::new()).await.unwrap();
}

pub(super) async fn phones_are_listed_in_pages(scene: Scene) {
    assert_eq!(scene.store.count_phones().await.unwrap(), 0);
    for n in [3, 1] {
        scene.phone(n).await;
    }
    scene.store.register_phone(unreachable(2)).await.unwrap();
    let again = NewPhone { device: new_device(9), ..new_phone(3) };
    scene.store.register_phone(again).await.unwrap();
    scene.device(8).await;
    assert_eq!(scene.store.count_phones().await.unwrap(), 3);

    let page = async |offset, limit| {
        let page = scene.store.list_phones(offset, limit).await.unwrap();
        page.into_iter().map(|it| (it.number, it.contact)).collect::<Vec<_>>()
    };
    let listed =
        |n, is_active| (number(n), RelayContact { token: token(n), supports_sms: true, is_active });
    assert_eq!(page(0, 2).await, [listed(3, true), listed(1, true)]);
    assert_eq!(page(2, 2).await, [listed(2, false)]);
    assert_eq!(page(3, 2).await, []);
}

pub(super) async fn contacts_of_a_gateway_are_forgotten_a_few_at_a_time(scene: Scene) {
    assert!(scene.store.listed_relays().await.unwrap().is_empty());
    let contact = |n| RelayContact { token: token(n), supports_sms: false, is_active: true };
    for (relay, n) in [("b", 1), ("a", 2), ("b", 3), ("c", 4), ("b", 5)] {
        scene.store.merge_contacts(relay, vec![contact(n)]).await.unwrap();
    }
    assert_eq!(scene.store.listed_relays().await.unwrap(), ["a", "b", "c"]);
    for expected in [2, 1, 0] {
        assert_eq!(scene.store.forget_contacts("b", 2).await.unwrap(), expected);
    }
    assert_eq!(scene.store.listed_relays().await.unwrap(), ["a", "c"]);
    let left = scene.contacts([1, 2, 3, 4, 5]).await;
    assert_eq!(left.iter().map(|it| it.token).collect::<Vec<_>>(), [token(2), token(4)]);
}
