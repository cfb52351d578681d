//! Where a request comes from, through proxies that the operator trusts.

use std::net::{IpAddr, SocketAddr};

use axum::http::{Extensions, HeaderMap};

use crate::domain::limits::{Networks, network_of};

/// The address at the other end of the connection; the listener puts it into each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// What a listener knows of the other end of a connection.
pub trait RemoteAddress {
    /// Its address, if it has one.
    fn address(&self) -> Option<IpAddr>;
}

impl RemoteAddress for SocketAddr {
    fn address(&self) -> Option<IpAddr> {
        Some(self.ip())
    }
}

impl RemoteAddress for tokio::net::unix::SocketAddr {
    fn address(&self) -> Option<IpAddr> {
        None
    }
}

/// The address that a request is counted for. `X-Forwarded-For` is believed from the trusted
/// proxies alone, from its end to the first address that is not one of them.
///
/// `None` for programs on this machine: that is either the operator, or a proxy that is not trusted
/// yet, behind which everybody would be counted as one.
#[must_use]
pub fn client(extensions: &Extensions, headers: &HeaderMap, proxies: &Networks) -> Option<IpAddr> {
    let Peer(peer) = *extensions.get::<Peer>()?;
    let client = if proxies.contain(peer) { forwarded(peer, headers, proxies) } else { peer };
    let client = client.to_canonical();
    (!client.is_loopback()).then_some(client)
}

/// What a connection is counted for before anything is read from it: its network, as requests are.
///
/// `None` for a trusted proxy, which brings the connections of many, and for this machine.
#[must_use]
pub fn network(peer: IpAddr, proxies: &Networks) -> Option<IpAddr> {
    let peer = peer.to_canonical();
    (!proxies.contain(peer) && !peer.is_loopback()).then(|| network_of(peer))
}

fn forwarded(peer: IpAddr, headers: &HeaderMap, proxies: &Networks) -> IpAddr {
    let lines = headers.get_all("x-forwarded-for").iter().rev();
    // In bytes: what a client wrote may be no text, and stands in one line with what a proxy added.
    let entries = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    let mut nearest = peer;
    for entry in entries {
        // What is no address was not written by one of our proxies, nor was anything before it.
        let Some(address) = address(entry) else { break };
        nearest = address.to_canonical();
        if !proxies.contain(nearest) {
            break;
        }
    }
    nearest
}

/// One entry; some proxies write the port as well.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let entry = str::from_utf8(entry).ok()?.trim();
    let with_port = || entry.parse().ok().map(|socket: SocketAddr| socket.ip());
    entry.parse().ok().or_else(with_port)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn found(peer: &str, lines: &[&'static str]) -> Option<String> {
        let proxies = Networks::parse("127.0.0.1, 10.0.0.0/8").unwrap();
        let mut extensions = Extensions::new();
        extensions.insert(Peer(peer.parse().unwrap()));
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        client(&extensions, &headers, &proxies).map(|address| address.to_string())
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        for (peer, lines, expected) in [
            ("203.0.113.7", &[][..], Some("203.0.113.7")),
            ("203.0.113.7", &["198.51.100.1"], Some("203.0.113.7")),
            ("127.0.0.1", &["198.51.100.1"], Some("198.51.100.1")),
            ("::ffff:127.0.0.1", &["198.51.100.1"], Some("198.51.100.1")),
            ("127.0.0.1", &["1.2.3.4, 198.51.100.1, 10.3.3.3"], Some("198.51.100.1")),
            ("127.0.0.1", &["1.2.3.4", "198.51.100.1", "10.3.3.3"], Some("198.51.100.1")),
            ("10.1.1.1", &["1.2.3.4, nonsense, 10.2.2.2"], Some("10.2.2.2")),
            ("10.1.1.1", &["nonsense"], Some("10.1.1.1")),
            ("127.0.0.1", &["1.2.3.4, \u{e9}, 198.51.100.1"], Some("198.51.100.1")),
            ("127.0.0.1", &["1.2.3.4", "\u{e9}, 10.3.3.3"], Some("10.3.3.3")),
            ("127.0.0.1", &["198.51.100.1:4711"], Some("198.51.100.1")),
            ("127.0.0.1", &["[2001:db8::1]:4711"], Some("2001:db8::1")),
            ("127.0.0.1", &[], None),
            ("::1", &["198.51.100.1"], None),
        ] {
            assert_eq!(found(peer, lines).as_deref(), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn connections_are_counted_for_their_network_unless_a_proxy_brings_them() {
        let proxies = Networks::parse("10.0.0.0/8, 2001:db8:9::/48").unwrap();
        for (peer, expected) in [
            ("203.0.113.7", Some("203.0.113.7")),
            ("::ffff:203.0.113.7", Some("203.0.113.7")),
            ("2001:db8:1:2:3:4:5:6", Some("2001:db8:1:2::")),
            ("10.1.1.1", None),
            ("::ffff:10.1.1.1", None),
            ("2001:db8:9::1", None),
            ("127.0.0.1", None),
            ("::1", None),
        ] {
            let found = network(peer.parse().unwrap(), &proxies);
            assert_eq!(found.map(|it| it.to_string()).as_deref(), expected, "{peer}");
        }
    }

    #[test]
    fn without_a_listener_nothing_is_known() {
        assert_eq!(client(&Extensions::new(), &HeaderMap::new(), &Networks::default()), None);
    }
}
