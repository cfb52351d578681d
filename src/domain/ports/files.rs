//! What encrypted files need from outside: a store for what is known of them, and a place for their
//! bytes.

use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;

use crate::domain::attachment::{Attachment, Content, Finished, Kept, NewAttachment, Upload};
use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;
use crate::domain::ids::{AccountNumber, AttachmentId};

/// Encrypted files: what is known of them. Their bytes are with [`Blobs`].
#[async_trait]
pub trait Attachments: Send + Sync {
    /// Keeps a new attachment, of which nothing was uploaded yet.
    ///
    /// # Errors
    /// [`Fault::Conflict`] when `open` uploads of its owner are still to come.
    async fn open_attachment(&self, new: NewAttachment, open: u32) -> Result<Attachment, Fault>;

    /// The attachment with this id, whether its time is over or not.
    async fn attachment(&self, id: AttachmentId) -> Result<Option<Attachment>, Fault>;

    /// How much of this account is kept, counted no further than to `most` files.
    async fn attachments_kept(&self, owner: AccountNumber, most: u32) -> Result<Kept, Fault>;

    /// Notes what was uploaded, once and for all, unless the account has no room for it; then the
    /// attachment ends at once.
    ///
    /// # Errors
    /// [`Fault::NotFound`] when there is no such attachment, or no longer.
    async fn finish_attachment(&self, upload: Upload) -> Result<Finished, Fault>;

    /// Ends at most `limit` attachments whose time is over: from now on nothing can be uploaded for
    /// them. Returns them, and those that ended before and were not forgotten.
    async fn end_attachments(&self, now: Timestamp, limit: u32)
    -> Result<Vec<AttachmentId>, Fault>;

    /// Forgets those of these attachments that have ended.
    async fn forget_attachments(&self, ids: Vec<AttachmentId>) -> Result<(), Fault>;

    /// Those of `ids` that are on file, ended or not.
    async fn attachments_among(&self, ids: &[AttachmentId]) -> Result<Vec<AttachmentId>, Fault>;
}

/// Bytes that come or go piece by piece.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, Fault>> + Send>>;

/// Bytes on their way in.
pub struct Incoming {
    /// The bytes.
    pub bytes: ByteStream,
    /// How many there will be, if the sender said so.
    pub announced: Option<u64>,
    /// How many there may be.
    pub most: u64,
}

/// What became of bytes that were to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// What came in.
    pub given: Content,
    /// What is kept under that id: what was kept there before, otherwise what came in.
    pub kept: Content,
}

/// How many parts the stored bytes are divided into, for [`Blobs::stored`].
pub const BLOB_PARTS: u16 = 256;

/// The bytes of encrypted files, each written once.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Keeps all the bytes under that id, durably before it returns, or nothing at all. What is
    /// kept there already stays as it is.
    ///
    /// # Errors
    /// Those of the bytes; [`Fault::TooLarge`] when there are too many of them;
    /// [`Fault::Unavailable`] when there is no room on the disk.
    async fn write(&self, id: AttachmentId, incoming: Incoming) -> Result<Written, Fault>;

    /// `length` bytes from `start` on; `None` when nothing is kept under that id.
    async fn read(
        &self,
        id: AttachmentId,
        start: u64,
        length: u64,
    ) -> Result<Option<ByteStream>, Fault>;

    /// Removes what is kept under these ids.
    async fn remove(&self, ids: &[AttachmentId]) -> Result<(), Fault>;

    /// The ids of everything that is kept in one part of the store, below [`BLOB_PARTS`].
    async fn stored(&self, part: u16) -> Result<Vec<AttachmentId>, Fault>;
}
