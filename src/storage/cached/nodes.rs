//! Other gateways: nothing of them is asked often enough to be remembered.

use async_trait::async_trait;

use super::CachedStore;
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::messenger::node::NodeId;
use crate::domain::messenger::outbox::{Amount, Letter, Line, NewLetter, Settled};
use crate::domain::ports::{KnownNode, NodeOutbox, Nodes};

#[async_trait]
impl Nodes for CachedStore {
    async fn node(&self, id: &NodeId) -> Result<Option<KnownNode>, Fault> {
        self.inner.node(id).await
    }

    async fn note_node(&self, node: KnownNode) -> Result<KnownNode, Fault> {
        self.inner.note_node(node).await
    }

    async fn note_strong_node(&self, id: &NodeId) -> Result<(), Fault> {
        self.inner.note_strong_node(id).await
    }

    async fn claim_nonce(
        &self,
        node: &NodeId,
        nonce: String,
        ends_at: Timestamp,
    ) -> Result<bool, Fault> {
        self.inner.claim_nonce(node, nonce, ends_at).await
    }

    async fn forget_nonces(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        self.inner.forget_nonces(now, limit).await
    }
}

#[async_trait]
impl NodeOutbox for CachedStore {
    async fn put_letter(&self, letter: NewLetter, most: Amount) -> Result<(), Fault> {
        self.inner.put_letter(letter, most).await
    }

    async fn due_lines(
        &self,
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Line>, Fault> {
        self.inner.due_lines(now, until, limit).await
    }

    async fn first_letter(&self, line: &Line) -> Result<Option<Letter>, Fault> {
        self.inner.first_letter(line).await
    }

    async fn settle_letter(&self, letter: &Letter, settled: Settled) -> Result<(), Fault> {
        self.inner.settle_letter(letter, settled).await
    }

    async fn put_off_lines(&self, node: &NodeId, until: Timestamp) -> Result<(), Fault> {
        self.inner.put_off_lines(node, until).await
    }

    async fn forget_letters(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        self.inner.forget_letters(now, limit).await
    }
}
