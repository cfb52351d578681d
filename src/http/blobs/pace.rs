//! A file on its way to a reader, and how long that may take.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::domain::attachment::upload_patience;
use crate::domain::ports::ByteStream;
use crate::http::fault_log;

/// The same bytes for a reader that keeps its place only as long as it takes them: each piece
/// within `stall`, and all `length` of them in the time that an upload of that size may take.
///
/// Nobody asks a body for its next piece while the reader takes none, so a task of its own looks at
/// the clock. It ends with the body at the latest.
pub fn paced<Place: Send + 'static>(
    bytes: ByteStream,
    length: u64,
    stall: Duration,
    place: Place,
) -> impl Stream<Item = io::Result<Bytes>> {
    let (pieces, taken) = mpsc::channel(1);
    tokio::spawn(async move {
        pump(bytes, length, stall, pieces).await;
        drop(place);
    });
    stream::try_unfold((taken, length), |(mut taken, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        // The answer's head is gone by now: all that is left is to break off.
        let piece: Bytes = taken.recv().await.ok_or(io::ErrorKind::TimedOut)?;
        let left = left.saturating_sub(piece.len() as u64);
        Ok(Some((piece, (taken, left))))
    })
}

async fn pump(mut bytes: ByteStream, length: u64, stall: Duration, pieces: mpsc::Sender<Bytes>) {
    // Too far away to be a time is as good as never.
    let deadline = Instant::now().checked_add(upload_patience(length));
    loop {
        let stalled = Instant::now() + stall;
        let until = deadline.map_or(stalled, |deadline| deadline.min(stalled));
        // Nothing is read before there is room for it.
        let Ok(Ok(room)) = timeout_at(until, pieces.reserve()).await else { return };
        match bytes.next().await {
            Some(Ok(piece)) => room.send(piece),
            Some(Err(fault)) => return tracing::error!("{}", fault_log::chain(&fault)),
            None => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;

    use tokio::sync::{OwnedSemaphorePermit, Semaphore};
    use tokio::time::sleep;

    use super::*;

    const STALL: Duration = Duration::from_secs(30);

    fn pieces(count: usize) -> ByteStream {
        stream::iter((0..count).map(|_| Ok(Bytes::from_static(b"piece")))).boxed()
    }

    async fn place(places: &Arc<Semaphore>) -> OwnedSemaphorePermit {
        places.clone().acquire_owned().await.unwrap()
    }

    #[tokio::test]
    async fn whoever_reads_gets_everything() {
        let places = Arc::new(Semaphore::new(1));
        let read = paced(pieces(20), 100, STALL, place(&places).await);
        let read: Vec<_> = read.map(|piece| piece.unwrap()).collect().await;
        assert_eq!(read.concat(), b"piece".repeat(20));
        drop(place(&places).await);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_nothing_loses_the_place_and_is_broken_off() {
        let places = Arc::new(Semaphore::new(1));
        let mut read = pin!(paced(pieces(20), 100, STALL, place(&places).await));
        assert!(read.next().await.unwrap().is_ok());
        let start = Instant::now();
        drop(place(&places).await);
        assert_eq!(start.elapsed(), STALL);
        assert!(read.next().await.unwrap().is_ok());
        assert!(read.next().await.unwrap().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_little_loses_it_when_the_time_is_over() {
        let places = Arc::new(Semaphore::new(1));
        let mut read = pin!(paced(pieces(20), 100, STALL, place(&places).await));
        let mut taken = 0;
        while read.next().await.unwrap().is_ok() {
            taken += 1;
            sleep(Duration::from_secs(20)).await;
        }
        assert!(taken < 6, "{taken}");
        assert_eq!(places.available_permits(), 1);
    }

    #[tokio::test]
    async fn whoever_goes_away_leaves_the_place() {
        let places = Arc::new(Semaphore::new(1));
        drop(paced(pieces(20), 100, STALL, place(&places).await));
        drop(place(&places).await);
    }
}
