//! Attachments: a file encrypted as a whole, its key sent inside a message.
//!
//! | bytes | what |
//! | --- | --- |
//! | 16 | IV |
//! | 16 × n | AES-256-CBC ciphertext with PKCS#7 padding |
//! | 32 | HMAC-SHA256 over IV and ciphertext |
//!
//! The key has 64 bytes: 32 for AES, 32 for the MAC. Beside it the message carries the SHA-256 of
//! all encrypted bytes, so that whoever stores the file can neither change nor exchange it.

#[cfg(feature = "client")]
mod decryptor;
mod encryptor;

use std::fmt;

use aes::Aes256Dec;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, KeyIvInit};
use hmac::{Hmac, KeyInit, Mac};
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

#[cfg(feature = "client")]
pub(crate) use decryptor::Decryptor;
pub use encryptor::{Encryptor, Finished};

const BLOCK: usize = 16;
const MAC: usize = 32;

/// The key of one attachment, wiped from memory on drop.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct AttachmentKey {
    cipher: [u8; 32],
    mac: [u8; 32],
}

/// An encrypted attachment with what its receiver needs to know.
#[derive(Clone)]
pub struct Sealed {
    /// The bytes to upload.
    pub bytes: Vec<u8>,
    /// The key, to be sent in an encrypted message.
    pub key: AttachmentKey,
    /// SHA-256 of `bytes`, to be sent beside the key.
    pub digest: [u8; 32],
}

/// The attachment is not what its sender made, or the key is another one's.
///
/// Deliberately without detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the attachment cannot be read with this key and digest")]
pub struct AttachmentError;

/// Encrypts a file under a key of its own.
///
/// ```
/// use rand_chacha::ChaCha20Rng;
/// use rand_core::SeedableRng;
/// use sealpost_sdk::attachment::{decrypt, encrypt};
///
/// # let mut rng = ChaCha20Rng::from_seed([1; 32]); // a generator seeded by the system in earnest
/// let sealed = encrypt(b"a picture", &mut rng);
/// assert_eq!(decrypt(&sealed.bytes, &sealed.key, &sealed.digest)?, b"a picture");
/// # Ok::<(), sealpost_sdk::attachment::AttachmentError>(())
/// ```
pub fn encrypt(plaintext: &[u8], rng: &mut (impl CryptoRng + ?Sized)) -> Sealed {
    let mut encryptor = Encryptor::new(rng);
    let mut bytes = Vec::with_capacity(plaintext.len() + BLOCK + BLOCK + MAC);
    encryptor.update(plaintext, &mut bytes);
    let Finished { key, digest, .. } = encryptor.finish(&mut bytes);
    Sealed { bytes, key, digest }
}

/// Decrypts a downloaded file.
///
/// # Errors
/// When digest, MAC or padding are wrong; which one is not told.
pub fn decrypt(
    bytes: &[u8],
    key: &AttachmentKey,
    digest: &[u8; 32],
) -> Result<Vec<u8>, AttachmentError> {
    let (authenticated, mac) = bytes.split_last_chunk::<MAC>().ok_or(AttachmentError)?;
    key.mac(authenticated).verify(mac.into()).map_err(|_| AttachmentError)?;
    if !bool::from(Sha256::digest(bytes).as_slice().ct_eq(digest)) {
        return Err(AttachmentError);
    }
    let (iv, body) = authenticated.split_first_chunk::<BLOCK>().ok_or(AttachmentError)?;
    let cipher = cbc::Decryptor::<Aes256Dec>::new((&key.cipher).into(), iv.into());
    let mut plaintext = body.to_vec();
    let length = cipher.decrypt_padded::<Pkcs7>(&mut plaintext).map_err(|_| AttachmentError)?.len();
    plaintext.truncate(length);
    Ok(plaintext)
}

/// Length of an encrypted file, from that of the file.
///
/// ```
/// use sealpost_sdk::attachment::encrypted_length;
///
/// assert_eq!(encrypted_length(0), 16 + 16 + 32);
/// assert_eq!(encrypted_length(16), 16 + 32 + 32);
/// ```
#[must_use]
pub const fn encrypted_length(plaintext: u64) -> u64 {
    let blocks = plaintext / 16 + 1;
    blocks.saturating_mul(16).saturating_add(16 + 32)
}

