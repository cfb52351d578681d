//! What can go wrong with a socket.

/// Why a socket could not be opened, or why it broke.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// Something between here and the gateway, or the gateway itself, does not speak this protocol.
    #[error("the other side does not open a socket: {reason}")]
    Refused {
        /// What it did instead.
        reason: String,
    },
    /// The session has as many sockets as it may.
    #[error("the session has as many sockets as it may")]
    TooMany,
    /// The connection broke, or carried what is no WebSocket, or more than this client takes.
    #[error("the connection broke")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The gateway closed the connection.
    #[error("the gateway closed the connection")]
    Closed,
    /// The gateway answers nothing any more.
    #[error("the gateway is silent")]
    Silent,
    /// A frame is none of this protocol. It was skipped.
    #[error("the gateway sent a frame that is none of this protocol: {reason}")]
    Frame {
        /// What is wrong with it.
        reason: String,
    },
}

impl SocketError {
    /// Whether another try may succeed.
    pub(in crate::client) fn is_temporary(&self) -> bool {
        !matches!(self, Self::Refused { .. })
    }
}
