//! Files and lists on their way: how much at the same time, how much of it for one network, and for
//! how long one may make no progress. No file is ever in memory as a whole.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::domain::Fault;
use crate::domain::limits::network_of;
use crate::domain::ports::{ByteStream, Incoming};
use crate::http::blobs::{self, BlobSettings};
use crate::http::shares::{Share, Shares};

/// One network gets so much of all places, as a part of them: strangers who are slow must not keep
/// everybody else out.
const PART: u32 = 4;

/// Memory for lists on their way, blocks of [`BLOCK`] bytes.
const LISTS: u32 = 64 * 1024;

/// Lists are counted in blocks of so many bytes.
const BLOCK: u64 = 1024;

/// How long a reader waits for memory that others have.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes that are handed over in one piece.
const PIECE: usize = 64 * 1024;

/// What is shared by all who bring and fetch something.
pub struct Transfers {
    uploads: Places,
    downloads: Places,
    lists: Places,
    stall: Duration,
}

/// A number of places, and how many of them each network has.
struct Places {
    all: Arc<Semaphore>,
    count: u32,
    networks: Arc<Shares<IpAddr>>,
    full: &'static str,
}

/// Some of them, left on drop.
#[derive(Debug)]
pub struct Place {
    permit: OwnedSemaphorePermit,
    share: Option<Share<IpAddr>>,
}

impl Transfers {
    /// As many as there are for attachments.
    #[must_use]
    pub fn new(settings: BlobSettings) -> Self {
        const FILES: &str = "too many files are on their way";
        Self {
            uploads: Places::new(settings.uploads, FILES),
            downloads: Places::new(settings.downloads, FILES),
            lists: Places::new(LISTS, "too many lists are on their way"),
            stall: settings.stall,
        }
    }

    /// How long a file may make no progress.
    #[must_use]
    pub fn stall(&self) -> Duration {
        self.stall
    }

    /// A place for an upload from somewhere.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when all are taken, or all that one network gets.
    pub fn upload_place(&self, from: Option<IpAddr>) -> Result<Place, Fault> {
        self.uploads.take(from, 1)
    }

    /// A place for a download to somewhere.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when all are taken, or all that one network gets.
    pub fn download_place(&self, to: Option<IpAddr>) -> Result<Place, Fault> {
        self.downloads.take(to, 1)
    }

    /// Memory for a list of so many bytes, once there is some.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when there is none in time, or the network has all that it gets.
    pub async fn list_room(&self, to: Option<IpAddr>, bytes: u64) -> Result<Place, Fault> {
        self.lists.wait_for(to, self.lists.blocks(bytes)).await
    }

    /// What is left to do with that memory once it is known how much of it is needed.
    pub fn shrink(&self, room: &mut Place, bytes: u64) {
        room.shrink(self.lists.blocks(bytes));
    }

    /// A body as a file of at most `most` bytes.
    pub fn incoming(&self, body: Body, most: u64) -> Incoming {
        blobs::incoming(body, most, self.stall)
    }

    /// A file for a reader who keeps its place only as long as it takes what comes.
    pub fn outgoing(
        &self,
        bytes: ByteStream,
        length: u64,
        place: Place,
    ) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
        blobs::paced(bytes, length, self.stall, place)
    }

    /// The same for a list, which is in memory until its reader has taken it.
    pub fn outgoing_list(&self, list: Vec<u8>, room: Place) -> Body {
        let (length, list) = (list.len() as u64, Bytes::from(list));
        if list.len() <= PIECE {
            return Body::from(list);
        }
        let pieces = stream::unfold(list, |mut left| async move {
            let piece = left.split_to(left.len().min(PIECE));
            (!piece.is_empty()).then_some((Ok(piece), left))
        });
        Body::from_stream(self.outgoing(pieces.boxed(), length, room))
    }
}

impl Places {
    fn new(count: u32, full: &'static str) -> Self {
        let share = (count / PART).max(1);
        Self {
            all: Arc::new(Semaphore::new(count as usize)),
            count,
            networks: Arc::new(Shares::new(share.into())),
            full,
        }
    }

