//! A body on its way in, piece by piece, and how long it may take.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use crate::domain::attachment::upload_patience;
use crate::domain::error::Fault;

/// A body that is read for as long as there is progress, and as a whole in a time that fits its
/// size.
pub(super) struct Inflow {
    body: Body,
    stall: Duration,
    /// Too far away to be a time is as good as never.
    deadline: Option<Instant>,
    left: u64,
    limit: u64,
}

impl Inflow {
    /// A body of at most `limit` bytes.
    pub(super) fn new(body: Body, limit: u64, stall: Duration) -> Self {
        let deadline = Instant::now().checked_add(upload_patience(limit));
        Self { body, stall, deadline, left: limit, limit }
    }

    /// The next piece that is not empty; `None` at the end.
    ///
    /// # Errors
    /// [`Fault::TooLarge`] for more than was allowed, [`Fault::Malformed`] when the sender breaks
    /// off or is too slow.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        loop {
            let stalled = Instant::now() + self.stall;
            let until = self.deadline.map_or(stalled, |deadline| deadline.min(stalled));
            let frame = timeout_at(until, self.body.frame()).await;
            let frame = frame.map_err(|_| Fault::malformed("the body came too slowly"))?;
            let Some(frame) = frame else { return Ok(None) };
            let Ok(frame) = frame else {
                return Err(Fault::malformed("the body ended before its announced length"));
            };
            // Trailers are no part of the body.
            let Ok(piece) = frame.into_data() else { continue };
            let left = self.left.checked_sub(piece.len() as u64);
            self.left = left.ok_or_else(|| too_large(self.limit.saturating_add(1), self.limit))?;
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
    }
}

impl Inflow {
    /// All of it. What is somewhat too large is taken and thrown away: a sender that still writes
    /// when the connection closes would see a reset in place of the answer.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub(super) async fn whole(mut self) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let announced = self.body.size_hint().lower();
        let mut all = Zeroizing::new(Vec::new());
        let refused = if announced > self.limit {
            too_large(announced, self.limit)
        } else {
            // It fits, since a limit is a number of bytes in memory.
            all.reserve_exact(usize::try_from(announced).unwrap_or_default());
            loop {
                match self.next().await {
                    Ok(Some(piece)) => all.extend_from_slice(&piece),
                    Ok(None) => return Ok(all),
                    Err(fault @ Fault::TooLarge { .. }) => break fault,
                    Err(fault) => return Err(fault),
                }
            }
        };
        self.left = self.limit;
        if announced <= self.limit.saturating_mul(2) {
            while let Ok(Some(_)) = self.next().await {}
        }
        Err(refused)
    }
}

/// The refusal of a body.
pub(super) fn too_large(actual: u64, limit: u64) -> Fault {
    Fault::TooLarge { what: "the body's size in bytes", actual, limit }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::{StreamExt, stream};

    use super::*;

    const STALL: Duration = Duration::from_secs(30);

    fn pieces(count: usize, pause: Duration) -> Body {
        let pieces = stream::iter(0..count).then(move |_| async move {
            tokio::time::sleep(pause).await;
            Ok::<_, Infallible>(Bytes::from_static(b"piece"))
        });
        Body::from_stream(pieces)
    }

    async fn read(mut inflow: Inflow) -> Result<usize, Fault> {
        let mut read = 0;
        while let Some(piece) = inflow.next().await? {
            read += piece.len();
        }
        Ok(read)
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_read_up_to_its_limit_and_in_its_time() {
        let quick = Duration::ZERO;
        assert_eq!(read(Inflow::new(pieces(20, quick), 100, STALL)).await.unwrap(), 100);
        let large = read(Inflow::new(pieces(20, quick), 99, STALL)).await;
        assert!(matches!(large, Err(Fault::TooLarge { actual: 100, limit: 99, .. })), "{large:?}");
        for (pause, count) in [(STALL * 2, 1), (STALL / 2, 10)] {
            let slow = read(Inflow::new(pieces(count, pause), 100, STALL)).await;
            assert!(matches!(slow, Err(Fault::Malformed { .. })), "{slow:?}");
        }
    }
    #[tokio::test(start_paused = true)]
    async fn a_body_in_memory_is_whole_or_refused() {
        let whole = Inflow::new(pieces(20, Duration::ZERO), 100, STALL).whole().await;
        assert_eq!(**whole.unwrap(), b"piece".repeat(20));
        for body in [pieces(20, Duration::ZERO), Body::from("piece".repeat(20))] {
            let large = Inflow::new(body, 99, STALL).whole().await;
            assert!(matches!(large, Err(Fault::TooLarge { actual: 100, limit: 99, .. })));
        }
        let slow = Inflow::new(pieces(1, STALL * 2), 100, STALL).whole().await;
        assert!(matches!(slow, Err(Fault::Malformed { .. })));
    }
}
