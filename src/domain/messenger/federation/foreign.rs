//! Ids of members and devices of other gateways, as they are here.
//!
//! A gateway could give a device of its own the id of one that is here. So each gateway's ids are
//! permuted (AES under a key of that gateway's own, which nobody else knows): no id here can be
//! aimed at, and the one there follows from the one here without anything being kept.

use std::fmt;

use aes_gcm::aes::Aes128;
use aes_gcm::aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt};
use hmac::{Hmac, KeyInit, Mac};
use sealpost_sdk::ids::Id;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::derived;
use crate::domain::ids::{SessionId, UserId};
use crate::domain::messenger::node::{Address, NodeId};

/// Ids of those who are elsewhere.
pub struct ForeignIds {
    key: Zeroizing<[u8; 32]>,
}

impl ForeignIds {
    /// The ids that follow from a gateway's own secret.
    #[must_use]
    pub fn derive(seed: &[u8; 32]) -> Self {
        Self { key: derived(seed, "sealpost foreign ids 1") }
    }

    /// The id here of a device with that id there.
    #[must_use]
    pub fn here(&self, node: &NodeId, there: SessionId) -> SessionId {
        let mut block = (*there.as_bytes()).into();
        self.cipher(node).encrypt_block(&mut block);
        Id::from_bytes(block.into())
    }

    /// The id there of a device with that id here.
    #[must_use]
    pub fn there(&self, node: &NodeId, here: SessionId) -> SessionId {
        let mut block = (*here.as_bytes()).into();
        self.cipher(node).decrypt_block(&mut block);
        Id::from_bytes(block.into())
    }

    /// The id here of a member elsewhere.
    #[must_use]
    pub fn member(&self, address: &Address) -> UserId {
        Id::from_bytes(self.half("member", &address.to_string()))
    }

    fn cipher(&self, node: &NodeId) -> Aes128 {
        Aes128::new(&self.half("devices", node.as_str()).into())
    }

    fn half(&self, what: &str, of: &str) -> [u8; 16] {
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&*self.key);
        let mac = mac.expect("HMAC takes keys of any length");
        let full: [u8; 32] = mac
            .chain_update(what)
            .chain_update([0])
            .chain_update(of)
            .finalize()
            .into_bytes()
            .into();
        let mut half = [0; 16];
        half.copy_from_slice(&full[..16]);
        half
    }
}

impl fmt::Debug for ForeignIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForeignIds(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_back_to_the_one_there() {
        let ids = ForeignIds::derive(&[7; 32]);
        let node = |name: &str| NodeId::parse(name).unwrap();
        let there = SessionId::from_bytes([5; 16]);
        let here = ids.here(&node("a"), there);
        assert_ne!(here, there);
        assert_ne!(here, ids.here(&node("b"), there));
        assert_ne!(here, ForeignIds::derive(&[8; 32]).here(&node("a"), there));
        assert_eq!(ids.there(&node("a"), here), there);
    }

    #[test]
    fn members_of_two_gateways_are_two() {
        let ids = ForeignIds::derive(&[7; 32]);
        let of = |text| ids.member(&Address::parse("address", text).unwrap().unwrap());
        assert_eq!(of("alice@a"), of("alice@a"));
        assert_ne!(of("alice@a"), of("alice@b"));
    }
}
