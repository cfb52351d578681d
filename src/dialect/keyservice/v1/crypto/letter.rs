//! Self-destructing texts: whoever has the word reads it, once.

use std::fmt;

use zeroize::Zeroizing;

use super::{OpenError, TextForm, decrypt_text, encrypt_text, gzip, hash};

/// An encrypted self-destructing text.
#[derive(Clone)]
pub struct SealedLetter {
    /// How the text became bytes.
    pub form: TextForm,
    /// AES(Gzip(text), word), in base64.
    pub data: String,
    /// Hash(text), which the original's link carries. A short text can be guessed from it.
    pub hash: String,
}

/// Encrypts `text` under `word`.
#[must_use]
pub fn seal_letter(text: &str, word: &str) -> SealedLetter {
    let (form, packed) = gzip::compress(text);
    SealedLetter { form, data: encrypt_text(&packed, word), hash: hash(text) }
}

/// Decrypts what [`seal_letter`] made, if it has at most `limit` bytes in its [`TextForm`].
///
/// A wrong word fails here always: what it decrypts to would have to be a compressed text with a
/// right checksum.
///
/// # Errors
/// [`OpenError::TooLarge`] when the text is longer; [`OpenError::Unreadable`] when the word is
/// wrong or the text broken.
pub fn open_letter(
    data: &str,
    form: TextForm,
    word: &str,
    limit: usize,
) -> Result<Zeroizing<String>, OpenError> {
    gzip::decompress(&decrypt_text(data, word)?, form, limit)
}

impl fmt::Debug for SealedLetter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SealedLetter").field("form", &self.form).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::rng;
    use super::super::{Unreadable, self_destruct_word};
    use super::*;

    #[test]
    fn a_letter_opens_with_its_word_only() {
        let word = self_destruct_word(&mut rng());
        for text in ["burn this", "héllo 世界"] {
            let letter = seal_letter(text, &word);
            assert_eq!(letter.hash, hash(text));
            let opened = open_letter(&letter.data, letter.form, &word, 100).unwrap();
            assert_eq!(opened.as_str(), text);
            let wrong = open_letter(&letter.data, letter.form, &word[1..], 100);
            assert_eq!(wrong, Err(OpenError::Unreadable(Unreadable)));
        }
    }
}
