//! People's devices: conversations, their checksums, and error 20140.

use std::sync::{Arc, Mutex};

use super::world::{Device as Known, Fault, World};
use crate::client::{Device, Outcome, Text};

/// Another device of the bot's account, which plays the person here.
fn second_device(world: &World) -> Known {
    let new = world.state().device();
    world.state().accounts.get_mut(&world.bot).unwrap().push(new.clone());
    new
}

#[tokio::test]
async fn a_message_reaches_the_others_and_the_own_other_devices() {
    let world = World::new().await;
    let alice = world.account(2);
    let tablet = second_device(&world);
    let group = world.group(&[alice]);
    let phone = Device::from(world.bot());
    let sent = phone.send(&group, Text::new("hello")).await.unwrap();
    assert!(matches!(sent.outcome, Outcome::Delivered { sessions } if sessions.len() == 3));
    for device in [world.devices(alice), vec![tablet]].concat() {
        assert_eq!(world.read(&device), ["hello"]);
    }
}

#[tokio::test]
async fn an_old_list_is_refreshed_and_the_message_sent_again_under_its_id() {
    let world = World::new().await;
    let (alice, bob) = (world.account(1), world.account(1));
    let group = world.group(&[alice]);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hear = Arc::clone(&heard);
    let builder =
        world.builder().on_refresh(move |refreshed| hear.lock().unwrap().push(refreshed.clone()));
    let phone = Device::from(builder.build().unwrap());
    phone.send(&group, Text::new("one")).await.unwrap();
    world.state().conversations.get_mut(&group).unwrap().push(bob);
    let sent = phone.send(&group, Text::new("two")).await.unwrap();
    assert!(matches!(sent.outcome, Outcome::Delivered { sessions } if sessions.len() == 2));
    assert_eq!(world.read(&world.devices(bob)[0]), ["two"]);
    let heard = heard.lock().unwrap();
    assert_eq!(heard.len(), 1);
    assert_eq!((heard[0].message_id, heard[0].missing.len()), (sent.message_id, 1));
    assert_eq!(world.requests("/").len(), 1, "one socket for all of it");
}

#[tokio::test]
async fn a_word_to_somebody_new_makes_the_conversation() {
    let world = World::new().await;
    let alice = world.account(1);
    let phone = Device::from(world.bot());
    let sent = phone.send_to(&alice, Text::new("hello")).await.unwrap();
    assert!(sent.outcome.is_delivered());
    assert_eq!(world.requests("/conversations").len(), 1);
    assert_eq!(world.read(&world.devices(alice)[0]), ["hello"]);
}

#[tokio::test]
async fn a_list_that_never_holds_still_is_given_up() {
    let world = World::new().await;
    let alice = world.account(1);
    let group = world.group(&[alice]);
    let phone = Device::from(world.builder().rounds(3).build().unwrap());
    // Somebody signs in whenever the list has been fetched, and before the message arrives.
    let path: &'static str = Box::leak(format!("/conversations/{group}").into_boxed_str());
    let body = phone.account().conversation(&group).await.unwrap();
    let old = serde_json::json!({ "data": body }).to_string();
    world.state().sign_in_again(alice);
    phone.account().core.rosters.forget(group);
    for _ in 0..10 {
        world.fault(path, Fault::Answer { status: 200, headers: Vec::new(), body: old.clone() });
    }
    let sent = phone.send(&group, Text::new("hello")).await.unwrap();
    assert_eq!(sent.outcome, Outcome::StillStale);
    assert_eq!(world.requests(path).len(), 4);
    assert_eq!(world.clock.slept().len(), 1, "the first refresh is at once");
}

#[tokio::test]
async fn a_gateway_that_was_away_is_asked_again_with_the_same_bytes() {
    let world = World::new().await;
    let alice = world.account(1);
    let group = world.group(&[alice]);
    world.fault("/", Fault::HangUp);
    let phone = Device::from(world.bot());
    let sent = phone.send(&group, Text::new("hello")).await.unwrap();
    assert!(sent.outcome.is_delivered());
    assert_eq!(world.clock.slept().len(), 1);
}
