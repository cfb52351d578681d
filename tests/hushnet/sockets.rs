//! What sockets tell, in both contracts, and how they end.

use std::time::Duration;

use axum::http::{HeaderMap, Method};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::Message;

use super::line::signed;
use super::people::{befriend, confirmation, introduction, message};
use crate::harness::TestApp;
use crate::harness::hush::PREFIX;

#[tokio::test]
async fn hn53_events_are_told_as_the_original_tells_them() {
    let app = TestApp::start_for_hushnet().await;
    let (anna, bert) = (app.hush_member("anna").await, app.hush_member("bert").await);
    let tablet = app.hush_link(&bert, 0).await;
    for device in [&anna, &bert] {
        assert_eq!(device.get(&app, "/sessions/pending").await.status, 200);
    }
    let (mut annas, mut berts) = (app.app_line(&anna).await, app.app_line(&bert).await);

    let introduced = introduction(&bert, &[&bert.device], "");
    assert_eq!(anna.post(&app, "/sessions", introduced).await.status, 201);
    let pending = bert.get(&app, "/sessions/pending").await.json["sessions"][0].clone();
    assert_eq!(
        berts.text().await,
        format!(
            r#"{{"event_type":"pending_session","payload":{{"type":"pending_session","user_id":"{}","recipient_device_id":"{}","sender_device_id":"{}","pending_session_id":{},"created_at":{}}}}}"#,
            bert.user, bert.device, anna.device, pending["id"], pending["created_at"]
        )
    );

    assert_eq!(bert.post(&app, "/sessions/confirm", confirmation(&pending)).await.status, 201);
    let chat = anna.get(&app, "/chats").await.json[0]["id"].as_str().unwrap().to_owned();
    for (line, user) in [(&mut berts, &bert.user), (&mut annas, &anna.user)] {
        assert_eq!(
            line.text().await,
            format!(
                r#"{{"event_type":"session","payload":{{"type":"session","user_id":"{user}","sender_device_id":"{}","receiver_device_id":"{}"}}}}"#,
                anna.device, bert.device
            )
        );
    }

    let sent = anna
        .post(&app, "/messages", message(&chat, &bert, &[&bert.device, &tablet.device], "1"))
        .await;
    assert_eq!((sent.status, &sent.json["success"]), (200, &json!("true")), "{sent:?}");
    for _ in 0..2 {
        assert_eq!(
            berts.text().await,
            format!(
                r#"{{"event_type":"message","payload":{{"type":"message","chat_id":"{chat}","user_id":"{}"}}}}"#,
                bert.user
            )
        );
    }

    let _third = app.hush_link(&bert, 0).await;
    assert_eq!(
        berts.text().await,
        format!(
            r#"{{"event_type":"device","payload":{{"type":"device","user_id":"{}"}}}}"#,
            bert.user
        )
    );
    assert!(annas.is_quiet().await && berts.is_quiet().await);
}

#[tokio::test]
async fn the_documentations_socket_tells_the_same_without_a_wrapping() {
    let app = TestApp::start_for_hushnet().await;
    let (anna, bert) = (app.hush_member("anna").await, app.hush_member("bert").await);
    bert.get(&app, "/sessions/pending").await;
    let mut line = app.documented_line(&bert).await;
    let chat = befriend(&app, &anna, &bert).await;
    let session = json!({
        "type": "session", "user_id": bert.user,
        "sender_device_id": anna.device, "receiver_device_id": bert.device,
    });
    assert_eq!(line.event().await, session, "somebody introduces itself");
    assert_eq!(line.event().await, session, "it was confirmed");
    anna.post(&app, "/messages", message(&chat, &bert, &[&bert.device], "1")).await;
    let told = json!({ "type": "message", "chat_id": chat, "user_id": bert.user });
    assert_eq!(line.event().await, told);
    app.hush_link(&bert, 0).await;
    assert_eq!(line.event().await, json!({ "type": "device", "user_id": bert.user }));
    assert!(line.is_quiet().await);
}

#[tokio::test]
async fn senders_hear_when_a_message_was_taken() {
    let app = TestApp::start_for_hushnet().await;
    let (anna, bert) = (app.hush_member("anna").await, app.hush_member("bert").await);
    let chat = befriend(&app, &anna, &bert).await;
    let mut line = app.documented_line(&anna).await;
    anna.post(&app, "/messages", message(&chat, &bert, &[&bert.device], "1")).await;
    let waiting = bert.get(&app, "/messages/pending").await;
    let id = waiting.json[0]["id"].clone();
    assert_eq!(bert.get(&app, "/messages/pending").await.json, json!([]));
    let told = line.event().await;
    assert_eq!(
        (&told["type"], &told["message_id"], &told["device_id"], &told["status"]),
        (&json!("receipt"), &id, &json!(bert.device), &json!("delivered")),
        "{told}"
    );
    assert!(told["at"].as_str().unwrap().ends_with('Z'), "{told}");
}

