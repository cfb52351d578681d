//! Stories about members, their names, and what belongs to their dialect alone.

use std::collections::BTreeMap;

use super::member_scene::{enrolment, name, new_member, remote_device};
use super::scene::{START, Scene, at, conflict, key, message_id, user_id};
use crate::domain::Fault;
use crate::domain::account::ProfileChange;
use crate::domain::clock::Timestamp;
use crate::domain::conversation::Role;
use crate::domain::conversation::group::NewGroup;
use crate::domain::conversation::notice::Notices;
use crate::domain::ids::{AccountNumber, CodeId, ConversationId};
use crate::domain::inbox::Accepted;
use crate::domain::messenger::{Member, NewMember};

pub(super) async fn a_member_is_known_by_its_name(scene: Scene) {
    assert_eq!(scene.store.member(user_id(1)).await.unwrap(), None);
    let listed = scene.store.create_member(new_member(1)).await.unwrap();
    assert_eq!((listed.user, &listed.name, listed.created_at), (user_id(1), &name(1), START));
    let member = scene.known_member(1).await;
    assert_eq!((member.account, member.user), (listed.account, user_id(1)));
    assert_eq!((&member.name, &member.relay, member.created_at), (&name(1), &None, START));
    assert!(member.devices.is_empty());
    let named = async |n, relay| scene.store.member_named(&name(n), relay).await.unwrap();
    assert_eq!(named(1, None).await, None, "nobody is shown who has no device");
    scene.enrol(1, 1).await;
    assert_eq!(named(1, None).await, Some(user_id(1)));
    assert_eq!(named(2, None).await, None);
    assert_eq!(named(1, Some("elsewhere")).await, None);
}

/// Another account that wants the name of the member numbered 1.
fn namesake(n: u16, made_at: Timestamp, idle_before: Timestamp) -> NewMember {
    NewMember { user: user_id(n), at: made_at, idle_before, ..new_member(1) }
}

pub(super) async fn a_name_is_taken_by_whoever_has_a_device_or_is_new(scene: Scene) {
    scene.store.create_member(new_member(1)).await.unwrap();
    let early = scene.store.create_member(namesake(2, at(600), START)).await;
    assert_eq!(conflict(early).as_deref(), Some("username"));
    let late = scene.store.create_member(namesake(2, at(601), at(1))).await.unwrap();
    assert_eq!(scene.store.member(user_id(1)).await.unwrap(), None, "it never had a device");
    assert_eq!(scene.known_member(2).await.account, late.account);

    scene.enrol(2, 2).await;
    assert_eq!(scene.store.member_named(&name(1), None).await.unwrap(), Some(user_id(2)));
    let taken = scene.store.create_member(namesake(3, at(9000), at(8000))).await;
    assert_eq!(conflict(taken).as_deref(), Some("username"));
}

pub(super) async fn whoever_never_gets_a_device_is_removed(scene: Scene) {
    for n in 1..5 {
        let at = at(u64::from(n));
        scene.store.create_member(NewMember { at, ..new_member(n) }).await.unwrap();
    }
    scene.enrol(2, 2).await;
    scene.store.note_remote_device(remote_device(9)).await.unwrap();
    let forget = async |before, limit| scene.store.forget_idle_members(before, limit).await;
    assert_eq!(forget(at(1), 10).await.unwrap(), 0);
    assert_eq!(forget(at(4), 1).await.unwrap(), 1);
    assert_eq!(forget(at(4), 10).await.unwrap(), 1);
    for (n, is_there) in [(1, false), (2, true), (3, false), (4, true), (9, true)] {
        assert_eq!(scene.store.member(user_id(n)).await.unwrap().is_some(), is_there, "{n}");
    }
    let late = scene.store.enrol(enrolment(1, 1)).await;
    assert!(matches!(late, Err(Fault::NotFound { what: "user" })), "{late:?}");
    // Neither the name nor the account is left.
    scene.store.create_member(new_member(1)).await.unwrap();
    scene.enrol(1, 1).await;
}

