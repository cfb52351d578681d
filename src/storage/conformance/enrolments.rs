//! Stories about devices of members.

use super::member_scene::{
    DEVICE_LIMIT, enrolment, keys, name, new_member, remote_device, self_enrolling_member,
    signed_key, token,
};
use super::phone_scene::is_forbidden;
use super::scene::{START, Scene, at, conflict, key, session_id, user_id};
use crate::domain::Fault;
use crate::domain::inbox::Accepted;
use crate::domain::messenger::member::Permit;
use crate::domain::messenger::{MemberDeviceChange, NewEnrolment, RemoteDevice};

pub(super) async fn a_device_is_enrolled_with_everything(scene: Scene) {
    let before = scene.store.create_member(new_member(1)).await.unwrap();
    let generation = scene.known_member(1).await.generation;
    let enrolled = scene.enrol(1, 2).await;
    assert_eq!(enrolled.account, before.account);
    let member = scene.known_member(1).await;
    assert!(member.generation > generation);
    let [device] = &member.devices[..] else { panic!("{member:?}") };
    assert_eq!(*device, enrolled.device);
    assert_eq!((device.id, device.identity_key.as_str()), (session_id(2), "identity 2"));
    assert_eq!((device.agreement_key.as_str(), &device.signed), ("agreement 2", &signed_key(2)));
    assert_eq!((device.label.as_deref(), device.is_strong), (Some("device 2"), false));
    assert_eq!((device.created_at, device.last_seen_at), (START, None));
    for _ in ["from the database", "from a cache"] {
        let owner = scene.store.member_device(&key(2)).await.unwrap().unwrap();
        assert_eq!((&owner.member, &owner.device), (&member, device));
    }
    assert!(scene.store.member_device(&key(3)).await.unwrap().is_none());
    assert!(scene.store.member_device_is_live(device.session).await.unwrap());
    let owners = scene.store.device_owners(&[session_id(3), device.id]).await.unwrap();
    assert_eq!(owners, [(device.id, user_id(1))]);
    let listed = scene.store.one_time_keys(&[device.session], 10).await.unwrap();
    assert_eq!(listed, [keys([1, 2, 3])], "doubles are kept once");
}

/// The same enrolment by another permit.
fn permitted(new: NewEnrolment, permit: Permit) -> NewEnrolment {
    NewEnrolment { permit, ..new }
}

pub(super) async fn a_token_enrols_once(scene: Scene) {
    scene.store.create_member(new_member(1)).await.unwrap();
    for round in 0..5 {
        let attempts = (0..4).map(|n| {
            let new = permitted(enrolment(1, 10 * round + n), token(round));
            scene.store.enrol(NewEnrolment { most: 100, ..new })
        });
        let outcomes = futures_util::future::join_all(attempts).await;
        let enrolled = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(enrolled, 1, "{outcomes:?}");
        assert!(outcomes.iter().filter(|it| it.is_err()).all(is_forbidden), "{outcomes:?}");
    }
    assert_eq!(scene.known_member(1).await.devices.len(), 5);
}

pub(super) async fn what_is_refused_uses_nothing_up(scene: Scene) {
    scene.store.create_member(new_member(1)).await.unwrap();
    let nobody = scene.store.enrol(enrolment(9, 1)).await;
    assert!(matches!(nobody, Err(Fault::NotFound { what: "user" })));
    scene.enrol(1, 1).await;
    let mut taken = enrolment(1, 2);
    taken.signing_key = key(1);
    assert_eq!(conflict(scene.store.enrol(taken).await).as_deref(), Some("identity_pubkey"));
    let full = scene.store.enrol(NewEnrolment { most: 1, ..enrolment(1, 2) }).await;
    assert!(matches!(full, Err(Fault::TooLarge { actual: 2, limit: 1, .. })), "{full:?}");
    scene.enrol(1, 2).await;

    scene
        .store
        .end_member_device(scene.known_member(1).await.account, session_id(1), at(1))
        .await
        .unwrap();
    let again = permitted(enrolment(1, 1), token(9));
    let again = scene.store.enrol(again).await;
    assert_eq!(conflict(again).as_deref(), Some("identity_pubkey"), "a key is used once for ever");
}

pub(super) async fn a_first_device_needs_no_other(scene: Scene) {
    let first = |n, made_after| permitted(enrolment(1, n), Permit::First { made_after });
    let made_after = START.minus(std::time::Duration::from_secs(1));
    scene.store.create_member(new_member(2)).await.unwrap();
    let other = NewEnrolment { user: user_id(2), ..first(1, made_after) };
    assert!(is_forbidden(&scene.store.enrol(other).await), "that one has a token");
    scene.store.create_member(self_enrolling_member(1)).await.unwrap();
    assert!(is_forbidden(&scene.store.enrol(first(1, START)).await), "it is too late");
    let device = scene.store.enrol(first(1, made_after)).await.unwrap();
    assert!(is_forbidden(&scene.store.enrol(first(2, made_after)).await), "there is one");
    scene.enrol(1, 3).await;
    scene.store.end_member_device(device.account, session_id(1), at(1)).await.unwrap();
    assert!(is_forbidden(&scene.store.enrol(first(2, made_after)).await), "there was one");
}

