//! Stories about chats and receipts.

use sealpost_sdk::conversation::contact_conversation_id;

use super::member_scene::{chat_id, new_member};
use super::scene::{START, Scene, at, conflict, message_id, user_id};
use crate::domain::conversation::{ConversationCategory, Role};
use crate::domain::messenger::LatestMessage;
use crate::domain::messenger::chat::Chat;
use crate::domain::messenger::receipt::NewReceipt;

pub(super) async fn two_accounts_have_one_chat(scene: Scene) {
    let (ann, ben, eve) = (scene.member(1).await, scene.member(2).await, scene.member(3).await);
    let known = async |one, other| scene.store.direct_chat(one, other).await.unwrap();
    assert_eq!(known(ann.account, ben.account).await, None);
    let ensure = async |n, one, other| scene.store.ensure_chat(chat_id(n), one, other, START).await;
    assert_eq!(ensure(1, ann.account, ben.account).await.unwrap(), chat_id(1));
    assert_eq!(known(ann.account, ben.account).await, Some(chat_id(1)));
    assert_eq!(ensure(2, ben.account, ann.account).await.unwrap(), chat_id(1));
    assert_eq!(known(ben.account, ann.account).await, Some(chat_id(1)));
    assert_eq!(known(ben.account, eve.account).await, None);
    let taken = ensure(1, ann.account, eve.account).await;
    assert_eq!(conflict(taken).as_deref(), Some("chat_id"));
    let contact = contact_conversation_id(user_id(8), user_id(9));
    let taken = scene.store.ensure_chat(contact, ann.account, eve.account, START).await;
    assert_eq!(conflict(taken).as_deref(), Some("chat_id"), "it is for two others");
    let many = (3..8).map(|n| ensure(n, eve.account, ann.account));
    let many = futures_util::future::join_all(many).await;
    let first = many[0].as_ref().unwrap();
    assert!(many.iter().all(|chat| chat.as_ref().unwrap() == first), "{many:?}");

    let chats = scene.store.chats(ben.account, 10).await.unwrap();
    let [chat] = &chats[..] else { panic!("{chats:?}") };
    assert_eq!((chat.id, chat.category), (chat_id(1), ConversationCategory::Contact));
    assert_eq!((chat.name.as_str(), chat.created_at, chat.latest), ("", START, None));
    let members: Vec<_> = chat.members.iter().map(|it| (it.account, it.user, it.role)).collect();
    let both = [(ann.account, user_id(1)), (ben.account, user_id(2))];
    assert_eq!(members, both.map(|(account, user)| (account, user, Role::Member)));
    assert_eq!(chat.members[0].name.as_ref(), Some(&ann.name));
    assert_eq!(chat.members[0].relay, None);
    assert_eq!(scene.store.chats(ann.account, 10).await.unwrap().len(), 2);
}

pub(super) async fn a_chat_shows_its_newest_message(scene: Scene) {
    let ann = scene.member(1).await;
    for n in 2..6 {
        let other = scene.store.create_member(new_member(n)).await.unwrap().account;
        let made_at = at(u64::from(n));
        scene.store.ensure_chat(chat_id(n), ann.account, other, made_at).await.unwrap();
    }
    let chats = scene.store.chats(ann.account, 10).await.unwrap();
    let number = |n| chats.iter().find(|chat| chat.id == chat_id(n)).unwrap().number;
    let note = async |list: &[(u16, u16)]| {
        let latest = |(chat, n): &(u16, u16)| {
            let message = LatestMessage { id: message_id(*n), at: at(u64::from(*n)) };
            (number(*chat), message)
        };
        scene.store.note_latest(list.iter().map(latest).collect()).await.unwrap();
    };
    note(&[(2, 50), (3, 40)]).await;
    note(&[(2, 49), (3, 41)]).await;
    note(&[]).await;
    let mut chats = scene.store.chats(ann.account, 3).await.unwrap();
    chats.sort_by_key(Chat::updated_at);
    let shown: Vec<_> = chats.iter().map(|chat| (chat.id, chat.latest.map(|it| it.id))).collect();
    let (second, first) = (Some(message_id(41)), Some(message_id(50)));
    assert_eq!(shown, [(chat_id(5), None), (chat_id(3), second), (chat_id(2), first)]);
}

pub(super) async fn receipts_say_how_far_a_message_got(scene: Scene) {
    let (ann, ben) = (scene.member(1).await, scene.member(2).await);
    scene.enrol(2, 3).await;
    let ben_now = scene.known_member(2).await;
    let [first, second] = &ben_now.devices[..] else { panic!("{ben:?}") };
    let receipt = |n, session, is_read| NewReceipt {
        sender: ann.account,
        message: message_id(n),
        device: session,
        is_read,
    };
    let (one, two) = (first.session, second.session);
    let note = async |list, moment| scene.store.note_receipts(list, at(moment)).await.unwrap();
    note(vec![receipt(1, two, false), receipt(1, one, false)], 10).await;
    note(vec![receipt(1, one, true), receipt(2, one, false), receipt(2, one, true)], 20).await;
    note(vec![receipt(1, one, true), receipt(1, one, false)], 30).await;
    note(Vec::new(), 30).await;
    let of = async |n| {
        let receipts = scene.store.receipts(ann.account, message_id(n)).await.unwrap();
        assert!(receipts.iter().all(|receipt| receipt.message == message_id(n)));
        receipts.iter().map(|it| (it.device, it.delivered_at, it.read_at)).collect::<Vec<_>>()
    };
    assert_eq!(of(1).await, [(first.id, at(10), Some(at(20))), (second.id, at(10), None)]);
    assert_eq!(of(2).await, [(first.id, at(20), Some(at(20)))]);
    assert_eq!(of(3).await, []);
    assert!(scene.store.receipts(ben.account, message_id(1)).await.unwrap().is_empty());

    assert_eq!(scene.store.forget_receipts(at(10), 10).await.unwrap(), 0);
    assert_eq!(scene.store.forget_receipts(at(20), 1).await.unwrap(), 1);
    assert_eq!(scene.store.forget_receipts(at(20), 10).await.unwrap(), 1);
    assert_eq!((of(1).await.len(), of(2).await.len()), (0, 1));
}
