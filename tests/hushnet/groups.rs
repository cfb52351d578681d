//! Groups.

use serde_json::{Value, json};

use super::people::{befriend, fetched, message, pair, send};
use crate::harness::TestApp;
use crate::harness::hush::HushDevice;

async fn group(app: &TestApp, owner: &HushDevice, members: &[&HushDevice]) -> String {
    let members: Vec<_> = members.iter().map(|member| &member.user).collect();
    let made =
        owner.post(app, "/chats", json!({ "name": "Project Team", "members": members })).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.json["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn members_see_the_group_and_write_to_each_other() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob, _) = pair(&app).await;
    let carol = app.hush_member("carol").await;
    let with_carol = befriend(&app, &alice, &carol).await;
    let team = group(&app, &alice, &[&bob, &carol]).await;
    let mut list = carol.get(&app, "/chats").await;
    list.json.as_array_mut().unwrap().retain(|chat| chat["id"] != json!(with_carol));
    let expected = json!([{
        "id": team,
        "chat_type": "group",
        "partner_user_id": null,
        "partner_username": null,
        "partner_federated_address": null,
        "name": "Project Team",
        "last_message_id": null,
        "updated_at": list.json[0]["updated_at"],
    }]);
    assert_eq!(list.json, expected);
    let mut list = carol.get(&app, &format!("/chats?user_id={}", carol.user)).await;
    list.json.as_array_mut().unwrap().retain(|chat| chat["id"] != json!(with_carol));
    assert_eq!(list.json[0]["owner_id"], json!(alice.user));
    assert_eq!(list.json[0]["members"].as_array().unwrap().len(), 3);
    assert!(list.json[0].get("user_a").is_none(), "{list:?}");
    send(&app, &team, &carol, &alice, "to alice").await;
    send(&app, &team, &carol, &bob, "to bob").await;
    assert_eq!(fetched(&app, &alice).await, ["to alice"]);
    assert_eq!(fetched(&app, &bob).await, ["to bob"]);
}

#[tokio::test]
async fn the_owner_adds_and_removes_and_everybody_may_leave() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob, direct) = pair(&app).await;
    let (carol, dora) = (app.hush_member("carol").await, app.hush_member("dora").await);
    for (one, other) in [(&alice, &carol), (&bob, &carol), (&carol, &dora)] {
        befriend(&app, one, other).await;
    }
    let team = group(&app, &alice, &[&bob]).await;
    let path = |chat: &str, who: &HushDevice| format!("/chats/{chat}/members/{}", who.user);
    let add = async |by: &HushDevice, who| by.put(&app, &path(&team, who), Value::Null).await;
    let remove = async |by: &HushDevice, who| by.delete(&app, &path(&team, who)).await;

    assert_eq!(add(&bob, &carol).await.status, 403);
    assert_eq!(add(&carol, &carol).await.status, 403);
    assert_eq!(add(&alice, &carol).await.status, 200);
    assert_eq!(add(&alice, &carol).await.status, 200, "a repetition changes nothing");
    assert_eq!(remove(&bob, &carol).await.status, 403);
    assert_eq!(remove(&alice, &bob).await.status, 200);
    let outside = message(&team, &alice, &[&alice.device], "m-1");
    assert_eq!(bob.post(&app, "/messages", outside).await.status, 403);
    let gone = message(&team, &bob, &[&bob.device], "m-2");
    assert_eq!(alice.post(&app, "/messages", gone).await.status, 403);

    let left = remove(&alice, &alice).await;
    assert_eq!((left.status, &left.json["owner_id"]), (200, &json!(carol.user)), "{left:?}");
    assert_eq!(add(&carol, &dora).await.status, 200);
    let answer = bob.delete(&app, &path(&direct, &alice)).await;
    assert_eq!((answer.status, &answer.json["code"]), (403, &json!("FORBIDDEN")), "{answer:?}");
    assert_eq!(fetched(&app, &carol).await, Vec::<String>::new(), "nothing is said about it");
}

#[tokio::test]
async fn nobody_is_put_into_a_group_by_a_stranger() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob, _) = pair(&app).await;
    let (carol, team) = (app.hush_member("carol").await, group(&app, &alice, &[&bob]).await);
    let body = json!({ "name": "Project Team", "members": [bob.user, carol.user] });
    assert_eq!(alice.post(&app, "/chats", body.clone()).await.status, 422);
    let path = format!("/chats/{team}/members/{}", carol.user);
    assert_eq!(alice.put(&app, &path, Value::Null).await.status, 422);
    assert_eq!(carol.get(&app, "/chats").await.json, json!([]));
    befriend(&app, &carol, &alice).await;
    assert_eq!(alice.put(&app, &path, Value::Null).await.status, 200);
    assert_eq!(alice.post(&app, "/chats", body).await.status, 201);
}

#[tokio::test]
async fn an_owner_who_deletes_the_account_is_followed() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, mut bob, _) = pair(&app).await;
    let team = group(&app, &alice, &[&bob]).await;
    let mut alice = alice;
    alice.is_strong = true;
    let deleted = alice.delete(&app, &format!("/users/{}", alice.user)).await;
    assert_eq!(deleted.status, 204, "{deleted:?}");
    let carol = app.hush_member("carol").await;
    befriend(&app, &bob, &carol).await;
    bob.is_strong = true;
    let path = format!("/chats/{team}/members/{}", carol.user);
    let added = bob.put(&app, &path, Value::Null).await;
    assert_eq!((added.status, &added.json["owner_id"]), (200, &json!(bob.user)), "{added:?}");
}

#[tokio::test]
async fn a_group_is_made_of_known_members_with_a_name() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob, direct) = pair(&app).await;
    let nobody = "6b1e2c5e-7f33-4b1a-9d58-2f0c6c1b7a10";
    let id = "0e6e2c5e-7f33-4b1a-9d58-2f0c6c1b7a10";
    for (body, status) in [
        (json!({ "name": "", "members": [bob.user] }), 422),
        (json!({ "name": "a\u{7}", "members": [bob.user] }), 422),
        (json!({ "name": "a", "members": [nobody] }), 422),
        (json!({ "members": [] }), 422),
        (json!({ "name": "a", "chat_id": direct }), 409),
        (json!({ "name": "a", "chat_id": id }), 201),
        (json!({ "name": "a", "chat_id": id }), 201),
        (json!({ "name": "a", "members": [alice.user, bob.user, bob.user] }), 201),
    ] {
        let answer = alice.post(&app, "/chats", body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {answer:?}");
    }
    let taken = bob.post(&app, "/chats", json!({ "name": "a", "chat_id": id })).await;
    assert_eq!((taken.status, &taken.json["code"]), (409, &json!("CONFLICT")), "{taken:?}");
    assert_eq!(alice.get(&app, "/chats").await.json.as_array().unwrap().len(), 3);
}
