//! The section `[dialects.hushnet]`: HushNet's API.

pub mod federation;

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::mixin::prefix_fault;
use super::{ConfigError, origins, within};
use crate::domain::messenger::allowance::Profile;
use federation::Federation;

/// HushNet's API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HushNet {
    /// Whether it is spoken.
    pub enabled: bool,
    /// Address and port where it is spoken alone, at the root; empty for a path of the gateway's
    /// own.
    pub listen: String,
    /// The path under which it is mounted when it has no address of its own.
    pub path_prefix: String,
    /// How fast members may go.
    pub limits: Limits,
    /// Whether sockets need credentials.
    pub socket_auth: SocketAuth,
    /// Origins whose pages may use it, with commas between them; `*` for all, empty for none.
    pub allowed_origins: String,
    /// Whether `GET /users/{id}` answers `null` for an unknown user, in the place of 404.
    pub null_for_unknown_user: bool,
    /// Whether new members are in the list that everybody may read, unless they say otherwise.
    pub discoverable: bool,
    /// How long a token enrols a device.
    pub token_life_seconds: u64,
    /// How long a member without a device keeps its name, and may enrol its first one by that one's
    /// own word.
    pub enrolment_seconds: u64,
    /// One-time prekeys of one device.
    pub one_time_keys: u32,
    /// Introductions that may wait for one device.
    pub introductions: u32,
    /// Of these, introductions by one other device; a further one takes the place of the oldest.
    pub introductions_of_one: u32,
    /// The devices that one message may name.
    pub devices_per_message: u32,
    /// Other gateways whose members can be reached.
    pub federation: Federation,
}

/// How fast members may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limits {
    /// As HushNet's documentation recommends.
    #[default]
    Documented,
    /// As fast as everybody else.
    Relaxed,
}

/// Whether sockets need credentials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SocketAuth {
    /// Not from an address from which the member was just heard: HushNet's app has none to show.
    #[default]
    Lenient,
    /// Always.
    Required,
}

impl Default for HushNet {
    fn default() -> Self {
        Self {
            enabled: false,
            listen: String::new(),
            path_prefix: "/hushnet".to_owned(),
            limits: Limits::Documented,
            socket_auth: SocketAuth::Lenient,
            allowed_origins: String::new(),
            null_for_unknown_user: false,
            discoverable: true,
            token_life_seconds: 5 * 60,
            enrolment_seconds: 10 * 60,
            one_time_keys: 100,
            introductions: 1000,
            introductions_of_one: 5,
            devices_per_message: 1000,
            federation: Federation::default(),
        }
    }
}

impl HushNet {
    /// Where it is spoken alone, if it is spoken and has an address of its own.
    #[must_use]
    pub fn own_address(&self) -> Option<SocketAddr> {
        self.listen.parse().ok().filter(|_| self.enabled)
    }

    /// Whether it is spoken at the gateway's own address.
    #[must_use]
    pub fn is_beside_others(&self) -> bool {
        self.enabled && self.listen.is_empty()
    }

    /// The path under which it is mounted; empty for the root.
    #[must_use]
    pub fn mounted_at(&self) -> &str {
        if self.listen.is_empty() { &self.path_prefix } else { "" }
    }

    /// How fast members may go.
    #[must_use]
    pub fn profile(&self) -> Profile {
        match self.limits {
            Limits::Documented => Profile::DOCUMENTED,
            Limits::Relaxed => Profile::RELAXED,
        }
    }

    /// The origins whose pages may use it; `*` among them stands for all.
    #[must_use]
    pub fn origins(&self) -> Vec<String> {
        origins::parse(&self.allowed_origins).unwrap_or_default()
    }

    /// How long a token enrols a device.
    #[must_use]
    pub fn token_life(&self) -> Duration {
        Duration::from_secs(self.token_life_seconds)
    }

