//! X25519 keys in the containers of RFC 8410, as browsers import and export them.
//!
//! | bytes | public key (SPKI) | bytes | private key (PKCS#8) |
//! | --- | --- | --- | --- |
//! | 12 | always the same | 16 | always the same |
//! | 32 | the key | 32 | the key |

use zeroize::Zeroizing;

use super::derive::Key;
use crate::keys::AgreementKey;

pub(super) const SPKI: usize = 44;
pub(super) const PKCS8: usize = 48;

const SPKI_HEAD: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x03, 0x21, 0x00];
const PKCS8_HEAD: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x04, 0x22, 0x04, 0x20,
];

pub(super) fn spki(key: &AgreementKey) -> [u8; SPKI] {
    let mut der = [0; SPKI];
    let (head, body) = der.split_at_mut(SPKI_HEAD.len());
    head.copy_from_slice(&SPKI_HEAD);
    body.copy_from_slice(key.as_bytes());
    der
}

pub(super) fn from_spki(der: &[u8]) -> Option<AgreementKey> {
    der.strip_prefix(&SPKI_HEAD)?.try_into().ok().map(AgreementKey::from_bytes)
}

pub(super) fn pkcs8(key: &[u8; 32]) -> Zeroizing<[u8; PKCS8]> {
    let mut der = Zeroizing::new([0; PKCS8]);
    let (head, body) = der.split_at_mut(PKCS8_HEAD.len());
    head.copy_from_slice(&PKCS8_HEAD);
    body.copy_from_slice(key);
    der
}

pub(super) fn from_pkcs8(der: &[u8]) -> Option<Key> {
    der.strip_prefix(&PKCS8_HEAD)?.try_into().ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_out_of_their_containers() {
        let key = AgreementKey::from_bytes([7; 32]);
        assert_eq!(from_spki(&spki(&key)), Some(key));
        assert_eq!(from_pkcs8(pkcs8(&[7; 32]).as_slice()).as_deref(), Some(&[7; 32]));
    }

    #[test]
    fn other_algorithms_and_other_lengths_are_refused() {
        let key = AgreementKey::from_bytes([7; 32]);
        let mut ed25519 = spki(&key);
        ed25519[8] = 0x70;
        assert_eq!(from_spki(&ed25519), None);
        assert_eq!(from_spki(&spki(&key)[..43]), None);
        assert_eq!(from_spki(&[spki(&key).as_slice(), &[0]].concat()), None);
        assert_eq!(from_pkcs8(pkcs8(&[7; 32]).split_at(47).0), None);
    }
}
