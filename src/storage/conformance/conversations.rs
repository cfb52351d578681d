//! Stories about conversations that change.

use bytes::Bytes;

use super::scene::{START, Scene, at, ids, message_id, message_ids, session_id, user_id};
use crate::domain::conversation::change::{Change, Changed, CodeEdit, Edits};
use crate::domain::conversation::group::NewGroup;
use crate::domain::conversation::notice::{Notice, Notices, SYSTEM_CONVERSATION};
use crate::domain::conversation::{Conversation, ConversationCategory, Role};
use crate::domain::ids::{AccountNumber, CodeId, ConversationId};
use crate::domain::inbox::{Accepted, Guard, SYSTEM_GAP};
use crate::domain::session::Session;

fn group_id() -> ConversationId {
    ConversationId::from_bytes([5; 16])
}

fn code(n: u8) -> CodeId {
    CodeId::from_bytes([n; 16])
}

/// Notices with these ids, each with its readers.
fn notices(from: &Session, list: &[(u16, &[&Session])]) -> Notices {
    let notice = |(id, readers): &(u16, &[&Session])| Notice {
        message_id: message_id(*id),
        body: Bytes::from(format!("notice {id}")),
        readers: readers.iter().map(|reader| reader.account).collect(),
    };
    Notices {
        sender: from.account,
        sender_session: from.number,
        quota: Scene::quota(10_000, START),
        at: START,
        expires_at: at(1000),
        list: list.iter().map(notice).collect(),
    }
}

fn new_group(from: &Session, with: &[&Session]) -> NewGroup {
    let others = with.iter().map(|other| (other.account, Role::Member));
    NewGroup {
        id: group_id(),
        creator: from.account,
        name: "Team".to_owned(),
        announcement: "Hello.".to_owned(),
        code: code(1),
        participants: [(from.account, Role::Owner)].into_iter().chain(others).collect(),
        notices: notices(from, &[]),
    }
}

async fn make(scene: &Scene, from: &Session, with: &[&Session]) -> Conversation {
    let made = scene.store.create_group(new_group(from, with)).await.unwrap();
    assert_eq!(made, Changed::Made(Vec::new()));
    read(scene).await
}

async fn read(scene: &Scene) -> Conversation {
    let cached = scene.store.conversations(&[group_id()]).await.unwrap();
    assert_eq!(cached, scene.store.fresh_conversations(&[group_id()]).await.unwrap());
    cached.into_iter().next().unwrap()
}

fn change(found: &Conversation, edits: Edits, notices: Notices) -> Change {
    let (conversation, id) = (found.number, found.id);
    Change { conversation, id, generation: found.generation, edits, notices }
}

fn adding(account: AccountNumber) -> Edits {
    Edits { add: vec![(account, Role::Member)], ..Edits::default() }
}

async fn make_change(scene: &Scene, by: &Session, edits: Edits) -> Changed {
    let found = read(scene).await;
    scene.store.change_conversation(change(&found, edits, notices(by, &[]))).await.unwrap()
}

fn roles(found: &Conversation) -> Vec<(AccountNumber, Role)> {
    found.participants.iter().map(|it| (it.account, it.role)).collect()
}

pub(super) async fn a_group_is_made_once(scene: Scene) {
    let (ann, ben) = (scene.device(1).await, scene.device(2).await);
    let found = make(&scene, &ann, &[&ben]).await;
    assert_eq!((found.id, found.category), (group_id(), ConversationCategory::Group));
    assert_eq!((found.creator, found.created_at), (ann.user, START));
    assert_eq!((found.name.as_str(), found.announcement.as_str()), ("Team", "Hello."));
    assert_eq!((found.code, found.expire_in), (Some(code(1)), 0));
    assert_eq!(roles(&found), [(ann.account, Role::Owner), (ben.account, Role::Member)]);
    assert!(found.participants.iter().all(|it| it.joined_at == START && it.muted_until.is_none()));

    let again = NewGroup { name: "Other".to_owned(), code: code(2), ..new_group(&ben, &[]) };
    assert_eq!(scene.store.create_group(again).await.unwrap(), Changed::Moved);
    assert_eq!(read(&scene).await, found);
}

pub(super) async fn a_change_is_made_at_its_generation_only(scene: Scene) {
    let (ann, ben) = (scene.device(1).await, scene.device(2).await);
    let before = make(&scene, &ann, &[]).await;
    let rename = |name: &str| {
        let edits = Edits { name: Some(name.to_owned()), ..Edits::default() };
        change(&before, edits, notices(&ann, &[(1, &[&ann])]))
    };
    let first = scene.store.change_conversation(rename("One")).await.unwrap();
    assert_eq!(first, Changed::Made(vec![ann.number]));
    assert_eq!(scene.store.change_conversation(rename("Two")).await.unwrap(), Changed::Moved);
    let now = read(&scene).await;
    assert_eq!(now.name, "One");
    assert!(now.generation > before.generation);
    assert_eq!(scene.lease(&ann, START).await.len(), 1, "what was not done is not told");
    assert!(scene.lease(&ben, START).await.is_empty());
}

