//! Slots for devices that a message did not cover, without its body.

use std::time::Duration;

use sealpost::sdk::base64url;
use sealpost::sdk::checksum::session_checksum;
use sealpost::sdk::envelope::{self, Recipient};
use serde_json::{Value, json};

use crate::harness::actor::message_id;
use crate::harness::group::group;
use crate::harness::{Actor, Answer, Person, TestApp};

const KNOWN: &str = "/encrypted_messages?on_stale=deliver_known";

/// The slots that sealing `text` for `known` and then `late` devices makes for the late ones: the
/// same key, since the randomness is the same.
fn slots(sender: &Actor, known: &[Recipient], late: &[&Actor], text: &str) -> Vec<Value> {
    let late: Vec<Recipient> = late.iter().map(|device| device.recipient()).collect();
    let all: Vec<Recipient> = known.iter().chain(&late).copied().collect();
    let sealed = sender.envelope(&all, text);
    let sealed = envelope::parse(&sealed).unwrap();
    let slot = |one: &Recipient| {
        let slot = sealed.slot(one.session).unwrap();
        json!({"session_id": one.session, "slot_base64": base64url::encode(slot)})
    };
    late.iter().map(slot).collect()
}

fn body(all: &[Recipient], slots: &[Value]) -> Value {
    let checksum = session_checksum(all.iter().map(|one| one.session)).to_string();
    json!({"checksum": checksum, "slots": slots})
}

async fn add(app: &TestApp, sender: &Actor, number: u8, body: &Value) -> Answer {
    sender.post(app, &format!("/encrypted_messages/{}/slots", message_id(number)), body).await
}

/// Anna's old device has message 1; her late one does not.
async fn scene() -> (TestApp, Actor, Person, Actor) {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let late = app.sign_in(anna.user, None).await;
    let item = bot.seal(anna.user, &anna.recipients(), 1, "hello");
    let answer = bot.post(&app, KNOWN, &json!([item])).await;
    assert_eq!(answer.only()["missing"], json!([late.session]));
    (app, bot, anna, late)
}

#[tokio::test]
async fn added_slots_count_for_the_room_in_an_inbox() {
    let app = TestApp::start_with(|config| config.limits.inbox_messages = 2).await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let late = app.sign_in(anna.user, None).await;
    let (known, all) = (anna.recipients(), both(&anna, &late));
    bot.sends_to(&app, anna.user, &all, 1, "one").await;
    let item = bot.seal(anna.user, &known, 2, "hello");
    bot.post(&app, KNOWN, &json!([item])).await;
    let slots = slots(&bot, &known, &[&late], "hello");
    assert_eq!(add(&app, &bot, 2, &body(&all, &slots)).await.status, 200);
    assert_eq!(anna.devices[0].receives(&app).await.len(), 2);
    let item = bot.seal(anna.user, &all, 3, "three");
    assert_eq!(bot.send(&app, &[item]).await.only()["outcome"], "deferred");
}

fn both(anna: &Person, late: &Actor) -> Vec<Recipient> {
    anna.recipients().into_iter().chain([late.recipient()]).collect()
}

#[tokio::test]
async fn a_late_device_opens_the_message_although_all_others_have_read_it() {
    let (mut app, bot, anna, late) = scene().await;
    assert_eq!(anna.devices[0].receives(&app).await, ["hello"]);
    while app.gateway().sweep(None, 500).await.unwrap().did_something() {}
    app.restart().await;
    bot.sends_to(&app, anna.user, &both(&anna, &late), 2, "second").await;

    let top_up = body(&both(&anna, &late), &slots(&bot, &anna.recipients(), &[&late], "hello"));
    let answer = add(&app, &bot, 1, &top_up).await;
    assert_eq!(answer.json["data"]["outcome"], "accepted", "{answer:?}");
    assert!(answer.json["data"].get("missing").is_none());
    assert_eq!(late.receives(&app).await, ["hello", "second"], "it stands where it belongs");
    assert_eq!(anna.devices[0].receives(&app).await, ["second"], "who had it gets it once");
}

