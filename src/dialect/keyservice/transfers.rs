//! Files on their way: how many at the same time, and for how long one may make no progress. No file
//! is ever in memory as a whole.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::Fault;
use crate::domain::ports::{ByteStream, Incoming};
use crate::http::blobs::{self, BlobSettings};

/// Places for files on their way.
pub struct Transfers {
    uploads: Arc<Semaphore>,
    downloads: Arc<Semaphore>,
    stall: Duration,
}

impl Transfers {
    /// As many as there are for attachments.
    #[must_use]
    pub fn new(settings: BlobSettings) -> Self {
        Self {
            uploads: Arc::new(Semaphore::new(settings.uploads as usize)),
            downloads: Arc::new(Semaphore::new(settings.downloads as usize)),
            stall: settings.stall,
        }
    }

    /// How long a file may make no progress.
    #[must_use]
    pub fn stall(&self) -> Duration {
        self.stall
    }

    /// A place for an upload, left on drop.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when all are taken.
    pub fn upload_place(&self) -> Result<OwnedSemaphorePermit, Fault> {
        place(&self.uploads)
    }

    /// A place for a download, left on drop.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when all are taken.
    pub fn download_place(&self) -> Result<OwnedSemaphorePermit, Fault> {
        place(&self.downloads)
    }

    /// A body as a file of at most `most` bytes.
    pub fn incoming(&self, body: Body, most: u64) -> Incoming {
        blobs::incoming(body, most, self.stall)
    }

    /// A file for a reader who keeps its place only as long as it takes what comes.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when all places are taken.
    pub fn outgoing(
        &self,
        bytes: ByteStream,
        length: u64,
    ) -> Result<impl Stream<Item = io::Result<Bytes>> + Send + use<>, Fault> {
        Ok(blobs::paced(bytes, length, self.stall, self.download_place()?))
    }
}

fn place(places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Fault> {
    let place = places.clone().try_acquire_owned();
    place.map_err(|_| Fault::unavailable("too many files are on their way", None))
}
