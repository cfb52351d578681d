//! `AES(text, pass)`, the one symmetric cipher of version 1.
//!
//! | bytes | what is encrypted |
//! | --- | --- |
//! | 2 | FF FE, the byte order mark |
//! | 2 × n | the text in UTF-16, low byte first |
//! | 1–16 | PKCS#7 padding |
//!
//! AES-256-CBC. PBKDF2-HMAC-SHA1 (RFC 8018) with 1000 rounds gives 48 bytes of the pass's UTF-8:
//! 32 for the key and 16 for the IV, so the same text under the same pass is the same ciphertext,
//! and nothing authenticates it. The result is written in standard base64.

mod stream;

use std::fmt;

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, KeyIvInit};
use aes::{Aes256Dec, Aes256Enc};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

pub(super) use self::stream::{CbcOpener, CbcSealer};
use super::{base64_text, utf16};

/// `CryptAByte` in UTF-16: the salt of every pass.
const SALT: &[u8; 20] = b"C\0r\0y\0p\0t\0A\0B\0y\0t\0e\0";
const ROUNDS: usize = 1000;
const BLOCK: usize = 16;

/// This cannot be read with what was given.
///
/// Deliberately without detail: wrong pass, wrong padding and broken text look alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this cannot be read with this key or pass")]
pub struct Unreadable;

/// Key and IV of one pass, wiped from memory on drop.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct PassKey {
    cipher: [u8; 32],
    iv: [u8; BLOCK],
}

impl PassKey {
    /// Derives them from `pass`, which takes a thousand rounds.
    #[must_use]
    pub fn derive(pass: &str) -> Self {
        let mut bytes = Zeroizing::new([0; 48]);
        pbkdf2(pass.as_bytes(), &mut *bytes);
        let mut key = Self { cipher: [0; 32], iv: [0; BLOCK] };
        let (cipher, iv) = bytes.split_at(32);
        key.cipher.copy_from_slice(cipher);
        key.iv.copy_from_slice(iv);
        key
    }

    fn encryptor(&self) -> cbc::Encryptor<Aes256Enc> {
        cbc::Encryptor::new((&self.cipher).into(), (&self.iv).into())
    }

    fn decryptor(&self) -> cbc::Decryptor<Aes256Dec> {
        cbc::Decryptor::new((&self.cipher).into(), (&self.iv).into())
    }
}

impl fmt::Debug for PassKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PassKey(..)")
    }
}

/// Encrypts `text`: the original's `AES(text, pass)`, in standard base64.
#[must_use]
pub fn encrypt_text(text: &str, pass: &str) -> String {
    STANDARD.encode(sealed(&utf16::encode(&utf16::BYTE_ORDER_MARK, text), pass))
}

/// Decrypts what [`encrypt_text`] or the original made. Blanks and line ends in the base64 are
/// passed over, as .NET does.
///
/// A wrong pass is refused in all but about one of 250 cases, in which its padding looks right;
/// then the text is wrong, or refused for what it begins with. So success proves nothing: compare
/// a hash.
///
/// # Errors
/// When the base64, the padding, the byte order mark or the text is not what it should be; which
/// one is not told.
pub fn decrypt_text(data: &str, pass: &str) -> Result<Zeroizing<String>, Unreadable> {
    decrypt_text_with(data, &PassKey::derive(pass))
}

/// The same with a key that was derived before.
pub(super) fn decrypt_text_with(
    data: &str,
    key: &PassKey,
) -> Result<Zeroizing<String>, Unreadable> {
    let mut bytes = base64_text::decode_base64(data).ok_or(Unreadable)?;
    let plain = key.decryptor().decrypt_padded::<Pkcs7>(&mut bytes).map_err(|_| Unreadable)?;
    let text = plain.strip_prefix(&utf16::BYTE_ORDER_MARK).ok_or(Unreadable)?;
    utf16::decode(text).ok_or(Unreadable)
}

fn sealed(plain: &[u8], pass: &str) -> Vec<u8> {
    let mut sealer = CbcSealer::new(&PassKey::derive(pass));
    let mut sealed = Vec::with_capacity(plain.len() + BLOCK);
    sealer.update(plain, &mut sealed);
    sealer.finish(&mut sealed);
    sealed
}

/// PBKDF2 with HMAC-SHA1 (RFC 8018, section 5.2).
fn pbkdf2(pass: &[u8], output: &mut [u8]) {
    // HMAC takes a key of any length (RFC 2104), so this never fails.
    let keyed = <Hmac<Sha1> as KeyInit>::new_from_slice(pass).expect("any length is good");
    for (number, block) in (1_u32..).zip(output.chunks_mut(20)) {
        let first = keyed.clone().chain_update(SALT).chain_update(number.to_be_bytes());
        let mut round: Zeroizing<[u8; 20]> = Zeroizing::new(first.finalize().into_bytes().into());
        let mut sum = round.clone();
        for _ in 1..ROUNDS {
            *round = keyed.clone().chain_update(*round).finalize().into_bytes().into();
            sum.iter_mut().zip(round.iter()).for_each(|(sum, byte)| *sum ^= byte);
        }
        block.copy_from_slice(&sum[..block.len()]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{recorded, vectors};
    use super::*;

    #[test]
    fn ciphertexts_are_those_of_the_original() {
        for case in vectors()["aes"].as_array().unwrap() {
            let member = |name: &str| case[name].as_str().unwrap();
            let (text, pass, data) =
                (member("plaintext"), member("passphrase"), member("ciphertext"));
            assert_eq!(encrypt_text(text, pass), data);
            assert_eq!(decrypt_text(data, pass).unwrap().as_str(), text);
        }
    }

    #[test]
    fn the_originals_private_key_opens_with_its_passphrase() {
        let xml = decrypt_text(&recorded("private_key_encrypted"), &recorded("passphrase"));
        assert_eq!(*xml.unwrap(), recorded("private_key_xml"));
    }

    #[test]
    fn every_failure_is_the_same_one() {
        let not_text = STANDARD.encode(sealed(b"\xff\xfe\x00\xd8", "pw"));
        let no_mark = STANDARD.encode(sealed(b"a\0", "pw"));
        let cut = &encrypt_text("a text longer than a block", "pw")[..24];
        for data in ["", "?", "AAAA", "wIho7hwbc0eO47BuM/672A==", &not_text, &no_mark, cut] {
            assert_eq!(decrypt_text(data, "pw"), Err(Unreadable), "{data}");
        }
    }

    #[test]
    fn line_ends_in_base64_are_passed_over() {
        let text = decrypt_text("E602O/Gr3/rn\r\nMA9uWpT5Sg== ", "password").unwrap();
        assert_eq!(text.as_str(), "secret");
    }

    #[test]
    fn a_pass_key_shows_nothing() {
        assert_eq!(format!("{:?}", PassKey::derive("pw")), "PassKey(..)");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn text_comes_back(text: String, pass: String) {
            prop_assert_eq!(&*decrypt_text(&encrypt_text(&text, &pass), &pass).unwrap(), &text);
        }
    }
}
