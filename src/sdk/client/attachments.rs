//! Files: encrypted and uploaded, downloaded and decrypted, without being in memory as a whole.
//!
//! The gateway keeps bytes that it cannot read. Key and digest of a file travel inside an encrypted
//! message, so a file is what its sender made or it is refused: nothing of a download is handed out
//! before all of it was checked.

mod download;
mod file;
mod upload;

use std::io;
use std::path::PathBuf;

use crate::attachment::{AttachmentError, AttachmentKey};
use crate::ids::AttachmentId;

use super::error::RequestError;

pub use file::File;
pub use upload::Source;
#[cfg(feature = "dropbox")]
pub(super) use upload::while_it_moves;

/// A file on the gateway, and what it takes to read it.
#[derive(Debug, Clone)]
pub struct Attachment {
    /// Where it is.
    pub id: AttachmentId,
    /// Its key.
    pub key: AttachmentKey,
    /// SHA-256 of the encrypted bytes.
    pub digest: [u8; 32],
    /// Length of the file itself, as its sender says; no more than that is downloaded.
    pub size: u64,
}

/// How far an upload or a download is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the file so far. After a failure it begins again.
    pub done: u64,
    /// Bytes of the file.
    pub total: u64,
}

/// Why a file could not be uploaded or downloaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// A request failed for good.
    #[error("failed to transfer the file")]
    Request(#[from] RequestError),
    /// The file to upload cannot be read, or it changed meanwhile.
    #[error("failed to read the file")]
    Read(#[source] io::Error),
    /// The downloaded file cannot be written.
    #[error("failed to write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// What the gateway has is not what the sender made. Nothing of it was handed out.
    #[error("the gateway's copy is not the sender's file")]
    Forged(#[from] AttachmentError),
    /// The file is larger than may be held in memory.
    #[error("a file of {size} bytes is too large for memory, which may take {limit}")]
    TooLarge {
        /// Length of the file.
        size: u64,
        /// The most that is taken.
        limit: u64,
    },
    /// The gateway names no usable address for the bytes.
    #[error("the gateway names no usable address for the file")]
    Address,
}
