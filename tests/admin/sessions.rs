//! Adding, listing and revoking sessions.

use serde_json::json;

use super::world::{delete, get, post, public_key, user};
use crate::harness::TestApp;

#[tokio::test]
async fn an_added_session_is_listed_beside_the_first() {
    let app = TestApp::start().await;
    let (anna, phone) = user(&app, 1).await;
    let body = json!({"public_key": public_key(2), "platform": "Laptop"});
    let added = post(&app, &format!("/accounts/{anna}/sessions"), body).await;
    assert_eq!(added.status, 201);
    assert_eq!(added.json["user_id"], anna);
    let laptop = added.json["session_id"].as_str().unwrap().to_owned();

    let listed = get(&app, &format!("/accounts/{anna}/sessions")).await.json;
    let listed = listed["sessions"].as_array().unwrap().iter();
    let mut listed: Vec<_> = listed.map(|session| &session["session_id"]).collect();
    listed.sort_by_key(ToString::to_string);
    let mut expected = [phone, laptop];
    expected.sort();
    assert_eq!(listed, expected.each_ref());
}

#[tokio::test]
async fn a_replaced_session_is_gone() {
    let app = TestApp::start().await;
    let (anna, phone) = user(&app, 1).await;
    let body = json!({"public_key": public_key(2), "replaces": phone});
    let added = post(&app, &format!("/accounts/{anna}/sessions"), body).await;
    assert_eq!(added.status, 201);
    let listed = get(&app, &format!("/accounts/{anna}/sessions")).await.json;
    let listed = listed["sessions"].as_array().unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["session_id"], added.json["session_id"]);
}

#[tokio::test]
async fn a_revoked_session_is_gone_and_cannot_be_revoked_again() {
    let app = TestApp::start().await;
    let (anna, phone) = user(&app, 1).await;
    assert_eq!(delete(&app, &format!("/sessions/{phone}")).await.status, 204);
    let listed = get(&app, &format!("/accounts/{anna}/sessions")).await.json;
    assert_eq!(listed["sessions"], json!([]));
    assert_eq!(delete(&app, &format!("/sessions/{phone}")).await.status, 404);
}

#[tokio::test]
async fn a_revoked_sessions_key_may_not_come_back() {
    let app = TestApp::start().await;
    let (anna, phone) = user(&app, 1).await;
    delete(&app, &format!("/sessions/{phone}")).await;
    let body = json!({"public_key": public_key(1)});
    let again = post(&app, &format!("/accounts/{anna}/sessions"), body).await;
    assert_eq!((again.status, &again.json["field"]), (409, &json!("public_key")));
}

#[tokio::test]
async fn what_is_unknown_is_not_found() {
    let app = TestApp::start().await;
    let (anna, _) = user(&app, 1).await;
    let (_, stranger) = user(&app, 2).await;
    let nobody = "00000000-0000-4000-8000-000000000001";
    assert_eq!(get(&app, &format!("/accounts/{nobody}/sessions")).await.status, 404);
    assert_eq!(delete(&app, &format!("/sessions/{nobody}")).await.status, 404);
    let body = json!({"public_key": public_key(3)});
    assert_eq!(post(&app, &format!("/accounts/{nobody}/sessions"), body).await.status, 404);
    let body = json!({"public_key": public_key(3), "replaces": stranger});
    assert_eq!(post(&app, &format!("/accounts/{anna}/sessions"), body).await.status, 404);
}
