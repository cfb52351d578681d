//! Listening over the gateway's own socket.

use std::sync::Mutex;

use sealpost::sdk::client::{Incoming, ReceiveError, RequestError, Text};
use tokio::sync::Notify;

use crate::harness::TestApp;

type Handed = Result<Incoming, ReceiveError>;

#[tokio::test]
async fn an_echo_bot_on_a_socket_answers_what_waits_and_what_comes() {
    let app = TestApp::start().await;
    let url = format!("http://{}", app.listen().await);
    let (bot, anna) = (app.bot("echo").await, app.person("Anna", 1).await);
    let (echo, phone) = (bot.client(&app, &url), anna.devices[0].client(&app, &url));
    phone.send(&bot.user, Text::new("before")).await.unwrap();

    let answered = Notify::new();
    let running = echo.run_until(answered.notified(), async |message: Handed| {
        let message = message.unwrap();
        let text = message.text().unwrap().to_owned();
        echo.reply(&message, Text::new(text)).await.unwrap();
    });
    let talking = async {
        let mut answers = phone.live_messages();
        assert_eq!(answers.next().await.unwrap().unwrap().text(), Some("before"));
        phone.send(&bot.user, Text::new("after")).await.unwrap();
        assert_eq!(answers.next().await.unwrap().unwrap().text(), Some("after"));
        answers.close().await.unwrap();
        answered.notify_one();
    };
    let (ran, ()) = tokio::join!(running, talking);
    ran.unwrap();
    assert!(bot.receives(&app).await.is_empty(), "everything is acknowledged");
    assert!(anna.devices[0].receives(&app).await.is_empty());
}

#[tokio::test]
async fn what_a_handler_refuses_comes_again_over_the_next_connection() {
    let app = TestApp::start().await;
    let url = format!("http://{}", app.listen().await);
    let (bot, anna) = (app.bot("echo").await, app.person("Anna", 1).await);
    anna.devices[0].client(&app, &url).send(&bot.user, Text::new("hello")).await.unwrap();
    let echo = bot.client(&app, &url);
    let refused = Notify::new();
    let refuse = async |_: Handed| {
        refused.notify_one();
        Err("not yet")
    };
    echo.run_until(refused.notified(), refuse).await.unwrap();

    let texts = Mutex::new(Vec::new());
    let handled = Notify::new();
    let handle = async |message: Handed| {
        texts.lock().unwrap().extend(message.unwrap().text().map(str::to_owned));
        handled.notify_one();
    };
    echo.run_until(handled.notified(), handle).await.unwrap();
    assert_eq!(texts.into_inner().unwrap(), ["hello"]);
}

#[tokio::test]
async fn a_revoked_session_ends_the_listening() {
    let app = TestApp::start().await;
    let url = format!("http://{}", app.listen().await);
    let (bot, anna) = (app.bot("echo").await, app.person("Anna", 1).await);
    anna.devices[0].client(&app, &url).send(&bot.user, Text::new("hello")).await.unwrap();
    let (old, listening) = (bot.client(&app, &url), Notify::new());
    let running = old.run_until(std::future::pending(), async |_: Handed| listening.notify_one());
    let revoking = async {
        listening.notified().await;
        app.sign_in(bot.user, Some(bot.session)).await;
    };
    let (ended, ()) = tokio::join!(running, revoking);
    assert!(matches!(ended, Err(RequestError::SessionEnded { .. })), "{ended:?}");
}
