//! What members need for those of other gateways: what is known of a gateway, what waits for it,
//! and somebody who asks it.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use sealpost_sdk::keys::VerifyingKey;

use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;
use crate::domain::messenger::MemberName;
use crate::domain::messenger::node::NodeId;
use crate::domain::messenger::outbox::{Amount, Letter, Line, NewLetter, Settled};

/// What is kept of a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownNode {
    /// Its name.
    pub id: NodeId,
    /// Where it is asked, without a slash at its end.
    pub api_url: String,
    /// The key that signs its requests.
    pub key: VerifyingKey,
    /// Whether it has signed a body or said that it does, and is held to that.
    pub is_strong: bool,
    /// When it was looked up.
    pub looked_up_at: Timestamp,
}

/// What is known of other gateways.
#[async_trait]
pub trait Nodes: Send + Sync {
    /// A gateway.
    async fn node(&self, id: &NodeId) -> Result<Option<KnownNode>, Fault>;

    /// Notes where a gateway is and when it was looked up; returns what is on file then. The key of
    /// the first sight stays, and so does what it is held to.
    async fn note_node(&self, node: KnownNode) -> Result<KnownNode, Fault>;

    /// From now on this gateway is held to signing bodies.
    async fn note_strong_node(&self, id: &NodeId) -> Result<(), Fault>;

    /// Claims a number that a gateway used for a request; whether nobody did before. It is
    /// remembered until `ends_at`.
    async fn claim_nonce(
        &self,
        node: &NodeId,
        nonce: String,
        ends_at: Timestamp,
    ) -> Result<bool, Fault>;

    /// Forgets at most `limit` numbers whose time is over; returns how many.
    async fn forget_nonces(&self, now: Timestamp, limit: u32) -> Result<u64, Fault>;
}

/// What waits to be brought to other gateways.
#[async_trait]
pub trait NodeOutbox: Send + Sync {
    /// Puts a letter at the end of its line, durably before it returns; nothing happens when it
    /// waits there already.
    ///
    /// # Errors
    /// [`Fault::Deferred`] when more than `most` would wait of its sender, [`Fault::NotFound`]
    /// (`device`) when the sender is no live device.
    async fn put_letter(&self, letter: NewLetter, most: Amount) -> Result<(), Fault>;

    /// At most `limit` lines whose turn it is at `now`. Nobody else gets them before `until`.
    async fn due_lines(
        &self,
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Line>, Fault>;

    /// The first letter of a line, if there is any.
    async fn first_letter(&self, line: &Line) -> Result<Option<Letter>, Fault>;

    /// Notes what became of the first letter of a line. One that is gone by now changes nothing.
    async fn settle_letter(&self, letter: &Letter, settled: Settled) -> Result<(), Fault>;

    /// Has all the lines for a gateway wait until then.
    async fn put_off_lines(&self, node: &NodeId, until: Timestamp) -> Result<(), Fault>;

    /// Forgets at most `limit` letters whose time is over; returns how many.
    async fn forget_letters(&self, now: Timestamp, limit: u32) -> Result<u64, Fault>;
}

/// What another gateway is asked.
#[derive(Clone, PartialEq, Eq)]
pub enum NodeRequest {
    /// Who it is; nobody signs for it.
    Info,
    /// The devices of a member.
    Devices(MemberName),
    /// Their prekeys, of which each is given out once.
    Keys(MemberName),
    /// To take introductions.
    Introductions(Bytes),
    /// To take a message.
    Message(Bytes),
}

/// What another gateway answers.
#[derive(Clone, PartialEq, Eq)]
pub struct NodeAnswer {
    /// Its status.
    pub status: u16,
    /// When to try again, if it says so.
    pub retry_after: Option<Duration>,
    /// All that it says beside that.
    pub body: Bytes,
}

/// Where a gateway is, and the key that signs its requests, as a registry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Where it is asked.
    pub api_url: String,
    /// Its key.
    pub key: VerifyingKey,
    /// Whether it signs the bodies of its requests.
    pub signs_bodies: bool,
}

/// Why somebody outside does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskNodeError {
    /// There is nobody to ask, or nobody of that name.
    #[error("nobody knows it")]
    Unknown,
    /// There is no answer now.
    #[error("it cannot be asked now")]
    Unreachable,
    /// The answer makes no sense.
    #[error("its answer cannot be read")]
    Malformed,
}

/// Asks other gateways, and the registry that knows them.
#[async_trait]
pub trait Neighbours: Send + Sync {
    /// What the registry says about a gateway.
    ///
    /// # Errors
    /// When it says nothing.
    async fn look_up(&self, id: &NodeId) -> Result<Listing, AskNodeError>;

    /// Asks a gateway at this address; what it answers may be a refusal.
    ///
    /// # Errors
    /// When there is no answer.
    async fn ask(
        &self,
        id: &NodeId,
        api_url: &str,
        request: NodeRequest,
    ) -> Result<NodeAnswer, AskNodeError>;
}
