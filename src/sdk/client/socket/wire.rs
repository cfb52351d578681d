//! One open connection: frames in and out, pings, and the end.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use reqwest::Upgraded;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::KeepAlive;
use super::error::SocketError;
use super::frame::{self, FRAME_LIMIT, Frame};

/// How long the gateway may take to close after it was asked to.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// An open socket. Whoever holds it calls [`turn`](Self::turn) all the time.
pub(super) struct Wire {
    stream: WebSocketStream<Upgraded>,
    ping: Interval,
    keep_alive: KeepAlive,
    /// Whether anything came in since the last ping.
    heard: bool,
}

impl Wire {
    pub(super) async fn new(stream: Upgraded, keep_alive: KeepAlive) -> Self {
        let config = WebSocketConfig::default()
            .max_message_size(Some(FRAME_LIMIT))
            .max_frame_size(Some(FRAME_LIMIT))
            .read_buffer_size(16 * 1024);
        let stream = WebSocketStream::from_raw_socket(stream, Role::Client, Some(config)).await;
        let mut ping = interval(keep_alive.ping_every);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ping.reset();
        Self { stream, ping, keep_alive, heard: true }
    }

    /// Reads while there is room for more, pings in any case. May be dropped at any time.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub(super) async fn turn(&mut self, room: bool) -> Result<Frame, SocketError> {
        match room {
            true => self.next().await,
            false => Err(self.keep_up().await),
        }
    }

    /// Writes a packed frame.
    pub(super) async fn send(&mut self, packed: Vec<u8>) -> Result<(), SocketError> {
        self.write(Message::Binary(packed.into())).await
    }

    /// Waits for a frame, and pings meanwhile. May be dropped at any time without loss.
    ///
    /// # Errors
    /// [`SocketError::Frame`] for a frame that is skipped; any other error is the end.
    async fn next(&mut self) -> Result<Frame, SocketError> {
        loop {
            let message = tokio::select! {
                message = self.stream.next() => message,
                _ = self.ping.tick() => {
                    if !std::mem::take(&mut self.heard) {
                        return Err(SocketError::Silent);
                    }
                    self.write(Message::Ping(Bytes::new())).await?;
                    continue;
                }
            };
            self.heard = true;
            match message {
                Some(Ok(Message::Binary(packed))) => return frame::unpack(&packed),
                Some(Ok(Message::Text(_))) => {
                    let reason = "it is text where binary is spoken".to_owned();
                    return Err(SocketError::Frame { reason });
                }
                // Pings are answered below this; answers to ours count as having heard.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(_)) | Err(Error::ConnectionClosed)) | None => {
                    return Err(SocketError::Closed);
                }
                Some(Err(error)) => return Err(broken(error)),
            }
        }
    }

    /// Pings without reading, for as long as it is polled. What comes in meanwhile stays with the
    /// gateway, so its silence means nothing.
    async fn keep_up(&mut self) -> SocketError {
        loop {
            self.ping.tick().await;
            self.heard = true;
            if let Err(error) = self.write(Message::Ping(Bytes::new())).await {
                return error;
            }
        }
    }

    /// Says goodbye and waits for the answer, a moment.
    pub(super) async fn close(mut self) {
        let closing = async {
            if self.stream.close(None).await.is_ok() {
                while let Some(Ok(_)) = self.stream.next().await {}
            }
        };
        let _gone_anyway = timeout(CLOSE_WITHIN, closing).await;
    }

    async fn write(&mut self, message: Message) -> Result<(), SocketError> {
        match timeout(self.keep_alive.answer_within, self.stream.send(message)).await {
            Err(_) => Err(SocketError::Silent),
            Ok(Err(Error::ConnectionClosed | Error::AlreadyClosed)) => Err(SocketError::Closed),
            Ok(written) => written.map_err(broken),
        }
    }
}

fn broken(error: Error) -> SocketError {
    SocketError::Broken(Box::new(error))
}