impl AttachmentKey {
    fn random(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut key = Self { cipher: [0; 32], mac: [0; 32] };
        rng.fill_bytes(&mut key.cipher);
        rng.fill_bytes(&mut key.mac);
        key
    }

    /// Takes the 64 bytes that a message carried: cipher key, then MAC key.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 64]) -> Self {
        let mut key = Self { cipher: [0; 32], mac: [0; 32] };
        key.cipher.copy_from_slice(&bytes[..32]);
        key.mac.copy_from_slice(&bytes[32..]);
        key
    }

    /// The 64 bytes, to be sent in an encrypted message and nowhere else.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 64]> {
        let mut bytes = Zeroizing::new([0; 64]);
        let (cipher, mac) = bytes.split_at_mut(32);
        cipher.copy_from_slice(&self.cipher);
        mac.copy_from_slice(&self.mac);
        bytes
    }

    /// A MAC that has seen `bytes`.
    fn mac(&self, bytes: &[u8]) -> Hmac<Sha256> {
        // HMAC fills a short key up to the hash's block with zeroes (RFC 2104).
        let mut block = Zeroizing::new([0; 64]);
        block.split_at_mut(32).0.copy_from_slice(&self.mac);
        <Hmac<Sha256> as KeyInit>::new((&*block).into()).chain_update(bytes)
    }
}

impl fmt::Debug for AttachmentKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("AttachmentKey(..)")
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sealed").field("length", &self.bytes.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    fn sealed(plaintext: &[u8]) -> Sealed {
        encrypt(plaintext, &mut ChaCha20Rng::from_seed([3; 32]))
    }

    #[test]
    fn sizes_are_those_of_the_layout() {
        for (plaintext, padded) in [(0, 16), (1, 16), (15, 16), (16, 32), (17, 32)] {
            assert_eq!(sealed(&vec![7; plaintext]).bytes.len(), 16 + padded + 32);
        }
    }

    #[test]
    fn no_changed_byte_and_no_missing_byte_goes_unnoticed() {
        let Sealed { bytes, key, digest } = sealed(b"a picture of a cat");
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            assert_eq!(decrypt(&changed, &key, &digest), Err(AttachmentError));
            assert_eq!(decrypt(&bytes[..index], &key, &digest), Err(AttachmentError));
        }
    }

    #[test]
    fn a_valid_mac_over_other_bytes_does_not_replace_the_digest() {
        let one = sealed(b"one");
        let other = encrypt(b"two", &mut ChaCha20Rng::from_seed([4; 32]));
        assert_eq!(decrypt(&one.bytes, &one.key, &other.digest), Err(AttachmentError));
        assert_eq!(decrypt(&one.bytes, &other.key, &one.digest), Err(AttachmentError));
    }

    #[test]
    fn the_key_survives_being_sent() {
        let Sealed { bytes, key, digest } = sealed(b"hello");
        let received = AttachmentKey::from_bytes(&key.to_bytes());
        assert_eq!(decrypt(&bytes, &received, &digest).unwrap(), b"hello");
    }

    #[test]
    fn debug_shows_neither_key_nor_bytes() {
        let sealed = sealed(b"hello");
        assert_eq!(format!("{:?}", sealed.key), "AttachmentKey(..)");
        assert_eq!(format!("{sealed:?}"), "Sealed { length: 64, .. }");
    }

    proptest! {
        #[test]
        fn every_plaintext_survives(plaintext: Vec<u8>, seed: [u8; 32]) {
            let sealed = encrypt(&plaintext, &mut ChaCha20Rng::from_seed(seed));
            prop_assert_eq!(decrypt(&sealed.bytes, &sealed.key, &sealed.digest), Ok(plaintext));
        }

        #[test]
        fn hostile_bytes_never_panic(bytes: Vec<u8>, key: [u8; 32], digest: [u8; 32]) {
            let key = AttachmentKey { cipher: key, mac: key };
            prop_assert_eq!(decrypt(&bytes, &key, &digest), Err(AttachmentError));
        }
    }
}
