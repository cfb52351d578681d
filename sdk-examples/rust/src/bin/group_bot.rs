//! Makes a group and answers in it: `group_bot KEYSTORE NAME USER...`. Ctrl-C stops it.
//!
//! Up to eight messages are worked on at once; those of one conversation stay in order.

use std::env;

use sealpost_sdk::client::{Bot, Text};
use sealpost_sdk::ids::UserId;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [keystore, name, people @ ..] = arguments.as_slice() else {
        return Err("usage: group_bot KEYSTORE NAME USER...".into());
    };
    let people = people.iter().map(|one| UserId::parse(one)).collect::<Result<Vec<_>, _>>()?;
    let bot = Bot::from_keystore(keystore)?;

    let group = bot.create_group(name, &people).await?.conversation_id;
    let sent = bot.send_to_conversation(&group, Text::new("Hello! Ask me anything.")).await?;
    println!("{group}: {:?}", sent.outcome);

    let answer = async |message| {
        let Ok(message) = message else { return Ok(()) };
        let message: sealpost_sdk::client::Incoming = message;
        if let Some(news) = message.conversation_news() {
            println!("{:?}: {:?}", news.action, news.participant_id);
        }
        let Some(text) = message.text() else { return Ok(()) };
        let answer = Text::new(format!("You said: {text}"));
        // An error leaves the message with the gateway, which hands it out again.
        bot.reply(&message, answer).await.map(drop)
    };
    let listening = bot.listening().concurrency(8);
    listening.on_trouble(|trouble| eprintln!("{trouble:?}")).run(answer).await?;
    Ok(())
}
