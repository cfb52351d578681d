//! What can go wrong with a drop box or a letter.

use std::io;

use crate::dropbox::{
    DeriveError, FileError, KeysError, LetterError, LinkError, OpenError, RecordError, SealError,
};

use super::super::error::RequestError;
use super::problem::RELEASE_DATE;

/// Why something with a drop box or a letter failed, after every repetition that was allowed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DropBoxError {
    /// There is no such box, message or letter any more, or the passphrase is not that of the box:
    /// the gateway does not tell one from the other.
    #[error("there is no such box, message or letter, or the passphrase is another one")]
    NotFound,
    /// The box cannot be read yet, not even by its owner.
    #[error("the box cannot be read before {release_date}")]
    NotReleased {
        /// From when on it can be, in the gateway's own words (RFC 3339).
        release_date: String,
    },
    /// A request failed for good, or the gateway refuses; it says why.
    #[error("failed to ask the gateway")]
    Request(#[source] RequestError),
    /// What the gateway says of a box is not what the box's token commits to. Nothing was sealed,
    /// and no passphrase was used.
    #[error("the gateway's record of the box is not that of its token")]
    Record(#[from] RecordError),
    /// The passphrase gives no keys, or opens nothing.
    #[error("failed to get the keys of the box")]
    Keys(#[from] KeysError),
    /// The message could not be sealed.
    #[error("failed to seal the message")]
    Seal(#[from] SealError),
    /// The file's key or name does not open.
    #[error("failed to open the file")]
    Open(#[from] OpenError),
    /// What the gateway has is not what the sender made, or not all of it. What was written so far
    /// is the beginning of the file at best.
    #[error("the gateway's copy is not the sender's file")]
    Forged(#[from] FileError),
    /// The letter could not be sealed or opened.
    #[error("failed to seal or open the letter")]
    Letter(#[from] LetterError),
    /// The gateway's address cannot stand in a link.
    #[error("failed to make a link")]
    Link(#[from] LinkError),
    /// The file to put in cannot be read, or it changed meanwhile.
    #[error("failed to read the file")]
    Read(#[source] io::Error),
    /// The file that was fetched cannot be written.
    #[error("failed to write the file")]
    Write(#[source] io::Error),
    /// The runtime ended before the keys were derived.
    #[error("the derivation of the keys was interrupted")]
    Interrupted,
}

impl DropBoxError {
    /// Whether the same request may succeed later: the gateway was busy, ill or out of reach.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Request(error) if error.is_temporary())
    }
}

impl From<RequestError> for DropBoxError {
    fn from(error: RequestError) -> Self {
        let RequestError::Api { error: said, .. } = &error else {
            return Self::Request(error);
        };
        let released = said.extra.as_ref().filter(|extra| extra.field == RELEASE_DATE);
        match (said.status, released) {
            (404, _) => Self::NotFound,
            (403, Some(extra)) => Self::NotReleased { release_date: extra.reason.clone() },
            _ => Self::Request(error),
        }
    }
}

impl From<DeriveError> for DropBoxError {
    fn from(error: DeriveError) -> Self {
        Self::Keys(error.into())
    }
}