#[tokio::test]
async fn the_same_slots_again_are_harmless() {
    let (app, bot, anna, late) = scene().await;
    let other = app.sign_in(anna.user, None).await;
    let all: Vec<_> = both(&anna, &late).into_iter().chain([other.recipient()]).collect();
    let top_up = body(&all, &slots(&bot, &anna.recipients(), &[&late], "hello"));
    for _ in 0..2 {
        let answer = add(&app, &bot, 1, &top_up).await;
        assert_eq!(answer.json["data"]["outcome"], "accepted");
        assert_eq!(answer.json["data"]["missing"], json!([other.session]));
    }
    assert_eq!(late.receives(&app).await, ["hello"]);
    add(&app, &bot, 1, &top_up).await;
    assert!(late.receives(&app).await.is_empty(), "acknowledged is acknowledged");

    let rest = body(&all, &slots(&bot, &anna.recipients(), &[&other], "hello"));
    assert_eq!(add(&app, &bot, 1, &rest).await.json["data"]["outcome"], "accepted");
    assert_eq!(add(&app, &bot, 1, &rest).await.json["error"]["status"], 404, "nobody is missing");
}

#[tokio::test]
async fn a_stale_checksum_is_answered_with_the_list() {
    let (app, bot, anna, late) = scene().await;
    let other = app.sign_in(anna.user, None).await;
    let top_up = body(&both(&anna, &late), &slots(&bot, &anna.recipients(), &[&late], "hello"));
    let answer = add(&app, &bot, 1, &top_up).await;
    let receipt = &answer.json["data"];
    assert_eq!(
        (&receipt["state"], &receipt["outcome"]),
        (&json!("FAILED"), &json!("stale_sessions"))
    );
    assert_eq!(receipt["missing"].as_array().unwrap().len(), 2);
    let listed = receipt["sessions"].as_array().unwrap();
    assert!(listed.iter().any(|one| one["session_id"] == json!(other.session)));
    assert!(late.receives(&app).await.is_empty(), "nothing was added");
}

#[tokio::test]
async fn only_the_sender_may_add_and_only_for_ten_minutes() {
    let (app, bot, anna, late) = scene().await;
    let top_up = body(&both(&anna, &late), &slots(&bot, &anna.recipients(), &[&late], "hello"));
    let stranger = app.bot("stranger").await;
    assert_eq!(add(&app, &stranger, 1, &top_up).await.json["error"]["status"], 404);
    assert_eq!(add(&app, &bot, 9, &top_up).await.json["error"]["status"], 404);
    app.clock.advance(Duration::from_secs(600));
    assert_eq!(add(&app, &bot, 1, &top_up).await.json["error"]["status"], 404);
    assert_eq!(app.gateway().close_top_ups(10).await.unwrap(), 1);
    anna.devices[0].receives(&app).await;
    assert_eq!(app.gateway().sweep(None, 500).await.unwrap().dropped, 1);
}

#[tokio::test]
async fn slots_for_others_than_the_recipients_are_refused() {
    let (app, bot, anna, late) = scene().await;
    let bert = app.person("Bert", 1).await;
    let devices = [&late, &bert.devices[0]];
    let top_up = body(&both(&anna, &late), &slots(&bot, &anna.recipients(), &devices, "hello"));
    let answer = add(&app, &bot, 1, &top_up).await;
    assert_eq!((answer.complaint().0, answer.complaint().1), (422, "slots"));
    assert!(late.receives(&app).await.is_empty());
    assert!(bert.devices[0].receives(&app).await.is_empty());
}

