//! Who may ask: signed tokens and plain API tokens, good and bad.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use sealpost::domain::session::{Scope, Scopes};
use sealpost::sdk::base64url;
use sealpost::sdk::token;
use serde_json::json;

use crate::harness::actor::with_token;
use crate::harness::{Actor, Answer, TestApp};

async fn me(app: &TestApp, token: &str) -> Answer {
    app.call(with_token(Method::GET, "/me", token, Vec::new())).await
}

/// The reason with which a token is refused.
async fn refusal(app: &TestApp, token: &str) -> String {
    let answer = me(app, token).await;
    let (status, _, reason) = answer.complaint();
    assert_eq!(status, 401, "{answer:?}");
    reason.to_owned()
}

async fn setting() -> (TestApp, Actor) {
    let app = TestApp::start().await;
    let bot = app.bot("echo").await;
    (app, bot)
}

#[tokio::test]
async fn a_signed_token_is_good_for_its_request() {
    let (app, bot) = setting().await;
    let answer = bot.get(&app, "/me").await;
    assert_eq!((answer.status, &answer.json["data"]["user_id"]), (200, &json!(bot.user)));
}

#[tokio::test]
async fn a_token_for_another_path_method_or_body_is_refused() {
    let (app, bot) = setting().await;
    for token in [
        bot.token("GET", "/users/1", b""),
        bot.token("POST", "/me", b""),
        bot.token("GET", "/me", b"x"),
    ] {
        assert!(refusal(&app, &token).await.contains("another request"));
    }
}

#[tokio::test]
async fn an_expired_token_is_refused_even_when_it_was_good_before() {
    let (app, bot) = setting().await;
    let token = bot.token("GET", "/me", b"");
    assert_eq!(me(&app, &token).await.status, 200);
    app.clock.advance(Duration::from_secs(61));
    assert!(refusal(&app, &token).await.contains("expired"));
}

#[tokio::test]
async fn a_token_from_the_future_or_for_ever_is_refused() {
    let (app, bot) = setting().await;
    let mut claims = bot.claims("GET", "/me", b"");
    claims.iat += 61;
    assert!(refusal(&app, &token::sign(&claims, &bot.key).unwrap()).await.contains("issued at"));
    let mut claims = bot.claims("GET", "/me", b"");
    claims.exp += 100 * 24 * 60 * 60;
    assert!(!refusal(&app, &token::sign(&claims, &bot.key).unwrap()).await.is_empty());
}

#[tokio::test]
async fn a_revoked_session_is_out_at_once() {
    let (app, bot) = setting().await;
    let token = bot.token("GET", "/me", b"");
    assert_eq!(me(&app, &token).await.status, 200);
    let session = bot.session;
    assert_eq!(bot.delete(&app, &format!("/sessions/{session}")).await.status, 200);
    assert!(refusal(&app, &token).await.contains("no live session"));
}

#[tokio::test]
async fn other_algorithms_are_refused_whatever_they_sign() {
    let (app, bot) = setting().await;
    let good = bot.token("GET", "/me", b"");
    let claims = good.split('.').nth(1).unwrap();
    for (alg, signature) in [("none", ""), ("HS256", "c2lnbmF0dXJl"), ("EdDSA", "AAAA")] {
        let header = base64url::encode(format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#).as_bytes());
        refusal(&app, &format!("{header}.{claims}.{signature}")).await;
    }
}

#[tokio::test]
async fn a_token_of_one_session_in_the_name_of_another_account_is_refused() {
    let (app, bot) = setting().await;
    let other = app.bot("other").await;
    let mut claims = bot.claims("GET", "/me", b"");
    claims.uid = other.user;
    let reason = refusal(&app, &token::sign(&claims, &bot.key).unwrap()).await;
    assert_eq!(reason, "`sid` is not a session of `uid`");
    let mut claims = bot.claims("GET", "/me", b"");
    claims.sid = other.session;
    refusal(&app, &token::sign(&claims, &bot.key).unwrap()).await;
}

#[tokio::test]
async fn garbage_and_nothing_are_refused_with_a_true_status() {
    let (app, _) = setting().await;
    for token in ["x", "spt_x", "a.b", "spt_"] {
        let answer = me(&app, token).await;
        assert_eq!(answer.status, 401, "{token}");
    }
    let nothing = app.call(Request::get("/me").body(Body::empty()).unwrap()).await;
    assert_eq!(nothing.status, 401);
}

#[tokio::test]
async fn errors_of_signed_requests_come_with_202_and_the_true_status_inside() {
    let (app, bot) = setting().await;
    let token = bot.token("GET", "/elsewhere", b"");
    let answer = me(&app, &token).await;
    assert_eq!((answer.status, &answer.json["error"]["status"]), (202, &json!(401)));
    let missing = bot.get(&app, "/users/7000123").await;
    assert_eq!((missing.status, &missing.json["error"]["status"]), (202, &json!(404)));
}

#[tokio::test]
async fn an_api_token_does_what_its_scopes_say_and_no_more() {
    let (app, bot) = setting().await;
    let anna = app.person("Anna", 1).await;
    let life = Duration::from_secs(60);
    let scopes = Scopes::of(&[Scope::Send]);
    let token = app.gateway().create_api_token(bot.session, scopes, life).await.unwrap();
    let item = bot.seal(anna.user, &anna.recipients(), 1, "hello");
    let body = json!([item]).to_string().into_bytes();
    let sent = app.call(with_token(Method::POST, "/encrypted_messages", &token, body)).await;
    assert_eq!(sent.only()["outcome"], "accepted");

    let read = me(&app, &token).await;
    assert_eq!(read.status, 403);
    assert_eq!(read.complaint().2, "this API token lacks the scope `read`");
    let revoke = format!("/sessions/{}", bot.session);
    let revoke = app.call(with_token(Method::DELETE, &revoke, &token, Vec::new())).await;
    assert_eq!(revoke.status, 403);

    app.clock.advance(life);
    assert_eq!(me(&app, &token).await.status, 401);
}

#[tokio::test]
async fn an_api_token_ends_with_its_session() {
    let (app, bot) = setting().await;
    let life = Duration::from_secs(60);
    let token = app.gateway().create_api_token(bot.session, Scopes::ALL, life).await.unwrap();
    assert_eq!(me(&app, &token).await.status, 200);
    app.gateway().revoke_session(bot.user, bot.session).await.unwrap();
    assert_eq!(me(&app, &token).await.status, 401);
}

#[tokio::test]
async fn an_old_token_does_not_open_the_inbox() {
    let (app, bot) = setting().await;
    let mut claims = bot.claims("GET", "/inbox", b"");
    claims.iat -= 2 * 60 * 60;
    let token = token::sign(&claims, &bot.key).unwrap();
    let answer = app.call(with_token(Method::GET, "/inbox", &token, Vec::new())).await;
    assert!(answer.complaint().2.contains("`iat`"), "{answer:?}");
}

#[tokio::test]
async fn under_a_prefix_tokens_may_be_signed_with_it_and_without() {
    let prefix = "/mixin";
    let app = TestApp::start_with(|config| config.dialects.mixin.path_prefix = prefix.into()).await;
    let bot = app.bot("echo").await;
    for signed_path in ["/me", "/mixin/me"] {
        let token = bot.token("GET", signed_path, b"");
        let answer = app.call(with_token(Method::GET, "/mixin/me", &token, Vec::new())).await;
        assert_eq!(answer.status, 200, "{signed_path}: {answer:?}");
    }
}
