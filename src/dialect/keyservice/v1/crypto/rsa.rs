//! `RSA(text)`, and the only place that knows the library which computes it.
//!
//! ```text
//! text in UTF-32, low byte first, cut into pieces of (size of a block − 42) bytes
//!     → for each piece, and for an empty one at the end if the last is full:
//!       OAEP with SHA-1 and no label (RFC 8017, 7.1), bytes in reverse order, base64
//!     → all of them one behind the other
//! ```
//!
//! With 1024 bits a block has 128 bytes, a piece 86 and a block's base64 172 letters; a pass of 172
//! letters becomes 9 blocks and 1548 letters.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand_core::CryptoRng;
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BoxedUint, Oaep, RsaPrivateKey, RsaPublicKey};
use sha1::Sha1;
use zeroize::Zeroizing;

use super::Unreadable;
use super::keys::{KeyError, PrivateNumbers, PublicKey, trimmed};

/// What OAEP with SHA-1 needs of a block for itself.
const OVERHEAD: usize = 2 * 20 + 2;
/// Bits of a new key.
const BITS: usize = 1024;
/// Blocks that an encrypted text may have. A pass has nine under a key of 1024 bits, and each costs
/// time.
const BLOCKS: usize = 16;

/// A text could not be encrypted under a public key.
///
/// [`PublicKey`] accepts no key for which this happens.
#[derive(Debug, thiserror::Error)]
#[error("the public key cannot encrypt")]
pub struct SealError {
    #[source]
    source: rsa::Error,
}

/// A private key in the library's form, which wipes it on drop.
#[derive(Clone)]
pub(super) struct Decryptor(RsaPrivateKey);

/// Encrypts a text.
///
/// # Errors
/// When the library refuses the key.
pub(super) fn encrypt(
    text: &str,
    key: &PublicKey,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<String, SealError> {
    let failed = |source| SealError { source };
    let bytes = utf32(text);
    let room = key.size() - OVERHEAD;
    let library =
        RsaPublicKey::new(number(key.modulus()), number(key.exponent())).map_err(failed)?;
    let mut letters = String::new();
    for block in 0..=bytes.len() / room {
        let start = block * room;
        let piece = &bytes[start..bytes.len().min(start + room)];
        let mut sealed = library.encrypt(rng, Oaep::<Sha1>::new(), piece).map_err(failed)?;
        sealed.reverse();
        STANDARD.encode_string(&sealed, &mut letters);
    }
    Ok(letters)
}

impl Decryptor {
    /// Takes a private key.
    ///
    /// # Errors
    /// [`KeyError::Inconsistent`] when the numbers do not fit each other.
    pub(super) fn new(public: &PublicKey, numbers: &PrivateNumbers) -> Result<Self, KeyError> {
        let key = RsaPrivateKey::from_components(
            number(public.modulus()),
            number(public.exponent()),
            number(&numbers.d),
            vec![number(&numbers.p), number(&numbers.q)],
        )
        .map_err(|_| KeyError::Inconsistent)?;
        let key = Self(key);
        let fits = key.numbers().is_some_and(|computed| computed == *numbers);
        if fits { Ok(key) } else { Err(KeyError::Inconsistent) }
    }

    /// Makes a key.
    ///
    /// # Errors
    /// [`KeyError::Generation`] when the library does not find one.
    pub(super) fn generate(
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<(PublicKey, PrivateNumbers, Self), KeyError> {
        let key = RsaPrivateKey::new(rng, BITS).map_err(|_| KeyError::Generation)?;
        let public = PublicKey::from_numbers(&key.n_bytes(), &key.e_bytes())?;
        let key = Self(key);
        let numbers = key.numbers().ok_or(KeyError::Generation)?;
        Ok((public, numbers, key))
    }

    /// Decrypts a text, blinded by `rng`, of at most 16 blocks: 343 letters under a key of 1024 bits.
    ///
    /// # Errors
    /// When it is not what [`encrypt`] makes for this key; why is not told.
    pub(super) fn decrypt(
        &self,
        letters: &str,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Zeroizing<String>, Unreadable> {
        let size = self.0.size();
        let letters: String = letters.split_ascii_whitespace().collect();
        let blocks = letters.as_bytes().chunks(size.div_ceil(3) * 4);
        if letters.is_empty() || blocks.len() > BLOCKS {
            return Err(Unreadable);
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(blocks.len() * size));
        for block in blocks {
            let mut sealed = STANDARD.decode(block).map_err(|_| Unreadable)?;
            sealed.reverse();
            let piece = self
                .0
                .decrypt_blinded(rng, Oaep::<Sha1>::new(), &sealed)
                .map(Zeroizing::new)
                .map_err(|_| Unreadable)?;
            bytes.extend_from_slice(&piece);
        }
        from_utf32(&bytes).ok_or(Unreadable)
    }

    /// The numbers as the library has them.
    fn numbers(&self) -> Option<PrivateNumbers> {
        let [p, q] = self.0.primes() else { return None };
        Some(PrivateNumbers {
            p: bytes(p),
            q: bytes(q),
            dp: bytes(self.0.dp()?),
            dq: bytes(self.0.dq()?),
            inverse_q: bytes(&self.0.crt_coefficient()?),
            d: bytes(self.0.d()),
        })
    }
}

fn number(bytes: &[u8]) -> BoxedUint {
    BoxedUint::from_be_slice_vartime(bytes)
}

fn bytes(number: &BoxedUint) -> Vec<u8> {
    let bytes = Zeroizing::new(number.to_be_bytes());
    trimmed(&bytes).to_vec()
}

fn utf32(text: &str) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() * 4));
    for letter in text.chars() {
        bytes.extend_from_slice(&u32::from(letter).to_le_bytes());
    }
    bytes
}

