//! A message between members as the store keeps it: what all its readers share, and the part of
//! each. A header is kept byte for byte, because its sender may have authenticated those bytes.

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::domain::ids::UserId;

/// The category of everything that members send.
pub const HUSHNET: &str = "HUSHNET";

/// What all readers of a message share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shared {
    /// The sender's own id for it.
    pub logical: String,
    /// The member that it is for.
    pub to: UserId,
}

impl Shared {
    /// As the store keeps it.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        // A text and an id always serialise.
        serde_json::to_vec(self).unwrap_or_default().into()
    }

    /// What the store kept; nothing when it is something else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// What one device gets of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// JSON, as its sender wrote it.
    pub header: Bytes,
    /// The text that is meant for the device alone.
    pub ciphertext: Bytes,
}

/// The bytes that say how long the header is.
const PREFIX: usize = 4;

impl Sealed {
    /// As the store keeps it; `None` when the header is longer than the form allows.
    #[must_use]
    pub fn to_bytes(&self) -> Option<Bytes> {
        let length = u32::try_from(self.header.len()).ok()?;
        let mut bytes = BytesMut::with_capacity(PREFIX + self.size());
        bytes.put_u32_le(length);
        bytes.put_slice(&self.header);
        bytes.put_slice(&self.ciphertext);
        Some(bytes.freeze())
    }

    /// What the store kept; nothing when it is something else.
    #[must_use]
    pub fn from_bytes(bytes: &Bytes) -> Option<Self> {
        let length = u32::from_le_bytes(*bytes.first_chunk::<PREFIX>()?);
        let end = PREFIX.checked_add(usize::try_from(length).ok()?)?;
        if end > bytes.len() {
            return None;
        }
        Some(Self { header: bytes.slice(PREFIX..end), ciphertext: bytes.slice(end..) })
    }

    /// The bytes of both.
    #[must_use]
    pub fn size(&self) -> usize {
        self.header.len() + self.ciphertext.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(header: &'static str, ciphertext: &'static str) -> Sealed {
        Sealed { header: Bytes::from(header), ciphertext: Bytes::from(ciphertext) }
    }

    #[test]
    fn what_was_kept_comes_back_byte_for_byte() {
        for one in
            [sealed(r#"{"zz":1, "a":1.10,"a":2}"#, "abc"), sealed("null", ""), sealed("", "x")]
        {
            let bytes = one.to_bytes().unwrap();
            assert_eq!(bytes.len(), 4 + one.size());
            assert_eq!(Sealed::from_bytes(&bytes), Some(one));
        }
        let shared =
            Shared { logical: "id \"of\" theirs".to_owned(), to: UserId::from_bytes([7; 16]) };
        assert_eq!(Shared::from_bytes(&shared.to_bytes()), Some(shared));
    }

    #[test]
    fn what_is_no_such_message_is_none() {
        for bytes in [&b""[..], b"\x01\0\0", b"\x02\0\0\0a", b"\xff\xff\xff\xffabc"] {
            assert_eq!(Sealed::from_bytes(&Bytes::from_static(bytes)), None);
        }
        assert_eq!(Shared::from_bytes(b"{}"), None);
    }
}
