//! Messages to a key: a fresh pass for each, and the pass under the key.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::rsa::{self, SealError};
use super::{
    OpenError, PrivateKey, PublicKey, TextForm, Unreadable, decrypt_text, encrypt_text, gzip, hash,
};

/// Bytes of a new pass, before they become 172 letters of base64.
const PASS_BYTES: usize = 128;

/// An encrypted text, in the form in which it is stored and answered.
#[derive(Clone)]
pub struct SealedText {
    /// How the text became bytes. No member of the original's message has room for it.
    pub form: TextForm,
    /// `EncryptionKey`: RSA(pass); 1548 letters under a key of 1024 bits.
    pub encryption_key: String,
    /// `MessageData`: AES(Gzip(text), pass), in base64.
    pub data: String,
    /// `MessageHash`: Hash(Gzip(text)). A short text can be guessed from it.
    pub hash: String,
}

/// A stored text that somebody wants to read.
#[derive(Clone, Copy)]
pub struct StoredText<'message> {
    /// As [`SealedText::form`]; [`TextForm::Latin`] for what a client encrypted itself.
    pub form: TextForm,
    /// `EncryptionKey`.
    pub encryption_key: &'message str,
    /// `MessageData`.
    pub data: &'message str,
    /// `MessageHash`, which is compared if it is there; clients that encrypt themselves send none.
    pub hash: Option<&'message str>,
}

/// A text as its reader gets it.
pub struct OpenedText {
    /// `EncryptionKey` of a decrypted message: the pass itself.
    pub encryption_key: Zeroizing<String>,
    /// `MessageData` of a decrypted message: the text.
    pub text: Zeroizing<String>,
}

/// Encrypts `text` for the owner of `public_key`.
///
/// # Errors
/// [`SealError`] when the public key cannot encrypt; no [`PublicKey`] is like that.
pub fn seal_text(
    text: &str,
    public_key: &PublicKey,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<SealedText, SealError> {
    let pass = new_pass(rng);
    let (form, packed) = gzip::compress(text);
    Ok(SealedText {
        form,
        encryption_key: rsa::encrypt(&pass, public_key, rng)?,
        data: encrypt_text(&packed, &pass),
        hash: hash(&packed),
    })
}

/// Decrypts a text for its owner, if it has at most `limit` bytes in its [`TextForm`]. `rng` blinds
/// the private key.
///
/// # Errors
/// [`OpenError::TooLarge`] when the text is longer; [`OpenError::Unreadable`] for everything else
/// that is wrong with it. Neither says anything about other messages under the same key.
pub fn open_text(
    stored: &StoredText<'_>,
    key: &PrivateKey,
    limit: usize,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<OpenedText, OpenError> {
    let pass = open_pass(stored.encryption_key, key, rng)?;
    let packed = decrypt_text(stored.data, &pass)?;
    if let Some(expected) = stored.hash
        && !bool::from(hash(&packed).as_bytes().ct_eq(expected.as_bytes()))
    {
        return Err(Unreadable.into());
    }
    let text = gzip::decompress(&packed, stored.form, limit)?;
    Ok(OpenedText { encryption_key: pass, text })
}

/// Encrypts a pass of [`new_pass`] for the owner of `public_key`: the `EncryptionKey` of what was
/// encrypted under it before anybody knew for whom.
///
/// # Errors
/// As [`seal_text`].
pub fn seal_pass(
    pass: &str,
    public_key: &PublicKey,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<String, SealError> {
    rsa::encrypt(pass, public_key, rng)
}

/// Decrypts the `EncryptionKey` of a text or of a file to its pass. `rng` blinds the private key.
///
/// # Errors
/// When it was not made for this key, or the pass is too long; which one is not
/// told.
pub fn open_pass(
    encryption_key: &str,
    key: &PrivateKey,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<Zeroizing<String>, Unreadable> {
    key.decryptor().decrypt(encryption_key, rng)
}

/// A fresh pass, 172 letters.
pub fn new_pass(rng: &mut (impl CryptoRng + ?Sized)) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0; PASS_BYTES]);
    rng.fill_bytes(&mut *bytes);
    Zeroizing::new(STANDARD.encode(bytes.as_slice()))
}

impl fmt::Debug for SealedText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SealedText").field("form", &self.form).finish_non_exhaustive()
    }
}

