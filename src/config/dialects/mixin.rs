//! The section `[dialects.mixin]`: Mixin's bot API.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ConfigError, within};

/// Mixin's bot API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mixin {
    /// Which status a refused request gets.
    pub error_status: ErrorStatus,
    /// The path under which it is mounted, such as `/mixin`; empty for the root.
    pub path_prefix: String,
    /// The longest time that a reader may ask to wait for messages.
    pub longest_poll_seconds: u64,
    /// The longest life of a request token.
    pub token_life_seconds: u64,
    /// How far a client's clock may be ahead.
    pub clock_ahead_seconds: u64,
    /// Messages that a socket may hold unacknowledged.
    pub socket_in_flight: u32,
    /// Whether messages that the gateway can read are taken.
    pub plain_messages: PlainMessages,
    /// Who may make an account without the operator.
    pub sign_up: SignUp,
}

/// Whether messages that the gateway can read are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlainMessages {
    /// None but recalls.
    #[default]
    Refuse,
    /// All.
    Allow,
}

/// Who may make an account without the operator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignUp {
    /// Nobody.
    #[default]
    Closed,
    /// Whoever has an invitation of the operator.
    Invite,
    /// Everybody.
    Open,
}

/// Which HTTP status a refused request gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorStatus {
    /// 202 for signed tokens, as Mixin's own clients expect; the true one for API tokens.
    #[default]
    Auto,
    /// Always 202.
    #[serde(rename = "always-202")]
    Always202,
    /// Always the true one.
    AlwaysTrue,
}

impl Default for Mixin {
    fn default() -> Self {
        Self {
            error_status: ErrorStatus::Auto,
            path_prefix: String::new(),
            longest_poll_seconds: 60,
            token_life_seconds: 90 * 24 * 60 * 60,
            clock_ahead_seconds: 60,
            socket_in_flight: 200,
            plain_messages: PlainMessages::Refuse,
            sign_up: SignUp::Closed,
        }
    }
}

impl Mixin {
    /// The longest time that a reader may ask to wait for messages.
    #[must_use]
    pub fn longest_poll(&self) -> Duration {
        Duration::from_secs(self.longest_poll_seconds)
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        const KEY: &str = "dialects.mixin.path_prefix";
        if let Some(reason) = prefix_fault(&self.path_prefix) {
            let reason = format!("is `{}`; {reason}", self.path_prefix);
            return Err(ConfigError::Value { key: KEY, reason });
        }
        // The dialect lets nobody ask for more than a minute.
        within("dialects.mixin.longest_poll_seconds", self.longest_poll_seconds, 1, 60)?;
        let year = 366 * 24 * 60 * 60;
        within("dialects.mixin.token_life_seconds", self.token_life_seconds, 60, year)?;
        within("dialects.mixin.clock_ahead_seconds", self.clock_ahead_seconds, 0, 3600)?;
        within("dialects.mixin.socket_in_flight", self.socket_in_flight.into(), 1, 10_000)
    }
}

/// What keeps `prefix` from being a path under which a router can be mounted.
pub(super) fn prefix_fault(prefix: &str) -> Option<&'static str> {
    if prefix.is_empty() {
        return None;
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.' | '~');
    if !prefix.chars().all(plain) {
        return Some("it may hold letters, digits and `/-_.~` only");
    }
    if !prefix.starts_with('/') || prefix.ends_with('/') || prefix.contains("//") {
        return Some("it must begin with a slash, not end with one, and have no empty part");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_plain_path_or_nothing() {
        for good in ["", "/mixin", "/a/b-c_1.~"] {
            assert_eq!(prefix_fault(good), None, "{good}");
        }
        for bad in ["mixin", "/", "/mixin/", "/a//b", "/a b", "/{id}", "/ä"] {
            assert!(prefix_fault(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn a_status_rule_is_named_as_the_manual_names_it() {
        let named = |name: &str| {
            let text = format!("error_status = \"{name}\"");
            toml::from_str::<Mixin>(&text).map(|mixin| mixin.error_status).ok()
        };
        assert_eq!(named("auto"), Some(ErrorStatus::Auto));
        assert_eq!(named("always-202"), Some(ErrorStatus::Always202));
        assert_eq!(named("always-true"), Some(ErrorStatus::AlwaysTrue));
        assert_eq!(named("sometimes"), None);
    }
}
