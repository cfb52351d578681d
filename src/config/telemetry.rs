//! The section `[telemetry]`: what is logged, and in which form.

use serde::{Deserialize, Serialize};

use super::ConfigError;

/// Logs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Telemetry {
    /// What is logged: `error`, `warn`, `info`, `debug`, `trace`, or a filter by module such as
    /// `info,sealpost::storage=debug`.
    pub log_level: String,
    /// The form of a line.
    pub log_format: LogFormat,
}

/// The form of a line in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { log_level: "info".to_owned(), log_format: LogFormat::Text }
    }
}

impl Telemetry {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let Err(error) = self.log_level.parse::<tracing_subscriber::EnvFilter>() else {
            return Ok(());
        };
        let reason = format!("is `{}`, which is no filter: {error}", self.log_level);
        Err(ConfigError::Value { key: "telemetry.log_level", reason })
    }
}
