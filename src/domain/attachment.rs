//! Attachments: files that a client encrypts, and that the gateway keeps for a while.
//!
//! An account opens one, its bytes are uploaded once, whoever knows the id may read them. The row
//! comes before the file and goes after it, so a file without a row is always a stray:
//!
//! | step | row | file |
//! | --- | --- | --- |
//! | opened | without content, for as long as an upload may take | |
//! | uploaded | the same | whole, durable |
//! | finished | with content, kept for [`FileLimits::life`] | whole |
//! | ended | marked; nothing can be finished any more | being removed |
//! | forgotten | | |
//!
//! A crash between two steps leaves what the next upkeep goes on with, and an upload that finds its
//! file written by an earlier try is finished by comparing what was kept.

mod allowance;
mod numbered;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use sha2::{Digest, Sha256};

use super::clock::Timestamp;
use super::error::Fault;
use super::gateway::Gateway;
use super::ids::{AccountNumber, AttachmentId};
use super::ports::{BLOB_PARTS, Blobs, ByteStream, Incoming};

pub use allowance::{Allowance, Kept, Shortage};
pub use numbered::AttachmentNumber;

/// How many uploads of one account may be to come.
const OPEN_UPLOADS: u32 = 1000;

/// The slowest upload that is waited for, in bytes a second.
const SLOWEST: u64 = 32 * 1024;

/// What an upload of any size may take.
const LEAST_PATIENCE: Duration = Duration::from_secs(60);

/// How long an upload of so many bytes may take.
#[must_use]
pub fn upload_patience(bytes: u64) -> Duration {
    LEAST_PATIENCE.saturating_add(Duration::from_secs(bytes / SLOWEST))
}

/// An attachment that is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewAttachment {
    /// Its id, never used before.
    pub id: AttachmentId,
    /// Who may upload it.
    pub owner: AccountNumber,
    /// The present moment.
    pub created_at: Timestamp,
    /// From when on it is over, unless something was uploaded by then.
    pub expires_at: Timestamp,
}

/// An attachment on file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its id.
    pub id: AttachmentId,
    /// Who may upload it.
    pub owner: AccountNumber,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is over.
    pub expires_at: Timestamp,
    /// What was uploaded; `None` until then.
    pub content: Option<Content>,
}

/// What some bytes are known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// How many there are.
    pub length: u64,
    /// Their SHA-256.
    pub digest: [u8; 32],
}

/// An upload that is durable and is to be noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upload {
    /// The attachment.
    pub id: AttachmentId,
    /// What was uploaded.
    pub content: Content,
    /// The present moment.
    pub now: Timestamp,
    /// From when on the attachment is over.
    pub expires_at: Timestamp,
    /// How much its owner may keep.
    pub allowance: Allowance,
}

/// What became of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// This is what is kept, from this upload or from an earlier one.
    Kept(Attachment),
    /// The owner keeps so much already that there is no room; the attachment has ended.
    NoRoom(Shortage),
}

/// How much the gateway keeps of files, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileLimits {
    /// Bytes of one attachment.
    pub bytes: u64,
    /// All attachments of an account.
    pub account: Allowance,
    /// How long an attachment is kept, from when it was made.
    pub life: Duration,
    /// How long an upload may wait to begin.
    pub upload_life: Duration,
}

impl Default for FileLimits {
    fn default() -> Self {
        Self {
            bytes: 100 * 1024 * 1024,
            account: Allowance { files: 10_000, bytes: Some(10 * 1024 * 1024 * 1024) },
            life: Duration::from_secs(30 * 24 * 60 * 60),
            upload_life: Duration::from_secs(60 * 60),
        }
    }
}

/// Attachments of every protocol.
pub struct Files {
    gateway: Arc<Gateway>,
    blobs: Arc<dyn Blobs>,
    limits: FileLimits,
}

