//! Addresses and the networks that they belong to.

use std::net::{IpAddr, Ipv6Addr};

/// A list of networks, such as `127.0.0.1, 10.0.0.0/8, fd00::/8`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<(IpAddr, u8)>);

/// Why a list of networks cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither an address nor a network such as 10.0.0.0/8")]
pub struct NetworkError(String);

impl Networks {
    /// Reads a list with commas between its entries; it may be empty.
    ///
    /// # Errors
    /// With the entry that is no network.
    pub fn parse(text: &str) -> Result<Self, NetworkError> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        entries
            .map(|entry| network(entry).ok_or_else(|| NetworkError(entry.to_owned())))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether an address is in one of them.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|(network, prefix)| match (network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                same_prefix(network.to_bits().into(), address.to_bits().into(), *prefix, 32)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                same_prefix(network.to_bits(), address.to_bits(), *prefix, 128)
            }
            _ => false,
        })
    }
}

fn network(entry: &str) -> Option<(IpAddr, u8)> {
    let (address, prefix) = match entry.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix.parse::<u8>().ok()?)),
        None => (entry, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let prefix = prefix.unwrap_or(most);
    (prefix <= most).then_some((address, prefix))
}

/// Whether the first `prefix` of `width` bits are the same.
fn same_prefix(one: u128, other: u128, prefix: u8, width: u8) -> bool {
    let differing = one ^ other;
    differing.checked_shr(u32::from(width - prefix)).unwrap_or_default() == 0
}

/// What stands for an address when requests are counted: whoever has an IPv6 address has the whole
/// /64 around it.
#[must_use]
pub fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_is_found_in_its_network() {
        let networks = Networks::parse("127.0.0.1, 10.1.0.0/16,fd00::/8, 0.0.0.0/32").unwrap();
        for inside in ["127.0.0.1", "::ffff:127.0.0.1", "10.1.255.3", "fdab::1"] {
            assert!(networks.contain(ip(inside)), "{inside}");
        }
        for outside in ["127.0.0.2", "10.2.0.0", "fe80::1", "::1"] {
            assert!(!networks.contain(ip(outside)), "{outside}");
        }
        assert!(Networks::parse("0.0.0.0/0").unwrap().contain(ip("9.9.9.9")));
        assert!(Networks::parse("::/0").unwrap().contain(ip("fe80::1")));
        assert!(!Networks::parse("").unwrap().contain(ip("127.0.0.1")));
    }

    #[test]
    fn what_is_no_network_is_named() {
        for bad in ["x", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0/8", "10.0.0.1 10.0.0.2"] {
            assert_eq!(Networks::parse(&format!("::1, {bad}")), Err(NetworkError(bad.into())));
        }
    }

    #[test]
    fn neighbours_in_ipv6_count_as_one() {
        assert_eq!(network_of(ip("2001:db8:1:2:3:4:5:6")), ip("2001:db8:1:2::"));
        assert_eq!(network_of(ip("::ffff:192.0.2.1")), ip("192.0.2.1"));
    }
}
