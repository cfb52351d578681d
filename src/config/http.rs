//! The section `[http]`: where the gateway listens, and how long it waits for whom.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ConfigError, within};
use crate::domain::limits::Networks;

/// The listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Address and port; port 0 takes any free one.
    pub listen: SocketAddr,
    /// A file with the certificates for TLS, in PEM; empty where something in front of the gateway
    /// does that.
    pub tls_certificate: String,
    /// The file with their private key, in PEM.
    pub tls_key: String,
    /// How clients reach the gateway, such as `https://gateway.example`, for the URLs that it gives
    /// away; empty for the `Host` of each request.
    pub public_url: String,
    /// Proxies whose `X-Forwarded-For` is believed: addresses and networks with commas between them.
    pub trusted_proxies: String,
    /// Bytes of bodies that are held in memory at the same time.
    pub body_budget_bytes: u64,
    /// Connections served at the same time; further ones wait in the system's queue.
    pub connections: u32,
    /// Connections of one address at the same time, trusted proxies aside; further ones are closed.
    /// 0 for any number.
    pub address_connections: u32,
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
            tls_certificate: String::new(),
            tls_key: String::new(),
            public_url: String::new(),
            trusted_proxies: String::new(),
            body_budget_bytes: 256 * 1024 * 1024,
            connections: 10_000,
            address_connections: 1000,
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

    /// The files for TLS, certificates and key, if there are any.
    #[must_use]
    pub fn tls(&self) -> Option<(&Path, &Path)> {
        let is_on = !self.tls_certificate.is_empty();
        is_on.then(|| (Path::new(&self.tls_certificate), Path::new(&self.tls_key)))
    }

    /// The proxies that are believed; none when the setting was not checked before.
    #[must_use]
    pub fn proxies(&self) -> Networks {
        Networks::parse(&self.trusted_proxies).unwrap_or_default()
    }

    /// Refuses a budget that a single body can exceed.
    pub(super) fn has_room_for(&self, body_bytes: u64) -> Result<(), ConfigError> {
        within("http.body_budget_bytes", self.body_budget_bytes, body_bytes, 1 << 40)
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if !is_public_url(&self.public_url) {
            let reason = format!(
                "is `{}`; it must be `http://` or `https://`, a host, and perhaps a path without \
                 a slash at its end",
                self.public_url
            );
            return Err(ConfigError::Value { key: "http.public_url", reason });
        }
        self.validate_tls()?;
        if let Err(error) = Networks::parse(&self.trusted_proxies) {
            let reason = format!("cannot be used: {error}");
            return Err(ConfigError::Value { key: "http.trusted_proxies", reason });
        }
        within("http.connections", self.connections.into(), 1, 1_000_000)?;
        within("http.address_connections", self.address_connections.into(), 0, 1_000_000)?;
        within("http.sockets", self.sockets.into(), 1, 1_000_000)?;
        within("http.request_seconds", self.request_seconds, 1, 600)?;
        within("http.stop_seconds", self.stop_seconds, 0, 600)
    }

    fn validate_tls(&self) -> Result<(), ConfigError> {
        let wrong = |key, reason: &str| {
            let reason =
                format!("{reason}, since `http.tls_certificate` and `http.tls_key` go together");
            Err(ConfigError::Value { key, reason })
        };
        match (self.tls_certificate.is_empty(), self.tls_key.is_empty()) {
            (true, false) => wrong("http.tls_certificate", "is missing"),
            (false, true) => wrong("http.tls_key", "is missing"),
            // A certificate is for a name, and the gateway does not know which one clients use.
            (false, false) if !self.public_url.starts_with("https://") => {
                let reason = "must begin with `https://` where `http.tls_certificate` is set";
                Err(ConfigError::Value { key: "http.public_url", reason: reason.to_owned() })
            }
            _ => Ok(()),
        }
    }
}

/// Whether something can be put behind it to make a URL.
pub(super) fn is_public_url(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let Some(rest) = rest else { return url.is_empty() };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:[]/".contains(&byte);
    !rest.is_empty() && !rest.starts_with('/') && !rest.ends_with('/') && rest.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_wants_both_files_and_a_name() {
        let with = |certificate: &str, key: &str, url: &str| {
            let (tls_certificate, tls_key) = (certificate.to_owned(), key.to_owned());
            Http { tls_certificate, tls_key, public_url: url.to_owned(), ..Http::default() }
        };
        let field = |http: Http| match http.validate() {
            Ok(()) => "",
            Err(ConfigError::Value { key, .. }) => key,
            Err(other) => panic!("{other}"),
        };
        assert_eq!(field(with("a", "b", "https://x")), "");
        assert_eq!(field(with("", "", "")), "");
        assert_eq!(field(with("", "b", "https://x")), "http.tls_certificate");
        assert_eq!(field(with("a", "", "https://x")), "http.tls_key");
        assert_eq!(field(with("a", "b", "http://x")), "http.public_url");
        assert_eq!(field(with("a", "b", "")), "http.public_url");
        assert!(with("", "", "").tls().is_none() && with("a", "b", "").tls().is_some());
    }

    #[test]
    fn a_public_url_is_a_scheme_a_host_and_perhaps_a_path() {
        for good in
            ["", "http://x", "https://gateway.example:8443", "https://x/a/b", "http://[::1]"]
        {
            assert!(is_public_url(good), "{good}");
        }
        for bad in
            ["x", "ftp://x", "https://", "https:///a", "https://x/", "https://x?a", "http://a b"]
        {
            assert!(!is_public_url(bad), "{bad}");
        }
    }
}