fn from_utf32(bytes: &[u8]) -> Option<Zeroizing<String>> {
    let (letters, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        return None;
    }
    let mut text = Zeroizing::new(String::with_capacity(bytes.len()));
    for letter in letters {
        text.push(char::from_u32(u32::from_le_bytes(*letter))?);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::super::keys::PrivateKey;
    use super::super::tests::{recorded, rng};
    use super::*;

    fn key() -> PrivateKey {
        PrivateKey::parse(&recorded("private_key_xml")).unwrap()
    }

    #[test]
    fn the_originals_encryption_key_opens_to_its_pass() {
        let pass = key().decryptor().decrypt(&recorded("EncryptionKey"), &mut rng()).unwrap();
        assert_eq!(*pass, recorded("aes_passphrase"));
    }

    #[test]
    fn a_pass_of_172_letters_becomes_1548() {
        let letters = encrypt(&"x".repeat(172), key().public_key(), &mut rng()).unwrap();
        assert_eq!(letters.len(), 1548);
    }

    #[test]
    fn texts_of_every_length_around_a_block_come_back() {
        let key = key();
        for letters in [0, 1, 21, 22, 42, 43, 44, 64, 65] {
            let text = "é世".chars().cycle().take(letters).collect::<String>();
            let sealed = encrypt(&text, key.public_key(), &mut rng()).unwrap();
            assert_eq!(sealed.len(), (letters * 4 / 86 + 1) * 172, "{letters}");
            assert_eq!(*key.decryptor().decrypt(&sealed, &mut rng()).unwrap(), text);
        }
    }

    #[test]
    fn the_longest_text_that_opens_has_16_blocks() {
        let key = key();
        let sealed = encrypt(&"x".repeat(343), key.public_key(), &mut rng()).unwrap();
        assert!(key.decryptor().decrypt(&sealed, &mut rng()).is_ok());
        let sealed = encrypt(&"x".repeat(344), key.public_key(), &mut rng()).unwrap();
        assert_eq!(key.decryptor().decrypt(&sealed, &mut rng()), Err(Unreadable));
    }

    #[test]
    fn what_was_not_made_for_this_key_is_unreadable() {
        let key = key();
        let other = PrivateKey::generate(&mut rng()).unwrap();
        let others = encrypt("pass", other.public_key(), &mut rng()).unwrap();
        let good = encrypt("pass", key.public_key(), &mut rng()).unwrap();
        let zeroes = STANDARD.encode([0; 128]);
        let highest = STANDARD.encode([255; 128]);
        for sealed in ["", " ", "AAAA", "?", &good[..168], &others, &zeroes, &highest] {
            assert_eq!(key.decryptor().decrypt(sealed, &mut rng()), Err(Unreadable), "{sealed}");
        }
        assert!(other.decryptor().decrypt(&others, &mut rng()).is_ok());
    }
}
