//! How the story looks: on a terminal, or to a program.

use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::cast::{Cast, DEVICES};

/// Who watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Somebody at a terminal.
    Prose,
    /// A program: each line is an object with the one member `act` or `line`.
    Json,
}

impl Stage {
    /// The first lines.
    pub fn opening(self, url: &str, data: &Path, took: Duration) {
        if self == Self::Prose {
            println!("Sealpost: encrypted messages from a bot to every device\n");
        }
        self.act("A gateway starts, with an embedded database.");
        self.line(&format!("it listens on {url} and was ready after {}", time(took)));
        self.line(&format!("its data is in {}", data.display()));
    }

    /// Who plays.
    pub fn cast(self, cast: &Cast) {
        self.act("A bot and two people sign in. Their private keys never leave them.");
        self.line(&format!("Weather, a bot: session {}", short(cast.bot.session_id())));
        for person in &cast.people {
            let devices = person.devices.iter().zip(DEVICES);
            let devices =
                devices.map(|(device, name)| format!("{name} {}", short(device.session_id())));
            self.line(&format!("{}: {}", person.name, devices.collect::<Vec<_>>().join(", ")));
        }
    }

    /// A new act begins.
    pub fn act(self, title: &str) {
        match self {
            Self::Prose => println!("\n* {title}"),
            Self::Json => println!("{}", json!({ "act": title })),
        }
    }

    /// Something happens.
    pub fn line(self, text: &str) {
        match self {
            Self::Prose => println!("    {text}"),
            Self::Json => println!("{}", json!({ "line": text.trim_start() })),
        }
    }

    /// The last lines.
    pub fn ending(self) {
        let moral = "Every message reached every device, and only them.";
        match self {
            Self::Prose => println!("\n{moral}"),
            Self::Json => self.line(moral),
        }
    }

    /// What to do after the story.
    pub fn how_to_try(self) {
        let invitation = "To chat with a bot, and between two windows of a browser:";
        match self {
            Self::Prose => println!("\n{invitation}"),
            Self::Json => self.act(invitation),
        }
        self.line("cargo run --release -- demo --keep");
    }

    /// What to do while the gateway goes on.
    pub fn what_to_try(self, url: &str, keystore: &Path) {
        let invitation = format!("The gateway goes on serving at {url}; ctrl-c ends it. Try:");
        match self {
            Self::Prose => println!("\n{invitation}"),
            Self::Json => self.act(&invitation),
        }
        self.line(&format!("{url}/try in two windows of a browser"));
        self.line(&format!("curl {url}/openapi.yaml"));
        let keystore = keystore.display();
        self.line(&format!("cargo run -p sealpost-examples --bin echo_bot -- {keystore}"));
    }
}

/// The first digits of an id: enough to tell the few of this story apart.
pub fn short(id: impl Display) -> String {
    id.to_string().chars().take(8).collect()
}

/// A duration for people.
pub fn time(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}
