//! Shows a person's device at work: `conversation_refresh KEYSTORE CONVERSATION`.
//!
//! It reads the conversation, gives you time to change who takes part or which devices they have,
//! and speaks. The list it holds is old by then; the gateway answers error 20140, and the message is
//! sealed again for the fresh list and sent under the id it had. The own other devices get it too.

use std::env;

use sealpost_sdk::client::{Bot, Device, Outcome, Text};
use sealpost_sdk::ids::ConversationId;
use sealpost_sdk::keystore::Keystore;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [keystore, conversation] = arguments.as_slice() else {
        return Err("usage: conversation_refresh KEYSTORE CONVERSATION".into());
    };
    let conversation = ConversationId::parse(conversation)?;
    let mut builder = Bot::builder(Keystore::from_file(keystore)?).on_refresh(|refreshed| {
        let (more, fewer) = (refreshed.missing.len(), refreshed.deleted.len());
        println!("the list was old: {more} sessions more, {fewer} fewer; sealing again");
    });
    if let Ok(url) = env::var("SEALPOST_URL") {
        builder = builder.base_url(url);
    }
    let device = Device::from(builder.build()?);

    let known = device.account().conversation(&conversation).await?;
    println!("{}: {} sessions", known.name, known.participant_sessions.len());
    println!("Add somebody or sign a device in now, then press Enter.");
    std::io::stdin().read_line(&mut String::new())?;

    let sent = device.send(&conversation, Text::new("Hello, whoever is here now")).await?;
    match sent.outcome {
        Outcome::Delivered { sessions } => println!("reached {} sessions", sessions.len()),
        other => println!("{other:?}"),
    }
    Ok(())
}
