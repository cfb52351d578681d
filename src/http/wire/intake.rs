//! What comes in on a socket, counted before it is read: the head of a frame (RFC 6455, section 5.2)
//! says how much follows, and a large message waits there until somebody made room for it. When
//! nobody does, its reader gets the beginning, and the rest is thrown away as it comes.
//!
//! The WebSocket library gets large frames as fragments, which mean the same (section 5.4). It
//! would make room for a whole frame at once, and keep that for as long as the socket is open.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::domain::attachment::upload_patience;

/// Messages up to this size are read without asking.
pub const FREE: u64 = 16 * 1024;

/// Frames are cut into pieces of this size; the mask of four bytes goes on from one to the next.
const PIECE: u64 = 4 * 1024;

/// The longest head of a frame.
const LONGEST_HEAD: usize = 14;

/// The shortest head of a frame with a mask, as a client's has to be.
const SHORTEST_HEAD: usize = 6;

/// In the first byte: the last fragment of its message.
const FINAL: u8 = 0x80;

/// In the first byte: a ping, a pong or a farewell.
const CONTROL: u8 = 0x08;

/// In the first byte: what kind of frame it is.
const OPCODE: u8 = 0x0f;

/// A frame with which a text begins.
const TEXT: u8 = 0x01;

/// In the second byte: a mask follows.
const MASKED: u8 = 0x80;

/// A connection whose frames are counted as they come.
pub struct Intake<Io> {
    io: Io,
    /// The largest message.
    limit: u64,
    phase: Phase,
    /// What was read of a frame's head, or what is to be handed on in its place.
    head: [u8; LONGEST_HEAD],
    /// How many bytes of it there are.
    length: u8,
    /// How many of them were handed on.
    given: u8,
    /// The first byte of the frame as it came.
    first: u8,
    mask: [u8; 4],
    /// What is still to come of the piece.
    piece_left: u64,
    /// What comes of the frame behind the piece.
    frame_left: u64,
    /// What was announced of the message so far.
    message: u64,
    /// How much of it may be read.
    granted: u64,
    /// Whether its reader has seen the end of it before it came.
    ended: bool,
    /// What comes of the frame and is thrown away.
    excess: u64,
    /// Since when there is a message that is not finished.
    since: Option<Instant>,
    heard_at: Instant,
}

/// What comes next.
#[derive(Clone, Copy)]
enum Phase {
    /// The head of a frame.
    Head,
    /// The frame, if there is room for it.
    Frame,
    /// A head that is handed on.
    Given,
    /// What stands behind it.
    Payload,
    /// What nobody reads.
    Excess,
}

/// How a step ended.
enum Step {
    /// There may be another one.
    On,
    /// The frame, or the connection, is at its end.
    Over,
}

impl<Io> Intake<Io> {
    /// A connection on which frames begin now, with messages of at most `limit` bytes.
    pub fn new(io: Io, limit: u64) -> Self {
        Self {
            io,
            limit,
            phase: Phase::Head,
            head: [0; LONGEST_HEAD],
            length: 0,
            given: 0,
            first: 0,
            mask: [0; 4],
            piece_left: 0,
            frame_left: 0,
            message: 0,
            granted: 0,
            ended: false,
            excess: 0,
            since: None,
            heard_at: Instant::now(),
        }
    }

    /// Lets the message at hand be as large as so many bytes.
    pub fn grant(&mut self, bytes: u64) {
        self.granted = bytes;
    }

    /// Ends the message at hand early: its reader gets what may be read without another
    /// [`Self::grant`], and of text, which might be cut within a letter, nothing more.
    pub(in super::super) fn refuse(&mut self) {
        if self.wants().is_none() {
            return;
        }
        let before = self.message - self.frame_left;
        let room = self.granted.max(FREE).saturating_sub(before);
        let left = if self.first & OPCODE == TEXT { 0 } else { room.min(self.frame_left) };
        (self.excess, self.frame_left) = (self.frame_left - left, left);
        self.ended = true;
    }

