//! Stories about registering a number, and about what belongs to one dialect alone.

use super::phone_scene::{
    DEVICE_LIMIT, code_try, code_use, is_forbidden, new_code, new_device, new_phone, number,
    prekeys, push,
};
use super::scene::{START, Scene, at, ids, message_ids, user_id};
use crate::domain::Fault;
use crate::domain::account::ProfileChange;
use crate::domain::inbox::Accepted;
use crate::domain::phone::{CodePurpose, DeviceChange, DeviceNumber, NewLink, NewPhone, PushKind};
use crate::domain::prekeys::Identity;

pub(super) async fn a_phone_is_registered_with_its_first_device(scene: Scene) {
    assert_eq!(scene.store.phone(&number(1)).await.unwrap(), None);
    let registered = scene.store.register_phone(new_phone(1)).await.unwrap();
    assert_eq!((registered.device, &registered.ended[..]), (DeviceNumber::PRIMARY, &[][..]));

    let phone = scene.known_phone(1).await;
    assert_eq!((phone.account, phone.user), (registered.account, user_id(1)));
    assert_eq!((&phone.number, phone.supports_sms), (&number(1), true));
    assert!(phone.identity_key.is_none() && phone.generation > 0);
    let [device] = &phone.devices[..] else { panic!("{phone:?}") };
    let new = new_device(1);
    assert_eq!((device.id, device.number), (new.id, DeviceNumber::PRIMARY));
    assert_eq!((&device.password, &device.signalling_key), (&new.password, &new.signalling_key));
    assert_eq!((device.registration, device.fetches), (1, true));
    assert_eq!((&device.push, &device.name), (&None, &new.name));
    assert_eq!((device.created_at, device.last_seen_at), (START, None));
    assert!(scene.store.device_is_live(device.session).await.unwrap());
    assert_eq!(scene.store.fresh_phone(&number(2)).await.unwrap(), None);
}

pub(super) async fn registering_again_ends_everything(scene: Scene) {
    let friend = scene.phone(9).await;
    scene.phone(1).await;
    scene.link(1, 2).await.unwrap();
    let before = scene.known_phone(1).await;
    let sessions: Vec<_> = before.devices.iter().map(|device| device.session).collect();
    scene.send_text(&friend, &before, 1).await;
    let mut left = prekeys(sessions[0], [1, 2]);
    left.identity = Some(Identity { account: before.account, key: "identity".to_owned() });
    scene.store.replace_prekeys(left).await.unwrap();
    let change = DeviceChange::SetPush(push(PushKind::Gcm, 1));
    scene.store.change_device(sessions[0], change).await.unwrap();
    let before = scene.known_phone(1).await;
    assert_eq!(before.identity_key.as_deref(), Some("identity"));

    let again = NewPhone {
        user: user_id(5),
        supports_sms: false,
        device: new_device(5),
        at: at(60),
        ..new_phone(1)
    };
    let registered = scene.store.register_phone(again).await.unwrap();
    assert_eq!((registered.account, &registered.ended), (before.account, &sessions));
    let after = scene.known_phone(1).await;
    assert_eq!(after.user, before.user, "the number keeps its account");
    assert!(after.generation > before.generation);
    assert!(after.identity_key.is_none() && !after.supports_sms);
    let [device] = &after.devices[..] else { panic!("{after:?}") };
    assert_eq!((device.registration, device.number, &device.push), (5, DeviceNumber(1), &None));
    assert!(!sessions.contains(&device.session));

    for old in &before.devices {
        assert!(!scene.store.device_is_live(old.session).await.unwrap());
        assert!(scene.lease_of(&before, old, at(60)).await.is_empty());
        assert_eq!(scene.store.count_prekeys(old.session).await.unwrap(), 0);
    }
    assert!(scene.lease_of(&after, device, at(60)).await.is_empty(), "nor is there a marker");
    assert_eq!(scene.accept(Scene::text(&friend, &before, 2)).await, Accepted::RosterMoved);
    scene.send_text(&friend, &after, 3).await;
    assert_eq!(ids(&scene.lease_of(&after, device, at(60)).await), message_ids([3]));
}

/// A registration of the phone numbered 1 with a device and a code of these numbers.
fn with_code(device: u16, code: u16) -> NewPhone {
    let code = Some(code_use(CodePurpose::Register, 1, code));
    NewPhone { device: new_device(device), code, ..new_phone(1) }
}

pub(super) async fn a_code_registers_once(scene: Scene) {
    for round in 0..5 {
        let code = new_code(CodePurpose::Register, 1, round);
        scene.store.put_code(code).await.unwrap();
        let (one, other) = tokio::join!(
            scene.store.register_phone(with_code(10 + 2 * round, round)),
            scene.store.register_phone(with_code(11 + 2 * round, round)),
        );
        assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
        assert!(is_forbidden(&one) || is_forbidden(&other));
        let ended = one.or(other).unwrap().ended.len();
        assert_eq!(ended, usize::from(round > 0), "the other one did nothing");
        assert_eq!(scene.known_phone(1).await.devices.len(), 1);
    }
}

