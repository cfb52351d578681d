//! Reading a request's body, never more of it than allowed.

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use crate::domain::Fault;

/// Reads the whole body.
///
/// # Errors
/// [`Fault::TooLarge`] as soon as the announced length or the bytes say so, [`Fault::Malformed`]
/// when the sender breaks off.
pub async fn read(mut body: Body, limit: u64) -> Result<Bytes, Fault> {
    let announced = body.size_hint().lower();
    if announced > limit {
        discard(body, announced, limit).await;
        return Err(too_large(announced, limit));
    }
    let mut read = 0;
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(chunk) = next_chunk(&mut body).await? {
        read += chunk.len() as u64;
        if read > limit {
            discard(body, read, limit).await;
            return Err(too_large(read, limit));
        }
        // A small body comes in one piece, which is then handed on without a copy.
        if first.is_empty() {
            first = chunk;
            continue;
        }
        if all.is_empty() {
            all.reserve(first.len() + chunk.len().max(remaining(&body)));
            all.extend_from_slice(&first);
        }
        all.extend_from_slice(&chunk);
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

/// How many bytes are still to come, if the sender announced it; never above the limit, which the
/// announced length was compared with.
fn remaining(body: &Body) -> usize {
    usize::try_from(body.size_hint().lower()).unwrap_or(0)
}

async fn next_chunk(body: &mut Body) -> Result<Option<Bytes>, Fault> {
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Err(Fault::malformed("the body ended before its announced length"));
        };
        // Trailers are no part of the body.
        if let Ok(chunk) = frame.into_data()
            && !chunk.is_empty()
        {
            return Ok(Some(chunk));
        }
    }
    Ok(None)
}

fn too_large(actual: u64, limit: u64) -> Fault {
    Fault::TooLarge { what: "the body's size in bytes", actual, limit }
}

/// Takes the rest of a body that is somewhat too large and throws it away. A sender that still
/// writes when the connection closes would see a reset in place of the answer. What is far too
/// large is left alone.
async fn discard(mut body: Body, known: u64, limit: u64) {
    let most = limit.saturating_mul(2);
    let mut seen = known;
    if seen > most {
        return;
    }
    // An announced length was counted at once, bytes are counted as they come.
    let announced = body.size_hint().exact().is_some();
    while let Ok(Some(chunk)) = next_chunk(&mut body).await {
        if announced {
            continue;
        }
        seen += chunk.len() as u64;
        if seen > most {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;

    use super::*;

    fn chunks(parts: &[&'static str]) -> Body {
        let parts: Vec<_> =
            parts.iter().map(|part| Ok::<_, Infallible>(Bytes::from(*part))).collect();
        Body::from_stream(stream::iter(parts))
    }

    #[tokio::test]
    async fn a_body_up_to_the_limit_is_read_whole() -> Result<(), Fault> {
        assert_eq!(read(Body::empty(), 4).await?, "");
        assert_eq!(read(Body::from("1234"), 4).await?, "1234");
        assert_eq!(read(chunks(&["1", "", "23", "4"]), 4).await?, "1234");
        Ok(())
    }

    #[tokio::test]
    async fn an_announced_length_over_the_limit_is_refused() {
        let fault = read(Body::from("12345"), 4).await;
        assert!(matches!(fault, Err(Fault::TooLarge { actual: 5, limit: 4, .. })), "{fault:?}");
    }

    #[tokio::test]
    async fn bytes_over_the_limit_are_refused_when_nothing_was_announced() {
        let fault = read(chunks(&["123", "45", "6"]), 4).await;
        assert!(matches!(fault, Err(Fault::TooLarge { actual: 5, limit: 4, .. })), "{fault:?}");
    }

    #[tokio::test]
    async fn an_endless_body_is_left_alone_after_a_while() {
        let endless = stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(b"12345")));
        let fault = read(Body::from_stream(endless), 4).await;
        assert!(matches!(fault, Err(Fault::TooLarge { .. })), "{fault:?}");
    }

    #[tokio::test]
    async fn a_sender_that_breaks_off_is_told_so() {
        let parts = [Ok(Bytes::from_static(b"12")), Err(std::io::Error::other("gone"))];
        let fault = read(Body::from_stream(stream::iter(parts)), 4).await;
        assert!(matches!(fault, Err(Fault::Malformed { .. })), "{fault:?}");
    }
}
