//! Bytes of files: in and out.

use std::net::IpAddr;

use futures_util::StreamExt;

use super::{Depot, DropBox, StoredFile, locked};
use crate::domain::attachment::upload_patience;
use crate::domain::dropbox::file::NewDropFile;
use crate::domain::error::Fault;
use crate::domain::ports::{ByteStream, Incoming};

impl Depot {
    /// Refuses a box that takes nothing any more, before all of a file has come for it.
    ///
    /// # Errors
    /// [`Fault::Forbidden`] (`token`).
    pub fn require_open(&self, to: &DropBox) -> Result<(), Fault> {
        if to.content.lock_at <= self.now() { Err(locked()) } else { Ok(()) }
    }

    /// Keeps the bytes of a file, piece by piece, for a message or a letter that is to be left next;
    /// without one they go again. `incoming` may bring no more than the policy allows, and each piece
    /// is counted for the network that it comes from.
    ///
    /// # Errors
    /// Those of the bytes; [`Fault::RateLimited`] when too many come from there;
    /// [`Fault::TooLarge`], also when all boxes hold as much as they may; [`Fault::Unavailable`] when
    /// the disk is full.
    pub async fn receive(
        &self,
        mut incoming: Incoming,
        from: Option<IpAddr>,
    ) -> Result<StoredFile, Fault> {
        incoming.most = incoming.most.min(self.policy.file_bytes);
        let announced = incoming.announced.unwrap_or_default();
        self.stock.require(announced)?;
        self.tries.may_send(from, announced)?;
        incoming.bytes = self.counted(incoming.bytes, from);
        let id = self.gateway.random_id();
        let patience = upload_patience(incoming.most).saturating_mul(2);
        let ends_at = self.now().plus(patience);
        self.gateway.store.open_drop_file(NewDropFile { id, ends_at }).await?;
        let written = self.blobs.write(id, incoming).await;
        match written {
            Ok(written) => {
                self.stock.add(written.kept.length);
                Ok(StoredFile { id, length: written.kept.length })
            }
            Err(fault) => {
                // Otherwise it goes by itself after a while; the first fault is the one to tell.
                let _ = self.gateway.store.end_drop_file(id).await;
                Err(fault)
            }
        }
    }

    fn counted(&self, bytes: ByteStream, from: Option<IpAddr>) -> ByteStream {
        let (tries, mut file) = (self.tries.clone(), self.stock.file());
        let counted = bytes.map(move |piece| {
            let piece = piece?;
            file.grow(piece.len() as u64)?;
            tries.bytes(from, piece.len() as u64)?;
            Ok(piece)
        });
        counted.boxed()
    }

    /// Lets go of a file, unless a message or a letter ever kept it: whoever does not know what
    /// became of a message may ask for it all the same.
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
}
