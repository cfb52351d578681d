//! What gateways sign of a request.
//!
//! HushNet's nodes sign method, path, time and a number that is used once. Nobody can tell from that
//! whom a request was for and what it said, so gateways like this one sign all of it once more.

use sha2::{Digest, Sha256};

use crate::domain::messenger::node::NodeId;

/// A request of a gateway, as far as its head goes.
#[derive(Clone, Copy, Debug)]
pub struct NodeRequestHead<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its path and query.
    pub target: &'a str,
    /// Its time, decimal seconds, as it was written.
    pub timestamp: &'a str,
    /// The number that is used once, as it was written.
    pub nonce: &'a str,
}

impl NodeRequestHead<'_> {
    /// What HushNet's nodes sign.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { method, target, timestamp, nonce } = self;
        format!("{method}\n{target}\n{timestamp}\n{nonce}")
    }

    /// What gateways like this one sign beside it.
    #[must_use]
    pub fn strong_text(&self, to: &NodeId, body: &[u8]) -> String {
        let digest: [u8; 32] = Sha256::digest(body).into();
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}\n{to}\n{digest}", self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_stands_on_a_line_of_its_own() {
        let head = NodeRequestHead {
            method: "POST",
            target: "/s2s/ack?x=1",
            timestamp: "1700000000",
            nonce: "AAAA",
        };
        assert_eq!(head.text(), "POST\n/s2s/ack?x=1\n1700000000\nAAAA");
        let to = NodeId::parse("there").unwrap();
        let strong = head.strong_text(&to, b"");
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(strong, format!("POST\n/s2s/ack?x=1\n1700000000\nAAAA\nthere\n{empty}"));
    }
}
