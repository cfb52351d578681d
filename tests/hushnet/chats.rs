//! Lists of chats.

use std::time::Duration;

use serde_json::json;

use super::people::{befriend, pair, send};
use crate::harness::TestApp;

#[tokio::test]
async fn the_server_lists_chats_by_what_happened_last() {
    let mut app = TestApp::start_for_hushnet().await;
    let (alice, bob, with_bob) = pair(&app).await;
    let carol = app.hush_member("carol").await;
    app.clock.advance(Duration::from_secs(1));
    let with_carol = befriend(&app, &carol, &alice).await;
    let list = alice.get(&app, "/chats").await;
    let ids = |list: &serde_json::Value| [list[0]["id"].clone(), list[1]["id"].clone()];
    assert_eq!(ids(&list.json), [json!(with_carol), json!(with_bob)]);
    assert_eq!(list.json[0]["partner_username"], json!("carol"));
    let before = list.json[1]["updated_at"].clone();

    app.clock.advance(Duration::from_secs(1));
    let message = send(&app, &with_bob, &bob, &alice, "m-1").await;
    let list = alice.get(&app, "/chats").await;
    assert_eq!(ids(&list.json), [json!(with_bob), json!(with_carol)]);
    let expected = json!({
        "id": with_bob,
        "chat_type": "direct",
        "partner_user_id": bob.user,
        "partner_username": "bob",
        "partner_federated_address": null,
        "name": null,
        "last_message_id": message,
        "updated_at": list.json[0]["updated_at"],
    });
    assert_eq!(list.json[0], expected);
    assert!(list.json[0]["updated_at"].as_str() > before.as_str(), "{list:?}");
    assert_eq!(alice.get(&app, "/chats/anything").await.json, list.json);
    app.restart().await;
    assert_eq!(alice.get(&app, "/chats").await.json, list.json, "it is on file");
}

#[tokio::test]
async fn the_documentation_lists_both_members_and_times_with_a_zone() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob, chat) = pair(&app).await;
    let list = alice.get(&app, &format!("/chats?user_id={}", alice.user)).await;
    let mut users = [alice.user.clone(), bob.user.clone()];
    users.sort();
    let created_at = list.json[0]["created_at"].as_str().unwrap_or_else(|| panic!("{list:?}"));
    assert!(created_at.ends_with('Z'));
    let expected = json!([{
        "id": chat,
        "chat_type": "direct",
        "user_a": users[0],
        "user_b": users[1],
        "name": null,
        "last_message_id": null,
        "created_at": created_at,
        "updated_at": created_at,
    }]);
    assert_eq!((list.status, &list.json), (200, &expected));
    let foreign = alice.get(&app, &format!("/chats?user_id={}", bob.user)).await;
    assert_eq!((foreign.status, &foreign.json["code"]), (403, &json!("FORBIDDEN")), "{foreign:?}");
    let wrong = alice.get(&app, "/chats?user_id=me").await;
    assert_eq!((wrong.status, &wrong.json["status"]), (400, &json!(400)), "{wrong:?}");
}

#[tokio::test]
async fn the_devices_of_a_chat_are_told_to_its_members() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob, chat) = pair(&app).await;
    let second = app.hush_link(&bob, 0).await;
    let path = format!("/chats/{chat}/devices");
    let answer = alice.get(&app, &path).await;
    let mut devices: Vec<_> = answer.json["devices"].as_array().unwrap().clone();
    devices.sort_by_key(ToString::to_string);
    let mut expected = vec![json!(alice.device), json!(bob.device), json!(second.device)];
    expected.sort_by_key(ToString::to_string);
    assert_eq!((&answer.json["chat_id"], devices), (&json!(chat), expected));
    let carol = app.hush_member("carol").await;
    let foreign = carol.get(&app, &path).await;
    assert_eq!((foreign.status, &foreign.json["code"]), (403, &json!("FORBIDDEN")), "{foreign:?}");
    let unknown = "/chats/6b1e2c5e-7f33-4b1a-9d58-2f0c6c1b7a10/devices";
    assert_eq!(alice.get(&app, unknown).await.status, 404);
    assert_eq!(alice.get(&app, "/chats/x/devices").await.status, 400);
}