    /// Begins to wait for a sign of life anew.
    pub fn excuse(&mut self, now: Instant) {
        self.heard_at = now;
    }

    /// The connection itself, for whoever does not care for frames any more.
    pub fn raw(&mut self) -> &mut Io {
        &mut self.io
    }

    /// For how large a message [`Self::grant`] is waited for. A message of many fragments asks for
    /// more than it announced, so that it need not ask for each of them.
    pub fn wants(&self) -> Option<u64> {
        let waits = matches!(self.phase, Phase::Frame) && !self.has_room();
        waits.then(|| self.message.max(self.granted.saturating_mul(2)).min(self.limit))
    }

    /// When the last bytes came.
    pub fn heard_at(&self) -> Instant {
        self.heard_at
    }

    /// When the message at hand has to be there, as slow as uploads may be.
    pub fn due(&self) -> Option<Instant> {
        self.since?.checked_add(upload_patience(self.message))
    }

    fn has_room(&self) -> bool {
        self.first & CONTROL != 0 || self.ended || self.message <= self.granted.max(FREE)
    }

    /// How long the head is, once that can be told.
    fn head_size(&self) -> Option<usize> {
        (self.length >= 2).then(|| match self.head[1] {
            // Nothing else of it matters.
            unmasked if unmasked & MASKED == 0 => 2,
            masked if masked & !MASKED == 126 => 8,
            masked if masked & !MASKED == 127 => LONGEST_HEAD,
            _ => SHORTEST_HEAD,
        })
    }

