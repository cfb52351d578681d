//! What the two kinds of socket have in common: ids for messages, and what a frame may say.

use std::time::Duration;

use bytes::Bytes;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::{json, protobuf};

/// The two kinds of socket, of earlier clients and of later ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Text frames with JSON.
    Json,
    /// Binary frames with requests and answers in protobuf.
    Protobuf,
}

/// What a client says in a frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// It has taken care of the message with this id.
    Acknowledged(u64),
    /// It wants an answer. The first one is for who may have it, the second one for who asks too
    /// often, if there is one.
    Asked(Message, Option<Message>),
    /// Nothing that has to be done.
    Nothing,
    /// What it should not.
    Broken(CloseCode, &'static str),
}

impl Language {
    /// How long a client may be silent.
    pub fn idle(self) -> Duration {
        match self {
            Self::Json => Duration::from_secs(10 * 60),
            // These clients ask every fifteen seconds whether we are there.
            Self::Protobuf => Duration::from_secs(90),
        }
    }

    /// The id of the first message. In protobuf it is not zero: some clients answer under that what
    /// they did not understand.
    pub fn first_id(self) -> u64 {
        match self {
            Self::Json => 0,
            Self::Protobuf => 1,
        }
    }

    /// The frame that brings a message, encrypted under the device's signalling key.
    pub fn message(self, id: u64, sealed: Vec<u8>) -> Message {
        match self {
            Self::Json => json::message(id, &sealed),
            Self::Protobuf => protobuf::request("PUT", "/api/v1/message", id, sealed.into()),
        }
    }

    /// What a text frame says.
    pub fn text(self, text: &Utf8Bytes) -> Said {
        match self {
            Self::Json => json::heard(text.as_bytes()),
            Self::Protobuf => Said::Broken(CloseCode::Unsupported, "frames are binary"),
        }
    }

    /// What a binary frame says.
    pub fn binary(self, frame: Bytes) -> Said {
        match self {
            Self::Json => Said::Broken(CloseCode::Policy, "frames are text"),
            Self::Protobuf => protobuf::heard(frame),
        }
    }
}
