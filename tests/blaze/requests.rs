//! What is asked on a socket: posting, mistakes, garbage.

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::harness::TestApp;
use crate::harness::actor::message_id;
use crate::harness::blaze::gzip;

#[tokio::test]
async fn a_message_is_posted_once_and_answered_with_what_was_stored() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let mut socket = app.socket(&bot).await;
    let item = bot.seal(anna.user, &anna.recipients(), 1, "hello");
    let first = socket.ask("CREATE_MESSAGE", &item).await;
    assert_eq!(first["data"]["message_id"], json!(message_id(1)), "{first}");
    assert_eq!(first["data"]["user_id"], json!(bot.user));
    assert!(first.get("error").is_none());
    let second = socket.ask("CREATE_MESSAGE", &item).await;
    assert_eq!(second["data"]["message_id"], json!(message_id(1)), "a repetition: {second}");
    assert_eq!(anna.devices[0].receives(&app).await, ["hello"]);
}

#[tokio::test]
async fn a_stale_checksum_is_error_20140_and_stores_nothing() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let item = bot.seal(anna.user, &anna.recipients(), 1, "hello");
    app.sign_in(anna.user, None).await;
    let mut socket = app.socket(&bot).await;
    let answer = socket.ask("CREATE_MESSAGE", &item).await;
    assert_eq!(answer["error"]["code"], 20140, "{answer}");
    assert!(anna.devices[0].receives(&app).await.is_empty());
}

#[tokio::test]
async fn a_persons_client_covers_everybody_it_was_told_of_and_its_own_other_devices() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("echo").await, app.person("Anna", 2).await);
    let [phone, laptop] = [&anna.devices[0], &anna.devices[1]];
    let others = [laptop.recipient(), bot.recipient()];
    let mut item = phone.seal(bot.user, &others, 1, "hello");
    let new = json!({
        "category": "CONTACT",
        "conversation_id": item["conversation_id"],
        "participants": [{"user_id": bot.user}],
    });
    phone.post(&app, "/conversations", &new).await;
    let members = item.as_object_mut().unwrap();
    let checksum = members.remove("checksum").unwrap();
    members.remove("recipient_id");
    members.insert("conversation_checksum".to_owned(), checksum);

    let mut socket = app.socket(phone).await;
    let answer = socket.ask("CREATE_MESSAGE", &item).await;
    assert_eq!(answer["data"]["message_id"], json!(message_id(1)), "{answer}");
    assert_eq!(laptop.receives(&app).await, ["hello"]);
    assert_eq!(bot.receives(&app).await, ["hello"]);

    app.sign_in(anna.user, None).await;
    item["message_id"] = json!(message_id(2));
    let answer = socket.ask("CREATE_MESSAGE", &item).await;
    assert_eq!(answer["error"]["code"], 20140, "{answer}");
}

#[tokio::test]
async fn several_messages_get_receipts_in_order() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let mut socket = app.socket(&bot).await;
    let item = |number| bot.seal(anna.user, &anna.recipients(), number, "hello");
    let items = json!([item(1), {"message_id": "x"}, item(2)]);
    for params in [json!({"messages": items}), items] {
        let answer = socket.ask("CREATE_MESSAGES", &params).await;
        let states: Vec<_> =
            answer["data"].as_array().unwrap().iter().map(|one| one["state"].clone()).collect();
        assert_eq!(states, ["SUCCESS", "FAILED", "SUCCESS"], "{answer}");
    }
    assert_eq!(anna.devices[0].receives(&app).await.len(), 2);
}

#[tokio::test]
async fn an_item_that_does_not_fit_names_its_field() {
    let app = TestApp::start().await;
    let bot = app.bot("news").await;
    let mut socket = app.socket(&bot).await;
    let answer = socket.ask("CREATE_MESSAGE", &json!({"message_id": "x"})).await;
    assert_eq!(answer["error"]["extra"]["field"], "conversation_id");
    let answer = socket.ask("CREATE_MESSAGES", &json!({"messages": []})).await;
    assert_eq!(answer["error"]["code"], 10002);
}

#[tokio::test]
async fn an_action_out_of_scope_is_an_error_under_its_own_name() {
    let app = TestApp::start().await;
    let bot = app.bot("echo").await;
    let mut socket = app.socket(&bot).await;
    let answer = socket.ask("CREATE_CALL", &json!({})).await;
    assert_eq!(answer["error"]["status"], 400, "{answer}");
}