    /// Looks at a head that is complete.
    fn begin_frame(&mut self, size: usize) {
        let head = self.head;
        self.first = head[0];
        if size < SHORTEST_HEAD {
            // The library says what is wrong with it, and need not see more of it.
            return self.hand_on(&[self.first, 0]);
        }
        self.mask.copy_from_slice(&head[size - 4..size]);
        self.frame_left = match size {
            SHORTEST_HEAD => u64::from(head[1] & !MASKED),
            8 => u64::from(u16::from_be_bytes([head[2], head[3]])),
            _ => head[2..10].iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
        };
        self.phase = Phase::Frame;
        if self.first & CONTROL != 0 {
            return;
        }
        self.since.get_or_insert(self.heard_at);
        self.message = self.message.saturating_add(self.frame_left);
        if self.message > self.limit {
            // One that the library refuses for its size, before it waits for the rest.
            self.frame_left = 0;
            self.hand_on(&[self.first, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        } else if self.ended {
            (self.excess, self.frame_left) = (self.frame_left, 0);
            self.phase = Phase::Excess;
        }
    }

    /// Hands on the head of the next piece of the frame; the first one begins with `opcode`.
    fn begin_piece(&mut self, opcode: u8) {
        let length = self.frame_left.min(PIECE);
        self.frame_left -= length;
        self.piece_left = length;
        let last = match (self.frame_left, self.ended) {
            (0, true) => FINAL,
            (0, false) => self.first & FINAL,
            _ => 0,
        };
        let [.., high, low] = length.to_be_bytes();
        let [one, two, three, four] = self.mask;
        let first = opcode | last;
        match length {
            ..126 => self.hand_on(&[first, MASKED | low, one, two, three, four]),
            _ => self.hand_on(&[first, MASKED | 126, high, low, one, two, three, four]),
        }
    }

    fn hand_on(&mut self, head: &[u8]) {
        self.head[..head.len()].copy_from_slice(head);
        (self.length, self.given) = (head.len().to_le_bytes()[0], 0);
        self.phase = Phase::Given;
    }

    fn give(&mut self, buffer: &mut ReadBuf<'_>) -> Step {
        let rest = &self.head[usize::from(self.given)..usize::from(self.length)];
        let part = &rest[..rest.len().min(buffer.remaining())];
        buffer.put_slice(part);
        let is_all = part.len() == rest.len();
        self.given += part.len().to_le_bytes()[0];
        match is_all {
            true => self.behind_piece(),
            false => Step::On,
        }
    }

    /// Goes on behind a head or a part of its payload.
    fn behind_piece(&mut self) -> Step {
        if self.piece_left > 0 {
            self.phase = Phase::Payload;
            return Step::On;
        }
        if self.frame_left > 0 {
            self.begin_piece(0);
            return Step::On;
        }
        if self.excess > 0 {
            self.phase = Phase::Excess;
        } else {
            self.end_frame();
        }
        Step::Over
    }

    fn end_frame(&mut self) {
        self.phase = Phase::Head;
        self.length = 0;
        if self.first & CONTROL == 0 && self.first & FINAL != 0 {
            (self.message, self.granted, self.ended, self.since) = (0, 0, false, None);
        }
    }
}

impl<Io: AsyncRead + Unpin> Intake<Io> {
    fn step(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<Step>> {
        match self.phase {
            Phase::Head => return self.poll_head(context),
            Phase::Frame if self.has_room() => self.begin_piece(self.first & !FINAL),
            // Whoever grants it asks again.
            Phase::Frame => return Poll::Pending,
            Phase::Given => return Poll::Ready(Ok(self.give(buffer))),
            Phase::Payload => return self.poll_payload(context, buffer),
            Phase::Excess => return self.poll_excess(context),
        }
        Poll::Ready(Ok(Step::On))
    }

    /// Reads a head and not a byte more.
    fn poll_head(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Step>> {
        loop {
            let length = usize::from(self.length);
            match self.head_size() {
                Some(size) if length >= size => {
                    self.begin_frame(size);
                    return Poll::Ready(Ok(Step::On));
                }
                size => {
                    let missing = &mut self.head[length..size.unwrap_or(SHORTEST_HEAD)];
                    let read = ready!(poll_into(&mut self.io, context, missing))?;
                    if read == 0 {
                        return Poll::Ready(Ok(Step::Over));
                    }
                    self.length += read.to_le_bytes()[0];
                    self.heard_at = Instant::now();
                }
            }
        }
    }

    fn poll_payload(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<Step>> {
        let most = usize::try_from(self.piece_left).unwrap_or(usize::MAX);
        let space = buffer.initialize_unfilled_to(most.min(buffer.remaining()));
        let read = ready!(poll_into(&mut self.io, context, space))?;
        buffer.advance(read);
        if read == 0 {
            return Poll::Ready(Ok(Step::Over));
        }
        self.piece_left -= read as u64;
        self.heard_at = Instant::now();
        Poll::Ready(Ok(self.behind_piece()))
    }
}

impl<Io: AsyncRead + Unpin> Intake<Io> {
    /// Throws away what has come of what nobody reads.
    fn poll_excess(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Step>> {
        let mut nowhere = [0; 4096];
        while self.excess > 0 {
            let most = usize::try_from(self.excess).unwrap_or(usize::MAX).min(nowhere.len());
            let read = ready!(poll_into(&mut self.io, context, &mut nowhere[..most]))?;
            if read == 0 {
                return Poll::Ready(Ok(Step::Over));
            }
            self.excess -= read as u64;
            self.heard_at = Instant::now();
        }
        self.end_frame();
        Poll::Ready(Ok(Step::On))
    }
}

fn poll_into<Io: AsyncRead + Unpin>(
    io: &mut Io,
    context: &mut Context<'_>,
    space: &mut [u8],
) -> Poll<io::Result<usize>> {
    let mut space = ReadBuf::new(space);
    ready!(Pin::new(io).poll_read(context, &mut space))?;
    Poll::Ready(Ok(space.filled().len()))
}

impl<Io: AsyncRead + Unpin> AsyncRead for Intake<Io> {
    /// Never goes on from one frame to the next: behind a message its reader has the first word.
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        while buffer.remaining() > 0 {
            match this.step(context, buffer) {
                Poll::Ready(Ok(Step::On)) => {}
                Poll::Ready(Ok(Step::Over)) => break,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending if buffer.filled().len() > before => break,
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Intake<Io> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