impl fmt::Debug for StoredText<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("StoredText").field("form", &self.form).finish_non_exhaustive()
    }
}

impl fmt::Debug for OpenedText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OpenedText(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{recorded, rng};
    use super::*;

    fn key() -> PrivateKey {
        PrivateKey::parse(&recorded("private_key_xml")).unwrap()
    }

    fn stored(sealed: &SealedText) -> StoredText<'_> {
        StoredText {
            form: sealed.form,
            encryption_key: &sealed.encryption_key,
            data: &sealed.data,
            hash: Some(&sealed.hash),
        }
    }

    #[test]
    fn the_originals_message_opens() {
        let (encryption_key, data, hash) =
            (recorded("EncryptionKey"), recorded("MessageData"), recorded("MessageHash"));
        let stored = StoredText {
            form: TextForm::Latin,
            encryption_key: &encryption_key,
            data: &data,
            hash: Some(&hash),
        };
        let opened = open_text(&stored, &key(), 100, &mut rng()).unwrap();
        assert_eq!(*opened.text, recorded("plaintext"));
        assert_eq!(*opened.encryption_key, recorded("aes_passphrase"));
    }

    #[test]
    fn the_parts_of_the_originals_message_are_made_again_under_its_pass() {
        let (form, packed) = gzip::compress(&recorded("plaintext"));
        assert_eq!(form, TextForm::Latin);
        assert_eq!(encrypt_text(&packed, &recorded("aes_passphrase")), recorded("MessageData"));
        assert_eq!(hash(&packed), recorded("MessageHash"));
    }

    #[test]
    fn texts_come_back_in_either_form() {
        let key = key();
        for text in ["", "secret", "h\u{e9}llo", "héllo 世界", &"prose ".repeat(1000)] {
            let sealed = seal_text(text, key.public_key(), &mut rng()).unwrap();
            assert_eq!(sealed.encryption_key.len(), 1548);
            let opened = open_text(&stored(&sealed), &key, 6000, &mut rng()).unwrap();
            assert_eq!(opened.text.as_str(), text);
            assert_eq!(opened.encryption_key.len(), 172);
        }
    }

    #[test]
    fn a_hash_of_another_text_makes_a_message_unreadable() {
        let key = key();
        let sealed = seal_text("secret", key.public_key(), &mut rng()).unwrap();
        let other = hash("another");
        let changed = StoredText { hash: Some(&other), ..stored(&sealed) };
        let outcome = open_text(&changed, &key, 100, &mut rng()).map(|_| ());
        assert_eq!(outcome, Err(OpenError::Unreadable(Unreadable)));
        let without = StoredText { hash: None, ..changed };
        assert!(open_text(&without, &key, 100, &mut rng()).is_ok());
    }

    #[test]
    fn junk_is_unreadable_and_nothing_worse() {
        let key = key();
        let sealed = seal_text("secret", key.public_key(), &mut rng()).unwrap();
        let good = StoredText { hash: None, ..stored(&sealed) };
        for junk in ["", "junk", "anVuaw==", "\u{0}", "世界"] {
            for stored in
                [StoredText { data: junk, ..good }, StoredText { encryption_key: junk, ..good }]
            {
                let outcome = open_text(&stored, &key, 100, &mut rng()).map(|_| ());
                assert_eq!(outcome, Err(OpenError::Unreadable(Unreadable)), "{junk}");
            }
        }
    }

    #[test]
    fn a_text_beyond_the_bound_is_too_large() {
        let key = key();
        let sealed = seal_text(&"a".repeat(101), key.public_key(), &mut rng()).unwrap();
        let outcome = open_text(&stored(&sealed), &key, 100, &mut rng()).map(|_| ());
        assert_eq!(outcome, Err(OpenError::TooLarge { limit: 100 }));
    }

    #[test]
    fn a_files_pass_comes_back_from_its_encryption_key() {
        let key = key();
        let pass = new_pass(&mut rng());
        let sealed = seal_pass(&pass, key.public_key(), &mut rng()).unwrap();
        assert_eq!(open_pass(&sealed, &key, &mut rng()).unwrap(), pass);
    }
}
