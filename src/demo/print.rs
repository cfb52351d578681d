//! How the story looks on a terminal.

use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use super::cast::{Cast, DEVICES};

/// The first lines.
pub fn opening(url: &str, data: &Path, took: Duration) {
    println!("Sealpost: encrypted messages from a bot to every device\n");
    act("A gateway starts, with an embedded database.");
    line(&format!("it listens on {url} and was ready after {}", time(took)));
    line(&format!("its data is in {}", data.display()));
}

/// Who plays.
pub fn cast(cast: &Cast) {
    act("A bot and two people sign in. Their private keys never leave them.");
    line(&format!("Weather, a bot: session {}", short(cast.bot.session_id())));
    for person in &cast.people {
        let devices = person.devices.iter().zip(DEVICES);
        let devices =
            devices.map(|(device, name)| format!("{name} {}", short(device.session_id())));
        line(&format!("{}: {}", person.name, devices.collect::<Vec<_>>().join(", ")));
    }
}

/// A new act begins.
pub fn act(title: &str) {
    println!("\n* {title}");
}

/// Something happens.
pub fn line(text: &str) {
    println!("    {text}");
}

/// The last lines.
pub fn ending() {
    println!("\nEvery message reached every device, and only them.");
}

/// What to do after the story.
pub fn how_to_try() {
    println!("\nTo chat with a bot, and between two windows of a browser:");
    println!("    cargo run --release -- demo --keep");
}

/// What to do while the gateway goes on.
pub fn what_to_try(url: &str, keystore: &Path) {
    let keystore = keystore.display();
    println!("\nThe gateway goes on serving at {url}; ctrl-c ends it. Try:");
    println!("    {url}/try in two windows of a browser");
    println!("    curl {url}/openapi.yaml");
    println!("    cargo run -p sealpost-examples --bin echo_bot -- {keystore}");
}

/// The first digits of an id: enough to tell the few of this story apart.
pub fn short(id: impl Display) -> String {
    id.to_string().chars().take(8).collect()
}

/// A duration for people.
pub fn time(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}
