//! Signing up: who may, what proves the key, and what a repetition does.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use insta::assert_json_snapshot;
use sealpost::config::dialects::SignUp;
use sealpost::domain::clock::Clock;
use sealpost::sdk::base64url;
use sealpost::sdk::token;
use serde_json::{Value, json};

use crate::harness::actor::with_token;
use crate::harness::{Newcomer, TestApp};

async fn open() -> TestApp {
    TestApp::start_with(|config| config.dialects.mixin.sign_up = SignUp::Open).await
}

#[tokio::test]
async fn a_newcomer_signs_up_sends_and_receives() {
    let app = open().await;
    let anna = app.person("Anna", 1).await;
    let newcomer = Newcomer::new(&app);
    let answer = newcomer.sign_up(&app).await;
    assert_json_snapshot!(answer.json);
    let phone = newcomer.device(&app, &answer);
    assert_eq!(phone.get(&app, "/me").await.json["data"]["full_name"], "Nora");
    phone.sends(&app, &anna, 1, "hello").await;
    assert_eq!(anna.devices[0].receives(&app).await, ["hello"]);
}

#[tokio::test]
async fn sign_up_is_closed_unless_the_operator_opens_it() {
    let app = TestApp::start().await;
    let newcomer = Newcomer::new(&app);
    let answer = newcomer.sign_up(&app).await;
    let (status, _, reason) = answer.complaint();
    assert_eq!((answer.status, status), (202, 403));
    assert!(reason.contains("dialects.mixin.sign_up"), "{reason}");
    // Before anything is read for a stranger.
    let request = Request::post("/accounts").body(Body::from("not JSON")).unwrap();
    assert_eq!(app.call(request).await.status, 403);
}

#[tokio::test]
async fn a_token_must_be_for_this_gateway_and_this_request_and_young() {
    let app = open().await;
    let newcomer = Newcomer::new(&app);
    let body = newcomer.body();
    let good = newcomer.claims(&app, &body).await;
    let refused = async |change: &dyn Fn(&mut token::SignUpClaims)| {
        let mut claims = good.clone();
        change(&mut claims);
        let answer = newcomer.post(&app, &body, &claims).await;
        let (status, field, reason) = answer.complaint();
        assert_eq!((status, field), (401, "authorization"), "{answer:?}");
        reason.to_owned()
    };
    assert!(refused(&|it| it.aud = "00".repeat(32)).await.contains("another gateway"));
    assert!(refused(&|it| it.sig = "00".repeat(32)).await.contains("another request"));
    assert!(refused(&|it| it.exp = it.iat + 301).await.contains("at most 300"));
    assert!(refused(&|it| it.exp = it.iat).await.contains("expired"));
    assert!(refused(&|it| it.iat += 61).await.contains("clocks"));
    assert!(refused(&|it| it.jti = String::new()).await.contains("`jti`"));
    assert_eq!(newcomer.post(&app, &body, &good).await.status, 200);
}

#[tokio::test]
async fn a_token_of_another_key_or_none_is_refused() {
    let app = open().await;
    let (newcomer, other) = (Newcomer::new(&app), Newcomer::new(&app));
    let body = newcomer.body();
    let claims = newcomer.claims(&app, &body).await;
    let answer = other.post(&app, &body, &claims).await;
    assert!(answer.complaint().2.contains("signature"), "{answer:?}");
    let bytes = || body.to_string().into_bytes();
    let nothing = Request::post("/accounts").body(Body::from(bytes())).unwrap();
    assert_eq!(app.call(nothing).await.status, 401);
    // A session of somebody else signs no one up.
    let bot = app.bot("echo").await;
    let answer = app.call(bot.request(Method::POST, "/accounts", bytes())).await;
    assert_eq!(answer.complaint().0, 401);
}

#[tokio::test]
async fn fields_that_do_not_fit_are_named() {
    let app = open().await;
    for (field, value) in [
        ("public_key", json!(base64url::encode(&[0; 32]))),
        ("public_key", json!("AAAA")),
        ("full_name", json!(" ")),
        ("full_name", json!("x".repeat(65))),
        ("platform", json!("x\u{7}")),
    ] {
        let newcomer = Newcomer::new(&app);
        let mut body = newcomer.body();
        body[field] = value;
        let answer = newcomer.sign_up_with(&app, &body).await;
        assert_eq!((answer.complaint().0, answer.complaint().1), (422, field), "{answer:?}");
        // Nothing was used up by it.
        assert_eq!(newcomer.sign_up(&app).await.status, 200);
    }
    let large = vec![b' '; 17 * 1024];
    let answer = app.call(with_token(Method::POST, "/accounts", "a.b.c", large)).await;
    assert_eq!(answer.complaint().0, 413);
}

