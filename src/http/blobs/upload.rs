//! A body on its way to the disk, and how long it may take.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use crate::domain::Fault;
use crate::domain::attachment::upload_patience;
use crate::domain::ports::Incoming;

/// The bytes of a body, for as long as there is progress and the whole comes in a time that fits
/// its size. They end with a fault when it does not.
pub fn incoming(body: Body, most: u64, stall: Duration) -> Incoming {
    let announced = body.size_hint().exact();
    let patience = upload_patience(announced.unwrap_or(most).min(most));
    // Too far away to be a time is as good as never.
    let deadline = Instant::now().checked_add(patience);
    let state = (body, deadline, stall);
    let bytes = stream::try_unfold(state, |(mut body, deadline, stall)| async move {
        let piece = next(&mut body, deadline, stall).await?;
        Ok(piece.map(|piece| (piece, (body, deadline, stall))))
    });
    Incoming { bytes: bytes.boxed(), announced, most }
}

/// The next piece that is not empty.
async fn next(
    body: &mut Body,
    deadline: Option<Instant>,
    stall: Duration,
) -> Result<Option<Bytes>, Fault> {
    loop {
        let stalled = Instant::now() + stall;
        let until = deadline.map_or(stalled, |deadline| deadline.min(stalled));
        let frame = timeout_at(until, body.frame()).await;
        let frame = frame.map_err(|_| Fault::malformed("the upload came too slowly"))?;
        let Some(frame) = frame else { return Ok(None) };
        let Ok(frame) = frame else {
            return Err(Fault::malformed("the upload ended before its announced length"));
        };
        // Trailers are no part of the body.
        if let Ok(piece) = frame.into_data()
            && !piece.is_empty()
        {
            return Ok(Some(piece));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    const STALL: Duration = Duration::from_secs(30);

    /// A piece every so often, without end.
    fn dripping(pause: Duration) -> Body {
        Body::from_stream(stream::repeat(()).then(move |()| async move {
            tokio::time::sleep(pause).await;
            Ok::<_, Infallible>(Bytes::from_static(b"x"))
        }))
    }

    async fn taken(body: Body) -> (usize, Option<Fault>, u64) {
        let start = Instant::now();
        let mut bytes = incoming(body, 1000, STALL).bytes;
        let mut pieces = 0;
        while let Some(piece) = bytes.next().await {
            match piece {
                Ok(_) => pieces += 1,
                Err(fault) => return (pieces, Some(fault), start.elapsed().as_secs()),
            }
        }
        (pieces, None, start.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn an_upload_without_progress_is_broken_off() {
        let (pieces, fault, seconds) = taken(dripping(Duration::from_secs(31))).await;
        assert!(matches!(fault, Some(Fault::Malformed { .. })));
        assert_eq!((pieces, seconds), (0, 30));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_only_drips_is_broken_off_when_its_time_is_over() {
        let (pieces, fault, seconds) = taken(dripping(Duration::from_secs(7))).await;
        assert!(matches!(fault, Some(Fault::Malformed { .. })));
        assert_eq!((pieces, seconds), (8, 60));
    }

    #[tokio::test]
    async fn a_whole_body_says_how_long_it_is() {
        assert_eq!(incoming(Body::from("hello"), 1000, STALL).announced, Some(5));
        let (pieces, fault, _) = taken(Body::from("hello")).await;
        assert!((pieces, fault.is_none()) == (1, true));
    }
}
