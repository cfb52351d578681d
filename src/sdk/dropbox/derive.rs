//! From one secret to the next: HKDF-SHA256 and PBKDF2-HMAC-SHA256, 32 bytes each.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// 32 secret bytes.
pub(super) type Key = Zeroizing<[u8; 32]>;

/// HKDF (RFC 5869): extract, then the first and only block of expand.
pub(super) fn hkdf(secret: &[u8], salt: &[u8], info: &str) -> Key {
    let extracted = finish(keyed(salt).chain_update(secret));
    finish(keyed(extracted.as_slice()).chain_update(info).chain_update([1]))
}

/// PBKDF2 (RFC 8018, section 5.2), whose first block has as many bytes as are wanted.
pub(super) fn pbkdf2(password: &[u8], salt: &[u8], iterations: u32) -> Key {
    let keyed = keyed(password);
    let mut round = finish(keyed.clone().chain_update(salt).chain_update(1_u32.to_be_bytes()));
    let mut sum = round.clone();
    for _ in 1..iterations {
        round = finish(keyed.clone().chain_update(round.as_slice()));
        sum.iter_mut().zip(round.iter()).for_each(|(sum, byte)| *sum ^= byte);
    }
    sum
}

/// HMAC with a key of any length: one longer than a block of the hash is hashed first (RFC 2104).
fn keyed(key: &[u8]) -> Hmac<Sha256> {
    let mut block = Zeroizing::new([0; 64]);
    match block.get_mut(..key.len()) {
        Some(start) => start.copy_from_slice(key),
        None => block.split_at_mut(32).0.copy_from_slice(&Sha256::digest(key)),
    }
    <Hmac<Sha256> as KeyInit>::new((&*block).into())
}

fn finish(mac: Hmac<Sha256>) -> Key {
    Zeroizing::new(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    #[test]
    fn hkdf_begins_as_in_the_appendix_of_its_standard() {
        // RFC 5869, appendix A.3, whose 42 bytes are cut to 32 here.
        let expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d";
        assert_eq!(hex::encode(hkdf(&[0x0b; 22], &[], "").as_slice()), expected);
    }

    #[test]
    fn pbkdf2_gives_what_others_give() {
        // RFC 7914, section 11, whose 64 bytes are cut to 32 here.
        for (password, salt, iterations, expected) in [
            (
                "passwd",
                "salt",
                1,
                "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc",
            ),
            (
                "Password",
                "NaCl",
                80_000,
                "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56",
            ),
        ] {
            let key = pbkdf2(password.as_bytes(), salt.as_bytes(), iterations);
            assert_eq!(hex::encode(key.as_slice()), expected);
        }
    }

    #[test]
    fn a_key_longer_than_a_block_is_hashed_first() {
        let long = [7; 65];
        let digest = Sha256::digest(long);
        assert_eq!(hkdf(b"secret", &long, "info"), hkdf(b"secret", &digest, "info"));
        assert_ne!(hkdf(b"secret", &long[..64], "info"), hkdf(b"secret", &digest, "info"));
    }
}
