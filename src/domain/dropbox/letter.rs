//! Letters: messages that are gone once they were read, with nobody's box around them.

use super::file::StoredFile;
use super::message::{DropId, Form};
use super::secret::SecretDigest;
use super::token::Version;
use crate::domain::clock::Timestamp;

/// A self-destructing message.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// Its public id.
    pub id: DropId,
    /// Of which version it is.
    pub version: Version,
    /// What a reader's secret is compared with.
    pub secret: SecretDigest,
    /// What it is made of.
    pub form: Form,
    /// The encrypted message, as its version writes it.
    pub data: Vec<u8>,
    /// Version 1: an encrypted file that comes with it.
    pub file: Option<StoredFile>,
    /// When it was left.
    pub created_at: Timestamp,
    /// From then on it is over.
    pub ends_at: Timestamp,
}

/// Somebody who wants to read a letter, and so to destroy it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakeLetter {
    /// Which one.
    pub id: DropId,
    /// Of which version.
    pub version: Version,
    /// The digest of the secret that was shown. Without the right one nothing happens.
    pub secret: SecretDigest,
    /// The present moment.
    pub now: Timestamp,
    /// Until when the bytes of its file are kept.
    pub file_until: Timestamp,
}
