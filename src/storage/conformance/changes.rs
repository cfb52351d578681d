//! Stories about profiles, and about who learns whose devices changed.

use super::scene::{Scene, at, session_id, user_id};
use crate::domain::Fault;
use crate::domain::account::ProfileChange;
use crate::domain::changes::{ChangedContacts, Cursor};
use crate::domain::ids::UserId;
use crate::domain::session::Session;

pub(super) async fn a_profile_changes_for_everybody_at_once(scene: Scene) {
    let phone = scene.device(1).await;
    // Remembered, where a store remembers.
    scene.store.accounts(&[user_id(1)]).await.unwrap();
    scene.store.session(phone.id).await.unwrap();
    let change = ProfileChange { full_name: Some("Anna".to_owned()), ..ProfileChange::default() };
    let changed = scene.store.change_profile(user_id(1), change).await.unwrap();
    assert_eq!((changed.full_name.as_str(), changed.biography.as_str()), ("Anna", ""));
    let change = ProfileChange {
        full_name: None,
        biography: Some("hello".to_owned()),
        avatar_url: Some("https://example.org/a".to_owned()),
    };
    let changed = scene.store.change_profile(user_id(1), change).await.unwrap();
    assert_eq!((changed.full_name.as_str(), changed.biography.as_str()), ("Anna", "hello"));
    assert_eq!(changed.avatar_url, "https://example.org/a");
    let found = scene.store.accounts(&[user_id(1)]).await.unwrap();
    assert_eq!(found, std::slice::from_ref(&changed));
    let owner = scene.store.session(phone.id).await.unwrap().unwrap();
    assert_eq!(owner.account, changed);
    let nobody = scene.store.change_profile(user_id(9), ProfileChange::default()).await;
    assert!(matches!(nobody, Err(Fault::NotFound { .. })));
}

async fn changes(scene: &Scene, of: &Session, after: Cursor, limit: u32) -> ChangedContacts {
    scene.store.changed_contacts(of.account, after, limit).await.unwrap()
}

fn users(numbers: &[u16]) -> Vec<UserId> {
    numbers.iter().copied().map(user_id).collect()
}

pub(super) async fn only_contacts_and_oneself_are_told_of(scene: Scene) {
    let (bot, ann, _) = (scene.device(1).await, scene.device(2).await, scene.device(3).await);
    scene.contact(&bot, &ann).await;
    let start = scene.store.newest_change().await.unwrap();
    assert_eq!(
        changes(&scene, &bot, start, 10).await,
        ChangedContacts { cursor: start, ..ChangedContacts::default() }
    );

    for (n, account) in [(12, 2), (13, 3), (11, 1)] {
        let account = scene.store.accounts(&[user_id(account)]).await.unwrap().remove(0);
        scene.session(&account, n).await;
    }
    let found = changes(&scene, &bot, start, 10).await;
    assert_eq!(found.users, users(&[2, 1]), "in the order of their changes");
    assert_eq!(found.cursor, scene.store.newest_change().await.unwrap());
    assert!(!found.more && found.cursor > start);
    assert!(changes(&scene, &bot, found.cursor, 10).await.users.is_empty());
    assert_eq!(changes(&scene, &ann, start, 10).await.users, users(&[2, 1]));
}

pub(super) async fn who_changed_often_is_told_of_once(scene: Scene) {
    let (bot, ann, ben) = (scene.device(1).await, scene.device(2).await, scene.device(3).await);
    scene.contact(&bot, &ann).await;
    scene.contact(&bot, &ben).await;
    let start = scene.store.newest_change().await.unwrap();
    scene.store.end_session(ann.user, ann.id, at(1)).await.unwrap();
    scene.store.end_session(ben.user, ben.id, at(1)).await.unwrap();
    let account = scene.store.accounts(&[ann.user]).await.unwrap().remove(0);
    scene.session(&account, 12).await;

    let first = changes(&scene, &bot, start, 1).await;
    assert_eq!((first.users, first.more), (users(&[3]), true));
    let second = changes(&scene, &bot, first.cursor, 1).await;
    assert_eq!((second.users, second.more), (users(&[2]), false));
    let mut replacing = Scene::new_session(&account, 13);
    replacing.replaces = Some(session_id(12));
    scene.sign_in(replacing).await.unwrap();
    assert_eq!(changes(&scene, &bot, second.cursor, 10).await.users, users(&[2]));
}
