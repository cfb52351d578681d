//! An answer that is made while it is sent, so that no more than a piece of it is in memory.
//!
//! Nobody asks a body for its next piece while its reader takes none, so a task of its own makes the
//! pieces and looks at the clock. It ends with the body at the latest.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::domain::attachment::upload_patience;
use crate::domain::error::Fault;
use crate::http::fault_log;

/// Where the pieces go.
pub(super) struct Sink {
    /// `None` is the end, which is told apart from breaking off.
    pieces: mpsc::Sender<Option<Bytes>>,
    stall: Duration,
    began: Instant,
    /// Bytes that there will be as far as anybody could tell before.
    expected: u64,
    sent: AtomicU64,
}

/// Why an answer is not written to its end.
pub(super) enum Broken {
    /// Its reader has gone, or takes too long.
    Reader,
    /// Something went wrong here.
    Fault(Fault),
}

impl From<Fault> for Broken {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Sink {
    /// Hands a piece over, once its reader has taken the one before.
    ///
    /// # Errors
    /// [`Broken::Reader`] when that takes too long.
    pub(super) async fn send(&self, piece: Bytes) -> Result<(), Broken> {
        if piece.is_empty() {
            return Ok(());
        }
        self.sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
        self.hand_over(Some(piece)).await
    }

    async fn hand_over(&self, piece: Option<Bytes>) -> Result<(), Broken> {
        let stalled = Instant::now() + self.stall;
        let bytes = self.expected.max(self.sent.load(Ordering::Relaxed));
        // Too far away to be a time is as good as never.
        let deadline = self.began.checked_add(upload_patience(bytes));
        let until = deadline.map_or(stalled, |deadline| deadline.min(stalled));
        let handed_over = timeout_at(until, self.pieces.send(piece)).await;
        handed_over.ok().and_then(Result::ok).ok_or(Broken::Reader)
    }
}

/// A body of what `work` writes: each piece is taken within `stall`, and all of them in the time
/// that an upload of `expected` bytes may take, or of as many as it turns out to have. What fails on
/// the way breaks the answer off, since its head is gone by then.
pub(super) fn body<Work>(stall: Duration, expected: u64, work: impl FnOnce(Sink) -> Work) -> Body
where
    Work: Future<Output = Result<Sink, Broken>> + Send + 'static,
{
    let (pieces, taken) = mpsc::channel(1);
    let (began, sent) = (Instant::now(), AtomicU64::new(0));
    let work = work(Sink { pieces, stall, began, expected, sent });
    tokio::spawn(async move {
        let ended = match work.await {
            Ok(sink) => sink.hand_over(None).await,
            Err(broken) => Err(broken),
        };
        if let Err(Broken::Fault(fault)) = ended {
            tracing::error!("broke an answer off: {}", fault_log::chain(&fault));
        }
    });
    Body::from_stream(stream::try_unfold(taken, |mut taken| async move {
        let piece: Option<Bytes> = taken.recv().await.ok_or(io::ErrorKind::ConnectionAborted)?;
        Ok::<_, io::Error>(piece.map(|piece| (piece, taken)))
    }))
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use http_body_util::BodyExt;

    use super::*;

    const STALL: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn whoever_reads_gets_everything() {
        let body = body(STALL, 0, |sink| async move {
            for _ in 0..20 {
                sink.send(Bytes::from_static(b"piece")).await?;
                sink.send(Bytes::new()).await?;
            }
            Ok(sink)
        });
        assert_eq!(body.collect().await.unwrap().to_bytes(), b"piece".repeat(20));
    }

    #[tokio::test]
    async fn what_fails_on_the_way_is_broken_off() {
        let body = body(STALL, 0, |sink| async move {
            sink.send(Bytes::from_static(b"piece")).await?;
            Err(Fault::NotFound { what: "file" }.into())
        });
        assert!(body.collect().await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn what_turns_out_to_be_large_has_more_time() {
        const PIECE: &[u8] = &[7; 64 * 1024];
        let body = body(STALL, 0, |sink| async move {
            for _ in 0..1024 {
                sink.send(Bytes::from_static(PIECE)).await?;
            }
            Ok(sink)
        });
        let (mut pieces, mut read) = (body.into_data_stream(), 0);
        while let Some(piece) = pieces.next().await {
            read += piece.unwrap().len();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(read, 1024 * PIECE.len());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_nothing_is_left() {
        let (left, is_left) = tokio::sync::oneshot::channel();
        let _body = body(STALL, 0, |sink| async move {
            loop {
                if let Err(broken) = sink.send(Bytes::from_static(b"piece")).await {
                    let _ = left.send(Instant::now());
                    return Err(broken);
                }
            }
        });
        let start = Instant::now();
        assert_eq!(is_left.await.unwrap() - start, STALL);
    }
}
