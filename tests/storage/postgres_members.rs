//! Members on two gateways that work on one database, many things at once: what is used once is used
//! once, and what goes takes everything with it.

use std::collections::HashSet;

use sealpost::domain::Fault;
use sealpost::domain::messenger::introduction::Room;
use sealpost::domain::messenger::{MemberDeviceChange, NewEnrolment, NewIntroduction, NewMember};
use sealpost::storage::conformance::member_scene::{
    ALL, chat_id, enrolment, introduction, keys, new_member, remote_device, token,
};
use sealpost::storage::conformance::phone_scene::is_forbidden;
use sealpost::storage::conformance::scene::{START, at, session_id, user_id};

use super::postgres_races::{Two, all_conflict};

/// More than is ever used.
const ROOM: Room = Room { all: 100, of_one: 100 };

fn all_forbidden(faults: Vec<Fault>) -> bool {
    faults.into_iter().all(|fault| is_forbidden::<()>(&Err(fault)))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn a_name_belongs_to_the_first_of_many_at_once() {
    let two = Two::open().await;
    // The second round takes it from somebody who never came back.
    for (round, idle_before) in [(0, START), (100, at(1))] {
        let create = async |n| {
            let user = user_id(round + n);
            let at = at(u64::from(round));
            let new = NewMember { user, at, idle_before, ..new_member(1) };
            two.of(n).create_member(new).await
        };
        let (made, refused) = two.at_once(1..17, create).await;
        assert!(all_conflict(&refused, "username"), "{refused:?}");
        assert_eq!((made.len(), refused.len()), (1, 15));
        assert!(two.one().store.member(made[0].user).await.unwrap().is_some());
    }
    two.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn a_token_and_a_key_enrol_one_of_many_at_once() {
    let two = Two::open().await;
    for n in [1, 2] {
        two.one().store.create_member(new_member(n)).await.unwrap();
    }
    let by_token =
        async |n| two.of(n).enrol(NewEnrolment { permit: token(1), ..enrolment(1, n) }).await;
    let (enrolled, refused) = two.at_once(1..17, by_token).await;
    assert_eq!((enrolled.len(), refused.len()), (1, 15));
    assert!(all_forbidden(refused));

    // The same key, of two accounts.
    let by_key = async |n: u16| {
        let signing_key = enrolment(1, 200).signing_key;
        let new = NewEnrolment { signing_key, most: 100, ..enrolment(1 + n % 2, 200 + n) };
        two.of(n / 2).enrol(new).await
    };
    let (enrolled, refused) = two.at_once(1..17, by_key).await;
    assert!(all_conflict(&refused, "identity_pubkey"), "{refused:?}");
    assert_eq!((enrolled.len(), refused.len()), (1, 15));

    let limited = async |n| two.of(n).enrol(enrolment(2, 100 + n)).await;
    two.at_once(1..17, limited).await;
    assert_eq!(two.one().known_member(2).await.devices.len(), 3);
    two.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn a_one_time_key_is_given_out_and_used_once_by_whichever_gateway() {
    let two = Two::open().await;
    let from = two.one().member(1).await.devices[0].clone();
    let to = two.one().member(2).await.devices[0].clone();
    let store = &two.one().store;
    store.add_one_time_keys(to.session, keys(1..51), 100).await.unwrap();
    let take = async |n| two.of(n).take_one_time_keys(&[to.session], at(60)).await;
    let (given, refused) = two.at_once(1..65, take).await;
    assert!(refused.is_empty(), "{refused:?}");
    let given: Vec<_> = given.into_iter().flatten().flatten().collect();
    assert_eq!((given.len(), given.iter().collect::<HashSet<_>>().len()), (50, 50));

    let use_up = async |n: u16| {
        let one_time_key = format!("key {}", 1 + n % 4);
        let new = NewIntroduction { one_time_key, ..introduction(&from, &to, n) };
        two.of(n / 4).introduce(vec![new], ROOM).await
    };
    let (kept, refused) = two.at_once(0..32, use_up).await;
    assert!(all_conflict(&refused, "otpk_used"), "{refused:?}");
    assert_eq!((kept.len(), refused.len()), (4, 28));

    // Taken and used at the same moment.
    store.add_one_time_keys(to.session, keys(100..116), 100).await.unwrap();
    let either = async |n: u16| match n % 2 {
        0 => two.of(n / 2).take_one_time_keys(&[to.session], at(600)).await.map(drop),
        _ => {
            let one_time_key = format!("key {}", 100 + n / 2);
            let new = NewIntroduction { one_time_key, ..introduction(&from, &to, 200 + n) };
            two.of(n / 2).introduce(vec![new], ROOM).await.map(drop)
        }
    };
    let (_, refused) = two.at_once(0..32, either).await;
    assert!(refused.is_empty(), "{refused:?}");
    two.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn two_accounts_have_one_chat_however_many_introductions_are_confirmed_at_once() {
    let two = Two::open().await;
    let (ann, ben) = (two.one().member(1).await, two.one().member(2).await);
    let (one, other) = (&ann.devices[0], &ben.devices[0]);
    for n in 1..17 {
        let (from, to) = if n % 2 == 0 { (one, other) } else { (other, one) };
        two.one().store.introduce(vec![introduction(from, to, n)], ROOM).await.unwrap();
    }
    let confirm = async |n: u16| {
        let to = if n.is_multiple_of(2) { other } else { one };
        two.scenes[usize::from(n / 2 % 2)].confirm(to, n, n).await
    };
    let (confirmed, refused) = two.at_once(1..17, confirm).await;
    assert!(refused.is_empty(), "{refused:?}");
    let chats: HashSet<_> = confirmed.iter().map(|it| it.chat).collect();
    assert_eq!(chats.len(), 1);
    assert_eq!(confirmed.iter().filter(|it| it.is_first).count(), 2, "each way once");

    let third = two.one().member(3).await;
    let ensure =
        async |n| two.of(n).ensure_chat(chat_id(50 + n), ann.account, third.account, START).await;
    let (chats, refused) = two.at_once(1..17, ensure).await;
    assert!(refused.is_empty(), "{refused:?}");
    assert_eq!(chats.iter().collect::<HashSet<_>>().len(), 1);
    two.close().await;
}

/// A device that ends, an account that is deleted, and everybody who wants something of them.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn nothing_outlives_its_device_whatever_happens_at_once() {
    let two = Two::open().await;
    let from = two.one().member(1).await.devices[0].clone();
    for round in 1..7 {
        let n = round * 100;
        let member = two.one().member(n).await;
        let device = member.devices[0].clone();
        let act = async |n: u16| {
            let store = two.of(n / 5);
            match n % 5 {
                0 if n == 5 => {
                    store.end_member_device(member.account, device.id, at(1)).await.map(drop)
                }
                0 if n == 10 => store.delete_member(member.account, at(1)).await.map(drop),
                0 | 1 => store.add_one_time_keys(device.session, keys(1..9), 100).await.map(drop),
                2 => store.introduce(vec![introduction(&from, &device, n)], ROOM).await.map(drop),
                3 => {
                    let change = MemberDeviceChange::Label(Some(n.to_string()));
                    store.change_member_device(device.session, change).await
                }
                _ => {
                    let new = enrolment(round * 100, round * 100 + n);
                    store.enrol(NewEnrolment { most: 100, ..new }).await.map(drop)
                }
            }
        };
        let (_, refused) = two.at_once(1..26, act).await;
        // It may be the last one when it is to end.
        let gone = |it: &Fault| matches!(it, Fault::NotFound { .. } | Fault::Conflict { .. });
        assert!(refused.iter().all(gone), "{refused:?}");
        let store = &two.one().store;
        assert_eq!(store.fresh_member(user_id(n)).await.unwrap(), None);
        assert!(!store.member_device_is_live(device.session).await.unwrap());
        assert!(store.introductions(device.session, ALL).await.unwrap().is_empty());
        let left = store.one_time_keys(&[device.session], 100).await.unwrap();
        assert_eq!(left, [keys([])]);
    }
    two.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn another_gateways_device_is_noted_once_by_whichever_gateway() {
    let two = Two::open().await;
    let note = async |n| two.of(n).note_remote_device(remote_device(1)).await;
    let (noted, refused) = two.at_once(1..17, note).await;
    assert!(refused.is_empty(), "{refused:?}");
    let sessions: HashSet<_> = noted.iter().map(|owner| owner.device.session).collect();
    assert_eq!(sessions.len(), 1);
    let member = two.one().known_member(1).await;
    assert_eq!(member.devices.len(), 1);
    assert_eq!(member.devices[0].id, session_id(1));
    two.close().await;
}
