//! Why sockets do not open, and why they end.

use axum::http::Method;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::Message;

use super::letters::{ANNA, BERT, NOBODY, says, texts, unlimited};
use super::socket_client::encoded;
use crate::harness::phone::Phone;

#[tokio::test]
async fn bad_credentials_close_with_a_code_of_their_own() {
    let app = unlimited().await;
    let bert = app.phone(BERT).await;
    let (right, login) = (encoded(&bert.password), encoded(BERT));
    for query in [
        String::new(),
        "?".to_owned(),
        format!("?login={login}"),
        format!("?password={right}"),
        format!("?login={login}&password=wrong"),
        format!("?user={login}&password=wrong"),
        format!("?login={login}.2&password={right}"),
        format!("?login={login}.x&password={right}"),
        format!("?user={}&password={right}", encoded(NOBODY)),
        format!("?login={login}&password=%zz"),
    ] {
        let mut line = app.open_socket(&format!("/v1/websocket/{query}")).await.unwrap();
        assert_eq!(line.close_code().await, Some(4001), "{query}");
    }
}

#[tokio::test]
async fn the_path_of_a_socket_is_for_sockets() {
    let app = unlimited().await;
    for path in ["/v1/websocket", "/v1/websocket/", "/v1/websocket/provisioning/"] {
        let answer = app.stranger(Method::GET, path, &Value::Null).await;
        assert_eq!((answer.status, answer.headers["upgrade"].as_bytes()), (426, &b"websocket"[..]));
        assert_eq!(app.stranger(Method::PUT, path, &Value::Null).await.status, 405);
    }
    assert_eq!(app.open_socket("/v1/websocket/elsewhere").await.err(), Some(404));
}

#[tokio::test]
async fn a_newer_socket_of_a_device_closes_the_older_and_gets_what_that_held() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    let tablet = app.link(&bert).await;
    let mut other = app.json_socket(&tablet).await;
    let mut older = app.json_socket(&bert).await;
    says(&app, &anna, &[&bert, &tablet], "one").await;
    says(&app, &anna, &[&bert, &tablet], "two").await;
    assert_eq!(older.texts(2).await, ["one", "two"]);
    let mut newer = app.protobuf_socket(&bert).await;
    assert_eq!(newer.texts(2).await, ["one", "two"]);
    assert_eq!(older.close_code().await, Some(1000));
    assert_eq!(other.texts(2).await, ["one", "two"], "another device is left alone");
}

#[tokio::test]
async fn a_device_that_is_no_more_has_no_socket() {
    let app = unlimited().await;
    let bert = app.phone(BERT).await;
    let tablet = app.link(&bert).await;
    let (mut first, mut second) =
        (app.protobuf_socket(&bert).await, app.protobuf_socket(&tablet).await);
    assert!(first.is_quiet().await && second.is_quiet().await);
    let unlinked = bert.delete(&app, &format!("/v1/devices/{}", tablet.device)).await;
    assert_eq!(unlinked.status, 204);
    assert_eq!(second.close_code().await, Some(4001));
    assert!(first.is_quiet().await);
    // Registering again ends all that the number had.
    let again = Phone { password: "another one".to_owned(), ..Phone::new(BERT) };
    let path = format!("/v1/accounts/code/{}", app.code(BERT).await);
    assert_eq!(again.put(&app, &path, again.attributes()).await.status, 200);
    assert_eq!(first.close_code().await, Some(4001));
    assert!(app.protobuf_socket(&again).await.is_quiet().await);
}

#[tokio::test]
async fn a_frame_that_is_too_large_closes_the_socket() {
    let app = unlimited().await;
    let bert = app.phone(BERT).await;
    let mut json = app.json_socket(&bert).await;
    json.send(Message::Text(" ".repeat(17 * 1024).into())).await;
    assert_eq!(json.close_code().await, Some(1009));
    let mut protobuf = app.protobuf_socket(&bert).await;
    protobuf.send(Message::Binary(vec![0; 17 * 1024].into())).await;
    assert_eq!(protobuf.close_code().await, Some(1009));
}

#[tokio::test]
async fn a_gateway_that_stops_says_good_bye_and_gives_back_what_was_not_acknowledged() {
    let mut app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    says(&app, &anna, &[&bert], "one").await;
    says(&app, &anna, &[&bert], "two").await;
    let bound = app.bind().await;
    app.serve_sockets_at(bound.address());
    let (stop, stopped) = oneshot::channel::<()>();
    let client = async {
        let mut sender = app.protobuf_socket(&anna).await;
        let mut line = app.protobuf_socket(&bert).await;
        let mut newcomer = app.open_socket("/v1/websocket/provisioning/").await.unwrap();
        newcomer.request().await;
        assert_eq!(line.texts(2).await, ["one", "two"]);
        line.answer(1, 200).await;
        assert!(sender.message().await.envelope.is_receipt());
        stop.send(()).unwrap();
        (line.close_code().await, newcomer.close_code().await)
    };
    let (_, codes) = tokio::join!(app.run(bound, async { stopped.await.unwrap() }), client);
    assert_eq!(codes, (Some(1001), Some(1001)));
    app.restart().await;
    assert_eq!(texts(&app, &bert).await, ["two"], "free at once");
}

#[tokio::test]
async fn what_waits_for_a_device_is_shown_in_pages_however_much_it_is() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    let all: Vec<String> = (0..260).map(|number| number.to_string()).collect();
    for text in &all {
        says(&app, &anna, &[&bert], text).await;
    }
    let mut line = app.json_socket(&bert).await;
    let mut seen = line.texts(200).await;
    assert!(line.pong().await, "no more than a client may hold");
    for id in 0..200 {
        line.say(json!({"type": 1, "id": id})).await;
    }
    seen.extend(line.texts(60).await);
    assert_eq!(seen, all);
}
