//! Messages that the gateway can read.

use sealpost::config::dialects::PlainMessages;
use sealpost::sdk::client::{Outcome, Readable};
use sealpost::sdk::conversation::contact_conversation_id;
use sealpost::sdk::ids::MessageId;

use crate::harness::TestApp;

fn text(to: sealpost::sdk::ids::UserId) -> Readable {
    Readable::to(&to, "PLAIN_TEXT", b"hello".to_vec()).unwrap()
}

#[tokio::test]
async fn where_the_operator_allows_it_a_bot_may_speak_readably() {
    let app = TestApp::start_with(|config| {
        config.dialects.mixin.plain_messages = PlainMessages::Allow;
    })
    .await;
    let url = format!("http://{}", app.listen().await);
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let bot = bot.client(&app, &url);
    let id = MessageId::from_bytes([0x41; 16]);
    let sent = bot.send_readable(text(anna.user).with_id(id)).await.unwrap();
    assert!(matches!(sent.outcome, Outcome::Delivered { sessions } if sessions.len() == 1));
    assert_eq!(sent.message_id, id);
    let answer = anna.devices[0].get(&app, "/inbox").await;
    assert_eq!(answer.only()["category"], "PLAIN_TEXT");
    assert_eq!(answer.only()["data_base64"], "aGVsbG8");
}

#[tokio::test]
async fn everywhere_else_only_recalls_pass() {
    let app = TestApp::start().await;
    let url = format!("http://{}", app.listen().await);
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let conversation = contact_conversation_id(bot.user, anna.user);
    let bot = bot.client(&app, &url);
    let refused = bot.send_readable(text(anna.user)).await.unwrap().outcome;
    assert!(matches!(refused, Outcome::Rejected { error } if error.status == 403));
    let sent = bot.send(&anna.user, sealpost::sdk::client::Text::new("oops")).await.unwrap();
    let recall = Readable::recall(&conversation, &sent.message_id);
    assert!(bot.send_readable(recall).await.unwrap().outcome.is_delivered());
}
