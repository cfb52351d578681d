//! A sender whose list of sessions is stale gets the fresh one, message by message.

use serde_json::{Value, json};

use crate::harness::{Actor, Person, TestApp};

/// A bot, and a person whose second device signs in again after the bot has looked.
async fn after_a_sign_in() -> (TestApp, Actor, Person, Person) {
    let app = TestApp::start().await;
    let (bot, old) = (app.bot("news").await, app.person("Anna", 2).await);
    let replaced = old.devices[1].session;
    let again = app.sign_in(old.user, Some(replaced)).await;
    let fresh = Person { user: old.user, devices: vec![old.devices[0].clone(), again] };
    (app, bot, old, fresh)
}

#[tokio::test]
async fn a_stale_list_is_answered_with_the_fresh_one() {
    let (app, bot, old, fresh) = after_a_sign_in().await;
    let answer = bot.send(&app, &[bot.seal(old.user, &old.recipients(), 1, "hello")]).await;
    let receipt = answer.only();
    assert_eq!(
        (&receipt["state"], &receipt["outcome"]),
        (&json!("FAILED"), &json!("stale_sessions"))
    );
    assert_eq!(receipt["missing"], json!([fresh.devices[1].session]));
    assert_eq!(receipt["deleted"], json!([old.devices[1].session]));
    assert!(receipt.get("redundant").is_none());
    let listed: Vec<_> = receipt["sessions"].as_array().unwrap().iter().collect();
    assert_eq!(listed.len(), 2);
    for device in &fresh.devices {
        let key = Value::from(device.agreement_key().to_base64());
        assert!(listed.iter().any(|one| one["public_key"] == key), "{receipt}");
    }
    assert!(fresh.devices[0].receives(&app).await.is_empty(), "nothing is stored for a stale list");
}

#[tokio::test]
async fn sealed_again_under_the_same_id_it_is_accepted() {
    let (app, bot, old, fresh) = after_a_sign_in().await;
    bot.send(&app, &[bot.seal(old.user, &old.recipients(), 1, "hello")]).await;
    bot.sends(&app, &fresh, 1, "hello").await;
    for phone in &fresh.devices {
        assert_eq!(phone.receives(&app).await, ["hello"]);
    }
}

#[tokio::test]
async fn only_the_stale_items_of_a_batch_fail() {
    let (app, bot, old, _) = after_a_sign_in().await;
    let bert = app.person("Bert", 1).await;
    let items = [
        bot.seal(bert.user, &bert.recipients(), 1, "to Bert"),
        bot.seal(old.user, &old.recipients(), 2, "to Anna"),
    ];
    let answer = bot.send(&app, &items).await;
    let outcomes: Vec<_> = answer.list().iter().map(|one| one["outcome"].clone()).collect();
    assert_eq!(outcomes, ["accepted", "stale_sessions"]);
}

#[tokio::test]
async fn a_session_of_somebody_else_is_redundant_not_deleted() {
    let app = TestApp::start().await;
    let (bot, anna, bert) =
        (app.bot("news").await, app.person("Anna", 1).await, app.person("Bert", 1).await);
    let both: Vec<_> = anna.recipients().into_iter().chain(bert.recipients()).collect();
    let answer = bot.send(&app, &[bot.seal(anna.user, &both, 1, "hello")]).await;
    assert_eq!(answer.only()["redundant"], json!([bert.devices[0].session]));
}

#[tokio::test]
async fn an_empty_checksum_is_stale_when_there_are_sessions() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let mut item = bot.seal(anna.user, &anna.recipients(), 1, "hello");
    item["checksum"] = json!("");
    let answer = bot.send(&app, &[item]).await;
    assert_eq!(answer.only()["outcome"], "stale_sessions");
}

#[tokio::test]
async fn an_account_that_never_existed_is_gone_and_one_without_a_session_is_deferred() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let stranger = app.gateway().random_id();
    let nobody = bot.send(&app, &[bot.seal(stranger, &anna.recipients(), 1, "hello")]).await;
    assert_eq!(nobody.only()["outcome"], "recipient_gone");
    assert_eq!(nobody.only()["sessions"], json!([]));

    let recipients = anna.recipients();
    let session = anna.devices[0].session;
    anna.devices[0].delete(&app, &format!("/sessions/{session}")).await;
    let signed_out = bot.send(&app, &[bot.seal(anna.user, &recipients, 2, "hello")]).await;
    assert_eq!(signed_out.only()["outcome"], "deferred");
    assert_eq!(signed_out.only()["retry_after"], 300);
}
