//! The bytes of files in drop boxes. A row comes before the bytes and goes after them, as with
//! [attachments](crate::domain::attachment).

use crate::domain::clock::Timestamp;
use crate::domain::ids::AttachmentId;

/// The bytes of a file as they are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// What they are kept under.
    pub id: AttachmentId,
    /// How many there are.
    pub length: u64,
}

/// A file whose bytes are to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewDropFile {
    /// What they will be kept under.
    pub id: AttachmentId,
    /// From then on it is over, unless a message keeps it.
    pub ends_at: Timestamp,
}
