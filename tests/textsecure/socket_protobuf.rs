//! The later kind of socket: requests and answers in protobuf.

use tokio_tungstenite::tungstenite::Message;

use super::letters::{ANNA, BERT, says, unlimited};

#[tokio::test]
async fn what_waited_and_then_what_comes_is_put_in_order() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    says(&app, &anna, &[&bert], "stored").await;
    let mut line = app.protobuf_socket(&bert).await;
    assert_eq!(line.texts(1).await, ["stored"]);
    says(&app, &anna, &[&bert], "one").await;
    says(&app, &anna, &[&bert], "two").await;
    let (one, two) = (line.message().await, line.message().await);
    assert_eq!((one.text(), two.text()), ("one".into(), "two".into()));
    assert!(one.id > 0 && two.id != one.id);
}

#[tokio::test]
async fn an_answer_of_200_acknowledges_and_sends_a_receipt() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    let (mut sender, mut line) =
        (app.protobuf_socket(&anna).await, app.protobuf_socket(&bert).await);
    says(&app, &anna, &[&bert], "hello").await;
    let message = line.message().await;
    line.answer(message.id, 200).await;
    let receipt = sender.message().await;
    assert!(receipt.envelope.is_receipt());
    assert_eq!(receipt.envelope.timestamp, message.envelope.timestamp);
    drop(line);
    assert!(app.protobuf_socket(&bert).await.is_quiet().await, "it is gone");
}

#[tokio::test]
async fn any_other_answer_keeps_the_message() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    let mut sender = app.protobuf_socket(&anna).await;
    says(&app, &anna, &[&bert], "hello").await;
    for status in [400, 500, 204] {
        let mut line = app.protobuf_socket(&bert).await;
        let message = line.message().await;
        assert_eq!(message.text(), "hello");
        line.answer(message.id, status).await;
        // Some clients answer so to what they did not understand.
        line.answer(0, 200).await;
        assert!(line.is_quiet().await);
    }
    assert!(sender.is_quiet().await, "no receipt");
}

#[tokio::test]
async fn a_question_is_answered_under_its_id_and_not_without_one() {
    let app = unlimited().await;
    let bert = app.phone(BERT).await;
    let mut line = app.protobuf_socket(&bert).await;
    line.ask("GET", "/v1/keepalive", None).await;
    line.ask("GET", "/v1/keepalive", Some(7)).await;
    assert_eq!(line.response().await, (Some(7), Some(200)));
    line.ask("PUT", "/v1/messages/+14152222222", Some(8)).await;
    assert_eq!(line.response().await, (Some(8), Some(404)));
}

#[tokio::test]
async fn each_device_has_its_own_messages() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    let tablet = app.link(&bert).await;
    let (mut first, mut second) =
        (app.protobuf_socket(&bert).await, app.json_socket(&tablet).await);
    says(&app, &anna, &[&bert, &tablet], "hello").await;
    assert_eq!(
        (first.texts(1).await, second.texts(1).await),
        (vec!["hello".into()], vec!["hello".into()])
    );
    assert!(first.is_quiet().await && second.pong().await, "both sockets stay");
}

#[tokio::test]
async fn what_cannot_be_understood_closes_the_socket() {
    let app = unlimited().await;
    let bert = app.phone(BERT).await;
    for (frame, code) in [
        (Message::Binary(vec![0xff; 9].into()), 1008),
        (Message::Binary(vec![8, 3].into()), 1008),
        (Message::Text("hello".into()), 1003),
    ] {
        let mut line = app.protobuf_socket(&bert).await;
        line.send(frame).await;
        assert_eq!(line.close_code().await, Some(code));
    }
}
