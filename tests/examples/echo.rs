//! `echo_bot`: a person's texts come back on all devices, and are acknowledged.

use std::sync::Arc;

use sealpost::sdk::client::{Bot, Incoming, ReceiveError, Text};
use sealpost::sdk::ids::{MessageId, UserId};
use sealpost::sdk::keystore::Keystore;
use tokio::sync::Notify;
use tokio::sync::mpsc::{self, UnboundedReceiver};

use super::Language;
use super::stage::{Stage, play};

/// What a phone sees of the bot.
enum Seen {
    Answer(String),
    /// The bot has taken care of a message.
    Acknowledged(MessageId),
}

/// Runs the command, and says what was done.
pub fn answers(language: &Language) -> String {
    let stage = Stage::open();
    let devices = stage.person("anna", 2);
    let bot = stage.start(language, &stage.url(), "echo_bot", &[]);
    assert_eq!(bot.line(), "ready");
    let texts = play(talk(&stage, &devices));
    drop(bot);
    stage.close();
    in_the_table(texts)
}

/// What the table has for it.
pub fn in_the_table(texts: usize) -> String {
    format!("{texts} texts")
}

/// A person with these devices talks with the bot; gives how many texts there were.
pub async fn talk(stage: &Stage, devices: &[Keystore]) -> usize {
    let long = "all work and no play ".repeat(400);
    let texts = ["is anybody there?", "Grüße, 世界 👋", "<&>\"\\\u{7f}\n", long.as_str()];
    are_answered(&stage.client(&devices[0]), stage.bot(), &texts).await;
    // The phone has read its own on the way; what is left there is none of the bot's.
    stage.finds(&devices[1..], &texts).await;
    texts.len()
}

/// Sends one text after the other over to the bot, and waits for what comes of each.
async fn are_answered(phone: &Bot, bot: UserId, texts: &[&str]) {
    let (tell, mut seen) = mpsc::unbounded_channel();
    let told = tell.clone();
    let listening = phone.listening().on_receipt(move |receipt| {
        let _ = told.send(Seen::Acknowledged(receipt.message_id));
    });
    let through = Arc::new(Notify::new());
    let running = listening.run_until(through.notified(), async |message| {
        let message: Result<Incoming, ReceiveError> = message;
        let message = message.expect("one that opens");
        assert_eq!(message.sender, bot);
        let _ = tell.send(Seen::Answer(message.text().expect("a text").to_owned()));
    });
    let talking = async {
        for (number, text) in texts.iter().enumerate() {
            let sent = phone.send(&bot, Text::new(*text)).await.expect("an answer");
            assert!(sent.outcome.is_delivered(), "{sent:?}");
            // The first notice may have come before the socket was there.
            let notice = (number > 0).then_some(sent.message_id);
            waits_for(&mut seen, text, notice).await;
        }
        through.notify_one();
    };
    let (ran, ()) = tokio::join!(running, talking);
    ran.expect("the phone listens to the end");
}

/// Waits for the answer, and for the notice that the question was acknowledged, in either order.
async fn waits_for(seen: &mut UnboundedReceiver<Seen>, text: &str, notice: Option<MessageId>) {
    let (mut answered, mut acknowledged) = (false, notice.is_none());
    while !(answered && acknowledged) {
        match seen.recv().await.expect("the phone listens") {
            Seen::Answer(answer) => {
                assert!(!answered, "a second answer to {text:?}: {answer:?}");
                assert_eq!(answer, text);
                answered = true;
            }
            Seen::Acknowledged(message) => acknowledged |= notice == Some(message),
        }
    }
}