pub(super) async fn every_edit_is_made(scene: Scene) {
    let (ann, ben, cid, dan) = (
        scene.device(1).await,
        scene.device(2).await,
        scene.device(3).await,
        scene.device(4).await,
    );
    make(&scene, &ann, &[&ben, &cid]).await;
    let edits = Edits {
        add: vec![(dan.account, Role::Admin)],
        remove: vec![ann.account],
        roles: vec![(ben.account, Role::Owner), (cid.account, Role::Admin)],
        name: Some("Other".to_owned()),
        announcement: Some(String::new()),
        code: CodeEdit::New(code(2)),
        expire_in: Some(60),
    };
    let mut notices = notices(&ann, &[]);
    notices.at = at(5);
    let found = read(&scene).await;
    scene.store.change_conversation(change(&found, edits, notices)).await.unwrap();
    let found = read(&scene).await;
    let expected =
        [(ben.account, Role::Owner), (cid.account, Role::Admin), (dan.account, Role::Admin)];
    assert_eq!(roles(&found), expected);
    assert_eq!(found.participants[2].joined_at, at(5));
    assert_eq!((found.name.as_str(), found.announcement.as_str()), ("Other", ""));
    assert_eq!((found.code, found.expire_in), (Some(code(2)), 60));
    assert_eq!(found.creator, ann.user, "it stays who made it");
}

pub(super) async fn two_changes_at_once_are_both_made_in_the_end(scene: Scene) {
    let (ann, ben, cid) = (scene.device(1).await, scene.device(2).await, scene.device(3).await);
    let found = make(&scene, &ann, &[]).await;
    let add = |who: &Session| {
        let change = change(&found, adding(who.account), notices(&ann, &[]));
        scene.store.change_conversation(change)
    };
    let (one, other) = futures_util::join!(add(&ben), add(&cid));
    let moved = |outcome: &Changed| *outcome == Changed::Moved;
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(moved(&one) != moved(&other), "one of them was decided on what is no longer so");
    let again = if moved(&one) { ben.account } else { cid.account };
    make_change(&scene, &ann, adding(again)).await;
    let found = read(&scene).await;
    assert!(found.has(ben.user) && found.has(cid.user));
}

pub(super) async fn a_code_opens_its_group_until_there_is_another(scene: Scene) {
    let ann = scene.device(1).await;
    make(&scene, &ann, &[]).await;
    let opens = async |n| scene.store.conversation_by_code(code(n)).await.unwrap();
    assert_eq!(opens(1).await, Some(group_id()));
    let edit = |code| Edits { code, ..Edits::default() };
    make_change(&scene, &ann, edit(CodeEdit::New(code(2)))).await;
    assert_eq!((opens(1).await, opens(2).await), (None, Some(group_id())));
    make_change(&scene, &ann, edit(CodeEdit::Void)).await;
    assert_eq!(opens(2).await, None);
    assert_eq!(read(&scene).await.code, None);
}

pub(super) async fn an_empty_group_is_remembered(scene: Scene) {
    let ann = scene.device(1).await;
    make(&scene, &ann, &[]).await;
    let edits = Edits { remove: vec![ann.account], ..Edits::default() };
    make_change(&scene, &ann, edits).await;
    assert!(read(&scene).await.participants.is_empty());
    let again = scene.store.create_group(new_group(&ann, &[])).await.unwrap();
    assert_eq!(again, Changed::Moved);
}

pub(super) async fn a_mute_is_its_participants_own(scene: Scene) {
    let (ann, ben) = (scene.device(1).await, scene.device(2).await);
    let before = make(&scene, &ann, &[&ben]).await;
    let mute = async |who: &Session, until| {
        scene.store.mute(group_id(), before.number, who.account, until).await.unwrap();
        let found = read(&scene).await;
        assert_eq!(found.generation, before.generation);
        found.participants.iter().map(|it| it.muted_until).collect::<Vec<_>>()
    };
    assert_eq!(mute(&ben, Some(at(60))).await, [None, Some(at(60))]);
    assert_eq!(mute(&ben, None).await, [None, None]);
    let stranger = scene.device(3).await;
    assert_eq!(mute(&stranger, Some(at(60))).await, [None, None]);
}

pub(super) async fn a_message_decided_before_a_change_is_not_stored_after_it(scene: Scene) {
    let (ann, ben) = (scene.device(1).await, scene.device(2).await);
    let found = make(&scene, &ann, &[&ben]).await;
    let guard = Guard::Conversation { conversation: found.number, generation: found.generation };
    let mut message = scene.message(&ann, &[&ben], 1).await;
    let rosters = message.guards.clone();
    message.guards = rosters.iter().copied().chain([guard]).collect();
    let edits = Edits { remove: vec![ben.account], ..Edits::default() };
    make_change(&scene, &ann, edits).await;
    assert_eq!(scene.accept(message.clone()).await, Accepted::RosterMoved);
    message.guards = rosters;
    assert!(matches!(scene.accept(message).await, Accepted::Stored(_)));
}

