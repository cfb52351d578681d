//! Sealing a file piece by piece.

use std::fmt;

use aes::cipher::KeyInit;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::message::{ENCRYPTION_KEY, LONGEST_NAME, SealError, wrap};
use super::sealed::{self, Cipher, Kind, NONCE, TAG};
use super::shared::SharedBox;

pub(super) const PREFIX: usize = 7;
/// Plaintext of a full chunk.
pub(super) const CHUNK: usize = 65_536;
/// A full chunk with its tag.
pub(super) const SEALED_CHUNK: usize = CHUNK + TAG;

/// A file that is being sealed, in any number of pieces.
///
/// | bytes | what |
/// | --- | --- |
/// | 7 | random prefix of all nonces |
/// | 65,536 + 16 | each chunk but the last: AES-256-GCM with its tag |
/// | up to 65,536 + 16 | the last chunk; an empty file has nothing else |
///
/// The nonce of a chunk is prefix ‖ its number from 0 (32 bits, big endian) ‖ 1 for the last chunk
/// and 0 for the others, as in the STREAM construction (Hoang, Reyhanitabar, Rogaway and Vizár,
/// 2015): chunks can neither be moved, nor left out, nor cut off.
///
/// ```
/// # use rand_chacha::ChaCha20Rng;
/// # use rand_core::SeedableRng;
/// use sealpost_sdk::dropbox::{BoxKeys, FileOpener, FileSealer, Kdf, sealed_length};
///
/// # let mut rng = ChaCha20Rng::from_seed([1; 32]); // a generator seeded by the system in earnest
/// let keys = BoxKeys::create("a long passphrase", Kdf::random(&mut rng), &mut rng)?;
/// let mut sealer = FileSealer::new(keys.shared(), "cat.png", &mut rng)?;
/// let (key, name) = (*sealer.encryption_key(), sealer.name().to_vec());
/// let mut body = Vec::new();
/// for piece in ["a picture ", "of a cat"] {
///     sealer.update(piece.as_bytes(), &mut body)?;
/// }
/// sealer.finish(&mut body)?;
/// assert_eq!(body.len() as u64, sealed_length(18));
///
/// let mut opener = FileOpener::new(&keys, &key, &name)?;
/// assert_eq!(opener.name(), "cat.png");
/// let mut file = Vec::new();
/// opener.update(&body, &mut file)?;
/// opener.finish(&mut file)?;
/// assert_eq!(file, b"a picture of a cat");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FileSealer {
    cipher: Cipher,
    associated: String,
    prefix: [u8; PREFIX],
    begun: bool,
    /// Number of the next chunk.
    next: u64,
    /// Plaintext that is not sealed yet, since it may belong to the last chunk.
    rest: Zeroizing<Vec<u8>>,
    encryption_key: [u8; ENCRYPTION_KEY],
    name: Vec<u8>,
}

