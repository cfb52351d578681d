//! Shows what the SDK does when somebody's devices change: `session_refresh KEYSTORE USER`.
//!
//! It fetches the list of devices, gives you time to sign one in or out, and sends. The list it
//! holds is old by then; the gateway says so, and the message is sealed again for the fresh one.

use std::env;

use sealpost_sdk::client::{Bot, Outcome, Text};
use sealpost_sdk::ids::UserId;
use sealpost_sdk::keystore::Keystore;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [keystore, user] = arguments.as_slice() else {
        return Err("usage: session_refresh KEYSTORE USER".into());
    };
    let user = UserId::parse(user)?;
    let mut builder = Bot::builder(Keystore::from_file(keystore)?);
    if let Ok(url) = env::var("SEALPOST_URL") {
        builder = builder.base_url(url);
    }
    let bot = builder.build()?;

    for session in bot.sessions_of(&[user]).await? {
        println!("known:   {} {}", session.session_id, session.platform);
    }
    println!("Sign a device in or out now, then press Enter.");
    std::io::stdin().read_line(&mut String::new())?;

    let sent = bot.send(&user, Text::new("Hello to all your devices")).await?;
    match sent.outcome {
        Outcome::Delivered { sessions } => {
            sessions.iter().for_each(|session| println!("reached: {session}"));
        }
        other => println!("{other:?}"),
    }
    Ok(())
}
