//! Hashes of texts, and what is kept of a secret.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::utf16;

/// The original's `Hash(text)`: SHA-256 over UTF-16 with the low byte first and without a byte
/// order mark, as 64 lower-case hexadecimal digits.
#[must_use]
pub fn hash(text: &str) -> String {
    let digest = Sha256::digest(&*utf16::encode(&[], text));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a store keeps of a `PrivateKeyHash`: SHA-256 over its UTF-8 bytes.
///
/// A `PrivateKeyHash` proves the owner, so it is a password, and the original kept it as it was.
/// It is any string that its owner chose, or `Hash(XML of the private key)`; it is compared as it
/// stands, letter by letter.
#[must_use]
pub fn digest_of_secret(private_key_hash: &str) -> [u8; 32] {
    Sha256::digest(private_key_hash.as_bytes()).into()
}

/// Whether two digests are equal, in a time that does not depend on where they differ.
#[must_use]
pub fn same_secret(left: &[u8; 32], right: &[u8; 32]) -> bool {
    left.ct_eq(right).into()
}

#[cfg(test)]
mod tests {
    use super::super::tests::vectors;
    use super::*;

    #[test]
    fn hashes_are_those_of_the_original() {
        for case in vectors()["sha256_utf16le"].as_array().unwrap() {
            assert_eq!(hash(case["text"].as_str().unwrap()), case["hex"].as_str().unwrap());
        }
    }

    #[test]
    fn only_the_same_string_is_the_same_secret() {
        let kept = digest_of_secret("7bc49c");
        assert!(same_secret(&kept, &digest_of_secret("7bc49c")));
        assert!(!same_secret(&kept, &digest_of_secret("7BC49C")));
        assert!(!same_secret(&kept, &digest_of_secret("")));
    }
}
