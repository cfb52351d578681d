//! The section `[metrics]`: where the gateway says what it counts about itself.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::{ConfigError, Secret};

/// A token that is shorter than this can be guessed.
const SHORTEST_TOKEN: usize = 16;

/// Metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// Address and port where `/metrics` is and nothing else; empty for none. Operators find it at the
    /// admin socket in any case.
    pub listen: String,
    /// What has to be shown there as `Authorization: Bearer …`; empty when nothing has to.
    pub token: Secret,
}

impl Metrics {
    /// The address, if there is one.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.listen.parse().ok()
    }

    /// The token, if there is one.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        Some(self.token.reveal()).filter(|token| !token.is_empty())
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if !self.listen.is_empty() && self.address().is_none() {
            let reason = format!("is `{}`; it must be an address and a port", self.listen);
            return Err(ConfigError::Value { key: "metrics.listen", reason });
        }
        if self.token().is_some_and(|token| token.len() < SHORTEST_TOKEN) {
            let reason = format!("must have {SHORTEST_TOKEN} characters or more");
            return Err(ConfigError::Value { key: "metrics.token", reason });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_off_and_an_address_needs_a_port() {
        assert_eq!(Metrics::default().address(), None);
        let at = |listen: &str| Metrics { listen: listen.to_owned(), ..Metrics::default() };
        assert!(at("127.0.0.1:9464").validate().is_ok());
        for bad in ["127.0.0.1", "localhost:9464", "9464"] {
            assert!(at(bad).validate().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_token_is_not_short_and_never_shown() {
        let with = |token: &str| Metrics { token: token.into(), ..Metrics::default() };
        assert!(with("").validate().is_ok());
        assert!(with("0123456789abcdef").validate().is_ok());
        let error = with("0123456789abcde").validate().map_err(|error| error.to_string());
        assert!(error.is_err_and(|text| !text.contains("0123")));
    }
}
