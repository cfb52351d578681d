//! Sending to whole conversations, and to those whom a message did not cover.

use std::time::Duration;

use super::world::{Fault, World, message_id};
use crate::client::{Clock, Message, OnStale, Outcome, Text};
use crate::ids::SessionId;

#[tokio::test]
async fn a_message_to_a_group_covers_every_device_of_the_others() {
    let world = World::new().await;
    let (alice, bob) = (world.account(2), world.account(1));
    let bot = world.bot();
    let group = bot.create_group("Team", &[alice, bob]).await.unwrap().conversation_id;
    let sent = bot.send_to_conversation(&group, Text::new("hello all")).await.unwrap();
    assert!(matches!(sent.outcome, Outcome::Delivered { sessions } if sessions.len() == 3));
    for device in [world.devices(alice), world.devices(bob)].concat() {
        assert_eq!(world.read(&device), ["hello all"]);
    }
    assert_eq!(world.state().accepted[0].recipient_id, None);
    assert!(world.requests("/sessions/fetch").is_empty(), "the group's own list is enough");
}

#[tokio::test]
async fn a_group_that_changed_is_sealed_for_again() {
    let world = World::new().await;
    let (alice, bob) = (world.account(1), world.account(1));
    let group = world.group(&[alice]);
    let bot = world.bot();
    bot.conversation(&group).await.unwrap();
    world.state().conversations.get_mut(&group).unwrap().push(bob);
    world.state().sign_in_again(alice);
    let sent = bot.send_to_conversation(&group, Text::new("news")).await.unwrap();
    assert!(matches!(sent.outcome, Outcome::Delivered { sessions } if sessions.len() == 2));
    assert_eq!(world.read(&world.devices(bob)[0]), ["news"]);
    assert_eq!(world.requests("/encrypted_messages").len(), 2);
}

#[tokio::test]
async fn a_broadcast_may_name_accounts_and_conversations() {
    let world = World::new().await;
    let (alice, bob) = (world.account(1), world.account(1));
    let group = world.group(&[alice, bob]);
    let outcomes = world
        .bot()
        .send_all([
            Message::to(&alice, Text::new("to you")),
            Message::to_conversation(&group, Text::new("to all")),
        ])
        .await;
    assert!(outcomes.iter().all(|item| item.result.as_ref().unwrap().is_delivered()));
    assert_eq!((outcomes[0].recipient, outcomes[1].recipient), (Some(alice), None));
    assert_eq!(outcomes[1].conversation_id, group);
    assert_eq!(world.read(&world.devices(alice)[0]), ["to you", "to all"]);
    assert_eq!(world.requests("/encrypted_messages").len(), 1);
}

#[tokio::test]
async fn what_was_said_in_a_group_is_answered_there() {
    let world = World::new().await;
    let (alice, bob) = (world.account(1), world.account(1));
    let group = world.group(&[alice, bob]);
    let mut said = world.sealed(alice, 1, "hello?");
    said["conversation_id"] = serde_json::json!(group);
    world.deliver(vec![said]);
    let bot = world.bot();
    let heard = bot.messages().next().await.unwrap().unwrap();
    assert!(heard.in_group);
    bot.reply(&heard, Text::new("yes")).await.unwrap();
    assert_eq!(world.read(&world.devices(bob)[0]), ["yes"]);
}

#[tokio::test]
async fn those_who_were_known_get_it_at_once_and_the_others_get_a_slot() {
    let world = World::new().await;
    let alice = world.account(1);
    let bot = world.bot();
    bot.sessions_of(&[alice]).await.unwrap();
    let new = world.state().device();
    world.state().accounts.get_mut(&alice).unwrap().push(new.clone());
    let message = Message::to(&alice, Text::new("at once")).on_stale(OnStale::DeliverKnown);
    let sent = bot.send_message(message).await.unwrap();
    assert!(matches!(sent.outcome, Outcome::Delivered { sessions } if sessions.len() == 2));
    let state = world.state();
    assert_eq!(state.accepted.len(), 1, "the body went once");
    assert_eq!(state.slots.iter().map(|slot| slot.session_id).collect::<Vec<_>>(), [new.session]);
}

#[tokio::test]
async fn a_list_that_changes_while_slots_are_added_is_looked_at_again() {
    let world = World::new().await;
    let alice = world.account(1);
    let bot = world.bot();
    bot.sessions_of(&[alice]).await.unwrap();
    let new = world.state().device();
    world.state().accounts.get_mut(&alice).unwrap().push(new);
    let id = message_id(7);
    let path: &'static str = Box::leak(format!("/encrypted_messages/{id}/slots").into_boxed_str());
    world.fault(path, Fault::SignIn(alice));
    let message = Message::to(&alice, Text::new("at once")).on_stale(OnStale::DeliverKnown);
    let sent = bot.send_message(message.with_id(id)).await.unwrap();
    assert!(sent.outcome.is_delivered(), "{sent:?}");
    assert_eq!(world.requests(path).len(), 2);
}

#[tokio::test]
async fn more_sessions_than_an_envelope_holds_are_all_reached() {
    let world = World::new().await;
    let crowd: Vec<_> = (0..65).map(|_| world.account(16)).collect();
    let group = world.group(&crowd);
    let sent = world.bot().send_to_conversation(&group, Text::new("everyone")).await.unwrap();
    let Outcome::Delivered { sessions } = sent.outcome else { panic!("{sent:?}") };
    assert_eq!(sessions.len(), 1040);
    let state = world.state();
    assert_eq!((state.accepted.len(), state.slots.len()), (1, 1040 - 510));
    let covered: Vec<SessionId> =
        state.accepted[0].recipient_sessions.iter().map(|one| one.session_id).collect();
    assert!(state.slots.iter().all(|slot| !covered.contains(&slot.session_id)));
}

#[tokio::test]
async fn an_old_list_that_still_holds_is_not_sent_again() {
    let world = World::new().await;
    let (alice, bob) = (world.account(1), world.account(1));
    let group = world.group(&[alice]);
    let bot = world.builder().session_cache(Duration::from_secs(60), 100).build().unwrap();
    let path: &'static str = Box::leak(format!("/conversations/{group}").into_boxed_str());
    let shown = bot.conversation(&group).await.unwrap();
    bot.core.rosters.forget(group);
    let tagged = |tag: &str, status, body: String| Fault::Answer {
        status,
        headers: vec![("ETag", tag.to_owned())],
        body,
    };
    let body = serde_json::json!({ "data": shown }).to_string();
    world.fault(path, tagged("\"one\"", 200, body));
    world.fault(path, tagged("\"one\"", 304, String::new()));
    for text in ["one", "two", "three"] {
        if text == "three" {
            world.state().conversations.get_mut(&group).unwrap().push(bob);
        }
        let sent = bot.send_to_conversation(&group, Text::new(text)).await.unwrap();
        assert!(sent.outcome.is_delivered(), "{text}: {sent:?}");
        world.clock.sleep(Duration::from_secs(61)).await;
    }
    let asked = world.requests(path);
    let tags: Vec<_> = asked.iter().map(|it| it.headers.get("if-none-match").cloned()).collect();
    let one = Some("\"one\"".to_owned());
    assert_eq!(tags, [None, None, one.clone(), one]);
    assert_eq!(world.read(&world.devices(alice)[0]), ["one", "two", "three"]);
    assert_eq!(world.read(&world.devices(bob)[0]), ["three"]);
}
