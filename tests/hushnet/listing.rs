//! Who is found by whom.

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::TestApp;
use crate::harness::hush::HushDevice;

async fn listed(app: &TestApp) -> Vec<String> {
    let answer = app.hush_stranger(Method::GET, "/users", &Value::Null).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let users = answer.json.as_array().unwrap().iter();
    users.map(|user| user["username"].as_str().unwrap().to_owned()).collect()
}

async fn chooses(app: &TestApp, who: &HushDevice, discoverable: bool) {
    let path = format!("/users/{}", who.user);
    let answer = who.patch(app, &path, json!({ "discoverable": discoverable })).await;
    assert_eq!(answer.status, 204, "{answer:?}");
}

#[tokio::test]
async fn a_user_need_not_be_listed_and_is_found_by_those_who_know_them() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob) = (app.hush_member("alice").await, app.hush_member("bob").await);
    assert_eq!(listed(&app).await, ["alice", "bob"]);
    chooses(&app, &alice, false).await;
    assert_eq!(listed(&app).await, ["bob"]);
    let known = [format!("/users/{}", alice.user), "/devices/keys/alice".to_owned()];
    for path in known {
        assert_eq!(bob.get(&app, &path).await.status, 200, "{path}");
    }
    let devices = format!("/users/{}/devices", alice.user);
    let devices = app.hush_stranger(Method::GET, &devices, &Value::Null).await;
    assert_eq!(devices.json.as_array().unwrap().len(), 1, "the app asks by the id");
    chooses(&app, &alice, true).await;
    assert_eq!(listed(&app).await, ["alice", "bob"]);
}

#[tokio::test]
async fn nobody_chooses_that_for_somebody_else() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob) = (app.hush_member("alice").await, app.hush_member("bob").await);
    let path = format!("/users/{}", alice.user);
    let refused = bob.patch(&app, &path, json!({ "discoverable": false })).await;
    assert_eq!((refused.status, &refused.json["code"]), (403, &"FORBIDDEN".into()), "{refused:?}");
    let nothing = alice.patch(&app, &path, json!({})).await;
    assert_eq!(nothing.status, 422, "{nothing:?}");
    assert_eq!(listed(&app).await, ["alice", "bob"]);
}

#[tokio::test]
async fn an_operator_may_list_only_those_who_want_it() {
    let app = TestApp::start_for_hushnet_with(|it| it.discoverable = false).await;
    let (alice, _bob) = (app.hush_member("alice").await, app.hush_member("bob").await);
    assert_eq!(listed(&app).await, Vec::<String>::new());
    chooses(&app, &alice, true).await;
    assert_eq!(listed(&app).await, ["alice"]);
}

#[tokio::test]
async fn pages_pass_over_those_who_are_not_listed() {
    let app = TestApp::start_for_hushnet().await;
    let alice = app.hush_member("alice").await;
    for name in ["bob", "carol", "dave"] {
        app.hush_member(name).await;
    }
    chooses(&app, &alice, false).await;
    let page = format!("/users?limit=2&after={}", alice.user);
    let page = app.hush_stranger(Method::GET, &page, &Value::Null).await;
    let names: Vec<_> = page.json.as_array().unwrap().iter().map(|it| &it["username"]).collect();
    assert_eq!(names, ["bob", "carol"]);
}
