//! Which addresses the gateway may ask.
//!
//! Phones choose where their notifications go, so a name or an address may be aimed at what only
//! the gateway can reach: its own machine, its neighbours, a cloud's metadata. Those are refused
//! after the name was resolved, and what was allowed is what gets connected to.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::LazyLock;

use tokio::net::lookup_host;

use crate::domain::limits::Networks;

/// What is not on the public Internet, by IANA's registries of special addresses.
const SPECIAL_V4: &str = "0.0.0.0/8, 10.0.0.0/8, 100.64.0.0/10, 127.0.0.0/8, 169.254.0.0/16, \
    172.16.0.0/12, 192.0.0.0/24, 192.0.2.0/24, 192.88.99.0/24, 192.168.0.0/16, 198.18.0.0/15, \
    198.51.100.0/24, 203.0.113.0/24, 224.0.0.0/4, 240.0.0.0/4";

/// All of it is below this: what IANA has not given away yet is not public either.
const GIVEN_V6: &str = "2000::/3";

/// What of that is special: protocols (Teredo among them), documentation, 6to4.
const SPECIAL_V6: &str = "2001::/23, 2001:db8::/32, 2002::/16, 3fff::/20";

/// The last four bytes of what is in here are an IPv4 address (RFC 6052).
const TRANSLATED: &str = "64:ff9b::/96";

static LISTS: LazyLock<Lists> = LazyLock::new(|| Lists {
    special_v4: constant(SPECIAL_V4),
    given_v6: constant(GIVEN_V6),
    special_v6: constant(SPECIAL_V6),
    translated: constant(TRANSLATED),
});

struct Lists {
    special_v4: Networks,
    given_v6: Networks,
    special_v6: Networks,
    translated: Networks,
}

/// A list that a test has read.
fn constant(text: &str) -> Networks {
    Networks::parse(text).expect("a constant list of networks")
}

/// Which addresses may be asked: the public ones, and what the operator allows beside them.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    private: Networks,
    only_private: bool,
}

/// Why a host is not asked.
#[derive(Debug, thiserror::Error)]
pub enum ReachError {
    /// Its name leads nowhere.
    #[error("cannot resolve the name of the host")]
    Unknown(#[source] io::Error),
    /// No address of it may be asked.
    #[error("the host has no address that may be asked")]
    Refused,
}

impl Reach {
    /// The public addresses, and these networks.
    #[must_use]
    pub fn with(private: Networks) -> Self {
        Self { private, only_private: false }
    }

    /// Every address there is, the private ones known as such; for hosts that the operator wrote
    /// down.
    #[must_use]
    pub fn public_and_private() -> Self {
        // Beside what is given away of IPv6 lie those that are not public.
        Self::with(constant(&format!("{SPECIAL_V4}, ::/3, 4000::/2, 8000::/1, {SPECIAL_V6}")))
    }

    /// Every address there is; for hosts that the operator wrote down.
    #[must_use]
    pub fn anywhere() -> Self {
        Self::with(constant("0.0.0.0/0, ::/0"))
    }

    /// The same without the public addresses.
    #[must_use]
    pub fn only_private(&self) -> Self {
        Self { only_private: true, ..self.clone() }
    }

    /// Whether this address may be asked.
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        self.private.contain(address) || (!self.only_private && is_public(address))
    }

    /// The addresses of a host that may be asked.
    ///
    /// # Errors
    /// When it has none.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, ReachError> {
        let found = lookup_host((host, port)).await.map_err(ReachError::Unknown)?;
        let allowed: Vec<_> = found.filter(|address| self.allows(address.ip())).collect();
        if allowed.is_empty() {
            return Err(ReachError::Refused);
        }
        Ok(allowed)
    }
}

/// Whether an address is one of the public Internet.
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        address @ IpAddr::V4(_) => !LISTS.special_v4.contain(address),
        IpAddr::V6(address) if LISTS.translated.contain(address.into()) => {
            is_public(last_four(address).into())
        }
        address @ IpAddr::V6(_) => {
            LISTS.given_v6.contain(address) && !LISTS.special_v6.contain(address)
        }
    }
}

fn last_four(address: Ipv6Addr) -> Ipv4Addr {
    let [.., a, b, c, d] = address.octets();
    Ipv4Addr::new(a, b, c, d)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(private: &str) -> Reach {
        Reach::with(Networks::parse(private).unwrap())
    }

    #[test]
    fn public_addresses_may_be_asked() {
        for public in ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::101:101"] {
            assert!(reach("").allows(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn private_addresses_are_told_from_public_ones() {
        let (all, private) =
            (Reach::public_and_private(), Reach::public_and_private().only_private());
        for (address, is_private) in [
            ("127.0.0.1", true),
            ("10.1.2.3", true),
            ("fd00::1", true),
            ("fe80::1", true),
            ("::1", true),
            ("1.1.1.1", false),
            ("2606:4700::1111", false),
        ] {
            let address = address.parse().unwrap();
            assert!(all.allows(address) && private.allows(address) == is_private, "{address}");
        }
    }

    #[test]
    fn what_only_the_gateway_can_reach_may_not() {
        for special in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.31.0.1",
            "192.168.1.1",
            "198.19.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::",
            "3fff::1",
            "100::1",
        ] {
            assert!(!reach("").allows(special.parse().unwrap()), "{special}");
        }
    }

    #[test]
    fn networks_of_the_operator_may_be_asked_and_no_others() {
        let reach = reach("127.0.0.0/8, fd00::/8");
        for (address, is_allowed) in [
            ("127.9.9.9", true),
            ("::ffff:127.0.0.1", true),
            ("fd12::1", true),
            ("10.0.0.1", false),
        ] {
            assert_eq!(reach.allows(address.parse().unwrap()), is_allowed, "{address}");
        }
        assert!(reach.allows("1.1.1.1".parse().unwrap()));
        assert!(!reach.only_private().allows("1.1.1.1".parse().unwrap()));
        assert!(Reach::anywhere().allows("10.0.0.1".parse().unwrap()));
    }

    #[tokio::test]
    async fn a_name_for_this_machine_is_refused() {
        for host in ["localhost", "127.0.0.1", "::1"] {
            let refused = reach("").resolve(host, 1).await;
            assert!(matches!(refused, Err(ReachError::Refused)), "{host}");
        }
        assert!(!reach("127.0.0.0/8").resolve("127.0.0.1", 1).await.unwrap().is_empty());
    }
}
