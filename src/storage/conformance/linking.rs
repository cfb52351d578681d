//! Stories about linked devices, and about changes of devices.

use super::phone_scene::{
    DEVICE_LIMIT, code_use, is_forbidden, new_code, new_device, new_phone, number, push,
};
use super::scene::{START, Scene, at, ids, message_ids};
use crate::domain::Fault;
use crate::domain::ids::AccountNumber;
use crate::domain::phone::{
    CodePurpose, DeviceChange, DeviceNumber, NewLink, NewPhone, Phone, PushAddress, PushKind,
};

fn numbers(phone: &Phone) -> Vec<u32> {
    phone.devices.iter().map(|device| device.number.0).collect()
}

pub(super) async fn devices_are_numbered_after_the_highest(scene: Scene) {
    let phone = scene.phone(1).await;
    for (device, expected) in [(2, 2), (3, 3)] {
        let linked = scene.link(1, device).await.unwrap();
        assert_eq!((linked.account, linked.device.0), (phone.account, expected));
        assert!(linked.ended.is_empty());
    }
    let both = scene.known_phone(1).await;
    assert!(both.generation > phone.generation);
    assert_eq!((numbers(&both), both.devices[1].registration), (vec![1, 2, 3], 2));
    scene
        .store
        .unlink_device(phone.account, DeviceNumber(2), phone.devices[0].session, at(1))
        .await
        .unwrap();
    assert_eq!(scene.link(1, 4).await.unwrap().device, DeviceNumber(4));
    scene
        .store
        .unlink_device(phone.account, DeviceNumber(4), phone.devices[0].session, at(1))
        .await
        .unwrap();
    assert_eq!(scene.link(1, 5).await.unwrap().device, DeviceNumber(4), "it is free again");
    assert_eq!(numbers(&*scene.known_phone(1).await), [1, 3, 4]);
}

pub(super) async fn there_are_no_more_devices_than_the_limit(scene: Scene) {
    let phone = scene.phone(1).await;
    scene.link(1, 2).await.unwrap();
    scene.link(1, 3).await.unwrap();
    let before = scene.known_phone(1).await;
    let refused = scene.link(1, 4).await;
    assert!(matches!(refused, Err(Fault::TooLarge { actual: 4, limit: 3, .. })), "{refused:?}");
    assert_eq!(scene.known_phone(1).await, before);
    scene
        .store
        .unlink_device(phone.account, DeviceNumber(3), phone.devices[0].session, at(1))
        .await
        .unwrap();
    let code = code_use(CodePurpose::Link, 1, 4);
    let (account, first) = (phone.account, phone.devices[0].session);
    let (device, most) = (new_device(4), DEVICE_LIMIT);
    let link = NewLink { account, first, device, most, code, at: START };
    assert!(scene.store.link_device(link).await.is_ok(), "the code was not used up");
}

pub(super) async fn a_link_needs_its_code_and_a_first_device(scene: Scene) {
    let phone = scene.phone(1).await;
    let first = phone.devices[0].session;
    let link = |account, code| NewLink {
        account,
        first,
        device: new_device(2),
        most: DEVICE_LIMIT,
        code: code_use(CodePurpose::Link, 1, code),
        at: START,
    };
    scene.store.put_code(new_code(CodePurpose::Register, 1, 7)).await.unwrap();
    scene.store.put_code(new_code(CodePurpose::Link, 1, 8)).await.unwrap();
    for (account, code) in [(phone.account, 7), (phone.account, 9), (AccountNumber(99), 8)] {
        assert!(is_forbidden(&scene.store.link_device(link(account, code)).await));
    }
    assert_eq!(scene.known_phone(1).await, phone);
    scene.store.link_device(link(phone.account, 8)).await.unwrap();
    assert!(is_forbidden(&scene.store.link_device(link(phone.account, 8)).await), "used up");
}

pub(super) async fn who_lost_the_number_links_nothing(scene: Scene) {
    let before = scene.phone(1).await;
    scene.store.register_phone(NewPhone { device: new_device(2), ..new_phone(1) }).await.unwrap();
    scene.store.put_code(new_code(CodePurpose::Link, 1, 7)).await.unwrap();
    let link = |first| NewLink {
        account: before.account,
        first,
        device: new_device(3),
        most: DEVICE_LIMIT,
        code: code_use(CodePurpose::Link, 1, 7),
        at: START,
    };
    assert!(is_forbidden(&scene.store.link_device(link(before.devices[0].session)).await));
    let first = scene.known_phone(1).await.devices[0].session;
    scene.store.link_device(link(first)).await.unwrap();
}

pub(super) async fn two_links_at_once_get_two_numbers(scene: Scene) {
    let phone = scene.phone(1).await;
    scene.store.put_code(new_code(CodePurpose::Link, 1, 7)).await.unwrap();
    let link = |device| NewLink {
        account: phone.account,
        first: phone.devices[0].session,
        device: new_device(device),
        most: DEVICE_LIMIT,
        code: code_use(CodePurpose::Link, 1, 7),
        at: START,
    };
    let (one, other) =
        tokio::join!(scene.store.link_device(link(2)), scene.store.link_device(link(3)));
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    assert!(is_forbidden(&one) || is_forbidden(&other), "a code links one device");
    assert_eq!(numbers(&*scene.known_phone(1).await), [1, 2]);
}

