//! The section `[dialects.textsecure]`: the first version of the TextSecure protocol, for phones.

pub mod codes;
pub mod federation;
pub mod limits;
pub mod push;

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ConfigError, within};
use crate::config::Secret;

pub use codes::Codes;
pub use federation::Federation;
pub use limits::PhoneRates;
pub use push::PushServices;

/// The first version of the TextSecure protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TextSecure {
    /// Whether it is spoken.
    pub enabled: bool,
    /// Address and port where it is spoken alone; empty for `/v1` and `/v2` of the gateway's own.
    pub listen: String,
    /// How long a code that proves a number, or allows a device, is good.
    pub code_life_seconds: u64,
    /// How often a code may be tried.
    pub code_attempts: u32,
    /// How many codes may be made for a number in a day, for each purpose.
    pub codes_per_day: u32,
    /// How often codes may be tried for a number in a day, for each purpose.
    pub code_tries_per_day: u32,
    /// The devices of one phone.
    pub devices: u32,
    /// The key that signs tokens with which numbers register without a code, in hex; empty for no
    /// such tokens.
    pub registration_token_key: Secret,
    /// How codes get to their owners.
    pub codes: Codes,
    /// Services that wake devices.
    pub push: PushServices,
    /// How fast phones may go.
    pub limits: PhoneRates,
    /// Other gateways whose phones can be reached.
    pub federation: Federation,
}

impl Default for TextSecure {
    fn default() -> Self {
        Self {
            enabled: false,
            listen: String::new(),
            code_life_seconds: 15 * 60,
            code_attempts: 5,
            codes_per_day: 10,
            code_tries_per_day: 20,
            devices: 6,
            registration_token_key: Secret::default(),
            codes: Codes::default(),
            push: PushServices::default(),
            limits: PhoneRates::default(),
            federation: Federation::default(),
        }
    }
}

/// The shortest key for tokens: RFC 2104 wants a key as long as the hash, and advises against
/// less.
const SHORTEST_KEY: usize = 32;

impl TextSecure {
    /// How long a code is good.
    #[must_use]
    pub fn code_life(&self) -> Duration {
        Duration::from_secs(self.code_life_seconds)
    }

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

    /// The key that signs tokens, if there is one.
    #[must_use]
    pub fn token_key(&self) -> Option<Vec<u8>> {
        let key = self.registration_token_key.reveal();
        from_hex(key).filter(|key| !key.is_empty())
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        const DAY: u64 = 24 * 60 * 60;
        if !self.listen.is_empty() && self.listen.parse::<SocketAddr>().is_err() {
            let reason = format!("is `{}`; it must be an address and a port", self.listen);
            return Err(ConfigError::Value { key: "dialects.textsecure.listen", reason });
        }
        within("dialects.textsecure.code_life_seconds", self.code_life_seconds, 60, DAY)?;
        // Six digits and nothing else stand between a stranger and the number.
        within("dialects.textsecure.code_attempts", self.code_attempts.into(), 1, 100)?;
        within("dialects.textsecure.codes_per_day", self.codes_per_day.into(), 1, 1000)?;
        let tries = u64::from(self.code_tries_per_day);
        within("dialects.textsecure.code_tries_per_day", tries, 1, 1000)?;
        within("dialects.textsecure.devices", self.devices.into(), 1, 100)?;
        self.validate_token_key()?;
        self.codes.validate()?;
        self.push.validate()?;
        self.limits.validate()?;
        self.federation.validate()
    }

    fn validate_token_key(&self) -> Result<(), ConfigError> {
        let key = self.registration_token_key.reveal();
        if key.is_empty() || from_hex(key).is_some_and(|key| key.len() >= SHORTEST_KEY) {
            return Ok(());
        }
        let reason = format!("is not {SHORTEST_KEY} or more bytes in hex");
        Err(ConfigError::Value { key: "dialects.textsecure.registration_token_key", reason })
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let pairs = digits.chunks(2).map(|pair| {
        let &[high, low] = pair else { return None };
        let digit = |digit: u8| char::from(digit).to_digit(16);
        u8::try_from(digit(high)? * 16 + digit(low)?).ok()
    });
    pairs.collect()
}

/// A setting of a section that is needed and is empty.
fn needed(key: &'static str, is_given: bool) -> Result<(), ConfigError> {
    if is_given {
        return Ok(());
    }
    Err(ConfigError::Value { key, reason: "is needed for what is set up".to_owned() })
}

/// Refuses what is neither empty nor the beginning of a URL; the setting may be secret.
fn is_url(key: &'static str, url: &str) -> Result<(), ConfigError> {
    let begins = ["https://", "http://"].iter().any(|scheme| url.starts_with(scheme));
    if url.is_empty() || begins {
        return Ok(());
    }
    let reason = "does not begin with `https://` or `http://`".to_owned();
    Err(ConfigError::Value { key, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_spoken_at_one_place_or_nowhere() {
        let mut settings = TextSecure::default();
        assert!(!settings.is_beside_others() && settings.own_address().is_none());
        settings.enabled = true;
        assert!(settings.is_beside_others() && settings.own_address().is_none());
        settings.listen = "127.0.0.1:9001".to_owned();
        assert!(!settings.is_beside_others() && settings.own_address().is_some());
        settings.enabled = false;
        assert!(!settings.is_beside_others() && settings.own_address().is_none());
        settings.listen = "localhost".to_owned();
        assert!(settings.validate().is_err());
    }

    #[test]
    fn a_key_for_tokens_is_long_and_never_quoted() {
        let with =
            |key: &str| TextSecure { registration_token_key: key.into(), ..TextSecure::default() };
        assert_eq!(with("").token_key(), None);
        assert_eq!(with(&"0aF".repeat(32)).token_key().unwrap()[..3], [0x0a, 0xf0, 0xaf]);
        assert!(with(&"0a".repeat(32)).validate().is_ok());
        for bad in ["7734".to_owned(), "77341".repeat(13), "7734x ".repeat(20)] {
            let refused = with(&bad).validate().unwrap_err().to_string();
            assert!(!refused.contains("7734"), "{refused}");
        }
    }

    #[test]
    fn the_defaults_are_those_of_the_rules() {
        let (ours, rules) = (TextSecure::default(), crate::domain::phone::PhonePolicy::default());
        assert_eq!(ours.code_life(), rules.code_life);
        assert_eq!((ours.code_attempts, ours.devices), (rules.code_attempts, rules.devices));
        assert_eq!(ours.codes_per_day, rules.codes_per_day);
        assert_eq!(ours.code_tries_per_day, rules.code_tries_per_day);
    }
}