pub(super) async fn a_device_enrols_others_while_it_is_live(scene: Scene) {
    let (ann, ben) = (scene.member(1).await, scene.member(2).await);
    let by = |n, signer| permitted(enrolment(1, n), Permit::Device(signer));
    assert!(is_forbidden(&scene.store.enrol(by(3, ben.devices[0].session)).await));
    scene.store.enrol(by(3, ann.devices[0].session)).await.unwrap();
    scene.store.end_member_device(ann.account, session_id(1), at(1)).await.unwrap();
    assert!(is_forbidden(&scene.store.enrol(by(4, ann.devices[0].session)).await));
}

pub(super) async fn there_are_no_more_devices_of_a_member_than_the_limit(scene: Scene) {
    scene.store.create_member(new_member(1)).await.unwrap();
    let attempts = (1..7).map(|n| scene.store.enrol(enrolment(1, n)));
    let outcomes = futures_util::future::join_all(attempts).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), DEVICE_LIMIT as usize);
    assert_eq!(scene.known_member(1).await.devices.len(), DEVICE_LIMIT as usize);
}

pub(super) async fn a_device_changes_for_everybody_at_once(scene: Scene) {
    let before = scene.member(1).await;
    let session = before.devices[0].session;
    let changes = [
        MemberDeviceChange::Signed(signed_key(7)),
        MemberDeviceChange::Label(None),
        MemberDeviceChange::Strong,
    ];
    for change in changes.clone() {
        let generation = scene.known_member(1).await.generation;
        scene.store.change_member_device(session, change).await.unwrap();
        assert!(scene.known_member(1).await.generation > generation);
    }
    let device = scene.store.member_device(&key(1)).await.unwrap().unwrap().device;
    assert_eq!((&device.signed, &device.label, device.is_strong), (&signed_key(7), &None, true));
    assert_eq!(device.identity_key, before.devices[0].identity_key);

    scene.enrol(1, 2).await;
    scene.store.end_member_device(before.account, session_id(1), at(1)).await.unwrap();
    let generation = scene.known_member(1).await.generation;
    for change in changes {
        scene.store.change_member_device(session, change).await.unwrap();
    }
    assert_eq!(scene.known_member(1).await.generation, generation);
}

pub(super) async fn a_message_reaches_every_device_of_a_member(scene: Scene) {
    let ann = scene.member(1).await;
    scene.member(2).await;
    scene.enrol(2, 3).await;
    let ben = scene.known_member(2).await;
    assert!(matches!(scene.accept(Scene::whisper(&ann, &ben, 1)).await, Accepted::Stored(_)));
    assert_eq!(scene.accept(Scene::whisper(&ann, &ben, 1)).await, Accepted::Duplicate);
    scene.enrol(2, 4).await;
    assert_eq!(scene.accept(Scene::whisper(&ann, &ben, 2)).await, Accepted::RosterMoved);
    let newest = scene.known_member(2).await;
    assert_eq!(newest.devices.len(), 3, "what moved is not remembered");
    for device in &ben.devices {
        let waiting = scene.waiting_for(&ben, device).await;
        let [message] = &waiting[..] else { panic!("{waiting:?}") };
        assert_eq!(message.slot, format!("1 for {}", device.identity_key));
        assert_eq!((message.sender, message.sender_session), (ann.user, ann.devices[0].id));
    }
    assert!(scene.waiting_for(&newest, &newest.devices[2]).await.is_empty());
}

pub(super) async fn an_ended_device_ends_alone(scene: Scene) {
    let (ann, _) = (scene.member(1).await, scene.member(2).await);
    scene.enrol(2, 3).await;
    let ben = scene.known_member(2).await;
    scene.accept(Scene::whisper(&ann, &ben, 1)).await;
    let foreign = scene.store.end_member_device(ann.account, session_id(3), at(1)).await;
    assert!(matches!(foreign, Err(Fault::NotFound { what: "device" })));
    let [first, second] = &ben.devices[..] else { panic!("{ben:?}") };
    let ended = scene.store.end_member_device(ben.account, first.id, at(1)).await.unwrap();
    assert_eq!(ended, first.session);
    let again = scene.store.end_member_device(ben.account, first.id, at(1)).await;
    assert!(matches!(again, Err(Fault::NotFound { what: "device" })));

    let after = scene.known_member(2).await;
    assert_eq!(after.devices, std::slice::from_ref(second));
    assert!(after.generation > ben.generation);
    assert!(!scene.store.member_device_is_live(first.session).await.unwrap());
    assert!(scene.store.member_device(&key(2)).await.unwrap().is_none());
    assert!(scene.store.device_owners(&[first.id]).await.unwrap().is_empty());
    assert!(scene.waiting_for(&ben, first).await.is_empty());
    assert_eq!(scene.waiting_for(&ben, second).await.len(), 1);
    let kept = scene.store.one_time_keys(&[first.session, second.session], 10).await.unwrap();
    assert_eq!(kept, [vec![], keys([1, 2, 3])]);
}

