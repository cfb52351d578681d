//! What lies in a box, opened.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::base64url;
use crate::dropbox::{BoxKeys, FileOpener, OpenError, open_text, plain_length};

use super::wire;

/// The longest id of a message.
const LONGEST_ID: usize = 64;

/// The gateway's name for a message in a box: letters, digits, `-` and `_`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BoxMessageId(String);

/// Why a text is no id of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the id of a message has 1 to {LONGEST_ID} letters, digits, hyphens and underscores")]
pub struct BoxMessageIdError;

/// Some of the messages in a box, oldest first.
#[derive(Debug)]
pub struct Page {
    /// The messages.
    pub messages: Vec<BoxMessage>,
    /// Whether there are more behind the last of them.
    pub more: bool,
    /// Whether the gateway has forgotten these texts: what is read goes. Files are forgotten an hour
    /// after they were fetched.
    pub are_gone: bool,
}

/// A message in a box.
///
/// Nothing proves who put it there: anybody with the token of the box may.
#[derive(Debug)]
pub struct BoxMessage {
    /// The gateway's name for it.
    pub id: BoxMessageId,
    /// When it was put in (RFC 3339).
    pub created_at: String,
    /// When the gateway forgets it (RFC 3339).
    pub expires_at: Option<String>,
    /// What it is.
    pub content: BoxContent,
}

/// What a message in a box is. `Debug` does not show it.
pub enum BoxContent {
    /// A text.
    Text(String),
    /// A file, to be fetched with [`OwnedBox::fetch_file`](super::OwnedBox::fetch_file).
    File(BoxFile),
    /// It was made for another box, was changed, or is of a kind that this client does not know.
    Unreadable(OpenError),
}

/// A file in a box.
#[derive(Clone)]
pub struct BoxFile {
    /// The gateway's name for it.
    pub id: BoxMessageId,
    /// What its sender calls it. Not a path to be written to as it is.
    pub name: String,
    /// Its length in bytes, as the gateway says; `None` when no file is sealed to so many bytes.
    pub length: Option<u64>,
    pub(super) keys: Arc<BoxKeys>,
    pub(super) encryption_key: Vec<u8>,
    pub(super) sealed_name: Vec<u8>,
}

impl BoxMessage {
    /// Opens what the gateway lists.
    pub(super) fn open(listed: wire::Listed, keys: &Arc<BoxKeys>) -> Self {
        let content = match listed.kind.as_str() {
            "message" => text(&listed, keys).map(BoxContent::Text),
            "file" => file(&listed, keys).map(BoxContent::File),
            _ => Err(OpenError::Message),
        };
        Self {
            id: listed.messageid,
            created_at: listed.createdat,
            expires_at: listed.expiresat,
            content: content.unwrap_or_else(BoxContent::Unreadable),
        }
    }
}

fn text(listed: &wire::Listed, keys: &BoxKeys) -> Result<String, OpenError> {
    let key = base64url::decode(&listed.encryptionkey).map_err(|_| OpenError::Key)?;
    let message = base64url::decode(&listed.message).map_err(|_| OpenError::Message)?;
    open_text(keys, &key, &message)
}

fn file(listed: &wire::Listed, keys: &Arc<BoxKeys>) -> Result<BoxFile, OpenError> {
    let encryption_key = base64url::decode(&listed.encryptionkey).map_err(|_| OpenError::Key)?;
    let sealed_name = base64url::decode(&listed.name).map_err(|_| OpenError::Name)?;
    let opener = FileOpener::new(keys, &encryption_key, &sealed_name)?;
    Ok(BoxFile {
        id: listed.messageid.clone(),
        name: opener.name().to_owned(),
        length: plain_length(listed.length),
        keys: Arc::clone(keys),
        encryption_key,
        sealed_name,
    })
}

impl BoxMessageId {
    /// Reads an id.
    ///
    /// # Errors
    /// When the text is empty, longer than 64 bytes, or has other characters.
    pub fn parse(text: &str) -> Result<Self, BoxMessageIdError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        match (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(plain) {
            true => Ok(Self(text.to_owned())),
            false => Err(BoxMessageIdError),
        }
    }

    /// The id as a text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BoxMessageId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for BoxMessageId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for BoxMessageId {
    type Err = BoxMessageIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl<'de> Deserialize<'de> for BoxMessageId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

impl fmt::Debug for BoxContent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => formatter.write_str("Text(..)"),
            Self::File(file) => fmt::Debug::fmt(file, formatter),
            Self::Unreadable(error) => formatter.debug_tuple("Unreadable").field(error).finish(),
        }
    }
}

impl fmt::Debug for BoxFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, length, .. } = self;
        let mut shown = formatter.debug_struct("BoxFile");
        shown.field("id", id).field("length", length).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_id_needs_no_escapes_in_a_query(text in "[ -~]{0,70}") {
            let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
            let expected = plain && (1..=64).contains(&text.len());
            prop_assert_eq!(BoxMessageId::parse(&text).is_ok(), expected);
        }
    }
}
