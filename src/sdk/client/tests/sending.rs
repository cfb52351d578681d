//! Sending: sessions, rounds, receipts, batches, order.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::world::{Fault, World, message_id};
use crate::base64url;
use crate::client::{Clock, ItemOutcome, Message, Outcome, SendError, Text};
use crate::ids::{MessageId, UserId};
use crate::keys::KeyError;
use crate::types::OutgoingMessage;

fn delivered(items: &[ItemOutcome]) -> usize {
    items.iter().filter(|item| item.result.as_ref().is_ok_and(Outcome::is_delivered)).count()
}

fn items(request: &super::stand_in::Request) -> Vec<OutgoingMessage> {
    serde_json::from_slice(&request.body).unwrap()
}

#[tokio::test]
async fn a_message_reaches_every_device_and_travels_sealed() {
    let world = World::new().await;
    let alice = world.account(3);
    let sent = world.bot().send(&alice, Text::new("meet me at noon")).await.unwrap();
    assert!(matches!(&sent.outcome, Outcome::Delivered { sessions } if sessions.len() == 3));
    for device in world.devices(alice) {
        assert_eq!(world.read(&device), ["meet me at noon"]);
    }
    let posts = world.requests("/encrypted_messages");
    let body = String::from_utf8(posts[0].body.clone()).unwrap();
    assert!(!body.contains("noon") && !body.contains(&base64url::encode(b"meet me at noon")));
    assert!(body.contains("ENCRYPTED_TEXT"));
}

#[tokio::test]
async fn an_old_list_of_an_account_that_still_holds_is_not_sent_again() {
    let world = World::new().await;
    let alice = world.account(1);
    let bot = world.builder().session_cache(Duration::from_secs(60), 100).build().unwrap();
    let path = "/sessions/fetch";
    let shown = bot.sessions_of(&[alice]).await.unwrap();
    let tagged = |tag: &str, status, body: String| Fault::Answer {
        status,
        headers: vec![("ETag", tag.to_owned())],
        body,
    };
    world.fault(path, tagged("\"one\"", 200, json!({ "data": shown }).to_string()));
    world.fault(path, tagged("\"one\"", 304, String::new()));
    for text in ["one", "two", "three", "four"] {
        world.clock.sleep(Duration::from_secs(61)).await;
        let sent = bot.send(&alice, Text::new(text)).await.unwrap();
        assert!(sent.outcome.is_delivered(), "{text}: {sent:?}");
    }
    let asked = world.requests(path);
    let tags: Vec<_> = asked.iter().map(|it| it.headers.get("if-none-match").cloned()).collect();
    let one = Some("\"one\"".to_owned());
    assert_eq!(tags, [None, None, one.clone(), one, None], "the last answer had no tag");
    assert_eq!(world.read(&world.devices(alice)[0]), ["one", "two", "three", "four"]);
}

#[tokio::test]
async fn only_stale_items_are_sealed_again_from_the_receipt_under_their_old_id() {
    let world = World::new().await;
    let people = [world.account(2), world.account(2), world.account(2)];
    let bot = world.bot();
    bot.sessions_of(&people).await.unwrap();
    world.state().sign_in_again(people[1]);
    let outcomes = bot.send_all(people.map(|person| (person, Text::new("hello")))).await;
    assert_eq!(delivered(&outcomes), 3);
    let posts = world.requests("/encrypted_messages");
    assert_eq!(posts.len(), 2);
    let again = items(&posts[1]);
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].message_id, outcomes[1].message_id);
    assert_eq!(again[0].message_id, items(&posts[0])[1].message_id);
    assert_eq!(world.requests("/sessions/fetch").len(), 1, "the receipt carries the fresh list");
    for person in people {
        for device in world.devices(person) {
            assert_eq!(world.read(&device), ["hello"]);
        }
    }
}

#[tokio::test]
async fn a_listener_hears_of_every_stale_message() {
    let world = World::new().await;
    let alice = world.account(2);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&heard);
    let bot = world
        .builder()
        .on_refresh(move |refreshed| listener.lock().unwrap().push(refreshed.clone()))
        .build()
        .unwrap();
    world.fault("/encrypted_messages", Fault::SignIn(alice));
    let sent = bot.send(&alice, Text::new("a")).await.unwrap();
    let heard = heard.lock().unwrap();
    assert_eq!(heard.len(), 1);
    assert_eq!((heard[0].message_id, heard[0].recipient), (sent.message_id, Some(alice)));
    let live: Vec<_> = world.devices(alice).iter().map(|device| device.session).collect();
    assert_eq!((heard[0].round, &heard[0].sessions), (1, &live));
    assert_eq!(heard[0].sealed_for(), 2);
}

