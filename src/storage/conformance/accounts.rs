//! Stories about accounts, conversations and settings.

use sealpost_sdk::conversation::contact_conversation_id;

use super::scene::{START, Scene, at, conflict, user_id};
use crate::domain::conversation::{ContactPair, ConversationCategory};
use crate::domain::ids::ConversationId;

pub(super) async fn an_account_is_found_by_its_names(scene: Scene) {
    let (one, other) = (scene.account(1).await, scene.account(2).await);
    assert_eq!(one.full_name, "Person 1");
    assert_ne!(one.number, other.number);
    for _ in ["from the database", "from a cache"] {
        let unknown = user_id(3);
        let found = scene.store.accounts(&[other.id, unknown, other.id]).await.unwrap();
        assert_eq!(found, std::slice::from_ref(&other));
    }
    let found = scene.store.account_by_identity_number("700000000001").await.unwrap();
    assert_eq!(found, Some(one));
    assert_eq!(scene.store.account_by_identity_number("1").await.unwrap(), None);
}

pub(super) async fn names_are_unique(scene: Scene) {
    scene.account(1).await;
    let mut same_id = Scene::new_account(2);
    same_id.id = user_id(1);
    let refused = scene.store.create_account(same_id).await;
    assert_eq!(conflict(refused).as_deref(), Some("user_id"));

    let mut same_name = Scene::new_account(2);
    same_name.external_name = Scene::new_account(1).external_name;
    let refused = scene.store.create_account(same_name).await;
    assert_eq!(conflict(refused).as_deref(), Some("identity_number"));
    assert_eq!(scene.store.list_accounts(None, 10).await.unwrap().len(), 1);
}

pub(super) async fn accounts_are_listed_in_pages(scene: Scene) {
    for n in 1..=5 {
        scene.account(n).await;
    }
    let first = scene.store.list_accounts(None, 3).await.unwrap();
    let last = first.last().map(|account| account.number);
    let second = scene.store.list_accounts(last, 3).await.unwrap();
    let ids: Vec<_> = first.iter().chain(&second).map(|account| account.id).collect();
    assert_eq!(ids, (1..=5).map(user_id).collect::<Vec<_>>());
    assert_eq!((first.len(), second.len()), (3, 2));
}

pub(super) async fn contacts_are_made_once(scene: Scene) {
    let (bot, ann, ben) = (scene.account(1).await, scene.account(2).await, scene.account(3).await);
    let with = |other: &crate::domain::account::Account| ContactPair {
        id: contact_conversation_id(bot.id, other.id),
        creator: bot.number,
        other: other.number,
    };
    let first = scene.store.ensure_contacts(&[with(&ann)], START).await.unwrap();
    let again = [with(&ben), with(&ann), with(&ben)];
    let numbers = scene.store.ensure_contacts(&again, at(5)).await.unwrap();
    assert_eq!(numbers[1], first[0]);
    assert_eq!(numbers[0], numbers[2]);
    assert_ne!(numbers[0], numbers[1]);

    let unknown = ConversationId::from_bytes([9; 16]);
    for _ in ["from the database", "from a cache"] {
        let found =
            scene.store.conversations(&[with(&ann).id, unknown, with(&ann).id]).await.unwrap();
        let [conversation] = &found[..] else { panic!("one conversation, not {}", found.len()) };
        assert_eq!((conversation.number, conversation.id), (first[0], with(&ann).id));
        assert_eq!(conversation.category, ConversationCategory::Contact);
        assert_eq!((conversation.creator, conversation.created_at), (bot.id, START));
        assert_eq!(conversation.participants.len(), 2);
        assert!(conversation.has(bot.id) && conversation.has(ann.id));
        assert!(conversation.participants.iter().all(|it| it.joined_at == START));
    }
}

pub(super) async fn a_setting_keeps_its_first_value(scene: Scene) {
    assert_eq!(scene.store.setting_or("a", vec![1]).await.unwrap(), [1]);
    assert_eq!(scene.store.setting_or("a", vec![2]).await.unwrap(), [1]);
    assert_eq!(scene.store.setting_or("b", vec![2]).await.unwrap(), [2]);
}
