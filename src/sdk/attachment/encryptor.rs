//! Encrypting piece by piece, for files that should not be in memory as a whole.

use std::fmt;

use aes::cipher::{BlockModeEncrypt, KeyIvInit};
use aes::{Aes256Enc, Block};
use hmac::{Hmac, Mac};
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{AttachmentKey, BLOCK};

/// An attachment that is being encrypted, in any number of pieces; the bytes are those that
/// [`encrypt`](super::encrypt) makes of the whole.
///
/// ```
/// use rand_chacha::ChaCha20Rng;
/// use rand_core::SeedableRng;
/// use sealpost_sdk::attachment::{Encryptor, decrypt};
///
/// # let mut rng = ChaCha20Rng::from_seed([1; 32]); // a generator seeded by the system in earnest
/// let mut encryptor = Encryptor::new(&mut rng);
/// let mut bytes = Vec::new();
/// for piece in ["a picture ", "of a cat"] {
///     encryptor.update(piece.as_bytes(), &mut bytes);
/// }
/// let finished = encryptor.finish(&mut bytes);
/// assert_eq!(decrypt(&bytes, &finished.key, &finished.digest)?, b"a picture of a cat");
/// # Ok::<(), sealpost_sdk::attachment::AttachmentError>(())
/// ```
pub struct Encryptor {
    key: AttachmentKey,
    cipher: cbc::Encryptor<Aes256Enc>,
    mac: Hmac<Sha256>,
    digest: Sha256,
    /// Written before anything else.
    iv: Option<[u8; BLOCK]>,
    /// Plaintext that does not fill a block yet.
    rest: Zeroizing<Vec<u8>>,
    size: u64,
}

/// What the receiver of an attachment needs to know.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The key, to be sent in an encrypted message.
    pub key: AttachmentKey,
    /// SHA-256 of all encrypted bytes, to be sent beside the key.
    pub digest: [u8; 32],
    /// Length of the plaintext.
    pub size: u64,
}

impl Encryptor {
    /// Begins an attachment under a key of its own.
    pub fn new(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let key = AttachmentKey::random(rng);
        let mut iv = [0; BLOCK];
        rng.fill_bytes(&mut iv);
        Self {
            cipher: cbc::Encryptor::new((&key.cipher).into(), &iv.into()),
            mac: key.mac(&[]),
            digest: Sha256::new(),
            iv: Some(iv),
            rest: Zeroizing::new(Vec::with_capacity(BLOCK)),
            size: 0,
            key,
        }
    }

    /// Takes the next piece and appends to `encrypted` what can be written by now.
    pub fn update(&mut self, plaintext: &[u8], encrypted: &mut Vec<u8>) {
        self.size = self.size.saturating_add(plaintext.len().try_into().unwrap_or(u64::MAX));
        let start = self.begin(encrypted);
        let whole = (self.rest.len() + plaintext.len()) / BLOCK * BLOCK;
        let Some(taken) = whole.checked_sub(self.rest.len()).filter(|_| whole > 0) else {
            self.rest.extend_from_slice(plaintext);
            return self.account_for(encrypted, start);
        };
        let (taken, rest) = plaintext.split_at_checked(taken).unwrap_or((plaintext, &[]));
        let body = encrypted.len();
        encrypted.extend_from_slice(&self.rest);
        encrypted.extend_from_slice(taken);
        self.rest.clear();
        self.rest.extend_from_slice(rest);
        self.encrypt(encrypted, body);
        self.account_for(encrypted, start);
    }

    /// Appends the end, and gives what the receiver needs.
    pub fn finish(mut self, encrypted: &mut Vec<u8>) -> Finished {
        let start = self.begin(encrypted);
        // PKCS#7: as many bytes as are missing, each with their number; a whole block if none are.
        let padding = BLOCK - self.rest.len() % BLOCK;
        let fill = u8::try_from(padding).unwrap_or_default();
        let body = encrypted.len();
        encrypted.extend_from_slice(&self.rest);
        encrypted.extend(std::iter::repeat_n(fill, padding));
        self.encrypt(encrypted, body);
        self.account_for(encrypted, start);
        let mac = self.mac.finalize().into_bytes();
        encrypted.extend_from_slice(&mac);
        let digest = self.digest.chain_update(mac).finalize().into();
        Finished { key: self.key, digest, size: self.size }
    }

    /// Writes the IV if that has not happened yet. Gives where this piece begins.
    fn begin(&mut self, encrypted: &mut Vec<u8>) -> usize {
        let start = encrypted.len();
        encrypted.extend(self.iv.take().into_iter().flatten());
        start
    }

    fn encrypt(&mut self, encrypted: &mut [u8], from: usize) {
        let body = encrypted.get_mut(from..).unwrap_or_default();
        let (blocks, _) = Block::slice_as_chunks_mut(body);
        self.cipher.encrypt_blocks(blocks);
    }

    fn account_for(&mut self, encrypted: &[u8], from: usize) {
        let piece = encrypted.get(from..).unwrap_or_default();
        self.mac.update(piece);
        Digest::update(&mut self.digest, piece);
    }
}

impl fmt::Debug for Encryptor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Encryptor").field("size", &self.size).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::super::{encrypt, encrypted_length};
    use super::*;

    proptest! {
        #[test]
        fn pieces_give_the_bytes_of_the_whole(pieces: Vec<Vec<u8>>, seed: [u8; 32]) {
            let whole = encrypt(&pieces.concat(), &mut ChaCha20Rng::from_seed(seed));
            let mut encryptor = Encryptor::new(&mut ChaCha20Rng::from_seed(seed));
            let mut bytes = Vec::new();
            pieces.iter().for_each(|piece| encryptor.update(piece, &mut bytes));
            let finished = encryptor.finish(&mut bytes);
            prop_assert_eq!(&bytes, &whole.bytes);
            prop_assert_eq!(finished.digest, whole.digest);
            prop_assert_eq!(finished.key.to_bytes(), whole.key.to_bytes());
            prop_assert_eq!(encrypted_length(finished.size), bytes.len() as u64);
        }
    }
}