#[tokio::test]
async fn the_fresh_list_is_remembered_for_the_next_message() {
    let world = World::new().await;
    let alice = world.account(2);
    let bot = world.bot();
    bot.sessions_of(&[alice]).await.unwrap();
    world.state().sign_in_again(alice);
    for _ in 0..2 {
        assert!(bot.send(&alice, Text::new("a")).await.unwrap().outcome.is_delivered());
    }
    assert_eq!(world.requests("/encrypted_messages").len(), 3);
}

#[tokio::test]
async fn rounds_are_bounded_and_later_ones_wait() {
    let world = World::new().await;
    let alice = world.account(2);
    for _ in 0..10 {
        world.fault("/encrypted_messages", Fault::SignIn(alice));
    }
    let bot = world.builder().rounds(3).build().unwrap();
    let sent = bot.send(&alice, Text::new("a")).await.unwrap();
    assert_eq!(sent.outcome, Outcome::StillStale);
    assert_eq!(world.requests("/encrypted_messages").len(), 3);
    assert_eq!(world.clock.slept().len(), 1, "the first new round begins at once");
    assert!(world.state().accepted.is_empty());
}

#[tokio::test]
async fn what_the_gateway_decides_is_an_outcome_of_its_own_item() {
    let world = World::new().await;
    let people: Vec<UserId> = (0..4).map(|_| world.account(1)).collect();
    let receipt = |number: u8, outcome: &str, more: Value| {
        let mut receipt = json!({
            "type": "message", "message_id": message_id(number), "recipient_id": "",
            "state": "FAILED", "sessions": [], "outcome": outcome,
        });
        receipt.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        world.state().receipts.insert(message_id(number), receipt);
    };
    receipt(200, "recipient_gone", json!({}));
    let blocked = json!({"status": 403, "code": 403, "description": "blocked"});
    receipt(201, "rejected", json!({ "error": blocked }));
    receipt(202, "deferred", json!({"retry_after": 60}));
    let messages: Vec<Message> = (200..)
        .zip(&people)
        .map(|(number, person)| Message::to(person, Text::new("a")).with_id(message_id(number)))
        .collect();
    let outcomes = world.bot().send_all(messages).await;
    let results: Vec<&Outcome> =
        outcomes.iter().map(|item| item.result.as_ref().unwrap()).collect();
    assert_eq!(results[0], &Outcome::RecipientGone);
    assert!(matches!(results[1], Outcome::Rejected { error } if error.description == "blocked"));
    let minute = Some(Duration::from_secs(60));
    assert_eq!(results[2], &Outcome::Deferred { retry_after: minute });
    assert!(matches!(results[3], Outcome::Delivered { .. }));
    assert_eq!(world.requests("/encrypted_messages").len(), 1);
}

#[tokio::test]
async fn an_account_without_devices_is_deferred_and_an_unknown_one_is_gone() {
    let world = World::new().await;
    let (signed_out, unknown) = (world.account(0), UserId::from_bytes([0xee; 16]));
    let outcomes =
        world.bot().send_all([(signed_out, Text::new("a")), (unknown, Text::new("a"))]).await;
    let first = outcomes[0].result.as_ref().unwrap();
    assert_eq!(first, &Outcome::Deferred { retry_after: None });
    assert_eq!(outcomes[1].result.as_ref().unwrap(), &Outcome::RecipientGone);
    assert!(world.requests("/encrypted_messages").is_empty());
}

#[tokio::test]
async fn a_receipt_for_another_message_is_no_receipt() {
    let world = World::new().await;
    let alice = world.account(1);
    let id = message_id(7);
    let other = json!({
        "type": "message", "message_id": message_id(8), "state": "SUCCESS", "sessions": [],
    });
    world.state().receipts.insert(id, other);
    let sent = world.bot().send_message(Message::to(&alice, Text::new("a")).with_id(id)).await;
    assert!(matches!(sent, Err(SendError::NoReceipt { message_id }) if message_id == id));
}

