//! A list of messages as JSON. Nearly all of it is base64, in which no letter needs an escape, so bytes
//! go straight into the answer and nobody looks for one.

use std::io::{self, Write};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde::{Serialize, Serializer};
use serde_json::ser::Formatter;

use super::answers::{Message, Messages};
use crate::domain::error::Fault;

/// Bytes that are base64url without padding in a [list](write).
pub(super) struct Encoded(pub(super) Vec<u8>);

impl Encoded {
    /// How many letters they become.
    pub(super) fn length(&self) -> usize {
        self.0.len().div_ceil(3) * 4
    }
}

impl Serialize for Encoded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

/// A list as JSON.
///
/// # Errors
/// None, as far as anybody knows.
pub(super) fn write(list: &Messages) -> Result<Vec<u8>, Fault> {
    let length = list.messages.iter().map(Message::length).sum::<usize>();
    let mut out = Vec::with_capacity(length + list.privatekey.length() + 256);
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, InBase64);
    let written = list.serialize(&mut serializer);
    written.map_err(|error| Fault::internal("writing a list", error))?;
    Ok(out)
}

/// JSON without blanks in which [`Encoded`] is a string.
struct InBase64;

/// Bytes that are encoded at once: a multiple of three, so that the letters of all parts are those of
/// the whole.
const PART: usize = 3 * 1024;

impl Formatter for InBase64 {
    fn write_byte_array<W: ?Sized + Write>(&mut self, out: &mut W, bytes: &[u8]) -> io::Result<()> {
        let mut letters = [0; PART / 3 * 4];
        out.write_all(b"\"")?;
        for part in bytes.chunks(PART) {
            let length = BASE64.encode_slice(part, &mut letters).map_err(io::Error::other)?;
            out.write_all(letters.get(..length).unwrap_or_default())?;
        }
        out.write_all(b"\"")
    }
}

#[cfg(test)]
mod tests {
    use super::super::answers::encoded;
    use super::*;

    #[test]
    fn a_list_is_the_same_however_long_its_bytes_are() {
        for length in [0, 1, 2, 3, PART - 1, PART, PART + 1, PART * 2 + 2] {
            let bytes: Vec<u8> = (0..=255).cycle().take(length).collect();
            let list = Messages {
                privatekey: Encoded(bytes.clone()),
                messages: Vec::new(),
                more: false,
                deletemessagesafterreading: true,
            };
            let written: serde_json::Value =
                serde_json::from_slice(&write(&list).unwrap()).unwrap();
            let expected = serde_json::json!({
                "privatekey": encoded(&bytes), "messages": [], "more": false,
                "deletemessagesafterreading": true,
            });
            assert_eq!(written, expected, "{length}");
        }
    }
}
