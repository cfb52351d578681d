//! What a message says: a category and the bytes to seal.
//!
//! Only encrypted categories can be made. What the gateway may read has a type of its own
//! ([`Readable`](super::Readable)), so that nothing gets there by mistake.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde_json::json;

use crate::category;
use crate::ids::UserId;

/// A category and the plaintext that will be sealed under it.
///
/// Clones share the plaintext, so a broadcast of one content to many holds it once.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    category: Cow<'static, str>,
    bytes: Bytes,
}

/// Why a category and bytes are no content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// The category is one of those that travel readable, or none that is known.
    #[error("{category:?} is no encrypted category")]
    NotEncrypted {
        /// The category as given.
        category: String,
    },
    /// The category is one of those that are sealed, or none that is known.
    #[error("{category:?} is no category that travels readable")]
    NotReadable {
        /// The category as given.
        category: String,
    },
}

impl Content {
    /// Content of any encrypted category, for those that have no type of their own here.
    ///
    /// # Errors
    /// When `category` is not one of the encrypted ones.
    ///
    /// ```
    /// use sealpost_sdk::client::Content;
    ///
    /// assert!(Content::new("ENCRYPTED_DATA", br#"{"attachment_id":"..."}"#.to_vec()).is_ok());
    /// assert!(Content::new("PLAIN_TEXT", b"hello".to_vec()).is_err());
    /// ```
    pub fn new(
        category: impl Into<Cow<'static, str>>,
        bytes: Vec<u8>,
    ) -> Result<Self, ContentError> {
        let category = category.into();
        if !category::is_encrypted(&category) {
            return Err(ContentError::NotEncrypted { category: category.into_owned() });
        }
        Ok(Self { category, bytes: bytes.into() })
    }

    pub(super) fn of(category: &'static str, bytes: Vec<u8>) -> Self {
        Self { category: Cow::Borrowed(category), bytes: bytes.into() }
    }

    /// The category on the wire.
    #[must_use]
    pub fn category(&self) -> &str {
        &self.category
    }

    /// The plaintext.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Says category and size, never the plaintext.
impl fmt::Debug for Content {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Content")
            .field("category", &self.category)
            .field("length", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// A text message.
#[derive(Clone, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    /// Text as the reader will see it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl From<Text> for Content {
    fn from(text: Text) -> Self {
        Self::of(category::ENCRYPTED_TEXT, text.0.into_bytes())
    }
}

/// A longer text in Markdown.
#[derive(Clone, PartialEq, Eq)]
pub struct Post(String);

impl Post {
    /// Markdown, which the reader's client lays out.
    pub fn new(markdown: impl Into<String>) -> Self {
        Self(markdown.into())
    }
}

impl From<Post> for Content {
    fn from(post: Post) -> Self {
        Self::of(category::ENCRYPTED_POST, post.0.into_bytes())
    }
}

/// Introduces an account to the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContactCard(UserId);

impl ContactCard {
    /// The card of this account.
    #[must_use]
    pub fn new(user: UserId) -> Self {
        Self(user)
    }
}

impl From<ContactCard> for Content {
    fn from(card: ContactCard) -> Self {
        let body = json!({ "user_id": card.0 });
        Self::of(category::ENCRYPTED_CONTACT, body.to_string().into_bytes())
    }
}

macro_rules! hide_text {
    ($($name:ident)+) => { $(
        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, concat!(stringify!($name), "({} bytes)"), self.0.len())
            }
        }
    )+ };
}
hide_text!(Text Post);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readable_categories_are_refused() {
        for category in ["PLAIN_TEXT", "APP_CARD", "MESSAGE_RECALL", "encrypted_text", ""] {
            assert!(Content::new(category, vec![1]).is_err(), "{category}");
        }
    }

    #[test]
    fn ready_made_contents_are_encrypted_ones() {
        let card = ContactCard::new(UserId::from_bytes([7; 16]));
        for content in [Text::new("a").into(), Post::new("# a").into(), Content::from(card)] {
            assert!(category::is_encrypted(content.category()), "{content:?}");
            assert!(Content::new(content.category().to_owned(), Vec::new()).is_ok());
        }
    }

    #[test]
    fn clones_share_the_plaintext() {
        let content = Content::from(Text::new("to everyone"));
        assert_eq!(content.clone().bytes().as_ptr(), content.bytes().as_ptr());
    }

    #[test]
    fn debug_never_shows_the_text() {
        let text = Text::new("meet me at noon");
        let shown = format!("{text:?} {:?}", Content::from(text.clone()));
        assert!(!shown.contains("noon") && !shown.contains("109"), "{shown}");
    }
}
