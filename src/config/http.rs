//! The section `[http]`: where the gateway listens, and how long it waits for whom.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ConfigError, within};

/// The listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Address and port; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Connections served at the same time; further ones wait in the system's queue.
    pub connections: u32,
    /// Sockets open at the same time; further ones are refused.
    pub sockets: u32,
    /// How long a request may take, long polls aside.
    pub request_seconds: u64,
    /// How long requests may take to finish when the gateway stops.
    pub stop_seconds: u64,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            connections: 10_000,
            sockets: 20_000,
            request_seconds: 30,
            stop_seconds: 10,
        }
    }
}

impl Http {
    /// How long a request may take, long polls aside.
    #[must_use]
    pub fn request_timeout(&self) -> Duration {
        Duration::from_secs(self.request_seconds)
    }

    /// How long requests may take to finish when the gateway stops.
    #[must_use]
    pub fn stop_timeout(&self) -> Duration {
        Duration::from_secs(self.stop_seconds)
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        within("http.connections", self.connections.into(), 1, 1_000_000)?;
        within("http.sockets", self.sockets.into(), 1, 1_000_000)?;
        within("http.request_seconds", self.request_seconds, 1, 600)?;
        within("http.stop_seconds", self.stop_seconds, 0, 600)
    }
}
