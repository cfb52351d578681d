//! Hashes of texts, and what is kept of a secret.

use sha2::{Digest, Sha256};

use super::utf16;

/// The original's `Hash(text)`: SHA-256 over UTF-16 with the low byte first and without a byte
/// order mark, as 64 lower-case hexadecimal digits.
#[must_use]
pub fn hash(text: &str) -> String {
    let digest = Sha256::digest(&*utf16::encode(&[], text));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
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
}