impl Attachment {
    /// One that was just made.
    #[must_use]
    pub fn of(new: &NewAttachment) -> Self {
        let NewAttachment { id, owner, created_at, expires_at } = *new;
        Self { id, owner, created_at, expires_at, content: None }
    }
}

impl Upload {
    /// What speaks against keeping it, if anything does; to be asked with what its owner keeps.
    #[must_use]
    pub fn shortage(&self, kept: Kept) -> Option<Shortage> {
        self.allowance.shortage(kept, self.content.length)
    }
}

/// The fault for an account that opens more than it uploads.
#[must_use]
pub fn too_many_open(open: u32) -> Fault {
    let reason = format!("{open} attachments of this account wait for their upload already");
    Fault::conflict("attachments", reason)
}

impl Files {
    /// Attachments whose rows are in the gateway's store and whose bytes are in `blobs`.
    #[must_use]
    pub fn new(gateway: Arc<Gateway>, blobs: Arc<dyn Blobs>, limits: FileLimits) -> Self {
        Self { gateway, blobs, limits }
    }

    /// How much is kept, and for how long.
    #[must_use]
    pub fn limits(&self) -> &FileLimits {
        &self.limits
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.gateway.clock.now()
    }

    /// Opens an attachment for an account to upload.
    ///
    /// # Errors
    /// [`Fault::TooLarge`] when the account keeps all that it may, [`Fault::Conflict`]
    /// when too many of its uploads are still to come.
    pub async fn open(&self, owner: AccountNumber) -> Result<Attachment, Fault> {
        self.open_as(self.gateway.random_id(), owner).await
    }

    async fn open_as(&self, id: AttachmentId, owner: AccountNumber) -> Result<Attachment, Fault> {
        self.require_room(owner, 1).await?;
        let created_at = self.now();
        let patience = upload_patience(self.limits.bytes);
        let expires_at = created_at.plus(self.limits.upload_life).plus(patience);
        let new = NewAttachment { id, owner, created_at, expires_at };
        self.gateway.store.open_attachment(new, OPEN_UPLOADS).await
    }

    /// The attachment with this id.
    ///
    /// # Errors
    /// [`Fault::NotFound`] when there is none, or no longer.
    pub async fn attachment(&self, id: AttachmentId) -> Result<Attachment, Fault> {
        let found = self.gateway.store.attachment(id).await?;
        let live = found.filter(|found| found.expires_at > self.now());
        live.ok_or(Fault::NotFound { what: "attachment" })
    }

    /// Until when the upload of an attachment may begin.
    #[must_use]
    pub fn upload_until(&self, attachment: &Attachment) -> Timestamp {
        attachment.created_at.plus(self.limits.upload_life)
    }

    /// Keeps the bytes of an attachment, whole or not at all. The same bytes again are as good as
    /// the first time.
    ///
    /// # Errors
    /// [`Fault::NotFound`] when there is no such attachment, [`Fault::Conflict`] when it has other
    /// bytes, [`Fault::TooLarge`] when they are too many or the account has no room for them,
    /// [`Fault::Invalid`] when there are none, [`Fault::Unavailable`] when the disk is full.
    pub async fn upload(&self, id: AttachmentId, incoming: Incoming) -> Result<Content, Fault> {
        let attachment = self.attachment(id).await?;
        if let Some(content) = attachment.content {
            return compare(incoming, content).await;
        }
        self.require_room(attachment.owner, incoming.announced.unwrap_or(1)).await?;
        let written = self.blobs.write(id, incoming).await?;
        if written.given != written.kept {
            return Err(other_bytes());
        }
        self.finish(&attachment, written.kept).await
    }

