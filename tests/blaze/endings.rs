//! Why sockets end, and what the other side is told.

use std::time::{Duration, Instant};

use sealpost::domain::ports::Hint;
use sealpost::domain::session::{Scope, Scopes};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::harness::TestApp;

#[tokio::test]
async fn a_revoked_session_is_told_so_and_its_socket_closes() {
    let app = TestApp::start().await;
    let anna = app.person("Anna", 1).await;
    let phone = &anna.devices[0];
    let mut socket = app.socket(phone).await;
    socket.listen().await;
    app.gateway().revoke_session(anna.user, phone.session).await.unwrap();
    let frame = socket.frame().await.unwrap();
    assert_eq!((&frame["action"], &frame["error"]["status"]), (&"ERROR".into(), &401.into()));
    assert_eq!(socket.closed().await, Some(1008));
}

#[tokio::test]
async fn a_revoked_api_token_ends_its_sockets() {
    let app = TestApp::start().await;
    let bot = app.bot("echo").await;
    let (scopes, life) = (Scopes::of(&[Scope::Receive]), Duration::from_secs(3600));
    let token = app.gateway().create_api_token(bot.session, scopes, life).await.unwrap();
    let mut socket =
        app.connect("/", &[&format!("Bearer {token}")], &["Mixin-Blaze-1"]).await.unwrap();
    let mut signed = app.socket(&bot).await;
    socket.listen().await;
    app.gateway().revoke_api_tokens(bot.session).await.unwrap();
    assert_eq!(socket.frame().await.unwrap()["error"]["status"], 401);
    assert_eq!(socket.closed().await, Some(1008));
    signed.listen().await;
}

#[tokio::test]
async fn a_revoked_api_token_reads_and_sends_nothing_more() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("echo").await, app.person("Anna", 1).await);
    let (scopes, life) = (Scopes::of(&[Scope::Receive, Scope::Send]), Duration::from_secs(3600));
    let token = app.gateway().create_api_token(bot.session, scopes, life).await.unwrap();
    let authorization = format!("Bearer {token}");
    let mut socket = app.connect("/", &[&authorization], &["Mixin-Blaze-1"]).await.unwrap();
    // Nobody is told of it but the store.
    app.gateway().store.drop_api_tokens(bot.session).await.unwrap();
    let item = bot.seal(anna.user, &anna.recipients(), 1, "hello");
    socket.send("CREATE_MESSAGE", &serde_json::to_value(&item).unwrap()).await;
    assert_eq!(socket.closed().await, Some(1008));
    assert!(anna.devices[0].receives(&app).await.is_empty());
}

#[tokio::test]
async fn a_token_that_ends_takes_its_socket_with_it_but_not_within_the_hour() {
    let app = TestApp::start().await;
    let anna = app.person("Anna", 1).await;
    let mut socket = app.socket(&anna.devices[0]).await;
    socket.listen().await;
    // Public clients sign for a minute and stay.
    app.clock.advance(Duration::from_secs(3599));
    socket.listen().await;
    assert!(socket.is_quiet().await);
    app.clock.advance(Duration::from_secs(1));
    socket.send("LIST_PENDING_MESSAGES", &Value::Null).await;
    assert_eq!(socket.closed().await, Some(1008));
}

#[tokio::test]
async fn a_frame_over_the_limit_closes_the_socket() {
    let app = TestApp::start_with(|config| config.limits.body_bytes = 4096).await;
    let bot = app.bot("echo").await;
    let mut socket = app.socket(&bot).await;
    socket.send_bytes(&vec![0; 5000]).await;
    assert_eq!(socket.closed().await, Some(1009));
}

#[tokio::test]
async fn hints_that_were_lost_do_not_end_anything() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let mut socket = app.socket(&anna.devices[0]).await;
    socket.listen().await;
    app.gateway().bus.publish(Hint::Everybody);
    bot.sends(&app, &anna, 1, "hello").await;
    assert_eq!(socket.receives(&anna.devices[0], 1).await, ["hello"]);
}

#[tokio::test]
async fn a_gateway_that_stops_says_good_bye_and_gives_back_what_was_not_acknowledged() {
    let mut app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    bot.sends(&app, &anna, 1, "hello").await;
    let bound = app.bind().await;
    app.serve_sockets_at(bound.address());
    let (stop, stopped) = oneshot::channel::<()>();
    let client = async {
        let mut socket = app.socket(&anna.devices[0]).await;
        socket.listen().await;
        socket.message().await;
        stop.send(()).unwrap();
        let began = Instant::now();
        (socket.closed().await, began)
    };
    let (_, (code, began)) = tokio::join!(app.run(bound, async { stopped.await.unwrap() }), client);
    assert_eq!(code, Some(1001));
    assert!(began.elapsed() < Duration::from_secs(5));
    app.restart().await;
    assert_eq!(anna.devices[0].receives(&app).await, ["hello"], "free at once");
}

#[tokio::test]
async fn what_a_socket_asked_for_is_done_though_its_client_is_gone() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let mut reader = app.socket(&anna.devices[0]).await;
    reader.listen().await;
    let mut sender = app.socket(&bot).await;
    let item = bot.seal(anna.user, &anna.recipients(), 1, "hello");
    sender.send("CREATE_MESSAGE", &serde_json::to_value(&item).unwrap()).await;
    drop(sender);
    assert_eq!(reader.receives(&anna.devices[0], 1).await, ["hello"]);
}

#[tokio::test]
async fn what_is_worked_on_is_answered_before_what_there_is_no_room_for() {
    let app = TestApp::start_with(|config| {
        config.limits.body_bytes = 64 * 1024;
        config.http.body_budget_bytes = 128 * 1024;
    })
    .await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let begun = |bytes| {
        let kind = OpCode::Data(Data::Binary);
        Message::Frame(Frame::message(vec![0; bytes], kind, false))
    };
    let (mut full, mut socket) = (app.socket(&bot).await, app.socket(&bot).await);
    let mut other = app.socket(&anna.devices[0]).await;
    full.send_message(begun(30_000)).await;
    let stranger = app.lock_database().await;
    let item = bot.seal(anna.user, &anna.recipients(), 1, "hello");
    let id = socket.send("CREATE_MESSAGE", &serde_json::to_value(&item).unwrap()).await;
    socket.send_message(begun(30_000)).await;
    // Somebody else's turn takes longer than to read these two frames.
    assert!(other.is_quiet().await);
    stranger.let_go().await;
    let answer = socket.frame().await.expect("closed before the answer");
    assert_eq!((&answer["id"], &answer["error"]), (&id.into(), &Value::Null), "{answer}");
    let refused = socket.frame().await.expect("closed before the second answer");
    assert_eq!((&refused["action"], &refused["error"]["status"]), (&"ERROR".into(), &503.into()));
    let end = Frame::message(vec![0; 10], OpCode::Data(Data::Continue), true);
    socket.send_message(Message::Frame(end)).await;
    socket.listen().await;
}
