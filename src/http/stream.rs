//! A connection that does not wait for ever for its peer.
//!
//! The HTTP library bounds the time for a request's head, but not the time until it knows which
//! version of HTTP the peer speaks, nor the time until the peer takes an answer. Without these two
//! bounds a stranger who says nothing, or who reads nothing, would keep a place for ever.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::traffic::Traffic;
use crate::domain::line::Line;

/// How soon after the last piece of an answer a client hangs up that has read it. One that was
/// waiting for it in vain takes longer.
const PROMPT: Duration = Duration::from_secs(2);

/// What a client of HTTP/2 says first (RFC 9113, section 3.4). As long as the peer may still be
/// saying it, the version is open.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection with bounds on how long the peer may stay silent in the beginning, and how long it
/// may refuse to read.
pub(super) struct Bounded<Io> {
    io: Io,
    limit: Duration,
    timer: Pin<Box<Sleep>>,
    /// How much of the preface was seen; `None` once the version is known.
    preface: Option<usize>,
    /// Whether the peer is not taking what we write.
    stuck: bool,
    /// When something was last written.
    wrote_at: Option<Instant>,
    /// Whoever cares hears of its end there.
    line: Line,
    /// Where its bytes are counted.
    traffic: Arc<Traffic>,
}

impl<Io> Bounded<Io> {
    /// Bounds both by `limit`.
    pub(super) fn new(io: Io, limit: Duration, line: Line, traffic: Arc<Traffic>) -> Self {
        let timer = Box::pin(sleep(limit));
        Self { io, limit, timer, preface: Some(0), stuck: false, wrote_at: None, line, traffic }
    }

    /// Something was written.
    fn wrote(&mut self, done: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = done {
            self.traffic.sent.add(*bytes as u64);
        }
        self.stuck = false;
        self.wrote_at = Some(Instant::now());
    }

    /// The peer has nothing more to say.
    fn hang_up(&self) {
        if self.wrote_at.is_some_and(|at| at.elapsed() < PROMPT) {
            self.line.end_well();
        }
    }

    /// Compares what was read with the preface.
    fn look_at(&mut self, read: &[u8]) {
        let Some(seen) = self.preface else { return };
        let expected = &PREFACE[seen..];
        let common = expected.len().min(read.len());
        let may_go_on = !read.is_empty() && read[..common] == expected[..common];
        self.preface = (may_go_on && seen + common < PREFACE.len()).then_some(seen + common);
    }

    /// Begins or goes on to wait for the peer to read; an error when it took too long.
    fn wait_for_reader<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if !self.stuck {
            self.stuck = true;
            self.timer.as_mut().reset(Instant::now() + self.limit);
        }
        self.timer.as_mut().poll(context).map(|()| Err(ErrorKind::TimedOut.into()))
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Bounded<Io> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        match Pin::new(&mut this.io).poll_read(context, buffer) {
            Poll::Pending if this.preface.is_some() => {
                this.timer.as_mut().poll(context).map(|()| Err(ErrorKind::TimedOut.into()))
            }
            Poll::Ready(Ok(())) => {
                if buffer.filled().len() == before && buffer.remaining() > 0 {
                    this.hang_up();
                }
                this.traffic.received.add((buffer.filled().len() - before) as u64);
                this.look_at(&buffer.filled()[before..]);
                Poll::Ready(Ok(()))
            }
            other => other,
        }
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Bounded<Io> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match Pin::new(&mut this.io).poll_write(context, bytes) {
            Poll::Pending => this.wait_for_reader(context),
            done => {
                this.wrote(&done);
                done
            }
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match Pin::new(&mut this.io).poll_write_vectored(context, slices) {
            Poll::Pending => this.wait_for_reader(context),
            done => {
                this.wrote(&done);
                done
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    fn kind<T>(outcome: io::Result<T>) -> Option<ErrorKind> {
        outcome.err().map(|error| error.kind())
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_says_nothing_or_only_begins_is_given_up() -> io::Result<()> {
        for beginning in ["", "P", "PRI * HTTP/2.0"] {
            let (mut peer, ours) = duplex(64);
            let mut ours = Bounded::new(ours, LIMIT, Line::default(), Arc::default());
            peer.write_all(beginning.as_bytes()).await?;
            let mut text = vec![0; beginning.len()];
            ours.read_exact(&mut text).await?;
            let start = Instant::now();
            assert_eq!(kind(ours.read(&mut [0; 8]).await), Some(ErrorKind::TimedOut));
            assert_eq!(start.elapsed().as_secs(), LIMIT.as_secs(), "{beginning}");
        }
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn once_the_version_is_known_the_library_keeps_the_time() -> io::Result<()> {
        for beginning in ["GET / HTTP", "PRI x", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
            let (mut peer, ours) = duplex(64);
            let mut ours = Bounded::new(ours, LIMIT, Line::default(), Arc::default());
            peer.write_all(beginning.as_bytes()).await?;
            let mut text = vec![0; beginning.len()];
            ours.read_exact(&mut text).await?;
            let waited = tokio::time::timeout(LIMIT * 3, ours.read(&mut [0; 8])).await;
            assert!(waited.is_err(), "{beginning}");
        }
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_reads_nothing_is_given_up_and_a_slow_one_is_not() -> io::Result<()> {
        let (mut peer, ours) = duplex(4);
        let mut ours = Bounded::new(ours, LIMIT, Line::default(), Arc::default());
        let slow = async {
            for _ in 0..4 {
                sleep(LIMIT / 2).await;
                peer.read_exact(&mut [0; 4]).await?;
            }
            io::Result::Ok(())
        };
        let (written, read) = tokio::join!(ours.write_all(&[7; 20]), slow);
        written.and(read)?;
        let start = Instant::now();
        assert_eq!(kind(ours.write_all(&[7; 20]).await), Some(ErrorKind::TimedOut));
        assert_eq!(start.elapsed().as_secs(), LIMIT.as_secs());
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn who_hangs_up_soon_after_an_answer_has_read_it() -> io::Result<()> {
        let limit = Duration::from_secs(10);
        for (writes, pause, expected) in [(true, 0, true), (true, 3, false), (false, 0, false)] {
            let line = Line::default();
            let (peer, ours) = duplex(64);
            let mut ours = Bounded::new(ours, limit, line.clone(), Arc::default());
            if writes {
                ours.write_all(b"answer").await?;
            }
            sleep(Duration::from_secs(pause)).await;
            drop(peer);
            assert_eq!(ours.read(&mut [0; 8]).await?, 0);
            assert_eq!(line.has_ended_well(), expected, "{writes} {pause}");
        }
        Ok(())
    }
}
