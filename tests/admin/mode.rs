//! How the operator turns the switch.

use axum::http::Method;
use serde_json::{Value, json};

use super::world::{ask, get};
use crate::harness::TestApp;

fn mode(read_only: bool, draining: bool) -> Value {
    json!({ "read_only": read_only, "draining": draining })
}

#[tokio::test]
async fn the_switch_stands_as_it_was_turned_until_the_process_ends() {
    let mut app = TestApp::start().await;
    assert_eq!(get(&app, "/mode").await.json, mode(false, false));
    for turned in [mode(true, false), mode(true, true), mode(false, true)] {
        let answer = ask(&app, Method::PUT, "/mode", turned.clone()).await;
        assert_eq!((answer.status, &answer.json), (200, &turned));
        assert_eq!(get(&app, "/mode").await.json, turned);
        assert_eq!(get(&app, "/status").await.json["mode"], turned);
    }
    app.restart().await;
    assert_eq!(get(&app, "/mode").await.json, mode(false, false));
}

#[tokio::test]
async fn half_a_mode_turns_nothing() {
    let app = TestApp::start().await;
    for body in [json!({ "read_only": true }), json!({ "draining": "yes" }), json!([])] {
        assert_eq!(ask(&app, Method::PUT, "/mode", body).await.status, 400);
    }
    assert_eq!(get(&app, "/mode").await.json, mode(false, false));
}

#[tokio::test]
async fn operators_are_served_while_clients_are_not() {
    let app = TestApp::start().await;
    ask(&app, Method::PUT, "/mode", mode(true, true)).await;
    let body = json!({ "kind": "bot", "full_name": "news" });
    assert_eq!(ask(&app, Method::POST, "/accounts", body).await.status, 201);
}
