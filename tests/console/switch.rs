//! What the operator's switch does to clients of each protocol.

use std::slice;

use axum::http::{Method, Request};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::world::turns;
use crate::harness::actor::message_id;
use crate::harness::dropbox::{makings, two, two_with};
use crate::harness::{Answer, TestApp};

/// The status, and when to come again.
fn refusal(answer: &Answer) -> (u16, &str) {
    let after = answer.headers.get("retry-after").map(|value| value.to_str().unwrap());
    (answer.status, after.unwrap_or("never"))
}

const READ_ONLY: (u16, &str) = (503, "30");
const DRAINING: (u16, &str) = (503, "5");

async fn looks(app: &TestApp, path: &str) -> Answer {
    app.answer(Request::get(path).body("".into()).unwrap()).await
}

#[tokio::test]
async fn read_only_mixins_clients_read_and_acknowledge_and_send_nothing() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let phone = &anna.devices[0];
    bot.sends(&app, &anna, 1, "before").await;
    turns(&app, true, false).await;
    let item = bot.seal(anna.user, &anna.recipients(), 2, "after");
    let refused = bot.send(&app, slice::from_ref(&item)).await;
    assert_eq!(refusal(&refused), READ_ONLY);
    let error = &refused.json["error"];
    assert_eq!(error["extra"]["reason"], "the gateway is read-only");
    assert_eq!((&error["status"], &error["code"]), (&json!(503), &json!(503)));
    let profile = bot.post(&app, "/me", &json!({ "full_name": "other" })).await;
    assert_eq!(refusal(&profile), READ_ONLY);
    assert_eq!(bot.post(&app, "/sessions/fetch", &json!([anna.user])).await.status, 200);
    assert_eq!(phone.receives(&app).await, ["before"], "and acknowledges");
    assert_eq!(phone.receives(&app).await, [""; 0]);
    assert_eq!(looks(&app, "/readyz").await.status, 200);
    turns(&app, false, false).await;
    assert_eq!(bot.send(&app, &[item]).await.only()["outcome"], "accepted");
}

#[tokio::test]
async fn read_only_a_socket_stays_and_is_told_under_the_requests_id() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    bot.sends(&app, &anna, 1, "before").await;
    turns(&app, true, false).await;
    let (mut sender, mut phone) = (app.socket(&bot).await, app.socket(&anna.devices[0]).await);
    let item = bot.seal(anna.user, &anna.recipients(), 2, "after");
    for (action, params) in [("CREATE_MESSAGE", item.clone()), ("CREATE_MESSAGES", json!([item]))] {
        let answer = sender.ask(action, &params).await;
        assert_eq!(answer["error"]["status"], 503, "{answer}");
        assert_eq!(answer["error"]["extra"]["reason"], "the gateway is read-only");
    }
    phone.listen().await;
    let message = phone.message().await;
    assert_eq!(message["message_id"], json!(message_id(1)));
    phone.acknowledge(&message).await;
    assert_eq!(anna.devices[0].receives(&app).await, [""; 0]);
}

#[tokio::test]
async fn read_only_phones_read_and_get_a_bare_status_for_the_rest() {
    let app = TestApp::start_for_phones().await;
    let anna = app.phone("+14152222222").await;
    turns(&app, true, false).await;
    for (method, path) in [
        (Method::PUT, "/v1/messages/+14153333333"),
        (Method::PUT, "/v1/keys"),
        (Method::GET, "/v1/attachments"),
        (Method::GET, "/v1/devices/provisioning/code"),
        (Method::GET, "/v1/accounts/sms/code/+14153333333"),
    ] {
        let answer = match method {
            Method::PUT => anna.put(&app, path, json!({ "messages": [] })).await,
            _ => anna.get(&app, path).await,
        };
        assert_eq!((refusal(&answer), &answer.json), (READ_ONLY, &json!("")), "{method} {path}");
    }
    assert_eq!(anna.get(&app, "/v1/messages").await.status, 200);
    let looked_up = anna.put(&app, "/v1/directory/tokens", json!({ "contacts": [] })).await;
    assert_eq!(looked_up.status, 200, "{looked_up:?}");
    let unknown = anna.delete(&app, "/v1/messages/+14153333333/1").await;
    assert_ne!(unknown.status, 503, "acknowledging goes on: {unknown:?}");
}

