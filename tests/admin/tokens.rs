//! Plain API tokens.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use super::world::{delete, post, user};
use crate::harness::TestApp;

/// The status of `GET /me` with this token.
async fn status_with(app: &TestApp, token: &str) -> u16 {
    let request = Request::get("/me").header("authorization", format!("Bearer {token}"));
    app.call(request.body(Body::empty()).unwrap()).await.status
}

async fn token(app: &TestApp, session: &str) -> String {
    let body = json!({"scopes": ["read"], "life_seconds": 3600});
    let made = post(app, &format!("/sessions/{session}/tokens"), body).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(made.json["expires_at"], "2026-01-02T04:04:05Z");
    made.json["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_token_works_until_its_time_is_over() {
    let app = TestApp::start().await;
    let (_, session) = user(&app, 1).await;
    let token = token(&app, &session).await;
    assert!(token.starts_with("spt_"));
    assert_eq!(status_with(&app, &token).await, 200);
    app.clock.advance(Duration::from_secs(3601));
    assert_eq!(status_with(&app, &token).await, 401);
}

#[tokio::test]
async fn a_token_ends_with_its_session() {
    let app = TestApp::start().await;
    let (_, session) = user(&app, 1).await;
    let token = token(&app, &session).await;
    assert_eq!(status_with(&app, &token).await, 200);
    delete(&app, &format!("/sessions/{session}")).await;
    assert_eq!(status_with(&app, &token).await, 401);
}

#[tokio::test]
async fn revoked_tokens_stop_at_once_and_the_session_goes_on() {
    let app = TestApp::start().await;
    let (_, session) = user(&app, 1).await;
    let path = format!("/sessions/{session}/tokens");
    let tokens = [token(&app, &session).await, token(&app, &session).await];
    assert_eq!(status_with(&app, &tokens[0]).await, 200);
    assert_eq!(delete(&app, &path).await.status, 204);
    for revoked in &tokens {
        assert_eq!(status_with(&app, revoked).await, 401);
    }
    let fresh = token(&app, &session).await;
    assert_eq!(status_with(&app, &fresh).await, 200);
    let nobody = "/sessions/00000000-0000-4000-8000-000000000001/tokens";
    assert_eq!(delete(&app, nobody).await.status, 404);
}

#[tokio::test]
async fn a_token_that_makes_no_sense_is_refused() {
    let app = TestApp::start().await;
    let (_, session) = user(&app, 1).await;
    let path = format!("/sessions/{session}/tokens");
    let year = 366 * 24 * 60 * 60;
    for (body, field) in [
        (json!({"scopes": [], "life_seconds": 1}), "scopes"),
        (json!({"scopes": ["write"], "life_seconds": 1}), "scopes"),
        (json!({"scopes": ["send"], "life_seconds": 0}), "life_seconds"),
        (json!({"scopes": ["send"], "life_seconds": year + 1}), "life_seconds"),
    ] {
        let answer = post(&app, &path, body).await;
        assert_eq!((answer.status, &answer.json["field"]), (422, &json!(field)), "{answer:?}");
    }
    let nobody = "/sessions/00000000-0000-4000-8000-000000000001/tokens";
    let body = json!({"scopes": ["send"], "life_seconds": 1});
    assert_eq!(post(&app, nobody, body).await.status, 404);
}
