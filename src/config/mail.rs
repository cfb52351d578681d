//! What settings of mail servers have in common, wherever they stand.

use serde::{Deserialize, Serialize};

use super::ConfigError;

/// How a connection to a mail server is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SmtpTls {
    /// After a greeting (RFC 3207); a server that cannot is refused.
    #[default]
    Starttls,
    /// From its beginning (RFC 8314).
    Implicit,
    /// Not at all.
    None,
}

/// Refuses what is no name and port.
pub(super) fn is_server(key: &'static str, server: &str) -> Result<(), ConfigError> {
    let has_port = server.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if has_port {
        return Ok(());
    }
    let reason = format!("is `{server}`; it must be a name and a port");
    Err(ConfigError::Value { key, reason })
}
