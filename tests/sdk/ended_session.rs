//! A message that waited while the session that sent it ended.

use sealpost::sdk::client::{ReceiveError, SenderProof, Text};

use crate::harness::TestApp;

#[tokio::test]
async fn a_bot_that_knew_the_session_reads_the_message_and_sees_that_it_has_ended() {
    let app = TestApp::start().await;
    let url = format!("http://{}", app.listen().await);
    let (bot, anna) = (app.bot("echo").await, app.person("Anna", 1).await);
    let (client, phone) = (bot.client(&app, &url), anna.devices[0].client(&app, &url));
    client.sessions_of(&[anna.user]).await.unwrap();
    phone.send(&bot.user, Text::new("my last words")).await.unwrap();
    app.sign_in(anna.user, Some(anna.devices[0].session)).await;
    client.check_sessions(&[anna.user]).await.unwrap();

    let message = client.messages().next().await.unwrap().unwrap();
    assert_eq!(message.text(), Some("my last words"));
    assert_eq!((message.sender, message.proof), (anna.user, SenderProof::EndedSession));
}

#[tokio::test]
async fn a_bot_that_starts_later_gets_the_message_set_apart_and_whole() {
    let app = TestApp::start().await;
    let url = format!("http://{}", app.listen().await);
    let (bot, anna) = (app.bot("echo").await, app.person("Anna", 1).await);
    let phone = anna.devices[0].client(&app, &url);
    phone.send(&bot.user, Text::new("my last words")).await.unwrap();
    app.sign_in(anna.user, Some(anna.devices[0].session)).await;

    let mut messages = bot.client(&app, &url).messages();
    let error = messages.next().await.unwrap().unwrap_err();
    let ReceiveError::Unconfirmed(message) = error else { panic!("{error:?}") };
    assert_eq!((message.sender, message.text()), (anna.user, None));
    assert_eq!(message.bytes, b"my last words");
    messages.close().await.unwrap();
    assert!(bot.receives(&app).await.is_empty(), "it is acknowledged like any other");
}
