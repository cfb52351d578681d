//! The section `[dialects.hushnet.federation]`: other gateways whose members can be reached.

use std::collections::HashSet;
use std::time::Duration;

use sealpost_sdk::keys::VerifyingKey;
use serde::{Deserialize, Serialize};

use super::{ConfigError, within};
use crate::domain::limits::Networks;
use crate::domain::messenger::node::NodeId;

/// Other gateways whose members can be reached, and who reach those that are here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Federation {
    /// How the others call this gateway; empty to have nothing to do with any.
    pub node_id: String,
    /// Where the others reach this dialect; empty for `http.public_url` and the path where it is
    /// mounted.
    pub api_url: String,
    /// Where to look others up that are not named here; empty for nowhere.
    pub registry_url: String,
    /// How long what the registry said is good.
    pub lookup_minutes: u64,
    /// Whether the others have to sign the bodies of their requests, which HushNet's own nodes do
    /// not.
    pub require_body_signatures: bool,
    /// Networks that are not public in which the registry's gateways may be nevertheless.
    pub private_networks: String,
    /// The others.
    pub peers: Vec<Peer>,
}

/// Another gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Peer {
    /// Its name.
    pub node_id: String,
    /// Where it is asked; empty to look it up.
    pub api_url: String,
    /// Its Ed25519 key, base64; empty for the one that it shows at first sight.
    pub public_key_b64: String,
    /// Whether to have nothing to do with it.
    pub blocked: bool,
    /// Whether it has to sign the bodies of its requests.
    pub require_body_signatures: bool,
    /// Whether it may be in a private network, and there without encryption as well.
    pub allow_private: bool,
}

impl Default for Federation {
    fn default() -> Self {
        Self {
            node_id: String::new(),
            api_url: String::new(),
            registry_url: String::new(),
            lookup_minutes: 60,
            require_body_signatures: false,
            private_networks: String::new(),
            peers: Vec::new(),
        }
    }
}

impl Federation {
    /// This gateway's name, if it has to do with others.
    #[must_use]
    pub fn own_id(&self) -> Option<NodeId> {
        NodeId::parse(&self.node_id)
    }

    /// How long what the registry said is good.
    #[must_use]
    pub fn lookup_life(&self) -> Duration {
        Duration::from_secs(self.lookup_minutes * 60)
    }

    /// Networks that are not public in which gateways may be.
    #[must_use]
    pub fn private_networks(&self) -> Networks {
        Networks::parse(&self.private_networks).unwrap_or_default()
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        const NETWORKS: &str = "dialects.hushnet.federation.private_networks";
        const PEERS: &str = "dialects.hushnet.federation.peers";
        if !self.node_id.is_empty() && self.own_id().is_none() {
            let reason = format!("is `{}`; {NO_NAME}", self.node_id);
            return Err(refused("dialects.hushnet.federation.node_id", reason));
        }
        if self.node_id.is_empty() && !(self.peers.is_empty() && self.registry_url.is_empty()) {
            let reason = "is empty; the other gateways have to call this one something".to_owned();
            return Err(refused("dialects.hushnet.federation.node_id", reason));
        }
        for (key, url) in [
            ("dialects.hushnet.federation.api_url", &self.api_url),
            ("dialects.hushnet.federation.registry_url", &self.registry_url),
        ] {
            if !url.is_empty() && !is_url(url) {
                return Err(refused(key, format!("is `{url}`; {NO_URL}")));
            }
        }
        within("dialects.hushnet.federation.lookup_minutes", self.lookup_minutes, 1, 10_080)?;
        if let Err(error) = Networks::parse(&self.private_networks) {
            return Err(refused(NETWORKS, error.to_string()));
        }
        let mut names = HashSet::from([self.node_id.to_ascii_lowercase()]);
        for peer in &self.peers {
            let complaint = match names.insert(peer.node_id.to_ascii_lowercase()) {
                true => peer.complaint(),
                false => Some("has a name that is taken"),
            };
            if let Some(complaint) = complaint {
                return Err(refused(PEERS, format!("are wrong: `{}` {complaint}", peer.node_id)));
            }
        }
        Ok(())
    }
}

const NO_NAME: &str = "it is the name of a host, with a port if need be";
const NO_URL: &str = "it begins with https:// or http:// and holds neither @ nor a query";

impl Peer {
    /// Its key, if the operator names it.
    #[must_use]
    pub fn key(&self) -> Option<VerifyingKey> {
        VerifyingKey::from_base64(&self.public_key_b64).ok()
    }

    fn complaint(&self) -> Option<&'static str> {
        if NodeId::parse(&self.node_id).is_none() {
            return Some("is no name of a gateway");
        }
        if !self.public_key_b64.is_empty() && self.key().is_none() {
            return Some("has a `public_key_b64` that is no Ed25519 key in base64");
        }
        if self.api_url.is_empty() {
            return None;
        }
        match is_url(&self.api_url) {
            false => Some("has no usable `api_url`"),
            true if self.api_url.starts_with("http://") && !self.allow_private => {
                Some("has an `api_url` without https, which `allow_private` has to allow")
            }
            true => None,
        }
    }
}

fn is_url(url: &str) -> bool {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    host.is_some_and(|host| !host.is_empty() && !host.contains(['@', '?', '#', ' ']))
}

fn refused(key: &'static str, reason: String) -> ConfigError {
    ConfigError::Value { key, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(&mut Federation)) -> Result<(), String> {
        let peer = Peer {
            node_id: "there.example".to_owned(),
            api_url: "https://there.example".to_owned(),
            ..Peer::default()
        };
        let node_id = "here.example".to_owned();
        let mut settings = Federation { node_id, peers: vec![peer], ..Federation::default() };
        change(&mut settings);
        settings.validate().map_err(|error| error.to_string())
    }

    #[test]
    fn a_gateway_among_others_has_a_name() {
        assert_eq!(with(|_| ()), Ok(()));
        assert!(Federation::default().validate().is_ok());
        for name in ["", "a/b", "there.example", "THERE.example"] {
            assert!(with(|it| it.node_id = name.to_owned()).is_err(), "{name}");
        }
    }

    #[test]
    fn a_peer_is_complained_about_by_its_name() {
        let peer = |change: fn(&mut Peer)| with(|it| change(&mut it.peers[0]));
        for (change, reason) in [
            (peer(|it| it.api_url = "ftp://x".to_owned()), "no usable `api_url`"),
            (peer(|it| it.api_url = "http://10.0.0.1".to_owned()), "`allow_private`"),
            (peer(|it| it.public_key_b64 = "AA==".to_owned()), "`public_key_b64`"),
            (peer(|it| it.node_id = String::new()), "no name of a gateway"),
        ] {
            let refused = change.unwrap_err();
            assert!(refused.contains(reason), "{refused}");
        }
        assert!(peer(|it| (it.api_url, it.blocked) = (String::new(), true)).is_ok());
        assert!(with(|it| it.registry_url = "registry".to_owned()).is_err());
        assert!(with(|it| it.private_networks = "x".to_owned()).is_err());
    }
}
