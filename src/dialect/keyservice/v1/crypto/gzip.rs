//! `Gzip(text)`: a compressed text that is a text again, one letter for each byte.
//!
//! The original cuts every UTF-16 unit to its low byte before it compresses, so that what is not in
//! Latin-1 is lost, and its decompression stops after as many bytes as the compressed text has.
//! Here such text is compressed as UTF-8, which whoever stores it has to remember, and
//! decompression goes to the end or to a bound.

use std::io::Read;

use flate2::Compression;
use flate2::GzBuilder;
use flate2::read::GzDecoder;
use zeroize::Zeroizing;

use super::Unreadable;

/// What the original's runtime writes into the header for "Unix" (RFC 1952, 2.3.1).
const UNIX: u8 = 3;

/// How a text was written into bytes before it was compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextForm {
    /// One byte for each letter, up to U+00FF: the original's form.
    Latin,
    /// UTF-8, because a letter is above U+00FF. The original cannot read it.
    Utf8,
}

/// Why a compressed text did not come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It cannot be decrypted, decompressed or read as text.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// It is longer than the caller wants it.
    #[error("the decompressed text is longer than {limit} bytes")]
    TooLarge {
        /// Bytes before they became text, in [`TextForm`].
        limit: usize,
    },
}

/// Compresses `text` into letters up to U+00FF.
pub(super) fn compress(text: &str) -> (TextForm, Zeroizing<String>) {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let latin = text.chars().map(|letter| u8::try_from(u32::from(letter)).ok());
    let form = if latin.clone().all(|byte| byte.is_some()) {
        bytes.extend(latin.flatten());
        TextForm::Latin
    } else {
        bytes.extend_from_slice(text.as_bytes());
        TextForm::Utf8
    };
    let mut encoder =
        GzBuilder::new().operating_system(UNIX).read(&bytes[..], Compression::default());
    let mut packed = Zeroizing::new(Vec::with_capacity(bytes.len() + 64));
    // Reading fails only where what is read from fails, and that is memory.
    encoder.read_to_end(&mut packed).expect("memory does not fail");
    (form, letters(&packed))
}

/// Decompresses what [`compress`] or the original made, if it has at most `limit` bytes. What
/// follows behind the end of the compressed text is not looked at.
///
/// # Errors
/// [`OpenError`], when it is no such text or longer.
pub(super) fn decompress(
    text: &str,
    form: TextForm,
    limit: usize,
) -> Result<Zeroizing<String>, OpenError> {
    let mut packed = Zeroizing::new(Vec::with_capacity(text.len()));
    for letter in text.chars() {
        packed.push(u8::try_from(u32::from(letter)).map_err(|_| Unreadable)?);
    }
    let mut decoder = GzDecoder::new(&packed[..]);
    let mut bytes = Zeroizing::new(Vec::new());
    // Room for one byte more shows whether there is one.
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    decoder.by_ref().take(bound).read_to_end(&mut bytes).map_err(|_| Unreadable)?;
    if bytes.len() > limit {
        return Err(OpenError::TooLarge { limit });
    }
    match form {
        TextForm::Latin => Ok(letters(&bytes)),
        TextForm::Utf8 => {
            let text = std::str::from_utf8(&bytes).map_err(|_| Unreadable)?;
            Ok(Zeroizing::new(text.to_owned()))
        }
    }
}

/// One letter for each byte.
fn letters(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() * 2));
    text.extend(bytes.iter().map(|byte| char::from(*byte)));
    text
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::super::tests::recorded;
    use super::*;

    #[test]
    fn a_compressed_text_is_the_one_of_the_original() {
        let packed = STANDARD.decode(recorded("gzip_base64")).unwrap();
        let (form, text) = compress(&recorded("plaintext"));
        assert_eq!((form, text), (TextForm::Latin, letters(&packed)));
        let text = decompress(&letters(&packed), TextForm::Latin, 100).unwrap();
        assert_eq!(*text, recorded("plaintext"));
    }

    #[test]
    fn thirty_equal_letters_come_back_as_thirty() {
        let (form, packed) = compress(&"a".repeat(30));
        assert_eq!(decompress(&packed, form, 30).unwrap().as_str(), "a".repeat(30));
    }

    #[test]
    fn letters_up_to_u_00ff_keep_the_originals_form() {
        assert_eq!(compress("h\u{e9}llo \u{ff}\0").0, TextForm::Latin);
        assert_eq!(compress("h\u{100}llo").0, TextForm::Utf8);
    }

    #[test]
    fn nothing_is_decompressed_beyond_the_bound() {
        let (form, packed) = compress(&"a".repeat(1_000_000));
        assert!(packed.len() < 4000);
        let limit = 999_999;
        assert_eq!(decompress(&packed, form, limit), Err(OpenError::TooLarge { limit }));
        assert!(decompress(&packed, form, limit + 1).is_ok());
    }

    #[test]
    fn broken_and_cut_texts_are_unreadable() {
        let unreadable = Err(OpenError::Unreadable(Unreadable));
        let (_, packed) = compress("a text");
        let cut: String = packed.chars().take(packed.chars().count() - 1).collect();
        for text in ["", "a text", "世", &cut] {
            assert_eq!(decompress(text, TextForm::Latin, 100), unreadable, "{text}");
        }
        let (_, latin) = compress("\u{e9}");
        assert_eq!(decompress(&latin, TextForm::Utf8, 100), unreadable);
    }

    proptest! {
        #[test]
        fn text_comes_back(text: String) {
            let (form, packed) = compress(&text);
            prop_assert_eq!(&*decompress(&packed, form, text.len()).unwrap(), &text);
        }
    }
}
