//! Standard base64 (RFC 4648, section 4), whole and in pieces.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use zeroize::Zeroizing;

use super::Unreadable;

/// The bytes of a text; blanks and line ends in it are passed over, as .NET does.
#[must_use]
pub fn decode_base64(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut letters = Zeroizing::new(Vec::with_capacity(text.len()));
    letters.extend(text.bytes().filter(|byte| !is_blank(*byte)));
    let mut bytes = Zeroizing::new(Vec::with_capacity(letters.len() / 4 * 3 + 3));
    STANDARD.decode_vec(&*letters, &mut bytes).ok()?;
    Some(bytes)
}

/// What .NET's `Convert.FromBase64String` passes over.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// How many letters the base64 of so many bytes has.
#[must_use]
pub const fn base64_length(bytes: u64) -> u64 {
    bytes.div_ceil(3).saturating_mul(4)
}

/// Writes bytes that come in pieces as one base64 text, which has [`base64_length`] letters.
#[derive(Default)]
pub struct Base64Encoder {
    /// At most two bytes that do not make four letters yet.
    rest: Zeroizing<Vec<u8>>,
}

impl Base64Encoder {
    /// Takes the next bytes and appends the letters that are certain by now.
    pub fn update(&mut self, bytes: &[u8], text: &mut String) {
        let missing = (3 - self.rest.len()).min(bytes.len());
        let (first, bytes) = bytes.split_at(missing);
        self.rest.extend_from_slice(first);
        if self.rest.len() < 3 {
            return;
        }
        STANDARD.encode_string(&*self.rest, text);
        self.rest.clear();
        let (whole, rest) = bytes.split_at(bytes.len() / 3 * 3);
        STANDARD.encode_string(whole, text);
        self.rest.extend_from_slice(rest);
    }

    /// Appends the last letters, filled up with `=`.
    pub fn finish(self, text: &mut String) {
        STANDARD.encode_string(&*self.rest, text);
    }
}

/// Reads a base64 text that comes in pieces.
#[derive(Default)]
pub(super) struct Base64Decoder {
    /// The end of what came, never empty once something came: it could be filled up with `=`.
    held: Zeroizing<Vec<u8>>,
}

impl Base64Decoder {
    /// Takes the next letters and appends the bytes that are certain by now.
    ///
    /// # Errors
    /// When something is no letter of base64, or follows after `=`.
    pub(super) fn update(
        &mut self,
        letters: &[u8],
        bytes: &mut Zeroizing<Vec<u8>>,
    ) -> Result<(), Unreadable> {
        self.held.extend(letters.iter().filter(|byte| !is_blank(**byte)));
        let ready = self.held.len().saturating_sub(1) / 4 * 4;
        // Without padding: an `=` may only stand at the very end.
        STANDARD_NO_PAD.decode_vec(&self.held[..ready], bytes).map_err(|_| Unreadable)?;
        self.held.drain(..ready);
        Ok(())
    }

    /// Appends the last bytes.
    ///
    /// # Errors
    /// When the text stops in the middle.
    pub(super) fn finish(self, bytes: &mut Zeroizing<Vec<u8>>) -> Result<(), Unreadable> {
        STANDARD.decode_vec(&*self.held, bytes).map_err(|_| Unreadable)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str, size: usize) -> Result<Vec<u8>, Unreadable> {
        let mut decoder = Base64Decoder::default();
        let mut bytes = Zeroizing::new(Vec::new());
        for piece in text.as_bytes().chunks(size) {
            decoder.update(piece, &mut bytes)?;
        }
        decoder.finish(&mut bytes)?;
        Ok(bytes.to_vec())
    }

    #[test]
    fn nothing_may_follow_the_filling() {
        for text in ["QQ==QUJD", "QUI=QQ==", "QQ=", "Q", "QQ-_", "===="] {
            for size in 1..9 {
                assert_eq!(read(text, size), Err(Unreadable), "{text} by {size}");
            }
        }
    }

    #[test]
    fn blanks_are_passed_over() {
        assert_eq!(read("QU\r\nI= ", 3), Ok(b"AB".to_vec()));
        assert_eq!(decode_base64("QU\r\nI= ").unwrap().as_slice(), b"AB");
    }

    proptest! {
        #[test]
        fn pieces_give_what_the_whole_gives(pieces: Vec<Vec<u8>>, size in 1..9_usize) {
            let whole = pieces.concat();
            let mut encoder = Base64Encoder::default();
            let mut text = String::new();
            pieces.iter().for_each(|piece| encoder.update(piece, &mut text));
            encoder.finish(&mut text);
            prop_assert_eq!(&text, &STANDARD.encode(&whole));
            prop_assert_eq!(base64_length(whole.len() as u64), text.len() as u64);
            prop_assert_eq!(read(&text, size), Ok(whole));
        }
    }
}