#[tokio::test]
async fn a_key_on_file_signs_up_nobody_else() {
    let app = open().await;
    let newcomer = Newcomer::new(&app);
    assert_eq!(newcomer.sign_up(&app).await.status, 200);
    let again = newcomer.sign_up(&app).await;
    assert_eq!((again.complaint().0, again.complaint().1), (409, "public_key"));
    let bot = app.bot("echo").await;
    let same = Newcomer { key: bot.key.clone() };
    assert_eq!(same.sign_up(&app).await.complaint().0, 409);
}

#[tokio::test]
async fn a_lost_answer_is_given_again_for_a_day_and_across_a_restart() {
    let mut app = open().await;
    let newcomer = Newcomer::new(&app);
    let body = newcomer.body();
    let mut claims = newcomer.claims(&app, &body).await;
    let first = newcomer.post(&app, &body, &claims).await;
    assert_eq!(newcomer.post(&app, &body, &claims).await.json, first.json);

    app.restart().await;
    let hours = Duration::from_secs(23 * 60 * 60);
    app.clock.advance(hours);
    claims.iat += 23 * 60 * 60;
    claims.exp += 23 * 60 * 60;
    assert_eq!(newcomer.post(&app, &body, &claims).await.json, first.json);

    let mut other = body.clone();
    other["full_name"] = json!("Somebody else");
    let mut same_jti = newcomer.claims(&app, &other).await;
    same_jti.jti.clone_from(&claims.jti);
    assert_eq!(newcomer.post(&app, &other, &same_jti).await.complaint().0, 401);

    let phone = newcomer.device(&app, &first);
    app.gateway().revoke_session(phone.user, phone.session).await.unwrap();
    assert_eq!(newcomer.post(&app, &body, &claims).await.complaint().0, 401, "it was revoked");
}

#[tokio::test]
async fn what_is_remembered_of_sign_ups_is_forgotten_after_a_day() {
    let app = open().await;
    let newcomer = Newcomer::new(&app);
    newcomer.sign_up(&app).await;
    let (store, day) = (app.gateway().store.clone(), Duration::from_secs(24 * 60 * 60));
    assert_eq!(store.forget_used_tokens(app.clock.now(), 10).await.unwrap(), 0);
    assert_eq!(store.forget_used_tokens(app.clock.now().plus(day), 10).await.unwrap(), 1);
}

#[tokio::test]
async fn parallel_tries_of_one_sign_up_make_one_account() {
    let app = open().await;
    let newcomer = Newcomer::new(&app);
    let body = newcomer.body();
    let claims = newcomer.claims(&app, &body).await;
    let tries = (0..8).map(|_| newcomer.post(&app, &body, &claims));
    let answers = futures_util::future::join_all(tries).await;
    let user = |json: &Value| json["data"]["user_id"].clone();
    assert!(answers.iter().all(|answer| user(&answer.json) == user(&answers[0].json)));
    assert!(answers[0].json["data"]["user_id"].is_string(), "{:?}", answers[0]);
}

#[tokio::test]
async fn below_a_prefix_the_token_may_be_signed_with_it_and_without() {
    let app = TestApp::start_with(|config| {
        config.dialects.mixin.sign_up = SignUp::Open;
        config.dialects.mixin.path_prefix = "/mixin".into();
    })
    .await;
    for path in ["/accounts", "/mixin/accounts"] {
        let newcomer = Newcomer::new(&app);
        let body = newcomer.body();
        let mut claims = newcomer.claims(&app, &body).await;
        claims.sig = token::body_digest("POST", path, body.to_string().as_bytes());
        let token = token::sign_up(&claims, &newcomer.key).unwrap();
        let bytes = body.to_string().into_bytes();
        let answer = app.call(with_token(Method::POST, "/mixin/accounts", &token, bytes)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}
