//! Other gateways that serve members: their names, and who is addressed at them.

use std::fmt::{self, Write};

use sealpost_sdk::keys::VerifyingKey;

use super::name::MemberName;
use crate::domain::error::Fault;

/// The longest name of a gateway, in bytes.
const LONGEST: usize = 253;

/// The name of a gateway among others: of a host, with a port if need be.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(String);

impl NodeId {
    /// The name that a text is. Hosts are the same however they are written, so it is in small letters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
        let is_one = (1..=LONGEST).contains(&text.len()) && text.bytes().all(fits);
        // It stands in paths, where these would be no name.
        let is_path = [".", ".."].contains(&text);
        (is_one && !is_path).then(|| Self(text.to_ascii_lowercase()))
    }

    /// The name under which numbers of a device's requests are claimed beside those of gateways. It
    /// is none of theirs: no host has such a port.
    #[must_use]
    pub fn of_device(key: &VerifyingKey) -> Self {
        let mut name = "device:".to_owned();
        for byte in key.to_bytes() {
            // Writing to a string does not fail.
            let _ = write!(name, "{byte:02x}");
        }
        Self(name)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Somebody at a gateway: `name@node`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The member's name there.
    pub name: MemberName,
    /// The gateway.
    pub node: NodeId,
}

impl Address {
    /// What an address says, split at its last `@`; `None` without one.
    ///
    /// # Errors
    /// [`Fault::Invalid`] (`field`) when one of its halves is no name.
    pub fn parse(field: &'static str, text: &str) -> Result<Option<Self>, Fault> {
        let Some((name, node)) = text.rsplit_once('@') else { return Ok(None) };
        let name = MemberName::parse(name)
            .map_err(|fault| Fault::invalid(field, format!("is no address: {fault}")))?;
        let node = NodeId::parse(node).ok_or_else(|| {
            Fault::invalid(field, "has no name of a gateway behind its @".to_owned())
        })?;
        Ok(Some(Self { name, node }))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name.as_str(), self.node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_named_as_a_host_is() {
        for good in ["node-a.example", "127.0.0.1:8080", "a", &"x".repeat(253)] {
            assert_eq!(NodeId::parse(good).unwrap().as_str(), good);
        }
        assert_eq!(NodeId::parse("HERE.Example"), NodeId::parse("here.example"));
        for bad in ["", "a b", "a/b", "a@b", "é", "..", "a?b", &"x".repeat(254)] {
            assert_eq!(NodeId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_address_is_split_at_its_last_at() {
        let parse = |text| Address::parse("address", text);
        let alice = parse("alice@node-a.example").unwrap().unwrap();
        assert_eq!((alice.name.as_str(), alice.node.as_str()), ("alice", "node-a.example"));
        assert_eq!(alice.to_string(), "alice@node-a.example");
        assert_eq!(parse("alice").unwrap(), None);
        for bad in ["@node", "alice@", "a@b@node", "alice@no de"] {
            assert!(matches!(parse(bad), Err(Fault::Invalid { .. })), "{bad}");
        }
    }
}
