//! The section `[dialects.textsecure.federation]`: other gateways whose phones can be reached.

use std::collections::HashSet;
use std::time::Duration;

use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};
use toml::Value;

use super::{ConfigError, within};
use crate::config::Secret;

/// Other gateways whose phones can be reached, and who reach those that are here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Federation {
    /// How the others call this gateway.
    pub name: String,
    /// How often their directories are read.
    pub directory_minutes: u64,
    /// The others.
    #[serde(deserialize_with = "peers")]
    pub peers: Vec<Peer>,
}

/// Another gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Peer {
    /// How this gateway calls it, and its phones do.
    pub name: String,
    /// Where it is reached.
    pub url: String,
    /// What each of the two shows to the other.
    pub token: Secret,
    /// The path of a PEM file: the one authority, or the certificate itself, by which it is known.
    pub certificate: String,
    /// Whether it may be in a private network, and there without encryption as well.
    pub allow_private: bool,
}

impl Default for Federation {
    fn default() -> Self {
        Self { name: String::new(), directory_minutes: 60, peers: Vec::new() }
    }
}

/// The fewest characters of a token: nothing else stands between strangers and the phones.
const SHORTEST_TOKEN: usize = 24;

/// The longest name.
const LONGEST_NAME: usize = 64;

impl Federation {
    /// How often the directories of the others are read.
    #[must_use]
    pub fn directory_pause(&self) -> Duration {
        Duration::from_secs(self.directory_minutes * 60)
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        const PEERS: &str = "dialects.textsecure.federation.peers";
        let own = "dialects.textsecure.federation.name";
        if !self.name.is_empty() || !self.peers.is_empty() {
            is_word(&self.name).map_err(|reason| refused(own, reason.to_owned()))?;
        }
        within(
            "dialects.textsecure.federation.directory_minutes",
            self.directory_minutes,
            1,
            10_080,
        )?;
        let mut names = HashSet::from([self.name.as_str()]);
        for peer in &self.peers {
            is_word(&peer.name)
                .map_err(|reason| refused(PEERS, format!("have a name that {reason}")))?;
            let complaint = match names.insert(&peer.name) {
                true => peer.complaint(),
                false => Some("has a name that is taken"),
            };
            if let Some(complaint) = complaint {
                return Err(refused(PEERS, format!("are wrong: `{}` {complaint}", peer.name)));
            }
        }
        Ok(())
    }
}

impl Peer {
    /// Whether what passes between the two is encrypted.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.url.starts_with("https://")
    }

    fn complaint(&self) -> Option<&'static str> {
        let host = self.url.strip_prefix("https://").or_else(|| self.url.strip_prefix("http://"));
        let is_plain = |host: &str| !host.is_empty() && !host.contains(['@', '?', '#', ' ']);
        let token = self.token.reveal();
        if !host.is_some_and(is_plain) {
            return Some("has no usable `url`");
        }
        if token.len() < SHORTEST_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Some("needs a `token` of 24 or more visible ASCII characters");
        }
        match (self.is_encrypted(), self.certificate.is_empty()) {
            (true, true) => Some("needs a `certificate`"),
            (false, false) => Some("has a `certificate` and a `url` without https"),
            (false, true) if !self.allow_private => {
                Some("has a `url` without https, which `allow_private` has to allow")
            }
            _ => None,
        }
    }
}

fn refused(key: &'static str, reason: String) -> ConfigError {
    ConfigError::Value { key, reason }
}

/// Names stand in credentials, before a colon, and in queries.
fn is_word(name: &str) -> Result<(), &'static str> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    match (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(fits) {
        true => Ok(()),
        false => Err("is no plain word: 1 to 64 letters, digits, `-`, `_` and `.`"),
    }
}

/// Reads the peers. The complaint about what is no list of tables would quote it, and tokens with
/// it, so there is one of ours.
fn peers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Peer>, D::Error> {
    const NO_LIST: &str = "this setting is a list of tables";
    let Value::Array(list) = Value::deserialize(deserializer)? else {
        return Err(Error::custom(NO_LIST));
    };
    let peer = |value| match value {
        Value::Table(table) => {
            table.try_into().map_err(|error: toml::de::Error| Error::custom(error.message()))
        }
        _ => Err(Error::custom(NO_LIST)),
    };
    list.into_iter().map(peer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer() -> Peer {
        Peer {
            name: "there".to_owned(),
            url: "https://there.example".to_owned(),
            token: "a-token-that-nobody-knows".into(),
            certificate: "there.pem".to_owned(),
            allow_private: false,
        }
    }

    fn with(change: impl FnOnce(&mut Peer)) -> Result<(), String> {
        let mut peer = peer();
        change(&mut peer);
        let peers = vec![Peer { name: "other".to_owned(), ..self::peer() }, peer];
        let federation = Federation { name: "here".to_owned(), peers, ..Federation::default() };
        federation.validate().map_err(|error| error.to_string())
    }

    #[test]
    fn a_peer_has_a_name_of_its_own_and_a_long_token() {
        assert_eq!(with(|_| ()), Ok(()));
        for (name, reason) in
            [("", "no plain word"), ("a:b", "no plain word"), ("here", "taken"), ("other", "taken")]
        {
            let refused = with(|peer| peer.name = name.to_owned()).unwrap_err();
            assert!(refused.contains(reason), "{refused}");
        }
        let refused = with(|peer| peer.token = "hunter2".into()).unwrap_err();
        assert!(refused.contains("`there` needs a `token`") && !refused.contains("hunter2"));
        let nameless = Federation { peers: vec![peer()], ..Federation::default() };
        assert!(nameless.validate().is_err());
    }

    #[test]
    fn only_in_a_private_network_a_peer_is_asked_without_a_certificate() {
        let at = |url: &str, certificate: &str, allow_private| {
            with(|peer| {
                (peer.url, peer.certificate) = (url.to_owned(), certificate.to_owned());
                peer.allow_private = allow_private;
            })
            .is_ok()
        };
        assert!(at("https://10.0.0.1:9", "x.pem", true) && at("http://10.0.0.1:9", "", true));
        assert!(!at("https://there.example", "", false) && !at("http://there.example", "", false));
        assert!(!at("ftp://there.example", "x.pem", true) && !at("https://", "x.pem", false));
        assert!(!at("https://u:p@there.example", "x.pem", false));
    }

    #[test]
    fn no_complaint_about_peers_quotes_a_token() {
        for bad in [
            "peers = \"hunter2\"",
            "peers = [\"hunter2\"]",
            "[[peers]]\ntoken = [\"hunter2\"]",
            "[[peers]]\ntoken = 2222222",
        ] {
            let error = toml::from_str::<Federation>(bad).unwrap_err();
            let message = error.message();
            assert!(!message.contains("hunter2") && !message.contains("222"), "{message}");
        }
        let read: Federation = toml::from_str("[[peers]]\nname = \"a\"\ntoken = \"b\"").unwrap();
        assert_eq!((read.peers[0].name.as_str(), read.peers[0].token.reveal()), ("a", "b"));
        assert!(!format!("{:?}", with_token("hunter2")).contains("hunter2"));
    }

    fn with_token(token: &str) -> Peer {
        Peer { token: token.into(), ..peer() }
    }
}
