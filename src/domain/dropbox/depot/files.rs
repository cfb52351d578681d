//! Bytes of files: in, out, and away.

use super::{Depot, DropBox, StoredFile, locked};
use crate::domain::attachment::upload_patience;
use crate::domain::dropbox::file::NewDropFile;
use crate::domain::error::Fault;
use crate::domain::ports::{BLOB_PARTS, ByteStream, Incoming};

impl Depot {
    /// Refuses a box that takes nothing any more, before all of a file has come for it.
    ///
    /// # Errors
    /// [`Fault::Forbidden`] (`token`).
    pub fn require_open(&self, to: &DropBox) -> Result<(), Fault> {
        if to.content.lock_at <= self.now() { Err(locked()) } else { Ok(()) }
    }

    /// Keeps the bytes of a file, piece by piece, for a message or a letter that is to be left next;
    /// without one they go again. `incoming` may bring no more than the policy allows.
    ///
    /// # Errors
    /// Those of the bytes; [`Fault::TooLarge`], [`Fault::Unavailable`] when the disk is full.
    pub async fn receive(&self, mut incoming: Incoming) -> Result<StoredFile, Fault> {
        incoming.most = incoming.most.min(self.policy.file_bytes);
        let id = self.gateway.random_id();
        let patience = upload_patience(incoming.most).saturating_mul(2);
        let ends_at = self.now().plus(patience);
        self.gateway.store.open_drop_file(NewDropFile { id, ends_at }).await?;
        let written = self.blobs.write(id, incoming).await;
        match written {
            Ok(written) => Ok(StoredFile { id, length: written.kept.length }),
            Err(fault) => {
                self.gateway.store.end_drop_file(id).await?;
                Err(fault)
            }
        }
    }

    /// Lets go of a file that no message keeps.
    ///
    /// # Errors
    /// When the store cannot do it; then it goes by itself after a while.
    pub async fn abandon(&self, file: StoredFile) -> Result<(), Fault> {
        self.gateway.store.end_drop_file(file.id).await
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// [`Fault::NotFound`] when they are gone.
    pub async fn bytes(&self, file: StoredFile) -> Result<ByteStream, Fault> {
        let bytes = self.blobs.read(file.id, 0, file.length).await?;
        bytes.ok_or(Fault::NotFound { what: "file" })
    }

    /// Removes those bytes in one part of the store of bytes that no file of a drop box is made of;
    /// returns how many files they were. Only crashes leave any.
    ///
    /// # Errors
    /// When the store or the files cannot be reached.
    pub async fn remove_strays(&self, part: u16) -> Result<usize, Fault> {
        let mut stored = self.blobs.stored(part % BLOB_PARTS).await?;
        let known = self.gateway.store.drop_files_among(&stored).await?;
        stored.retain(|id| !known.contains(id));
        if !stored.is_empty() {
            self.blobs.remove(&stored).await?;
        }
        Ok(stored.len())
    }

    /// Removes at most `limit` of each sort of what is over: files first, then messages, letters and
    /// boxes. Returns whether there may be more.
    ///
    /// # Errors
    /// When the store or the files cannot be reached; the next call goes on.
    pub async fn sweep(&self, limit: u32) -> Result<bool, Fault> {
        let over = self.gateway.store.over_drop_files(self.now(), limit).await?;
        let are_more = u32::try_from(over.len()).is_ok_and(|over| over >= limit);
        if !over.is_empty() {
            self.blobs.remove(&over).await?;
            self.gateway.store.forget_drop_files(over).await?;
        }
        let forgotten = self.gateway.store.forget_drops(self.now(), limit).await?;
        Ok(are_more || forgotten >= u64::from(limit))
    }
}