#[tokio::test]
async fn malformed_slots_are_refused_by_field() {
    let (app, bot, anna, late) = scene().await;
    let all = both(&anna, &late);
    let good = slots(&bot, &anna.recipients(), &[&late], "hello");
    let mut other = good.clone();
    other[0]["session_id"] = json!(anna.devices[0].session);
    let short = vec![json!({"session_id": late.session, "slot_base64": "AAAA"})];
    let twice = [good.clone(), good.clone()].concat();
    let cases =
        [(vec![], "slots"), (other, "slot_base64"), (short, "slot_base64"), (twice, "slots")];
    for (slots, field) in cases {
        let answer = add(&app, &bot, 1, &body(&all, &slots)).await;
        assert_eq!((answer.complaint().0, answer.complaint().1), (422, field), "{answer:?}");
    }
    let answer = add(&app, &bot, 1, &json!({"checksum": "x", "slots": good})).await;
    assert_eq!(answer.complaint().1, "checksum");
}

#[tokio::test]
async fn a_message_that_reached_everybody_takes_no_slots() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    bot.sends(&app, &anna, 1, "hello").await;
    let late = app.sign_in(anna.user, None).await;
    let top_up = body(&both(&anna, &late), &slots(&bot, &anna.recipients(), &[&late], "hello"));
    assert_eq!(add(&app, &bot, 1, &top_up).await.json["error"]["status"], 404);
}

#[tokio::test]
async fn a_group_is_topped_up_across_accounts() {
    let app = TestApp::start().await;
    let bot = app.bot("news").await;
    let (anna, bert) = (app.person("Anna", 1).await, app.person("Bert", 1).await);
    let group = group(&app, &bot, &[&anna, &bert]).await;
    let late = app.sign_in(bert.user, None).await;
    let known: Vec<_> = anna.recipients().into_iter().chain(bert.recipients()).collect();
    let item = group.seal_for(&bot, &known, 1, "hello");
    let answer = bot.post(&app, KNOWN, &json!([item])).await;
    assert_eq!(answer.only()["missing"], json!([late.session]));
    let all: Vec<_> = known.iter().copied().chain([late.recipient()]).collect();
    let top_up = body(&all, &slots(&bot, &known, &[&late], "hello"));
    assert_eq!(add(&app, &bot, 1, &top_up).await.json["data"]["outcome"], "accepted");
    assert_eq!(late.receives_texts(&app).await, ["hello"]);
}

#[tokio::test]
async fn a_full_inbox_takes_no_slots_until_there_is_room() {
    let app = TestApp::start_with(|config| config.limits.inbox_messages = 2).await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let late = app.sign_in(anna.user, None).await;
    let top_up = body(&both(&anna, &late), &slots(&bot, &anna.recipients(), &[&late], "hello"));
    for number in 1..=3 {
        let item = bot.seal(anna.user, &anna.recipients(), number, "hello");
        let answer = bot.post(&app, KNOWN, &json!([item])).await;
        assert_eq!(answer.only()["outcome"], "accepted", "{answer:?}");
        assert_eq!(anna.devices[0].receives(&app).await, ["hello"]);
        let answer = add(&app, &bot, number, &top_up).await;
        let expected = if number < 3 { "accepted" } else { "deferred" };
        assert_eq!(answer.json["data"]["outcome"], expected, "{answer:?}");
    }
    assert_eq!(late.receives(&app).await, ["hello", "hello"]);
    let answer = add(&app, &bot, 3, &top_up).await;
    assert_eq!(answer.json["data"]["outcome"], "accepted", "{answer:?}");
    assert_eq!(late.receives(&app).await, ["hello"]);
}

#[tokio::test]
async fn who_has_blocked_the_sender_since_gets_no_slots() {
    let (app, bot, anna, late) = scene().await;
    let block = json!({"user_id": bot.user, "action": "BLOCK"});
    assert_eq!(anna.devices[0].post(&app, "/relationships", &block).await.status, 200);
    let top_up = body(&both(&anna, &late), &slots(&bot, &anna.recipients(), &[&late], "hello"));
    let answer = add(&app, &bot, 1, &top_up).await;
    assert_eq!(answer.json["error"]["status"], 403, "{answer:?}");
    assert!(late.receives(&app).await.is_empty());
}