    /// How long a member without a device keeps its name.
    #[must_use]
    pub fn enrolment_life(&self) -> Duration {
        Duration::from_secs(self.enrolment_seconds)
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        const DAY: u64 = 24 * 60 * 60;
        if !self.listen.is_empty() && self.listen.parse::<SocketAddr>().is_err() {
            let reason = format!("is `{}`; it must be an address and a port", self.listen);
            return Err(ConfigError::Value { key: "dialects.hushnet.listen", reason });
        }
        self.validate_prefix()?;
        if let Err(one) = origins::parse(&self.allowed_origins) {
            let reason = format!(
                "holds `{one}`; an origin is such as `https://chat.example`, and `*` stands alone"
            );
            return Err(ConfigError::Value { key: "dialects.hushnet.allowed_origins", reason });
        }
        within("dialects.hushnet.token_life_seconds", self.token_life_seconds, 10, DAY)?;
        // A token is of no use once its member is gone.
        let (key, least) = ("dialects.hushnet.enrolment_seconds", self.token_life_seconds);
        within(key, self.enrolment_seconds, least, DAY)?;
        within("dialects.hushnet.one_time_keys", self.one_time_keys.into(), 1, 10_000)?;
        within("dialects.hushnet.introductions", self.introductions.into(), 1, 100_000)?;
        let of_one = self.introductions_of_one.into();
        within("dialects.hushnet.introductions_of_one", of_one, 1, self.introductions.into())?;
        let devices = self.devices_per_message.into();
        within("dialects.hushnet.devices_per_message", devices, 1, 10_000)?;
        self.federation.validate()
    }

    fn validate_prefix(&self) -> Result<(), ConfigError> {
        const KEY: &str = "dialects.hushnet.path_prefix";
        let refused = |reason: &str| {
            let reason = format!("is `{}`; {reason}", self.path_prefix);
            Err(ConfigError::Value { key: KEY, reason })
        };
        if self.path_prefix.is_empty() {
            return refused("at the root it has an address of its own, `dialects.hushnet.listen`");
        }
        if let Some(reason) = prefix_fault(&self.path_prefix) {
            return refused(reason);
        }
        let first = self.path_prefix.split('/').nth(1).unwrap_or_default();
        if TAKEN.contains(&first) {
            return refused("something else is served there");
        }
        Ok(())
    }
}

/// First parts of paths that belong to the gateway, to phones, and to the sockets of this dialect.
const TAKEN: [&str; 7] = ["blobs", "healthz", "readyz", "openapi.yaml", "v1", "v2", "ws"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::messenger::MemberPolicy;

    #[test]
    fn it_is_spoken_at_one_place_or_nowhere() {
        let mut settings = HushNet::default();
        assert!(!settings.is_beside_others() && settings.own_address().is_none());
        settings.enabled = true;
        assert!(settings.is_beside_others() && settings.own_address().is_none());
        assert_eq!(settings.mounted_at(), "/hushnet");
        settings.listen = "127.0.0.1:9001".to_owned();
        assert!(!settings.is_beside_others() && settings.own_address().is_some());
        assert_eq!(settings.mounted_at(), "");
        settings.listen = "localhost".to_owned();
        assert!(settings.validate().is_err());
    }

    #[test]
    fn its_path_is_one_where_nothing_else_is() {
        let with = |prefix: &str| {
            let settings = HushNet { path_prefix: prefix.to_owned(), ..HushNet::default() };
            settings.validate().is_ok()
        };
        assert!(with("/hushnet") && with("/api/chat"));
        for bad in ["", "/", "hush", "/v1", "/ws/x", "/blobs", "/a//b"] {
            assert!(!with(bad), "{bad}");
        }
    }

    #[test]
    fn origins_are_written_as_browsers_do() {
        let with = |origins: &str| {
            let allowed_origins = origins.to_owned();
            HushNet { allowed_origins, ..HushNet::default() }
        };
        let two = with("https://chat.example, http://localhost:5000");
        assert!(two.validate().is_ok() && with("").validate().is_ok());
        assert_eq!(two.origins(), ["https://chat.example", "http://localhost:5000"]);
        for wrong in ["chat.example", "https://chat.example/", "*, https://chat.example"] {
            assert!(with(wrong).validate().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_defaults_are_those_of_the_rules() {
        let (ours, rules) = (HushNet::default(), MemberPolicy::default());
        assert_eq!(ours.token_life(), rules.token_life);
        assert_eq!(ours.enrolment_life(), rules.enrolment_life);
        assert_eq!(ours.discoverable, rules.discoverable);
        assert_eq!(ours.one_time_keys, rules.one_time_keys);
        assert_eq!(ours.introductions, rules.introductions);
        assert_eq!(ours.introductions_of_one, rules.introductions_of_one);
        assert_eq!(ours.devices_per_message as usize, rules.devices_per_message);
    }

    #[test]
    fn a_choice_is_named_as_the_manual_names_it() {
        let read = |text: &str| toml::from_str::<HushNet>(text).ok();
        let relaxed = read("limits = \"relaxed\"\nsocket_auth = \"required\"").unwrap();
        assert_eq!(relaxed.limits, Limits::Relaxed);
        assert_eq!(relaxed.socket_auth, SocketAuth::Required);
        assert!(read("limits = \"none\"").is_none());
    }
}
