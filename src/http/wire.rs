//! One socket (RFC 6455) as whoever serves it sees it: frames in, frames out, one task for both.

mod intake;

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use intake::Intake;

/// What is read at a time. Every socket has a buffer of this size, and most have nothing to say.
const READ_BUFFER: usize = 1024;

/// How much is gathered before it is written.
const WRITE_BUFFER: usize = 4 * 1024;

/// A socket. At most one frame more than `WRITE_BUFFER` waits to be written.
pub struct Wire<Io> {
    stream: WebSocketStream<Intake<Io>>,
    /// Whether something may wait to be written.
    unflushed: bool,
    /// Since when the peer has not taken what we write.
    stuck_since: Option<Instant>,
    /// Both directions get their turn.
    write_first: bool,
}

/// What a socket is ready for.
#[derive(Debug)]
pub enum Turn {
    /// A frame may be written.
    Writable,
    /// Something was read.
    Heard(Heard),
}

/// What was read.
#[derive(Debug)]
pub enum Heard {
    /// A binary message.
    Frame(Bytes),
    /// A text message.
    Text(Utf8Bytes),
    /// A sign of life.
    Sign,
    /// A message begins, or goes on, that may have so many bytes; it is read after [`Wire::grant`],
    /// and as far as there is room after [`Wire::refuse`].
    Large(u64),
    /// The peer closes, or is gone.
    Gone,
    /// The peer breaks the rules.
    Broken(CloseCode, &'static str),
}

impl<Io: AsyncRead + AsyncWrite + Unpin> Wire<Io> {
    /// The server's side of a connection that has been upgraded.
    pub async fn new(io: Io, frame_limit: usize) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(WRITE_BUFFER)
            .max_message_size(Some(frame_limit))
            .max_frame_size(Some(frame_limit));
        let io = Intake::new(io, frame_limit as u64);
        let stream = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
        Self { stream, unflushed: false, stuck_since: None, write_first: false }
    }

    /// Waits until something was read, or until a frame may be written if one is there; writes
    /// what waits meanwhile. A call that is given up loses nothing.
    pub async fn turn(&mut self, reading: bool, has_frame: bool) -> Turn {
        poll_fn(|context| {
            self.write_first = !self.write_first;
            for writing in [self.write_first, !self.write_first] {
                let turn = match writing {
                    true => self.poll_write(context, has_frame),
                    false if reading => self.poll_read(context),
                    false => Poll::Pending,
                };
                if turn.is_ready() {
                    return turn;
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Writes a frame; only after [`Turn::Writable`].
    pub fn write(&mut self, message: Message) -> Option<Heard> {
        self.unflushed = true;
        Pin::new(&mut self.stream).start_send(message).err().map(|error| heard_error(&error))
    }

    /// Since when the peer has not taken what we write.
    pub fn stuck_since(&self) -> Option<Instant> {
        self.stuck_since
    }

    /// Lets the message at hand be as large as so many bytes.
    pub fn grant(&mut self, bytes: u64) {
        self.stream.get_mut().grant(bytes);
    }

    /// Ends the message at hand early: what there is room for is heard as if it were all of it.
    pub fn refuse(&mut self) {
        self.stream.get_mut().refuse();
    }

    /// Begins to wait for a sign of life anew.
    pub fn excuse(&mut self, now: Instant) {
        self.stream.get_mut().excuse(now);
    }

    /// When the last bytes came, be they of a message that is not whole yet.
    pub fn heard_at(&self) -> Instant {
        self.stream.get_ref().heard_at()
    }

    /// When the message that is not whole yet has to be.
    pub fn due(&self) -> Option<Instant> {
        self.stream.get_ref().due()
    }

    /// Says good-bye: what is still to be said, then the code; to a peer that said it first, what
    /// it said. Waits a little for the peer to hang up, so that it reads what we said last.
    pub async fn close(
        mut self,
        last: impl IntoIterator<Item = Message>,
        code: CloseCode,
        reason: &'static str,
        patience: Duration,
    ) {
        let farewell = async {
            for frame in last {
                self.stream.feed(frame).await?;
            }
            let close = CloseFrame { code, reason: reason.into() };
            match self.stream.send(Message::Close(Some(close))).await {
                // The peer was first: the answer to its good-bye is all there is to say.
                Err(Error::Protocol(ProtocolError::SendAfterClosing)) => {
                    self.stream.flush().await?;
                }
                said => said?,
            }
            // What the peer still sends must not turn into a reset that overtakes our words.
            let io = self.stream.get_mut().raw();
            io.shutdown().await?;
            let mut rest = vec![0; 1024];
            while io.read(&mut rest).await? > 0 {}
            Ok::<_, Error>(())
        };
        // Who does not say good-bye is gone.
        drop(timeout(patience, farewell).await);
    }

    fn poll_write(&mut self, context: &mut Context<'_>, has_frame: bool) -> Poll<Turn> {
        let stream = Pin::new(&mut self.stream);
        let ready = match (has_frame, self.unflushed) {
            (true, _) => stream.poll_ready(context),
            (false, true) => stream.poll_flush(context),
            (false, false) => return Poll::Pending,
        };
        match ready {
            Poll::Pending => {
                self.stuck_since.get_or_insert_with(Instant::now);
                return Poll::Pending;
            }
            Poll::Ready(Err(error)) => return Poll::Ready(Turn::Heard(heard_error(&error))),
            Poll::Ready(Ok(())) => self.stuck_since = None,
        }
        if has_frame {
            return Poll::Ready(Turn::Writable);
        }
        self.unflushed = false;
        Poll::Pending
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Turn> {
        let Poll::Ready(read) = Pin::new(&mut self.stream).poll_next(context) else {
            let wanted = self.stream.get_ref().wants();
            return wanted.map_or(Poll::Pending, |it| Poll::Ready(Turn::Heard(Heard::Large(it))));
        };
        Poll::Ready(Turn::Heard(match read {
            Some(Ok(Message::Binary(frame))) => Heard::Frame(frame),
            Some(Ok(Message::Text(text))) => Heard::Text(text),
            Some(Ok(Message::Ping(_))) => {
                // The answer waits to be written.
                self.unflushed = true;
                Heard::Sign
            }
            Some(Ok(Message::Pong(_) | Message::Frame(_))) => Heard::Sign,
            Some(Ok(Message::Close(_))) | None => Heard::Gone,
            Some(Err(error)) => heard_error(&error),
        }))
    }
}

fn heard_error(error: &Error) -> Heard {
    match error {
        Error::Capacity(_) => Heard::Broken(CloseCode::Size, "the message is too large"),
        Error::Utf8(_) => Heard::Broken(CloseCode::Invalid, "the text is no UTF-8"),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Heard::Gone,
        Error::Protocol(_) => Heard::Broken(CloseCode::Protocol, "this is no WebSocket frame"),
        _ => Heard::Gone,
    }
}
