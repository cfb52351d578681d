//! The section `[telemetry]`: what is logged, in which form, and who collects spans.

use serde::{Deserialize, Serialize};

use super::{ConfigError, Secret};

/// Logs and spans.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Telemetry {
    /// What is logged: `error`, `warn`, `info`, `debug`, `trace`, or a filter by module such as
    /// `info,sealpost::storage=debug`.
    pub log_level: String,
    /// The form of a line.
    pub log_format: LogFormat,
    /// Where spans of requests go, by OTLP over HTTP: the whole URL, such as
    /// `http://127.0.0.1:4318/v1/traces`; empty for nowhere.
    pub otlp_endpoint: String,
    /// What is sent there as `Authorization`; empty for nothing.
    pub otlp_authorization: Secret,
    /// Of a hundred requests that come without a trace, how many begin one that is kept. Those that come
    /// with one are kept if their caller says so.
    pub otlp_percent: u8,
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
        Self {
            log_level: "info".to_owned(),
            log_format: LogFormat::Text,
            otlp_endpoint: String::new(),
            otlp_authorization: Secret::default(),
            otlp_percent: 100,
        }
    }
}

impl Telemetry {
    /// Where spans go, if they go anywhere.
    #[must_use]
    pub fn collector(&self) -> Option<&str> {
        Some(self.otlp_endpoint.as_str()).filter(|endpoint| !endpoint.is_empty())
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if let Err(error) = self.log_level.parse::<tracing_subscriber::EnvFilter>() {
            let reason = format!("is `{}`, which is no filter: {error}", self.log_level);
            return Err(ConfigError::Value { key: "telemetry.log_level", reason });
        }
        if self.otlp_percent > 100 {
            let reason = format!("is {}; it must be from 0 to 100", self.otlp_percent);
            return Err(ConfigError::Value { key: "telemetry.otlp_percent", reason });
        }
        self.validate_collector()
    }

    fn validate_collector(&self) -> Result<(), ConfigError> {
        let Some(endpoint) = self.collector() else { return Ok(()) };
        let wrong = |reason: &str| {
            let reason = reason.to_owned();
            Err(ConfigError::Value { key: "telemetry.otlp_endpoint", reason })
        };
        if !["http://", "https://"].iter().any(|scheme| endpoint.starts_with(scheme)) {
            return wrong("must begin with http:// or https://");
        }
        if endpoint.contains(['@', '?', '#']) {
            return wrong("holds credentials or a query: set telemetry.otlp_authorization");
        }
        if !cfg!(feature = "otel") {
            return wrong("needs a program that was built with `--features otel`");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_go_nowhere_unless_somebody_says_where() {
        assert_eq!(Telemetry::default().collector(), None);
        let to = |endpoint: &str| Telemetry {
            otlp_endpoint: endpoint.to_owned(),
            ..Telemetry::default()
        };
        let good = to("http://127.0.0.1:4318/v1/traces").validate();
        assert_eq!(good.is_ok(), cfg!(feature = "otel"), "{good:?}");
        for bad in
            ["127.0.0.1:4318", "grpc://127.0.0.1:4317", "https://user:word@collector.example/"]
        {
            assert!(to(bad).validate().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_share_is_from_none_to_all() {
        let of = |otlp_percent| Telemetry { otlp_percent, ..Telemetry::default() };
        assert!(of(0).validate().is_ok() && of(100).validate().is_ok());
        assert!(of(101).validate().is_err());
    }
}
