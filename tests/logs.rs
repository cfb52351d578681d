//! Nothing that is secret, and nothing that somebody wrote, gets into the log: not even when
//! everything is logged and much goes wrong.

use std::time::Duration;

use axum::http::Method;
use sealpost::domain::session::Scopes;
use sealpost::sdk::client::Text;
use serde_json::json;

use crate::harness::TestApp;
use crate::harness::actor::with_token;
use crate::harness::log::Log;

const PLAINTEXT: &str = "the cat sleeps at noon";

#[tokio::test]
async fn no_token_key_or_body_is_ever_logged() {
    let log = Log::listen();
    let secrets = much_happens().await;
    let log = log.end();
    for expected in ["path=\"/encrypted_messages\"", "path=\"/inbox\"", "the database is locked"] {
        assert!(log.contains(expected), "{expected} is not in the log:\n{log}");
    }
    for secret in secrets {
        assert!(!log.contains(&secret), "`{secret}` is in the log");
    }
}

#[tokio::test]
async fn every_line_of_a_request_has_its_id_once() {
    let app = TestApp::start_with(|config| config.storage.busy_seconds = 0).await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let item = bot.seal(anna.user, &anna.recipients(), 1, PLAINTEXT);
    let body = json!([item]).to_string().into_bytes();
    let mut request = bot.request(Method::POST, "/encrypted_messages", body);
    request.headers_mut().insert("x-request-id", "an-id-of-its-own".parse().unwrap());
    let stranger = app.lock_database().await;
    let log = Log::listen();
    let answer = app.answer(request).await;
    let log = log.end();
    stranger.let_go().await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.headers["x-request-id"], "an-id-of-its-own");
    for line in ["path=\"/encrypted_messages\"", "the database is locked"] {
        let line =
            log.lines().find(|found| found.contains(line) && found.contains("sealpost::http"));
        let line = line.unwrap_or_else(|| panic!("the line is not in {log}"));
        assert_eq!(line.matches("request_id=an-id-of-its-own").count(), 1, "{line}");
    }
}

/// Sends, reads, signs in, fails; returns what must not be found.
async fn much_happens() -> Vec<String> {
    let app = TestApp::start_with(|config| config.storage.busy_seconds = 0).await;
    let url = format!("http://{}", app.listen().await);
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 2).await);

    // Through clients: a batch, a sign-in, a stale list, the inbox, acknowledgements.
    let client = bot.client(&app, &url);
    client.send(&anna.user, Text::new(PLAINTEXT)).await.unwrap();
    let new_key = app.fresh_key();
    let phone = anna.devices[0].client(&app, &url);
    phone.replace_session(&new_key, "tablet").await.unwrap();
    client.send(&anna.user, Text::new(PLAINTEXT)).await.unwrap();
    let tablet = anna.devices[1].client(&app, &url);
    let mut messages = tablet.messages();
    assert_eq!(messages.next().await.unwrap().unwrap().text(), Some(PLAINTEXT));
    messages.close().await.unwrap();

    // By hand: what is refused, with a body that is quoted in the reason.
    let item = bot.seal(anna.user, &anna.recipients(), 1, PLAINTEXT);
    let mut bad = item.clone();
    bad["silent"] = json!("a word of the body");
    bot.send(&app, &[item.clone(), bad]).await;
    bot.post_bytes(&app, "/encrypted_messages", b"[{\"a word of the body").await;
    let wrong = bot.token("GET", "/elsewhere", b"");
    app.call(with_token(Method::GET, "/me?secret=query", &wrong, Vec::new())).await;
    let revoked = anna.devices[0].token("GET", "/me", b"");
    app.call(with_token(Method::GET, "/me", &revoked, Vec::new())).await;
    let life = Duration::from_secs(60);
    let plain = app.gateway().create_api_token(bot.session, Scopes::ALL, life).await.unwrap();
    app.call(with_token(Method::GET, "/me", &plain, Vec::new())).await;
    app.call(with_token(Method::GET, "/me", &format!("{plain}x"), Vec::new())).await;

    // And what is our own fault.
    let ben = app.person("Ben", 1).await;
    let storable = bot.seal(ben.user, &ben.recipients(), 2, PLAINTEXT);
    let stranger = app.lock_database().await;
    let refused = bot.send(&app, std::slice::from_ref(&storable)).await;
    assert_eq!(refused.status, 503);
    stranger.let_go().await;

    let mut secrets: Vec<_> =
        ["eyJ", "spt_", "Bearer", PLAINTEXT, "a word of the body", "secret=query"]
            .map(str::to_owned)
            .into();
    for key in [&bot.key, &anna.devices[0].key, &anna.devices[1].key, &new_key] {
        secrets.push(key.verifying_key().to_base64());
        secrets.push(key.verifying_key().agreement_key().to_base64());
        secrets.push(sealpost::sdk::base64url::encode(&*key.seed()));
    }
    for item in [&item, &storable] {
        secrets.push(item["data_base64"].as_str().unwrap()[..40].to_owned());
        secrets.push(item["checksum"].as_str().unwrap().to_owned());
    }
    secrets
}