    /// So many bytes in blocks, of which nobody needs more than there are.
    fn blocks(&self, bytes: u64) -> u32 {
        u32::try_from(bytes.div_ceil(BLOCK)).unwrap_or(u32::MAX).min(self.count)
    }

    fn take(&self, whose: Option<IpAddr>, count: u32) -> Result<Place, Fault> {
        let share = self.share(whose, count)?;
        let permit = self.all.clone().try_acquire_many_owned(count);
        Ok(Place { permit: permit.map_err(|_| self.full())?, share })
    }

    async fn wait_for(&self, whose: Option<IpAddr>, count: u32) -> Result<Place, Fault> {
        let share = self.share(whose, count)?;
        let permit = timeout(PATIENCE, self.all.clone().acquire_many_owned(count)).await;
        let permit = permit.map_err(|_| self.full())?.map_err(|_| self.full())?;
        Ok(Place { permit, share })
    }

    /// Programs on this machine have no share of their own.
    fn share(&self, whose: Option<IpAddr>, count: u32) -> Result<Option<Share<IpAddr>>, Fault> {
        let take =
            |whose| self.networks.take(network_of(whose), count.into()).ok_or_else(|| self.full());
        whose.map(take).transpose()
    }

    fn full(&self) -> Fault {
        Fault::unavailable(self.full, None)
    }
}

impl Place {
    fn shrink(&mut self, count: u32) {
        let had = self.permit.num_permits();
        drop(self.permit.split(had.saturating_sub(count as usize)));
        if let Some(share) = &mut self.share {
            share.shrink(count.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transfers(uploads: u32) -> Transfers {
        let stall = Duration::from_secs(30);
        Transfers::new(BlobSettings { uploads, downloads: 1, stall })
    }

    fn at(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([203, 0, 113, last]))
    }

    #[test]
    fn one_network_leaves_places_to_others() {
        let transfers = transfers(8);
        let taken = [at(1), at(1), at(2), at(2)].map(|from| transfers.upload_place(from).unwrap());
        assert!(matches!(transfers.upload_place(at(1)), Err(Fault::Unavailable { .. })));
        let here: Vec<_> = (0..4).map(|_| transfers.upload_place(None).unwrap()).collect();
        assert!(transfers.upload_place(at(3)).is_err(), "there are no more than that");
        drop((taken, here));
        assert!(transfers.upload_place(at(1)).is_ok(), "what was left is given back");
        assert!(transfers.download_place(at(1)).is_ok(), "the only one is for anybody");
    }

    #[tokio::test(start_paused = true)]
    async fn lists_share_memory_and_give_back_what_they_do_not_need() {
        let transfers = transfers(1);
        let all = u64::from(LISTS) * BLOCK;
        let mut large = transfers.list_room(at(1), u64::MAX).await.unwrap();
        assert!(transfers.list_room(at(2), 1).await.is_err());
        transfers.shrink(&mut large, all / 8);
        assert!(transfers.list_room(at(1), all / 8).await.is_ok());
        assert!(transfers.list_room(at(1), all / 8 + 1).await.is_err(), "more than its share");
        assert!(transfers.list_room(at(2), all / 4).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_is_in_memory_until_its_reader_takes_it_or_is_too_slow() {
        let transfers = transfers(1);
        let list = vec![7; 3 * PIECE + 1];
        let room = transfers.list_room(at(1), list.len() as u64).await.unwrap();
        let body = transfers.outgoing_list(list.clone(), room);
        assert_eq!(axum::body::to_bytes(body, usize::MAX).await.unwrap(), list);
        let room = transfers.list_room(at(2), u64::MAX).await.unwrap();
        let slow = transfers.outgoing_list(list, room);
        assert!(transfers.list_room(at(3), 1).await.is_err());
        tokio::time::sleep(transfers.stall()).await;
        assert!(transfers.list_room(at(3), 1).await.is_ok());
        assert!(axum::body::to_bytes(slow, usize::MAX).await.is_err());
    }
}