#[tokio::test]
async fn garbage_is_answered_with_an_error_and_the_socket_goes_on() {
    let app = TestApp::start_with(|config| config.limits.body_bytes = 64 * 1024).await;
    let bot = app.bot("echo").await;
    let mut socket = app.socket(&bot).await;
    let long = json!({"id": "x".repeat(1000), "action": "NOTHING"}).to_string();
    let frames = [
        (b"".to_vec(), 400),
        (b"\x1f\x8b no gzip".to_vec(), 400),
        (gzip(b"no JSON"), 400),
        (gzip(b"[]"), 422),
        (gzip(br#"{"id": 7, "action": "NOTHING"}"#), 422),
        (gzip(long.as_bytes()), 422),
        // A bomb.
        (gzip(&vec![b' '; 1 << 20]), 413),
    ];
    for (bytes, status) in frames {
        socket.send_bytes(&bytes).await;
        let frame = socket.frame().await.unwrap();
        assert_eq!(
            (&frame["action"], &frame["error"]["status"]),
            (&json!("ERROR"), &json!(status))
        );
    }
    socket.send_message(Message::Text(r#"{"id":"1","action":"NOTHING"}"#.into())).await;
    assert_eq!(socket.frame().await.unwrap()["error"]["status"], 400);
    socket.listen().await;
}

#[tokio::test]
async fn requests_are_answered_in_order() {
    let app = TestApp::start().await;
    let bot = app.bot("echo").await;
    let mut socket = app.socket(&bot).await;
    let mut sent = Vec::new();
    for _ in 0..50 {
        sent.push(Value::from(socket.send("LIST_PENDING_MESSAGES", &Value::Null).await));
    }
    for id in sent {
        assert_eq!(socket.frame().await.unwrap()["id"], id);
    }
}

#[tokio::test]
async fn garbage_counts_against_the_limit_like_any_request() {
    let app = TestApp::start_with(|config| config.limits.rate.account_requests = 2).await;
    let bot = app.bot("echo").await;
    let mut socket = app.socket(&bot).await;
    socket.send_bytes(b"\x1f\x8b no gzip").await;
    assert_eq!(socket.frame().await.unwrap()["error"]["status"], 400);
    socket.send_message(Message::text("{}")).await;
    assert_eq!(socket.frame().await.unwrap()["error"]["status"], 400);
    // A bomb is not unpacked, nor is anything else done.
    for bytes in [gzip(&vec![b' '; 1 << 20]), gzip(b"no JSON")] {
        socket.send_bytes(&bytes).await;
        assert_eq!(socket.frame().await.unwrap()["error"]["status"], 429);
    }
    socket.send_message(Message::text("{}")).await;
    assert_eq!(socket.frame().await.unwrap()["error"]["status"], 429);
    let answer = socket.ask("LIST_PENDING_MESSAGES", &Value::Null).await;
    assert_eq!(answer["error"]["status"], 429, "it is still told under its own id");
}

#[tokio::test]
async fn what_never_becomes_a_whole_message_is_paid_for() {
    let app = TestApp::start_with(|config| {
        config.limits.body_bytes = 64 * 1024;
        config.limits.rate.account_bytes = 64 * 1024;
    })
    .await;
    let bot = app.bot("echo").await;
    let kind = OpCode::Data(Data::Binary);
    let begun = || Message::Frame(Frame::message(vec![0; 40_000], kind, false));
    let mut first = app.socket(&bot).await;
    first.send_message(begun()).await;
    let mut second = app.socket(&bot).await;
    assert!(second.is_quiet().await, "what is small has enough left");
    second.send_message(begun()).await;
    let frame = second.frame().await.unwrap();
    assert_eq!((&frame["action"], &frame["error"]["status"]), (&json!("ERROR"), &json!(429)));
}

#[tokio::test]
async fn what_there_is_no_room_for_is_answered_under_its_id_and_the_socket_goes_on() {
    let app = TestApp::start_with(|config| {
        config.limits.body_bytes = 256 * 1024;
        config.limits.rate.account_bytes = 64 * 1024;
    })
    .await;
    let bot = app.bot("echo").await;
    let mut socket = app.socket(&bot).await;
    for (bytes, status) in [(80_000, 413), (30_000, 400), (30_000, 429)] {
        let answer = socket.ask("NOTHING", &json!({"noise": noise(bytes)})).await;
        assert_eq!(answer["error"]["status"], status, "{answer}");
    }
    let answer = socket.ask("NOTHING", &Value::Null).await;
    assert_eq!(answer["error"]["status"], 400, "small ones have room");
}

/// Text of which no compressor makes less than so many bytes.
fn noise(bytes: usize) -> String {
    let digits = (0..bytes * 2).scan(1_u32, |state, _| {
        *state ^= *state << 13;
        *state ^= *state >> 17;
        *state ^= *state << 5;
        char::from_digit(*state >> 28, 16)
    });
    digits.collect()
}
