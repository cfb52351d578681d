//! Full inboxes: who is waited for, what is trimmed, and how everybody hears of it.

use std::time::Duration;

use serde_json::{Value, json};

use super::gaps::gap;
use crate::harness::TestApp;
use crate::harness::actor::{Actor, Person};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A gateway whose inboxes hold eight messages.
async fn small() -> TestApp {
    TestApp::start_with(|config| config.limits.inbox_messages = 8).await
}

/// Posts one text; its receipt.
async fn posts(app: &TestApp, bot: &Actor, to: &Person, number: u8) -> Value {
    let item = bot.seal(to.user, &to.recipients(), number, &number.to_string());
    bot.send(app, &[item]).await.only().clone()
}

async fn fill(app: &TestApp, bot: &Actor, to: &Person) {
    for number in 1..=8 {
        bot.sends(app, to, number, &number.to_string()).await;
    }
}

#[tokio::test]
async fn a_full_device_that_was_seen_defers_the_message_and_nothing_is_stored() {
    let app = small().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 2).await);
    let [phone, laptop] = &anna.devices[..] else { panic!("two devices") };
    fill(&app, &bot, &anna).await;
    assert_eq!(laptop.receives(&app).await.len(), 8);
    let receipt = posts(&app, &bot, &anna, 9).await;
    assert_eq!((&receipt["state"], &receipt["outcome"]), (&json!("FAILED"), &json!("deferred")));
    assert_eq!((&receipt["retry_after"], &receipt["sessions"]), (&json!(60), &json!([])));
    assert!(laptop.receives(&app).await.is_empty());

    assert_eq!(phone.receives(&app).await.len(), 8);
    assert_eq!(posts(&app, &bot, &anna, 9).await["outcome"], "accepted");
    for device in &anna.devices {
        assert_eq!(device.receives(&app).await, ["9"]);
    }
}

#[tokio::test]
async fn a_batch_is_deferred_item_by_item() {
    let app = small().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let ben = app.person("Ben", 1).await;
    let mut items: Vec<Value> =
        (1..=9).map(|n| bot.seal(anna.user, &anna.recipients(), n, "to Anna")).collect();
    items.push(bot.seal(ben.user, &ben.recipients(), 10, "to Ben"));
    let answer = bot.send(&app, &items).await;
    let outcomes: Vec<_> = answer.list().iter().map(|it| it["outcome"].clone()).collect();
    let mut expected = vec![json!("accepted"); 10];
    expected[8] = json!("deferred");
    assert_eq!(outcomes, expected);
}

#[tokio::test]
async fn an_abandoned_device_is_trimmed_and_the_others_go_on() {
    let app = small().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 2).await);
    let [old_phone, phone] = &anna.devices[..] else { panic!("two devices") };
    fill(&app, &bot, &anna).await;
    app.clock.advance(DAY + DAY / 40);
    assert_eq!(phone.receives(&app).await.len(), 8);
    for number in 9..=12 {
        assert_eq!(posts(&app, &bot, &anna, number).await["outcome"], "accepted");
    }
    assert_eq!(phone.receives(&app).await, ["9", "10", "11", "12"]);

    let waiting = old_phone.get(&app, "/inbox").await;
    let (marker, rest) = waiting.list().split_first().unwrap();
    let (reason, count) = gap(marker);
    assert_eq!((reason.as_str(), count + rest.len() as u64), ("trimmed", 12));
    let last: Vec<_> = rest.iter().map(|message| old_phone.open(message)).collect();
    let expected: Vec<_> = (count + 1..=12).map(|number| number.to_string()).collect();
    assert_eq!(last, expected);
}

#[tokio::test]
async fn the_smallest_inbox_keeps_the_message_that_room_is_made_for() {
    let app = TestApp::start_with(|config| config.limits.inbox_messages = 1).await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    bot.sends(&app, &anna, 1, "1").await;
    app.clock.advance(DAY + DAY / 40);
    assert_eq!(posts(&app, &bot, &anna, 2).await["outcome"], "accepted");
    let waiting = anna.devices[0].get(&app, "/inbox").await;
    let [marker, message] = waiting.list() else { panic!("{waiting:?}") };
    assert_eq!(gap(marker), ("trimmed".to_owned(), 1));
    assert_eq!(anna.devices[0].open(message), "2");
}

#[tokio::test]
async fn looking_into_an_inbox_is_being_seen_even_across_a_restart() {
    let mut app = small().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    fill(&app, &bot, &anna).await;
    app.clock.advance(2 * DAY);
    anna.devices[0].get(&app, "/inbox?max_age=1").await;
    app.clock.advance(DAY / 2);
    app.restart().await;
    assert_eq!(posts(&app, &bot, &anna, 9).await["outcome"], "deferred");
    app.clock.advance(DAY);
    assert_eq!(posts(&app, &bot, &anna, 9).await["outcome"], "accepted");
}

#[tokio::test]
async fn a_repeated_request_is_a_duplicate_even_when_the_inbox_is_full() {
    let mut app = small().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    fill(&app, &bot, &anna).await;
    app.restart().await;
    assert_eq!(posts(&app, &bot, &anna, 8).await["outcome"], "duplicate");
    assert_eq!(posts(&app, &bot, &anna, 9).await["outcome"], "deferred");
}
