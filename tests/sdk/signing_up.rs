//! From nothing to a device that talks, and lists that stay fresh.

use sealpost::config::dialects::SignUp as Policy;
use sealpost::sdk::client::{Bot, SignUp, SignUpError, Text};

use crate::harness::TestApp;

#[tokio::test]
async fn somebody_signs_up_and_talks_and_a_repetition_gives_the_same_account() {
    let app = TestApp::start_with(|config| config.dialects.mixin.sign_up = Policy::Open).await;
    let url = format!("http://{}", app.listen().await);
    let anna = app.person("Anna", 1).await;
    let key = app.fresh_key();
    let sign_up = || {
        let clock = app.sdk_clock();
        SignUp::new(&url, "Nora").platform("Phone").key(key.clone()).clock(clock).send()
    };
    let keystore = sign_up().await.unwrap();
    assert_eq!(sign_up().await.unwrap().user_id, keystore.user_id);
    let clock = app.sdk_clock();
    let nora = Bot::builder(keystore).clock(clock).build().unwrap();
    assert_eq!(nora.me().await.unwrap().full_name, "Nora");
    nora.send(&anna.user, Text::new("hello")).await.unwrap();
    assert_eq!(anna.devices[0].receives(&app).await, ["hello"]);
}

#[tokio::test]
async fn a_gateway_that_lets_nobody_in_says_so() {
    let app = TestApp::start().await;
    let url = format!("http://{}", app.listen().await);
    let clock = app.sdk_clock();
    let error = SignUp::new(&url, "Nora").clock(clock).send().await.unwrap_err();
    let SignUpError::Request(error) = error else { panic!("{error:?}") };
    assert_eq!(error.status(), Some(403));
}

#[tokio::test]
async fn a_bot_that_follows_changes_knows_the_new_device_before_it_sends() {
    let app = TestApp::start().await;
    let url = format!("http://{}", app.listen().await);
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let client = bot.client(&app, &url);
    client.send(&anna.user, Text::new("one")).await.unwrap();
    let start = client.changes(None).await.unwrap();
    app.sign_in(anna.user, None).await;
    let news = client.changes(Some(&start.cursor)).await.unwrap();
    assert_eq!(news.changes[0].user_id, anna.user);
    assert_eq!(news.changes[0].sessions.len(), 2);
    client.send(&anna.user, Text::new("two")).await.unwrap();
}
