//! UTF-16 with the low byte first, as .NET writes text into bytes.

use zeroize::Zeroizing;

/// What the original puts in front of a text before it encrypts it (U+FEFF).
pub(super) const BYTE_ORDER_MARK: [u8; 2] = [0xff, 0xfe];

/// The bytes of `text`, behind `prefix`.
pub(super) fn encode(prefix: &[u8], text: &str) -> Zeroizing<Vec<u8>> {
    // Two bytes for each byte of UTF-8 are always enough, so that the buffer never moves.
    let mut bytes = Zeroizing::new(Vec::with_capacity(prefix.len() + text.len() * 2));
    bytes.extend_from_slice(prefix);
    for unit in text.encode_utf16() {
        bytes.extend_from_slice(&unit.to_le_bytes());
    }
    bytes
}

/// The text of `bytes`; nothing for an odd number of bytes and for halves of a surrogate pair.
pub(super) fn decode(bytes: &[u8]) -> Option<Zeroizing<String>> {
    let (units, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    // Three bytes of UTF-8 for each unit are always enough.
    let mut text = Zeroizing::new(String::with_capacity(units.len() * 3));
    for letter in char::decode_utf16(units.iter().map(|unit| u16::from_le_bytes(*unit))) {
        text.push(letter.ok()?);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn half_a_unit_and_half_a_pair_are_no_text() {
        assert_eq!(decode(b"a"), None);
        assert_eq!(decode(&[0x00, 0xd8]), None);
    }

    proptest! {
        #[test]
        fn text_comes_back(text: String) {
            prop_assert_eq!(&*decode(&encode(&[], &text)).unwrap(), &text);
        }
    }
}