#[tokio::test]
async fn a_session_with_an_unusable_key_is_named_and_nothing_is_sent_to_its_account() {
    let world = World::new().await;
    let (alice, bob, carol) = (world.account(2), world.account(1), world.account(1));
    let (no_key, weak) = (world.devices(alice)[1].session, world.devices(bob)[0].session);
    world.state().published.insert(no_key, String::new());
    world.state().published.insert(weak, base64url::encode(&[0; 32]));
    let people = [alice, bob, carol];
    let outcomes = world.bot().send_all(people.map(|person| (person, Text::new("a")))).await;
    let unusable = |index: usize| match &outcomes[index].result {
        Err(SendError::UnusableKey { recipient, session, source }) => {
            (*recipient, *session, *source)
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(unusable(0), (alice, no_key, KeyError::Length { length: 0 }));
    assert_eq!(unusable(1), (bob, weak, KeyError::SmallOrder));
    assert!(outcomes[2].result.as_ref().unwrap().is_delivered());
    let posted = items(&world.requests("/encrypted_messages")[0]);
    assert_eq!(posted.len(), 1);
    assert_eq!(posted[0].recipient_id, Some(carol));
    let text = outcomes[0].result.as_ref().unwrap_err().to_string();
    assert!(text.contains(&no_key.to_string()), "{text}");
}

#[tokio::test]
async fn batches_hold_a_hundred_and_run_side_by_side_up_to_the_bound() {
    let world = World::new().await;
    let people: Vec<UserId> = (0..550).map(|_| world.account(1)).collect();
    world.state().hold_until = 3;
    let bot = world.builder().concurrency(3).build().unwrap();
    let outcomes = bot.send_all(people.iter().map(|person| (*person, Text::new("a")))).await;
    assert_eq!(delivered(&outcomes), 550);
    let order: Vec<UserId> = outcomes.iter().filter_map(|item| item.recipient).collect();
    assert_eq!(order, people);
    let sizes: Vec<usize> =
        world.requests("/encrypted_messages").iter().map(|post| items(post).len()).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 550);
    assert!(sizes.iter().all(|size| *size <= 100) && sizes.len() == 6, "{sizes:?}");
    assert_eq!(world.state().most_under_way, 3);
    assert_eq!(world.requests("/sessions/fetch").len(), 2);
}

#[tokio::test]
async fn a_broadcast_gathers_its_stale_items_into_few_requests() {
    let world = World::new().await;
    let people: Vec<UserId> = (0..300).map(|_| world.account(1)).collect();
    let bot = world.bot();
    bot.sessions_of(&people).await.unwrap();
    for person in people.iter().step_by(20) {
        world.state().sign_in_again(*person);
    }
    let outcomes = bot.send_all(people.iter().map(|person| (*person, Text::new("a")))).await;
    assert_eq!(delivered(&outcomes), 300);
    assert_eq!(world.state().accepted.len(), 300);
    assert!(world.requests("/encrypted_messages").len() <= 6);
}

#[tokio::test]
async fn messages_of_one_conversation_keep_their_order() {
    let world = World::new().await;
    let (alice, bob) = (world.account(1), world.account(1));
    let texts: Vec<String> = (0..130).map(|number| number.to_string()).collect();
    let bot = world.bot();
    bot.sessions_of(&[alice, bob]).await.unwrap();
    world.state().sign_in_again(alice);
    let messages = texts
        .iter()
        .flat_map(|text| [(alice, Text::new(text.as_str())), (bob, Text::new(text.as_str()))]);
    let outcomes = bot.send_all(messages).await;
    assert_eq!(delivered(&outcomes), 260);
    assert_eq!(world.read(&world.devices(alice)[0]), texts);
    assert_eq!(world.read(&world.devices(bob)[0]), texts);
}

#[tokio::test]
async fn a_body_too_large_for_one_request_is_split() {
    let world = World::new().await;
    let people: Vec<UserId> = (0..60).map(|_| world.account(1)).collect();
    let text = "x".repeat(120 * 1024);
    let outcomes =
        world.bot().send_all(people.iter().map(|person| (*person, Text::new(text.as_str())))).await;
    assert_eq!(delivered(&outcomes), 60);
    let posts = world.requests("/encrypted_messages");
    assert_eq!(posts.len(), 2);
    assert!(posts.iter().all(|post| post.body.len() <= 6 * 1024 * 1024));
}

#[tokio::test]
async fn a_program_that_starts_over_with_the_same_id_delivers_once() {
    let world = World::new().await;
    let alice = world.account(2);
    let id: MessageId = message_id(9);
    let message = || Message::to(&alice, Text::new("once")).with_id(id);
    let first = world.bot().send_message(message()).await.unwrap();
    assert!(matches!(first.outcome, Outcome::Delivered { .. }));
    let second = world.builder().rng_seed_for_tests([10; 32]).build().unwrap();
    let second = second.send_message(message()).await.unwrap();
    assert_eq!(second.outcome, Outcome::AlreadyDelivered);
    assert_eq!(second.message_id, id);
    assert_eq!(world.read(&world.devices(alice)[0]), ["once"]);
}
