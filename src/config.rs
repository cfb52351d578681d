//! What an operator can set: plain types, one file for each section, and how they are read.
//!
//! One precedence, everywhere: a flag beats an environment variable, which beats the file, which
//! beats the default. Every setting has a default, so a gateway runs without any of them.

pub mod attachments;
pub mod console;
pub mod database;
pub mod dialects;
pub mod http;
pub mod limits;
pub mod mail;
pub mod metrics;
pub mod outbound;
pub mod rate;
pub mod secret;
pub mod shown;
mod source;
pub mod storage;
pub mod telemetry;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use attachments::Attachments;
pub use console::Console;
pub use database::Database;
pub use dialects::Dialects;
pub use http::Http;
pub use limits::Limits;
pub use metrics::Metrics;
pub use outbound::Outbound;
pub use secret::Secret;
pub use source::{Environment, Flags};
pub use storage::Storage;
pub use telemetry::Telemetry;

/// Everything that can be set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The listener.
    pub http: Http,
    /// The data directory and the database in it.
    pub storage: Storage,
    /// The server that has the database in the place of that file.
    pub database: Database,
    /// How much is allowed.
    pub limits: Limits,
    /// Encrypted files.
    pub attachments: Attachments,
    /// Requests that the gateway makes to others.
    pub outbound: Outbound,
    /// The protocols.
    pub dialects: Dialects,
    /// What the gateway counts about itself.
    pub metrics: Metrics,
    /// Pages for people.
    pub console: Console,
    /// Logs.
    pub telemetry: Telemetry,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is no TOML, has an unknown key, or a value of the wrong kind.
    #[error("cannot use the configuration file {}: line {line}: {reason}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Where in it, from 1.
        line: usize,
        /// What is wrong there, without the line itself: it may hold a password.
        reason: String,
    },
    /// A variable's name has the form of a setting, and there is no such setting.
    #[error("the environment variable {variable} names no setting: there is no `{key}`")]
    UnknownVariable {
        /// The variable.
        variable: String,
        /// The setting that it would name.
        key: String,
    },
    /// A variable or a flag has a value of the wrong kind.
    #[error("{origin} cannot be used: {reason}")]
    Override {
        /// The variable or the flag.
        origin: String,
        /// What is wrong.
        reason: String,
    },
    /// A value is of the right kind and makes no sense.
    #[error("the setting `{key}` {reason}")]
    Value {
        /// Which one.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl Config {
    /// Reads every source in order of precedence and checks the result.
    ///
    /// # Errors
    /// When the file cannot be read, a source holds an unknown key or a value of the wrong kind, or
    /// a value makes no sense; the error names the source and the key.
    pub fn load(flags: &Flags, environment: &Environment) -> Result<Self, ConfigError> {
        let config = match flags.config.clone().or_else(|| environment.config_file()) {
            Some(path) => source::read_file(path)?,
            None => Self::default(),
        };
        let config = source::apply(config, environment.settings())?;
        let config = source::apply(config, flags.settings())?;
        config.validate()?;
        Ok(config)
    }

    fn validate(&self) -> Result<(), ConfigError> {
        self.http.validate()?;
        self.storage.validate()?;
        self.database.validate(&self.storage)?;
        self.limits.validate()?;
        self.http.has_room_for(self.limits.body_bytes)?;
        self.attachments.validate()?;
        self.outbound.validate()?;
        self.dialects.validate()?;
        self.dialects.keyservice.fits(&self.http, &self.limits.rate)?;
        self.metrics.validate()?;
        self.console.validate()?;
        self.telemetry.validate()
    }
}

/// Refuses a value below `least` or above `most`.
fn within(key: &'static str, value: u64, least: u64, most: u64) -> Result<(), ConfigError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let reason = format!("is {value}; it must be between {least} and {most}");
    Err(ConfigError::Value { key, reason })
}
