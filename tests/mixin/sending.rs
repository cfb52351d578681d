//! What the gateway exists for.

use insta::assert_json_snapshot;
use serde_json::Value;

use crate::harness::actor::message_id;
use crate::harness::{Person, TestApp};

#[tokio::test]
async fn every_device_opens_its_own_slice() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("echo").await, app.person("Anna", 3).await);
    bot.sends(&app, &anna, 1, "good morning").await;
    for phone in &anna.devices {
        assert_eq!(phone.receives(&app).await, ["good morning"]);
        assert!(phone.receives(&app).await.is_empty());
    }
}

#[tokio::test]
async fn the_receipt_lists_the_sessions_that_it_went_to() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("echo").await, app.person("Anna", 1).await);
    let item = bot.seal(anna.user, &anna.recipients(), 1, "hello");
    let answer = bot.send(&app, &[item]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["x-request-id"], "test-request");
    assert_json_snapshot!(answer.json);
}

#[tokio::test]
async fn a_single_object_is_a_batch_of_one() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("echo").await, app.person("Anna", 1).await);
    let item = bot.seal(anna.user, &anna.recipients(), 1, "hello");
    let answer = bot.post(&app, "/encrypted_messages", &item).await;
    assert_eq!(answer.only()["outcome"], "accepted");
}

#[tokio::test]
async fn a_full_batch_keeps_its_order_at_the_reader() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("echo").await, app.person("Anna", 2).await);
    let texts: Vec<_> = (0..100).map(|number| format!("number {number}")).collect();
    let items: Vec<_> = (texts.iter().zip(0..))
        .map(|(text, number)| bot.seal(anna.user, &anna.recipients(), number, text))
        .collect();
    let answer = bot.send(&app, &items).await;
    assert_eq!(answer.list().len(), 100);
    for phone in &anna.devices {
        assert_eq!(phone.receives(&app).await, texts);
    }
}

#[tokio::test]
async fn without_a_recipient_it_goes_to_the_other_side_of_the_conversation() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("echo").await, app.person("Anna", 2).await);
    bot.sends(&app, &anna, 1, "first").await;
    let mut item = bot.seal(anna.user, &anna.recipients(), 2, "second");
    item.as_object_mut().unwrap().remove("recipient_id");
    let answer = bot.send(&app, &[item]).await;
    assert_eq!(answer.only()["outcome"], "accepted", "{answer:?}");
    assert_eq!(anna.devices[0].receives(&app).await, ["first", "second"]);
}

#[tokio::test]
async fn the_other_spellings_of_base64_and_uuid_are_understood() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("echo").await, app.person("Anna", 1).await);
    let mut item = bot.seal(anna.user, &anna.recipients(), 1, "hello");
    let data = item["data_base64"].as_str().unwrap().replace('-', "+").replace('_', "/");
    let padding = "=".repeat((4 - data.len() % 4) % 4);
    let members = item.as_object_mut().unwrap();
    members.remove("data_base64");
    members.insert("data".into(), format!("{data}{padding}").into());
    members.insert("message_id".into(), message_id(0xab).to_string().to_uppercase().into());
    members.insert("created_at".into(), 7.into());
    let answer = bot.send(&app, &[item]).await;
    assert_eq!(answer.only()["outcome"], "accepted", "{answer:?}");
    assert_eq!(answer.only()["message_id"], message_id(0xab).to_string());
    assert_eq!(anna.devices[0].receives(&app).await, ["hello"]);
}

#[tokio::test]
async fn people_write_to_bots_and_to_each_other_the_same_way() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("echo").await, app.person("Anna", 2).await);
    let as_person = Person { user: bot.user, devices: vec![bot.clone()] };
    anna.devices[1].sends(&app, &as_person, 1, "are you there?").await;
    assert_eq!(bot.receives(&app).await, ["are you there?"]);
}

#[tokio::test]
async fn one_bad_item_leaves_the_others_alone() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("echo").await, app.person("Anna", 1).await);
    let good = |number| bot.seal(anna.user, &anna.recipients(), number, "good");
    let mut bad = good(2);
    bad["checksum"] = Value::from(7);
    let answer = bot.send(&app, &[good(1), bad, good(3)]).await;
    let outcomes: Vec<_> = answer.list().iter().map(|one| one["outcome"].as_str()).collect();
    assert_eq!(outcomes, [Some("accepted"), Some("rejected"), Some("accepted")]);
    assert_eq!(anna.devices[0].receives(&app).await.len(), 2);
}

#[tokio::test]
async fn accepted_messages_survive_a_restart() {
    let mut app = TestApp::start().await;
    let (bot, anna) = (app.bot("echo").await, app.person("Anna", 2).await);
    bot.sends(&app, &anna, 1, "before").await;
    app.restart().await;
    bot.sends(&app, &anna, 2, "after").await;
    assert_eq!(anna.devices[1].receives(&app).await, ["before", "after"]);
}