pub(super) async fn an_owner_who_is_deleted_is_followed(scene: Scene) {
    let people = [scene.member(1).await, scene.member(2).await, scene.member(3).await];
    let [ann, ben, cid] = people.each_ref().map(|it| it.account);
    let groups: [&[(AccountNumber, Role)]; 3] = [
        &[(ann, Role::Owner), (ben, Role::Member), (cid, Role::Admin)],
        &[(ann, Role::Owner), (cid, Role::Member), (ben, Role::Member)],
        &[(ann, Role::Member), (ben, Role::Member), (cid, Role::Owner)],
    ];
    let id = |n: usize| ConversationId::from_bytes([n.to_le_bytes()[0] + 1; 16]);
    for (n, participants) in groups.into_iter().enumerate() {
        let new = group_of(&people[0], id(n), participants.to_vec());
        scene.store.create_group(new).await.unwrap();
    }
    let lonely = group_of(&people[0], id(3), vec![(ann, Role::Owner)]);
    scene.store.create_group(lonely).await.unwrap();
    scene.store.delete_member(ann, at(60)).await.unwrap();
    let roles = async |n| {
        let group = scene.store.conversations(&[id(n)]).await.unwrap().remove(0);
        let roles = group.participants.iter().map(|it| (it.account, it.role));
        roles.collect::<BTreeMap<_, _>>()
    };
    let of = |ben_is, cid_is| BTreeMap::from([(ben, ben_is), (cid, cid_is)]);
    assert_eq!(roles(0).await, of(Role::Member, Role::Owner), "the highest role");
    assert_eq!(roles(1).await, of(Role::Owner, Role::Member), "the oldest of equals");
    assert_eq!(roles(2).await, of(Role::Member, Role::Owner), "somebody else's stays so");
    assert_eq!(roles(3).await, BTreeMap::new());
}

pub(super) async fn one_of_many_gets_a_name(scene: Scene) {
    let wishes = (1..9).map(|n| scene.store.create_member(namesake(n, START, START)));
    let outcomes = futures_util::future::join_all(wishes).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
}

pub(super) async fn members_are_listed_in_pages(scene: Scene) {
    scene.device(9).await;
    for n in [1, 2, 3] {
        scene.member(n).await;
        scene.store.note_remote_device(remote_device(10 + n)).await.unwrap();
        scene.store.create_member(new_member(20 + n)).await.unwrap();
    }
    let first = scene.store.list_members(None, 2).await.unwrap();
    let users: Vec<_> = first.iter().map(|member| member.user).collect();
    assert_eq!(users, [user_id(1), user_id(2)]);
    let rest = scene.store.list_members(Some(first[1].account), 2).await.unwrap();
    assert_eq!(rest.iter().map(|it| &it.name).collect::<Vec<_>>(), [&name(3)]);

    let shy = NewMember { is_discoverable: false, ..new_member(4) };
    let shy = scene.store.create_member(shy).await.unwrap().account;
    scene.enrol(4, 4).await;
    let listed = async || {
        let listed = scene.store.list_members(None, 10).await.unwrap();
        listed.into_iter().map(|it| it.user).collect::<Vec<_>>()
    };
    assert_eq!(listed().await, [1, 2, 3].map(user_id));
    scene.store.set_discoverable(shy, true).await.unwrap();
    scene.store.set_discoverable(first[0].account, false).await.unwrap();
    assert_eq!(listed().await, [2, 3, 4].map(user_id));
    assert_eq!(scene.store.member_named(&name(1), None).await.unwrap(), Some(user_id(1)));
}

/// A group whose code is its id, and of which nobody is told.
fn group_of(
    maker: &Member,
    id: ConversationId,
    participants: Vec<(AccountNumber, Role)>,
) -> NewGroup {
    NewGroup {
        id,
        creator: maker.account,
        name: "some".to_owned(),
        announcement: String::new(),
        code: CodeId::from_bytes(*id.as_bytes()),
        participants,
        notices: Notices {
            sender: maker.account,
            sender_session: maker.devices[0].session,
            list: Vec::new(),
            quota: Scene::quota(100, START),
            at: START,
            expires_at: at(60),
        },
    }
}