pub(super) async fn the_last_device_ends_with_its_account(scene: Scene) {
    scene.member(1).await;
    scene.enrol(1, 2).await;
    let ann = scene.known_member(1).await;
    let ends =
        ann.devices.iter().map(|it| scene.store.end_member_device(ann.account, it.id, at(1)));
    let outcomes = futures_util::future::join_all(ends).await;
    let refused: Vec<_> = outcomes.into_iter().filter(Result::is_err).collect();
    let [refused] = &refused[..] else { panic!("{refused:?}") };
    assert!(matches!(refused, Err(Fault::Conflict { field, .. }) if field == "device"));
    let after = scene.known_member(1).await;
    assert_eq!(after.devices.len(), 1);
    scene.store.delete_member(ann.account, at(2)).await.unwrap();
    assert_eq!(scene.store.member(user_id(1)).await.unwrap(), None);
}

pub(super) async fn what_another_gateway_says_is_noted(scene: Scene) {
    let owner = scene.store.note_remote_device(remote_device(1)).await.unwrap();
    assert_eq!((owner.member.user, &owner.member.name), (user_id(1), &name(1)));
    assert_eq!(owner.member.relay.as_deref(), Some("elsewhere"));
    assert_eq!(
        (owner.device.id, owner.device.identity_key.as_str()),
        (session_id(1), "identity 1")
    );
    let again = scene.store.note_remote_device(remote_device(1)).await.unwrap();
    assert_eq!(again, owner);
    assert_eq!(scene.known_member(1).await, owner.member);
    let named = async |relay| scene.store.member_named(&name(1), relay).await.unwrap();
    assert_eq!(named(Some("elsewhere")).await, Some(user_id(1)));
    assert_eq!(named(None).await, None, "names here are others");
    assert!(scene.store.member_device(&key(1)).await.unwrap().is_none());
    assert!(matches!(scene.store.enrol(enrolment(1, 5)).await, Err(Fault::NotFound { .. })));

    let second = RemoteDevice { id: session_id(2), id_there: "two".to_owned(), ..remote_device(1) };
    let second = scene.store.note_remote_device(second).await.unwrap();
    assert_eq!(second.member.devices.len(), 2);
    let changed = RemoteDevice { identity_key: "other".to_owned(), ..remote_device(1) };
    let changed = scene.store.note_remote_device(changed).await.unwrap();
    assert_eq!(changed.device.identity_key, "other");
    assert!(changed.member.generation > second.member.generation);
}

pub(super) async fn nobody_speaks_for_somebody_else(scene: Scene) {
    let (own, bot) = (scene.member(1).await, scene.device(2).await);
    scene.store.note_remote_device(remote_device(3)).await.unwrap();
    let new = remote_device(4);
    let wrong = [
        RemoteDevice { user: own.user, ..new.clone() },
        RemoteDevice { user: bot.user, ..new.clone() },
        RemoteDevice { user: user_id(3), ..new.clone() },
        RemoteDevice { id: own.devices[0].id, ..new.clone() },
        RemoteDevice { id: bot.id, ..new.clone() },
        RemoteDevice { id: session_id(3), ..new.clone() },
        RemoteDevice { id_there: "another".to_owned(), ..remote_device(3) },
        RemoteDevice { relay: "third".to_owned(), ..remote_device(3) },
    ];
    for device in wrong {
        assert!(is_forbidden(&scene.store.note_remote_device(device).await));
    }
    assert_eq!(scene.store.member(user_id(4)).await.unwrap(), None);
    assert_eq!(scene.known_member(1).await, own);
}

pub(super) async fn used_tokens_are_forgotten_in_time(scene: Scene) {
    scene.store.create_member(new_member(1)).await.unwrap();
    for n in 1..4 {
        scene.enrol(1, n).await;
    }
    assert_eq!(scene.store.forget_enrolments(at(299), 10).await.unwrap(), 0);
    assert_eq!(scene.store.forget_enrolments(at(300), 2).await.unwrap(), 2);
    assert_eq!(scene.store.forget_enrolments(at(300), 2).await.unwrap(), 1);
    assert_eq!(scene.store.forget_enrolments(at(300), 2).await.unwrap(), 0);
}