#[tokio::test]
async fn read_only_members_read_and_acknowledge_and_enrol_nobody() {
    let app = TestApp::start_for_hushnet().await;
    let anna = app.hush_member("anna").await;
    turns(&app, true, false).await;
    let refused =
        app.hush_stranger(Method::POST, "/users/create", &json!({ "username": "bert" })).await;
    assert_eq!(refusal(&refused), READ_ONLY);
    let expected = json!({
        "error": "not now: the gateway is read-only", "code": "CLOSED", "status": 503,
    });
    assert_eq!(refused.json, expected);
    assert_eq!(refusal(&anna.post(&app, "/messages", json!({})).await), READ_ONLY);
    assert_eq!(anna.get(&app, "/messages/pending").await.status, 200);
    let acknowledged = anna.post(&app, "/messages/ack", json!({})).await;
    assert_ne!(acknowledged.status, 503, "{acknowledged:?}");
}

#[tokio::test]
async fn read_only_boxes_are_read_and_nothing_is_left_in_them() {
    let app = TestApp::start_for_boxes().await;
    let box_ = app.raw_box(1).await;
    box_.gets(&app, "before").await;
    turns(&app, true, false).await;
    let made = app.call(two_with(Method::POST, "/Service", &makings(2))).await;
    assert_eq!((refusal(&made), &made.json["code"]), (READ_ONLY, &json!("closed")));
    assert_eq!(refusal(&app.call(box_.put("after")).await), READ_ONLY);
    assert_eq!(refusal(&app.call(box_.put_file(vec![1; 64])).await), READ_ONLY);
    assert_eq!(box_.texts(&app).await, ["before"]);
}

#[tokio::test]
async fn drained_every_protocol_refuses_in_its_own_shape() {
    let app = TestApp::start_with(|config| {
        config.dialects.textsecure.enabled = true;
        config.dialects.hushnet.enabled = true;
        config.dialects.keyservice.enabled = true;
    })
    .await;
    let bot = app.bot("news").await;
    turns(&app, false, true).await;
    let mixin = bot.get(&app, "/inbox").await;
    assert_eq!(refusal(&mixin), DRAINING);
    assert_eq!(mixin.json["error"]["extra"]["reason"], "the gateway is being drained");
    let phones = app.stranger(Method::GET, "/v1/messages", &Value::Null).await;
    assert_eq!((refusal(&phones), &phones.json), (DRAINING, &json!("")));
    let members = app.hush_stranger(Method::GET, "/users", &Value::Null).await;
    assert_eq!((refusal(&members), &members.json["code"]), (DRAINING, &json!("CLOSED")));
    let boxes = two(Method::GET, "/Service/GetToken?token=0").body("".into()).unwrap();
    let boxes = app.call(boxes).await;
    assert_eq!((refusal(&boxes), &boxes.json["code"]), (DRAINING, &json!("closed")));
    assert_eq!(refusal(&looks(&app, "/blobs/x").await), DRAINING);

    let ready = looks(&app, "/readyz").await;
    assert_eq!((refusal(&ready), &ready.json["code"]), (DRAINING, &json!("closed")));
    assert_eq!(looks(&app, "/healthz").await.status, 200, "it is not to be restarted");
    turns(&app, false, false).await;
    assert_eq!(bot.get(&app, "/inbox").await.status, 200);
    assert_eq!(looks(&app, "/readyz").await.status, 200);
}

#[tokio::test]
async fn drained_sockets_are_sent_away_and_come_back_once_they_may() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let phone = &anna.devices[0];
    let mut socket = app.socket(phone).await;
    socket.listen().await;
    turns(&app, false, true).await;
    assert_eq!(socket.closed().await, Some(1001), "going away (RFC 6455, section 7.4.1)");
    let token = phone.token("GET", "/", b"");
    let refused = app.connect("/", &[&format!("Bearer {token}")], &["Mixin-Blaze-1"]).await;
    assert_eq!(refused.err().map(|it| it.status), Some(503));
    turns(&app, false, false).await;
    let mut socket = app.socket(phone).await;
    socket.listen().await;
    bot.sends(&app, &anna, 1, "again").await;
    assert_eq!(socket.receives(phone, 1).await, ["again"]);
}

#[tokio::test]
async fn drained_a_poll_is_answered_and_its_connection_leads_elsewhere() {
    let app = TestApp::start().await;
    let anna = app.person("Anna", 1).await;
    let mut stream = TcpStream::connect(app.socket_address().await).await.unwrap();
    let path = "/inbox?wait=60";
    let token = anna.devices[0].token("GET", path, b"");
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    while app.hub_sessions() == 0 {
        tokio::task::yield_now().await;
    }
    turns(&app, false, true).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.unwrap();
    assert!(answers.starts_with("HTTP/1.1 200"), "what was under way is answered: {answers}");
    let refused = answers.find("HTTP/1.1 503").unwrap_or_else(|| panic!("{answers}"));
    assert!(answers[refused..].contains("connection: close\r\n"), "{answers}");
}
