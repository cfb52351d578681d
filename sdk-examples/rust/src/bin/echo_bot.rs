//! Answers every text with the same text: `echo_bot KEYSTORE`. Ctrl-C stops it.

use sealpost_sdk::client::{Bot, Text};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let keystore = std::env::args().nth(1).ok_or("usage: echo_bot KEYSTORE")?;
    let bot = Bot::from_keystore(keystore)?;
    bot.listening()
        .on_ready(|| println!("ready"))
        .run(async |message| {
            let Ok(message) = message else {
                eprintln!("skipped: {message:?}");
                return Ok(());
            };
            let Some(text) = message.text() else { return Ok(()) };
            let answer = bot.reply(&message, Text::new(text)).await;
            println!("{} said {} bytes: {answer:?}", message.sender, text.len());
            answer.map(drop) // if it could not be sent, the message comes again
        })
        .await?;
    Ok(())
}
