//! The socket: one connection over which the gateway hands out messages as they come.
//!
//! Mixin calls it Blaze: a WebSocket (RFC 6455) with the sub-protocol `Mixin-Blaze-1`, whose binary
//! frames are each one gzip of one JSON object. It is opened by an upgrade of an ordinary request,
//! so that it shares proxy, certificates and time-outs with everything else the client does.

mod caller;
mod error;
mod frame;
mod link;
mod upgrade;
mod wire;

use std::time::Duration;

pub(super) use caller::Caller;
pub use error::SocketError;
pub(super) use link::{Event, Link};

/// How a socket is kept alive, and how soon a dead one is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeepAlive {
    /// How often the gateway is pinged.
    pub(super) ping_every: Duration,
    /// How long the gateway may take for anything: an answer, or taking what is written.
    pub(super) answer_within: Duration,
}

impl Default for KeepAlive {
    fn default() -> Self {
        Self { ping_every: Duration::from_secs(10), answer_within: Duration::from_secs(15) }
    }
}
