//! What is shown of a key and of a message, before it is written in one of the formats.

use zeroize::Zeroizing;

use crate::domain::clock::Timestamp;
use crate::domain::dropbox::{AfterReading, DropBox};

/// A key, as the original calls a box.
pub(super) struct KeyView<'of> {
    /// Its token.
    pub(super) token: String,
    /// XML.
    pub(super) public_key: &'of str,
    /// The encrypted private key, for its owner.
    pub(super) private_key: Option<&'of str>,
    /// For its owner.
    pub(super) private_key_hash: Option<&'of str>,
    /// Whether there is no private key here; nobody but its owner learns of one.
    pub(super) is_public_key_only: bool,
    /// When it was made.
    pub(super) requested_at: Timestamp,
    /// From when on it can be read.
    pub(super) released_at: Timestamp,
    /// From when on nothing can be sent to it.
    pub(super) locked_at: Timestamp,
    /// What happens then.
    pub(super) after_reading: AfterReading,
    /// The present moment.
    pub(super) now: Timestamp,
}

impl<'of> KeyView<'of> {
    /// What everybody may see of a box who knows its token: what a sender needs.
    pub(super) fn public(found: &'of DropBox, now: Timestamp) -> Self {
        let content = &found.content;
        Self {
            token: content.token.to_string(),
            // Written by us, in ASCII.
            public_key: str::from_utf8(&content.public_key).unwrap_or_default(),
            private_key: None,
            private_key_hash: None,
            is_public_key_only: true,
            requested_at: content.created_at,
            released_at: content.release_at.unwrap_or(content.created_at),
            locked_at: content.lock_at,
            after_reading: AfterReading::default(),
            now,
        }
    }

    /// The same for its owner.
    pub(super) fn own(found: &'of DropBox, now: Timestamp, hash: Option<&'of str>) -> Self {
        let private_key = found.content.private_key.as_deref();
        Self {
            private_key: private_key.and_then(|key| str::from_utf8(key).ok()),
            private_key_hash: hash,
            is_public_key_only: private_key.is_none(),
            after_reading: found.content.after_reading,
            ..Self::public(found, now)
        }
    }

    /// Whether it can be read.
    pub(super) fn is_released(&self) -> bool {
        self.released_at <= self.now
    }
}

/// A message but for its data.
pub(super) struct MessageView {
    /// `MessageId`: its place in its box.
    pub(super) number: i64,
    /// The pass, encrypted or in the clear.
    pub(super) encryption_key: Option<Zeroizing<String>>,
    /// When it came.
    pub(super) created_at: Timestamp,
    /// Of what the gateway encrypted.
    pub(super) hash: Option<String>,
    /// Whether it is a file.
    pub(super) is_file: bool,
    /// What a file can be fetched with.
    pub(super) ticket: Option<String>,
}

#[cfg(test)]
pub(super) mod samples {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_767_323_045_123_456);

    pub(in super::super) fn key() -> KeyView<'static> {
        KeyView {
            token: "00ff00ff00ff00ff".to_owned(),
            public_key: "<RSAKeyValue></RSAKeyValue>",
            private_key: Some("cHJpdmF0ZQ=="),
            private_key_hash: Some("b3a8"),
            is_public_key_only: false,
            requested_at: NOW,
            released_at: NOW,
            locked_at: Timestamp::from_micros(1_767_409_445_000_000),
            after_reading: AfterReading { messages_go: true, box_goes: false },
            now: NOW,
        }
    }

    pub(in super::super) fn message() -> MessageView {
        MessageView {
            number: 7,
            encryption_key: Some(Zeroizing::new("a2V5".to_owned())),
            created_at: NOW,
            hash: None,
            is_file: false,
            ticket: None,
        }
    }
}