#[tokio::test]
async fn hn55_pings_are_answered_and_so_is_a_good_bye() {
    let app = TestApp::start_for_hushnet().await;
    let anna = app.hush_member("anna").await;
    anna.get(&app, "/chats").await;
    let mut line = app.app_line(&anna).await;
    line.send(Message::Text(r#"{"type":"ping"}"#.into())).await;
    assert!(line.is_quiet().await);
    line.send(Message::Close(None)).await;
    assert_eq!(line.next().await, Some(Message::Close(None)), "it is answered");
    assert_eq!(line.next().await, None, "and the connection is closed");
    assert!(gone(&app).await);
}

#[tokio::test]
async fn the_case_of_an_id_in_the_path_does_not_matter() {
    let app = TestApp::start_for_hushnet().await;
    let (anna, bert) = (app.hush_member("anna").await, app.hush_member("bert").await);
    let path = format!("/ws/{}", bert.user.to_uppercase());
    let mut line = app.hush_line(&path, &signed(&bert, &path)).await.unwrap();
    let chat = befriend(&app, &anna, &bert).await;
    anna.post(&app, "/messages", message(&chat, &bert, &[&bert.device], "1")).await;
    for expected in ["pending_session", "session", "message"] {
        let event = line.event().await;
        assert_eq!(event["event_type"], expected);
        assert_eq!(event["payload"]["user_id"], bert.user.as_str());
    }
}

#[tokio::test]
async fn a_device_that_ends_has_no_socket_and_neither_has_a_deleted_account() {
    let app = TestApp::start_for_hushnet().await;
    let anna = app.hush_member("anna").await;
    let tablet = app.hush_link(&anna, 0).await;
    let path = format!("/ws/{}", anna.user);
    let mut first = app.hush_line(&path, &signed(&anna, &path)).await.unwrap();
    let mut second = app.hush_line(&path, &signed(&tablet, &path)).await.unwrap();
    let ended = anna.delete(&app, &format!("/devices/{}", tablet.device)).await;
    assert!(ended.status < 300, "{ended:?}");
    assert_eq!(second.close_code().await, Some(1008));
    assert_eq!(first.event().await["event_type"], "device");
    assert!(first.is_quiet().await);
    let deleted = anna.delete(&app, &format!("/users/{}", anna.user)).await;
    assert!(deleted.status < 300, "{deleted:?}");
    assert_eq!(first.close_code().await, Some(1008));
    assert_eq!(app.hush_line(&path, &HeaderMap::new()).await.unwrap_err().status, 404);
}

#[tokio::test]
async fn a_gateway_that_stops_says_good_bye() {
    let mut app = TestApp::start_for_hushnet().await;
    let anna = app.hush_member("anna").await;
    anna.get(&app, "/chats").await;
    let bound = app.bind().await;
    app.serve_sockets_at(bound.address());
    let (stop, stopped) = oneshot::channel::<()>();
    let client = async {
        let mut line = app.app_line(&anna).await;
        assert!(line.is_quiet().await);
        stop.send(()).unwrap();
        line.close_code().await
    };
    let ((), code) = tokio::join!(app.run(bound, async { stopped.await.unwrap() }), client);
    assert_eq!(code, Some(1001));
}

/// Whether there are no sockets any more, a moment later.
async fn gone(app: &TestApp) -> bool {
    for _ in 0..400 {
        if app.hub_members() == 0 {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    false
}

#[tokio::test]
async fn a_plain_request_is_told_that_this_is_a_socket() {
    let app = TestApp::start_for_hushnet().await;
    let anna = app.hush_member("anna").await;
    let path = format!("/ws/{}", anna.user);
    let answer = app.hush_stranger(Method::GET, &path, &Value::Null).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json, "Connection header did not include 'upgrade'");
    let answer = app.hush_stranger(Method::GET, "/ws?user_id=x", &Value::Null).await;
    assert_eq!((answer.status, &answer.json["status"]), (400, &json!(400)), "{answer:?}");
    assert_eq!(app.hush_stranger(Method::POST, &path, &Value::Null).await.status, 405);
    let without = app.hush_line(&format!("{PREFIX}/ws"), &HeaderMap::new()).await.unwrap_err();
    assert_eq!(without.status, 422, "{without:?}");
    assert!(without.body.contains("user_id"), "{without:?}");
}
