//! Shows what the SDK does when somebody's devices change: `session_refresh KEYSTORE USER`.
//!
//! It sends a text, gives you time to sign a device in or out, and sends another. The list of devices
//! that it holds is old by then; the gateway says so, and the text is sealed again for the fresh one.

use std::env;

use sealpost_sdk::client::{Bot, Text};
use sealpost_sdk::ids::UserId;
use sealpost_sdk::keystore::Keystore;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [keystore, user] = arguments.as_slice() else {
        return Err("usage: session_refresh KEYSTORE USER".into());
    };
    let user = UserId::parse(user)?;
    let mut builder = Bot::builder(Keystore::from_file(keystore)?).on_refresh(|refreshed| {
        let (before, after) = (refreshed.sealed_for(), refreshed.sessions.len());
        println!("stale: {} -> {}", sessions(before), sessions(after));
    });
    if let Ok(url) = env::var("SEALPOST_URL") {
        builder = builder.base_url(url);
    }
    let bot = builder.build()?;

    let sent = bot.send(&user, Text::new("Before anything has changed")).await?;
    println!("{}", sent.outcome);
    eprintln!("Sign a device in or out now, then press Enter.");
    std::io::stdin().read_line(&mut String::new())?;
    let sent = bot.send(&user, Text::new("After a device has come")).await?;
    println!("{}", sent.outcome);
    Ok(())
}

fn sessions(count: usize) -> String {
    format!("{count} session{}", if count == 1 { "" } else { "s" })
}
