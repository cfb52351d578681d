//! Between the bytes of an archive and the bytes that are stored: base64, UTF-16, AES.

use zeroize::Zeroizing;

use super::super::aes::{CbcOpener, CbcSealer};
use super::super::base64_text::Base64Decoder;
use super::super::utf16::BYTE_ORDER_MARK;
use super::super::{Base64Encoder, PassKey, Unreadable};

/// Bytes of an archive that are written as text at once: little memory, which is used again.
const PART: usize = 3 * 1024;

/// Encrypts an archive that comes in pieces.
pub(super) struct TextSealer {
    letters: Base64Encoder,
    cipher: CbcSealer,
}

/// Decrypts to an archive, in pieces.
pub(super) struct TextOpener {
    cipher: CbcOpener,
    units: Units,
    letters: Base64Decoder,
}

/// UTF-16 of nothing but ASCII, in pieces.
struct Units {
    /// What of the byte order mark is still to come.
    mark: &'static [u8],
    /// The low byte of a unit whose high byte has not come yet.
    low: Option<u8>,
}

impl TextSealer {
    /// Begins with the byte order mark.
    pub(super) fn new(key: &PassKey) -> Self {
        let mut cipher = CbcSealer::new(key);
        // Shorter than a block, so nothing is written yet.
        cipher.update(&BYTE_ORDER_MARK, &mut Vec::new());
        Self { letters: Base64Encoder::default(), cipher }
    }

    /// Takes the next bytes of the archive and appends what can be written by now.
    pub(super) fn update(&mut self, archive: &[u8], sealed: &mut Vec<u8>) {
        for part in archive.chunks(PART) {
            let mut text = Zeroizing::new(String::with_capacity(part.len().div_ceil(3) * 4));
            self.letters.update(part, &mut text);
            self.cipher.update(&widened(&text), sealed);
        }
    }

    /// Appends the end.
    pub(super) fn finish(mut self, sealed: &mut Vec<u8>) {
        let mut text = Zeroizing::new(String::with_capacity(4));
        self.letters.finish(&mut text);
        self.cipher.update(&widened(&text), sealed);
        self.cipher.finish(sealed);
    }
}

impl TextOpener {
    pub(super) fn new(key: &PassKey) -> Self {
        Self {
            cipher: CbcOpener::new(key),
            units: Units { mark: &BYTE_ORDER_MARK, low: None },
            letters: Base64Decoder::default(),
        }
    }

    /// Takes the next stored bytes and appends what is certain of the archive by now.
    ///
    /// # Errors
    /// When what is decrypted is not base64 in UTF-16 behind its mark.
    pub(super) fn update(
        &mut self,
        sealed: &[u8],
        archive: &mut Zeroizing<Vec<u8>>,
    ) -> Result<(), Unreadable> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(sealed.len() + 16));
        self.cipher.update(sealed, &mut bytes);
        self.letters.update(&self.units.narrow(&bytes)?, archive)
    }

    /// Appends the end.
    ///
    /// # Errors
    /// When the padding is wrong, or the text stops in the middle.
    pub(super) fn finish(mut self, archive: &mut Zeroizing<Vec<u8>>) -> Result<(), Unreadable> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(16));
        self.cipher.finish(&mut bytes)?;
        self.letters.update(&self.units.narrow(&bytes)?, archive)?;
        if !self.units.mark.is_empty() || self.units.low.is_some() {
            return Err(Unreadable);
        }
        self.letters.finish(archive)
    }
}

impl Units {
    /// The letters of the next bytes.
    fn narrow(&mut self, bytes: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unreadable> {
        let mut letters = Zeroizing::new(Vec::with_capacity(bytes.len() / 2 + 1));
        for byte in bytes {
            if let Some((expected, rest)) = self.mark.split_first() {
                if byte != expected {
                    return Err(Unreadable);
                }
                self.mark = rest;
                continue;
            }
            match self.low.take() {
                None => self.low = Some(*byte),
                Some(low) if *byte == 0 => letters.push(low),
                Some(_) => return Err(Unreadable),
            }
        }
        Ok(letters)
    }
}

/// ASCII in UTF-16, low byte first.
fn widened(ascii: &str) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(ascii.len() * 2));
    bytes.extend(ascii.bytes().flat_map(|byte| [byte, 0]));
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::super::aes::CbcSealer;
    use super::super::super::encrypt_text;
    use super::*;

    fn opened(sealed: &[u8], key: &PassKey) -> Result<Vec<u8>, Unreadable> {
        let mut opener = TextOpener::new(key);
        let mut archive = Zeroizing::new(Vec::new());
        for byte in sealed {
            opener.update(&[*byte], &mut archive)?;
        }
        opener.finish(&mut archive)?;
        Ok(archive.to_vec())
    }

    #[test]
    fn the_stored_bytes_are_those_of_the_whole_text() {
        let key = PassKey::derive("pass");
        let mut sealer = TextSealer::new(&key);
        let mut sealed = Vec::new();
        sealer.update(b"an arch", &mut sealed);
        sealer.update(b"ive", &mut sealed);
        sealer.finish(&mut sealed);
        let mut text = String::new();
        let mut encoder = Base64Encoder::default();
        encoder.update(&sealed, &mut text);
        encoder.finish(&mut text);
        assert_eq!(text, encrypt_text("YW4gYXJjaGl2ZQ==", "pass"));
        assert_eq!(opened(&sealed, &key), Ok(b"an archive".to_vec()));
    }

    #[test]
    fn what_is_not_base64_in_utf_16_behind_its_mark_is_refused() {
        let key = PassKey::derive("pass");
        for plain in [
            &b""[..],
            b"\xff",
            b"\xfe\xff\0Y\0W\0=\0=",
            b"Y\0W\0=\0=\0",
            b"\xff\xfeY\0W\0=\0=",
            b"\xff\xfeY\x01W\0=\0=\0",
            b"\xff\xfeY\0W\0=\0",
            b"\xff\xfeY\0-\0=\0=\0",
        ] {
            let mut cipher = CbcSealer::new(&key);
            let mut sealed = Vec::new();
            cipher.update(plain, &mut sealed);
            cipher.finish(&mut sealed);
            assert_eq!(opened(&sealed, &key), Err(Unreadable), "{plain:x?}");
        }
    }
}