    async fn finish(&self, attachment: &Attachment, content: Content) -> Result<Content, Fault> {
        let finished = self.gateway.store.finish_attachment(Upload {
            id: attachment.id,
            content,
            now: self.now(),
            expires_at: attachment.created_at.plus(self.limits.life),
            allowance: self.limits.account,
        });
        match finished.await {
            Ok(Finished::Kept(kept)) if kept.content == Some(content) => Ok(content),
            Ok(Finished::Kept(_)) => Err(other_bytes()),
            Ok(Finished::NoRoom(shortage)) => {
                // It has ended. Until the next sweep it would take room that its owner does not have.
                self.blobs.remove(&[attachment.id]).await?;
                Err(shortage.into())
            }
            Err(fault @ Fault::NotFound { .. }) => {
                // It ended meanwhile, so nobody else can finish it and its file is a stray.
                self.blobs.remove(&[attachment.id]).await?;
                Err(fault)
            }
            Err(fault) => Err(fault),
        }
    }

    async fn require_room(&self, owner: AccountNumber, bytes: u64) -> Result<(), Fault> {
        let allowance = self.limits.account;
        let kept = self.gateway.store.attachments_kept(owner, allowance.files).await?;
        allowance.shortage(kept, bytes).map_or(Ok(()), |shortage| Err(shortage.into()))
    }

    /// A part of the bytes of an attachment that was uploaded.
    ///
    /// # Errors
    /// [`Fault::Internal`] when they are gone.
    pub async fn read(
        &self,
        id: AttachmentId,
        start: u64,
        length: u64,
    ) -> Result<ByteStream, Fault> {
        let bytes = self.blobs.read(id, start, length).await?;
        bytes.ok_or_else(|| Fault::internal("reading an attachment", "its bytes are gone"))
    }

    /// Removes at most `limit` attachments whose time is over; returns whether there may be more.
    ///
    /// # Errors
    /// When the store or the files cannot be reached; the next call goes on.
    pub async fn sweep(&self, limit: u32) -> Result<bool, Fault> {
        let ended = self.gateway.store.end_attachments(self.now(), limit).await?;
        if ended.is_empty() {
            return Ok(false);
        }
        let is_full = u32::try_from(ended.len()).is_ok_and(|ended| ended >= limit);
        self.blobs.remove(&ended).await?;
        self.gateway.store.forget_attachments(ended).await?;
        Ok(is_full)
    }

    /// Removes bytes that belong to no attachment and to no file of a
    /// [drop box](crate::domain::dropbox) from one part of the store, as crashes may leave them;
    /// returns how many there were.
    ///
    /// # Errors
    /// When the store or the files cannot be reached.
    pub async fn remove_strays(&self, part: u16) -> Result<usize, Fault> {
        let mut stored = self.blobs.stored(part % BLOB_PARTS).await?;
        let attachments = self.gateway.store.attachments_among(&stored).await?;
        stored.retain(|id| !attachments.contains(id));
        let dropped = self.gateway.store.drop_files_among(&stored).await?;
        stored.retain(|id| !dropped.contains(id));
        if !stored.is_empty() {
            self.blobs.remove(&stored).await?;
        }
        Ok(stored.len())
    }
}

/// Reads bytes and throws them away: they are the ones on file, or they are not.
async fn compare(mut incoming: Incoming, content: Content) -> Result<Content, Fault> {
    if incoming.announced.is_some_and(|announced| announced != content.length) {
        return Err(other_bytes());
    }
    let (mut length, mut digest) = (0_u64, Sha256::new());
    while let Some(bytes) = incoming.bytes.next().await {
        let bytes = bytes?;
        length += bytes.len() as u64;
        if length > content.length {
            return Err(other_bytes());
        }
        digest.update(&bytes);
    }
    let given = Content { length, digest: digest.finalize().into() };
    if given == content { Ok(content) } else { Err(other_bytes()) }
}

fn other_bytes() -> Fault {
    Fault::conflict("body", "this attachment was uploaded before, with other bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_grows_with_the_size() {
        assert_eq!(upload_patience(0), Duration::from_secs(60));
        assert_eq!(upload_patience(32 * 1024 * 100), Duration::from_secs(160));
    }
}