impl FileSealer {
    /// Begins a file under a key of its own.
    ///
    /// # Errors
    /// When the key of the box is weak (of small order), or the name is longer than gateways take.
    pub fn new(
        to: &SharedBox,
        name: &str,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Self, SealError> {
        if name.len() > LONGEST_NAME {
            return Err(SealError::NameTooLong { length: name.len() });
        }
        let (encryption_key, key) = wrap(to, rng)?;
        let of_name = sealed::associated(&to.token(), Kind::FileName);
        let name = sealed::seal(&key, &of_name, name.as_bytes(), rng)
            .ok_or(SealError::TooLong { length: name.len() })?;
        let mut prefix = [0; PREFIX];
        rng.fill_bytes(&mut prefix);
        Ok(Self {
            cipher: Cipher::new((&*key).into()),
            associated: sealed::associated(&to.token(), Kind::File),
            prefix,
            begun: false,
            next: 0,
            rest: Zeroizing::new(Vec::with_capacity(CHUNK)),
            encryption_key,
            name,
        })
    }

    /// The key of the file, wrapped for the owner.
    #[must_use]
    pub const fn encryption_key(&self) -> &[u8; ENCRYPTION_KEY] {
        &self.encryption_key
    }

    /// The sealed name.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Takes the next piece and appends to `sealed` what can be written by now.
    ///
    /// # Errors
    /// When the file has more than 2³² chunks.
    pub fn update(&mut self, mut plain: &[u8], sealed: &mut Vec<u8>) -> Result<(), SealError> {
        self.begin(sealed);
        while !plain.is_empty() {
            if self.rest.len() == CHUNK {
                self.write(false, sealed)?;
            }
            let room = CHUNK - self.rest.len();
            let (now, later) = plain.split_at_checked(room).unwrap_or((plain, &[]));
            self.rest.extend_from_slice(now);
            plain = later;
        }
        Ok(())
    }

    /// Appends the last chunk.
    ///
    /// # Errors
    /// When the file has more than 2³² chunks.
    pub fn finish(mut self, sealed: &mut Vec<u8>) -> Result<(), SealError> {
        self.begin(sealed);
        self.write(true, sealed)
    }

    fn begin(&mut self, sealed: &mut Vec<u8>) {
        if !self.begun {
            sealed.extend_from_slice(&self.prefix);
            self.begun = true;
        }
    }

    fn write(&mut self, last: bool, sealed: &mut Vec<u8>) -> Result<(), SealError> {
        let nonce = chunk_nonce(&self.prefix, self.next, last).ok_or(SealError::TooManyChunks)?;
        let length = self.rest.len();
        sealed::append(&self.cipher, &nonce, &self.associated, &self.rest, sealed)
            .ok_or(SealError::TooLong { length })?;
        self.next += 1;
        self.rest.clear();
        Ok(())
    }
}

/// The nonce of a chunk; `None` beyond 2³² of them.
pub(super) fn chunk_nonce(prefix: &[u8; PREFIX], number: u64, last: bool) -> Option<[u8; NONCE]> {
    let number = u32::try_from(number).ok()?;
    let mut nonce = [0; NONCE];
    nonce[..PREFIX].copy_from_slice(prefix);
    nonce[PREFIX..NONCE - 1].copy_from_slice(&number.to_be_bytes());
    nonce[NONCE - 1] = u8::from(last);
    Some(nonce)
}

/// Length of a sealed file, from that of the file.
///
/// ```
/// use sealpost_sdk::dropbox::sealed_length;
///
/// assert_eq!(sealed_length(0), 7 + 16);
/// assert_eq!(sealed_length(65_536), 7 + 65_536 + 16);
/// assert_eq!(sealed_length(65_537), 7 + 65_537 + 2 * 16);
/// ```
#[must_use]
pub const fn sealed_length(plain: u64) -> u64 {
    let full = plain.div_ceil(65_536);
    let chunks = if full == 0 { 1 } else { full };
    plain.saturating_add(chunks * 16).saturating_add(7)
}

/// Length of a file, from that of the sealed one; `None` when no file is sealed to so many bytes.
///
/// ```
/// use sealpost_sdk::dropbox::{plain_length, sealed_length};
///
/// assert_eq!(plain_length(sealed_length(200_000)), Some(200_000));
/// assert_eq!(plain_length(22), None);
/// ```
#[must_use]
pub const fn plain_length(sealed: u64) -> Option<u64> {
    let Some(body) = sealed.checked_sub(7) else { return None };
    let Some(plain) = body.checked_sub(body.div_ceil(65_536 + 16) * 16) else { return None };
    if sealed_length(plain) == sealed { Some(plain) } else { None }
}

impl fmt::Debug for FileSealer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("FileSealer").field("chunks", &self.next).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::dropbox::{BoxKeys, Kdf};

    #[test]
    fn there_are_as_many_nonces_as_chunks_and_no_more() {
        let prefix = [9; PREFIX];
        let last = chunk_nonce(&prefix, u64::from(u32::MAX), true);
        assert_eq!(last, Some([9, 9, 9, 9, 9, 9, 9, 255, 255, 255, 255, 1]));
        assert_eq!(chunk_nonce(&prefix, 1 << 32, true), None);
        assert_ne!(chunk_nonce(&prefix, 1, false), chunk_nonce(&prefix, 1, true));
    }

    #[test]
    fn a_name_is_no_longer_than_gateways_take() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let keys = BoxKeys::create("a passphrase", Kdf::random(&mut rng), &mut rng).unwrap();
        let mut begin = |length| {
            FileSealer::new(keys.shared(), &"x".repeat(length), &mut rng).map(|it| it.name)
        };
        assert_eq!(begin(LONGEST_NAME).unwrap().len(), 1024);
        assert_eq!(begin(997).unwrap_err(), SealError::NameTooLong { length: 997 });
    }

    proptest! {
        #[test]
        fn lengths_can_be_told_from_each_other(plain in 0..1_u64 << 48) {
            prop_assert_eq!(plain_length(sealed_length(plain)), Some(plain));
        }

        #[test]
        fn no_length_makes_it_panic(length: u64) {
            prop_assert!(sealed_length(length) >= length);
            if let Some(plain) = plain_length(length) {
                prop_assert_eq!(sealed_length(plain), length);
            }
        }
    }
}