pub(super) async fn a_deleted_member_leaves_everything(scene: Scene) {
    let (ann, ben) = (scene.member(1).await, scene.member(2).await);
    scene.enrol(1, 3).await;
    let ann_before = scene.known_member(1).await;
    assert!(ann_before.generation > ann.generation);
    let group = ConversationId::from_bytes([5; 16]);
    let both = vec![(ann.account, Role::Owner), (ben.account, Role::Member)];
    scene.store.create_group(group_of(&ann, group, both)).await.unwrap();
    let chat = ConversationId::from_bytes([7; 16]);
    scene.store.ensure_chat(chat, ann.account, ben.account, START).await.unwrap();
    let before = scene.store.conversations(&[group]).await.unwrap().remove(0);
    scene.accept(Scene::whisper(&ben, &ann_before, 1)).await;

    let ended = scene.store.delete_member(ann.account, at(60)).await.unwrap();
    assert_eq!(ended, ann_before.devices.iter().map(|it| it.session).collect::<Vec<_>>());
    assert_eq!(scene.store.member(user_id(1)).await.unwrap(), None);
    assert_eq!(scene.store.fresh_member(user_id(1)).await.unwrap(), None);
    assert_eq!(scene.store.member_named(&name(1), None).await.unwrap(), None);
    for device in &ann_before.devices {
        assert!(!scene.store.member_device_is_live(device.session).await.unwrap());
        assert!(scene.waiting_for(&ann_before, device).await.is_empty());
    }
    assert!(scene.store.member_device(&key(1)).await.unwrap().is_none());
    assert_eq!(scene.accept(Scene::whisper(&ben, &ann_before, 2)).await, Accepted::RosterMoved);

    let after = scene.store.conversations(&[group]).await.unwrap().remove(0);
    assert!(after.generation > before.generation);
    assert_eq!(after.participants.iter().map(|it| it.user).collect::<Vec<_>>(), [user_id(2)]);
    let chats = scene.store.chats(ben.account, 10).await.unwrap();
    let direct = chats.iter().find(|it| it.id == chat).unwrap();
    let left = direct.members.iter().find(|it| it.user == user_id(1)).unwrap();
    assert_eq!(left.name, None, "a chat remembers who it was with");

    assert_eq!(scene.store.delete_member(ann.account, at(61)).await.unwrap(), []);
    scene.store.create_member(namesake(4, at(61), START)).await.unwrap();
    assert!(matches!(scene.store.enrol(enrolment(1, 5)).await, Err(Fault::NotFound { .. })));
    let old_key = scene.store.enrol(enrolment(4, 1)).await;
    assert!(matches!(old_key, Err(Fault::Forbidden { .. })), "its token was used");
}

pub(super) async fn a_member_is_nobody_in_another_dialect(scene: Scene) {
    let bot = scene.device(1).await;
    let member = scene.member(2).await;
    let both = [bot.user, member.user];
    let newest = scene.store.newest_change().await.unwrap();
    scene.enrol(2, 3).await;
    assert_eq!(scene.store.newest_change().await.unwrap(), newest, "nobody else is told");
    for _ in ["from the database", "from a cache"] {
        let accounts = scene.store.accounts(&both).await.unwrap();
        assert_eq!(accounts.iter().map(|it| it.id).collect::<Vec<_>>(), [bot.user]);
        for rosters in [scene.store.rosters(&both).await, scene.store.fresh_rosters(&both).await] {
            let users: Vec<_> = rosters.unwrap().iter().map(|roster| roster.user).collect();
            assert_eq!(users, [bot.user]);
        }
        assert_eq!(scene.store.session(member.devices[0].id).await.unwrap(), None);
        assert_eq!(scene.store.member(bot.user).await.unwrap(), None);
        assert!(scene.store.member_device(&key(1)).await.unwrap().is_none());
        assert!(scene.store.device_owners(&[bot.id]).await.unwrap().is_empty());
    }
    let ended = scene.store.end_session(member.user, member.devices[0].id, START).await;
    assert!(matches!(ended, Err(Fault::NotFound { .. })));
    let change = ProfileChange { full_name: Some("Ann".to_owned()), ..ProfileChange::default() };
    let changed = scene.store.change_profile(member.user, change).await;
    assert!(matches!(changed, Err(Fault::NotFound { .. })));
    let listed = scene.store.list_accounts(None, 10).await.unwrap();
    assert_eq!(listed.iter().map(|it| it.id).collect::<Vec<_>>(), [bot.user]);

    let bots_key = scene.store.enrol(enrolment(2, 1)).await;
    assert_eq!(conflict(bots_key).as_deref(), Some("identity_pubkey"));
    let account = scene.account(4).await;
    let members_key = scene.sign_in(Scene::new_session(&account, 2)).await;
    assert_eq!(conflict(members_key).as_deref(), Some("public_key"));
    let mut newcomer = Scene::new_account(5);
    newcomer.sessions = vec![Scene::first_session(2)];
    let members_key = scene.store.create_account(newcomer).await;
    assert_eq!(conflict(members_key).as_deref(), Some("public_key"));
    let seen = scene.store.seen(member.account, &[message_id(1)]).await.unwrap();
    assert_eq!(seen, [None]);
}