pub(super) async fn notices_wait_for_live_sessions_among_the_messages(scene: Scene) {
    let ann = scene.device(1).await;
    let account = scene.account(2).await;
    let phone = scene.session(&account, 20).await;
    let laptop = scene.session(&account, 21).await;
    scene.store.end_session(account.id, laptop.id, START).await.unwrap();
    let found = make(&scene, &ann, &[&phone]).await;

    scene.send(&ann, &[&phone], 1).await;
    let news = notices(&ann, &[(2, &[&ann, &phone]), (3, &[&phone]), (4, &[])]);
    let edits = Edits { expire_in: Some(9), ..Edits::default() };
    let changed = scene.store.change_conversation(change(&found, edits, news)).await.unwrap();
    assert_eq!(changed, Changed::Made(vec![ann.number, phone.number]));
    scene.send(&ann, &[&phone], 5).await;

    let waiting = scene.lease(&phone, START).await;
    assert_eq!(ids(&waiting), message_ids([1, 2, 3, 5]));
    let notice = &waiting[1];
    assert_eq!(
        (notice.category.as_str(), &notice.body[..]),
        (SYSTEM_CONVERSATION, &b"notice 2"[..])
    );
    assert_eq!(notice.conversation, Some(group_id()));
    assert_eq!((notice.sender, notice.sender_session), (user_id(1), session_id(1)));
    assert!(notice.slot.is_empty());
    assert_eq!(ids(&scene.lease(&ann, START).await), message_ids([2]));
    assert!(scene.lease(&laptop, START).await.is_empty());
    scene.acknowledge(&phone, &[1, 2, 3, 5]).await;
    assert!(scene.lease(&phone, at(60)).await.is_empty());
}

/// A group whose making is told to both.
async fn made_known(scene: &Scene) -> (Session, Session) {
    let (ann, ben) = (scene.device(1).await, scene.device(2).await);
    let mut group = new_group(&ann, &[&ben]);
    group.notices = notices(&ann, &[(1, &[&ann, &ben])]);
    scene.store.create_group(group).await.unwrap();
    (ann, ben)
}

pub(super) async fn a_notice_is_swept_when_nobody_waits_for_it(scene: Scene) {
    let (ann, ben) = made_known(&scene).await;
    scene.lease(&ann, START).await;
    scene.acknowledge(&ann, &[1]).await;
    assert_eq!(scene.sweep(None, 100).await.dropped, 0, "it waits for the other one");
    scene.lease(&ben, START).await;
    scene.acknowledge(&ben, &[1]).await;
    assert_eq!(scene.sweep(None, 100).await.dropped, 1);
}

pub(super) async fn a_full_inbox_makes_room_for_notices(scene: Scene) {
    let (ann, ben, cleo) = (scene.device(1).await, scene.device(2).await, scene.device(3).await);
    let found = make(&scene, &ann, &[&ben, &cleo]).await;
    for n in 1..=8 {
        scene.send(&ann, &[&ben], n).await;
    }
    let mut news = notices(&ann, &[(9, &[&ben, &cleo]), (10, &[&ben])]);
    news.quota.messages = 8;
    let edits = Edits { expire_in: Some(9), ..Edits::default() };
    let changed = scene.store.change_conversation(change(&found, edits, news)).await.unwrap();
    assert_eq!(changed, Changed::Made(vec![ben.number, cleo.number]));
    let waiting = scene.lease(&ben, START).await;
    let (marker, rest) = waiting.split_first().unwrap();
    assert_eq!(marker.category, SYSTEM_GAP);
    let gap: sealpost_sdk::types::Gap = serde_json::from_slice(&marker.body).unwrap();
    assert_eq!(gap.count + rest.len() as u64, 10, "all are there or counted");
    assert_eq!(ids(rest).last(), Some(&message_id(10)));
    assert!(rest.len() <= 8, "{}", rest.len());
    assert_eq!(ids(&scene.lease(&cleo, START).await), message_ids([9]));
}

pub(super) async fn notices_are_counted_for_the_next_message(scene: Scene) {
    let (ann, ben) = (scene.device(1).await, scene.device(2).await);
    let found = make(&scene, &ann, &[&ben]).await;
    scene.send(&ann, &[&ben], 1).await;
    let news = notices(&ann, &[(2, &[&ben]), (3, &[&ben])]);
    let edits = Edits { expire_in: Some(9), ..Edits::default() };
    scene.store.change_conversation(change(&found, edits, news)).await.unwrap();
    let mut next = scene.message(&ann, &[&ben], 4).await;
    next.quota.messages = 3;
    assert_eq!(scene.accept(next.clone()).await, Accepted::Full);
    scene.lease(&ben, START).await;
    scene.acknowledge(&ben, &[2]).await;
    assert!(matches!(scene.accept(next).await, Accepted::Stored(_)));
}

pub(super) async fn an_unread_notice_expires_into_a_gap(scene: Scene) {
    let (ann, ben) = made_known(&scene).await;
    scene.lease(&ann, START).await;
    scene.acknowledge(&ann, &[1]).await;
    let swept = scene.sweep_all(at(2000), 100, 50).await;
    assert_eq!((swept.expired, swept.marked), (1, vec![ben.number]));
}