pub(super) async fn another_code_registers_nothing(scene: Scene) {
    scene.store.put_code(new_code(CodePurpose::Register, 1, 7)).await.unwrap();
    scene.store.put_code(new_code(CodePurpose::Link, 1, 8)).await.unwrap();
    for code in [6, 8] {
        assert!(is_forbidden(&scene.store.register_phone(with_code(1, code)).await));
    }
    assert_eq!(scene.store.phone(&number(1)).await.unwrap(), None);
    assert_eq!(scene.store.count_phones().await.unwrap(), 0);
    scene.store.register_phone(with_code(1, 7)).await.unwrap();
    assert!(is_forbidden(&scene.store.register_phone(with_code(2, 7)).await));
    assert_eq!(scene.known_phone(1).await.devices[0].registration, 1);
}

/// A code that somebody asked for before would let a device in that nobody wants.
pub(super) async fn registering_leaves_no_code_of_the_number(scene: Scene) {
    let (account, code) = (scene.phone(1).await.account, code_use(CodePurpose::Link, 1, 7));
    scene.store.put_code(new_code(CodePurpose::Link, 1, 7)).await.unwrap();
    scene.store.put_code(new_code(CodePurpose::Link, 2, 7)).await.unwrap();
    scene.store.register_phone(NewPhone { device: new_device(2), ..new_phone(1) }).await.unwrap();
    let first = scene.known_phone(1).await.devices[0].session;
    let (device, most) = (new_device(3), DEVICE_LIMIT);
    let link = NewLink { account, first, device, most, code, at: START };
    assert!(is_forbidden(&scene.store.link_device(link).await));
    let tried = scene.store.try_code(code_try(CodePurpose::Link, 2, START, 5)).await.unwrap();
    assert!(tried.is_some(), "that of another number stays");
}

pub(super) async fn a_message_reaches_every_device_at_its_generation_only(scene: Scene) {
    let (ann, _) = (scene.phone(1).await, scene.phone(2).await);
    scene.link(2, 3).await.unwrap();
    let ben = scene.known_phone(2).await;
    scene.send_text(&ann, &ben, 1).await;
    scene.link(2, 4).await.unwrap();
    assert_eq!(scene.accept(Scene::text(&ann, &ben, 2)).await, Accepted::RosterMoved);
    for device in &ben.devices {
        let waiting = scene.lease_of(&ben, device, START).await;
        let [message] = &waiting[..] else { panic!("{waiting:?}") };
        assert_eq!(message.slot, format!("1 for {}", device.number.0));
        assert_eq!((message.sender, message.conversation), (ann.user, None));
        assert_eq!((message.category.as_str(), message.body.len()), ("TEXTSECURE", 0));
    }
    let newest = &scene.known_phone(2).await.devices[2];
    assert!(scene.lease_of(&ben, newest, START).await.is_empty());
}

pub(super) async fn a_phone_is_nobody_in_another_dialect(scene: Scene) {
    let bot = scene.device(1).await;
    let phone = scene.phone(2).await;
    let both = [bot.user, phone.user];
    for _ in ["from the database", "from a cache"] {
        let accounts = scene.store.accounts(&both).await.unwrap();
        assert_eq!(accounts.iter().map(|it| it.id).collect::<Vec<_>>(), [bot.user]);
        for rosters in [scene.store.rosters(&both).await, scene.store.fresh_rosters(&both).await] {
            let users: Vec<_> = rosters.unwrap().iter().map(|roster| roster.user).collect();
            assert_eq!(users, [bot.user]);
        }
        assert_eq!(scene.store.session(phone.devices[0].id).await.unwrap(), None);
    }
    let by_name = scene.store.account_by_identity_number(phone.number.as_str()).await.unwrap();
    assert_eq!(by_name, None);
    let change = ProfileChange { full_name: Some("Ann".to_owned()), ..ProfileChange::default() };
    let changed = scene.store.change_profile(phone.user, change).await;
    assert!(matches!(changed, Err(Fault::NotFound { .. })));

    let listed = scene.store.list_accounts(None, 10).await.unwrap();
    assert_eq!(listed.iter().map(|it| it.id).collect::<Vec<_>>(), [bot.user]);
    let mut namesake = Scene::new_account(3);
    namesake.external_name = number(4).as_str().to_owned();
    scene.store.create_account(namesake).await.unwrap();
    assert_eq!(scene.store.phone(&number(4)).await.unwrap(), None);
    assert_eq!(scene.phone(4).await.user, user_id(4));
}