pub(super) async fn an_unlinked_device_ends_alone(scene: Scene) {
    let ann = scene.phone(1).await;
    let first = scene.phone(2).await;
    scene.link(2, 3).await.unwrap();
    let before = scene.known_phone(2).await;
    let [primary, linked] = &before.devices[..] else { panic!("{before:?}") };
    scene.send_text(&ann, &before, 1).await;
    let account = first.account;
    for device in [DeviceNumber::PRIMARY, DeviceNumber(9)] {
        let refused = scene.store.unlink_device(account, device, primary.session, at(1)).await;
        assert!(matches!(refused, Err(Fault::NotFound { what: "device" })));
    }
    let second = DeviceNumber(2);
    for other in [linked.session, ann.devices[0].session] {
        let refused = scene.store.unlink_device(account, second, other, at(1)).await;
        assert!(matches!(refused, Err(Fault::Unauthorized { .. })), "{refused:?}");
    }
    let ended = scene.store.unlink_device(account, second, primary.session, at(1)).await.unwrap();
    assert_eq!((ended.account, ended.device), (account, DeviceNumber(2)));
    assert_eq!(ended.ended, [linked.session]);
    let inbox = scene.store.device_inbox(primary.id).await.unwrap();
    assert_eq!(inbox, Some(before.inbox(primary)));
    assert_eq!(scene.store.device_inbox(linked.id).await.unwrap(), None);
    let after = scene.known_phone(2).await;
    assert!(after.generation > before.generation);
    assert_eq!(after.devices, std::slice::from_ref(primary));
    assert!(scene.lease_of(&before, linked, START).await.is_empty());
    assert_eq!(ids(&scene.lease_of(&before, primary, START).await), message_ids([1]));
    assert!(!scene.store.device_is_live(linked.session).await.unwrap());
    let again = scene.store.unlink_device(account, second, primary.session, at(1)).await;
    assert!(matches!(again, Err(Fault::NotFound { what: "device" })));
}

pub(super) async fn notifications_go_to_one_place(scene: Scene) {
    let phone = scene.phone(1).await;
    let session = phone.devices[0].session;
    let (gcm, apn, web) =
        (push(PushKind::Gcm, 1), push(PushKind::Apn, 2), push(PushKind::WebPush, 3));
    let moved = |from: &PushAddress, to: &PushAddress| DeviceChange::MovePush {
        from: from.clone(),
        to: to.clone(),
    };
    let mut generation = phone.generation;
    for (change, expected, is_change) in [
        (DeviceChange::SetPush(gcm.clone()), Some(&gcm), true),
        (DeviceChange::SetPush(apn.clone()), Some(&apn), true),
        (DeviceChange::ClearPush(PushKind::Gcm), Some(&apn), false),
        (DeviceChange::DropPush(gcm.clone()), Some(&apn), false),
        (DeviceChange::DropPush(push(PushKind::Apn, 9)), Some(&apn), false),
        (moved(&gcm, &web), Some(&apn), false),
        (moved(&apn, &web), Some(&web), true),
        (DeviceChange::ClearPush(PushKind::WebPush), None, true),
        (DeviceChange::ClearPush(PushKind::WebPush), None, false),
        (DeviceChange::SetPush(web.clone()), Some(&web), true),
        (DeviceChange::DropPush(web.clone()), None, true),
    ] {
        scene.store.change_device(session, change.clone()).await.unwrap();
        let phone = scene.known_phone(1).await;
        assert_eq!(phone.devices[0].push.as_ref(), expected, "{change:?}");
        assert_eq!(phone.generation > generation, is_change, "{change:?}");
        generation = phone.generation;
    }
}

pub(super) async fn what_phones_change_concerns_nobody_in_other_dialects(scene: Scene) {
    let bot = scene.device(9).await;
    let start = scene.store.newest_change().await.unwrap();
    let account = scene.phone(1).await.account;
    scene.link(1, 2).await.unwrap();
    let phone = scene.known_phone(1).await;
    let change = DeviceChange::SetPush(push(PushKind::Gcm, 1));
    let first = phone.devices[0].session;
    scene.store.change_device(first, change).await.unwrap();
    scene.store.unlink_device(account, DeviceNumber(2), first, at(1)).await.unwrap();
    assert_eq!(scene.store.newest_change().await.unwrap(), start);
    let told = scene.store.changed_contacts(bot.account, start, 10).await.unwrap();
    assert!(told.users.is_empty() && told.cursor == start);
}

pub(super) async fn a_change_of_what_is_no_more_does_nothing(scene: Scene) {
    let account = scene.phone(1).await.account;
    scene.link(1, 2).await.unwrap();
    let devices = &scene.known_phone(1).await.devices;
    let (first, linked) = (devices[0].session, devices[1].session);
    scene.store.unlink_device(account, DeviceNumber(2), first, at(1)).await.unwrap();
    let before = scene.known_phone(1).await;
    let change = DeviceChange::SetPush(push(PushKind::Gcm, 1));
    scene.store.change_device(linked, change).await.unwrap();
    assert_eq!(scene.store.fresh_phone(&number(1)).await.unwrap(), Some(before));
}
