//! The section `[outbound]`: whom the gateway may ask, and how much at a time.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ConfigError, within};
use crate::domain::limits::Networks;

/// Requests that the gateway makes to others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Outbound {
    /// Networks beside the public ones where hosts may be that these settings name: addresses and
    /// networks with commas between them. Those may be asked over `http` as well. Hosts that phones
    /// name have a list of their own.
    pub private_networks: String,
    /// Requests of each kind at the same time; further ones wait within their own time.
    pub at_once: u32,
    /// How long a request may take, from its beginning to the end of the answer.
    pub seconds: u64,
}

impl Default for Outbound {
    fn default() -> Self {
        Self { private_networks: String::new(), at_once: 64, seconds: 10 }
    }
}

impl Outbound {
    /// How long a request may take.
    #[must_use]
    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// The networks beside the public ones; none when the setting was not checked before.
    #[must_use]
    pub fn private_networks(&self) -> Networks {
        Networks::parse(&self.private_networks).unwrap_or_default()
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if let Err(error) = Networks::parse(&self.private_networks) {
            let reason = format!("cannot be used: {error}");
            return Err(ConfigError::Value { key: "outbound.private_networks", reason });
        }
        within("outbound.at_once", self.at_once.into(), 1, 10_000)?;
        // Whoever asks for a code waits for it within `http.request_seconds`.
        within("outbound.seconds", self.seconds, 1, 120)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_that_is_none_is_named() {
        let outbound = Outbound { private_networks: "10.0.0.0/40".into(), ..Outbound::default() };
        let refused = outbound.validate().unwrap_err().to_string();
        assert!(refused.contains("outbound.private_networks"), "{refused}");
        assert!(refused.contains("10.0.0.0/40"), "{refused}");
    }
}
