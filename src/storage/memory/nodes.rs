//! Other gateways in memory.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;

use super::MemoryStore;
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::SessionNumber;
use crate::domain::inbox::FULL_RETRY;
use crate::domain::messenger::node::NodeId;
use crate::domain::messenger::outbox::{Letter, NewLetter, Settled};
use crate::domain::ports::{KnownNode, NodeOutbox, Nodes};

/// All that is kept of other gateways.
#[derive(Default)]
pub(super) struct Kept {
    nodes: HashMap<NodeId, KnownNode>,
    nonces: HashMap<(NodeId, String), Timestamp>,
    lines: BTreeMap<(NodeId, SessionNumber), Line>,
}

struct Line {
    attempts: u32,
    next_at: Timestamp,
    letters: BTreeMap<i64, NewLetter>,
}

#[async_trait]
impl Nodes for MemoryStore {
    async fn node(&self, id: &NodeId) -> Result<Option<KnownNode>, Fault> {
        Ok(self.state().nodes.nodes.get(id).cloned())
    }

    async fn note_node(&self, node: KnownNode) -> Result<KnownNode, Fault> {
        let mut state = self.change();
        let kept = state.nodes.nodes.entry(node.id.clone()).or_insert_with(|| node.clone());
        (kept.api_url, kept.looked_up_at) = (node.api_url, node.looked_up_at);
        Ok(kept.clone())
    }

    async fn note_strong_node(&self, id: &NodeId) -> Result<(), Fault> {
        if let Some(kept) = self.change().nodes.nodes.get_mut(id) {
            kept.is_strong = true;
        }
        Ok(())
    }

    async fn claim_nonce(
        &self,
        node: &NodeId,
        nonce: String,
        ends_at: Timestamp,
    ) -> Result<bool, Fault> {
        let mut state = self.change();
        let nonces = &mut state.nodes.nonces;
        let key = (node.clone(), nonce);
        let is_new = !nonces.contains_key(&key);
        nonces.entry(key).or_insert(ends_at);
        Ok(is_new)
    }

    async fn forget_nonces(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        let mut state = self.change();
        let nonces = &mut state.nodes.nonces;
        let over = nonces.iter().filter(|(_, ends_at)| **ends_at <= now);
        let over: Vec<_> = over.map(|(key, _)| key.clone()).take(limit as usize).collect();
        nonces.retain(|key, _| !over.contains(key));
        Ok(over.len() as u64)
    }
}

#[async_trait]
impl NodeOutbox for MemoryStore {
    async fn put_letter(&self, letter: NewLetter, most: u32) -> Result<(), Fault> {
        let mut state = self.change();
        let key = (letter.node.clone(), letter.sender);
        let new = || Line { attempts: 0, next_at: letter.at, letters: BTreeMap::new() };
        let line = state.nodes.lines.entry(key).or_insert_with(new);
        let is_same = |it: &NewLetter| it.logical == letter.logical && it.digest == letter.digest;
        if line.letters.values().any(is_same) {
            return Ok(());
        }
        if line.letters.len() >= most as usize {
            return Err(Fault::Deferred { retry_after: FULL_RETRY });
        }
        let number = line.letters.last_key_value().map_or(1, |(number, _)| number + 1);
        line.letters.insert(number, letter);
        Ok(())
    }

    async fn due_letters(
        &self,
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Letter>, Fault> {
        let mut state = self.change();
        let lines = &mut state.nodes.lines;
        lines.retain(|_, line| !line.letters.is_empty());
        let mut due: Vec<_> = lines.values_mut().filter(|line| line.next_at <= now).collect();
        due.sort_by_key(|line| line.next_at);
        due.truncate(limit as usize);
        let first = |line: &mut Line| {
            line.next_at = until;
            let (number, letter) = line.letters.first_key_value()?;
            Some(as_letter(*number, letter, line.attempts))
        };
        Ok(due.into_iter().filter_map(first).collect())
    }

    async fn settle_letter(&self, letter: &Letter, settled: Settled) -> Result<(), Fault> {
        let mut state = self.change();
        let key = (letter.node.clone(), letter.sender);
        let Some(line) = state.nodes.lines.get_mut(&key) else { return Ok(()) };
        let kept = line.letters.get(&letter.number);
        if kept.is_none_or(|kept| kept.digest != letter.digest) {
            return Ok(());
        }
        match settled {
            Settled::Done { at } => {
                line.letters.remove(&letter.number);
                (line.attempts, line.next_at) = (0, at);
            }
            Settled::Again { at } => {
                line.attempts += 1;
                line.next_at = at;
            }
        }
        Ok(())
    }
}

fn as_letter(number: i64, kept: &NewLetter, attempts: u32) -> Letter {
    Letter {
        node: kept.node.clone(),
        sender: kept.sender,
        number,
        logical: kept.logical.clone(),
        digest: kept.digest,
        body: kept.body.clone(),
        attempts,
        expires_at: kept.expires_at,
    }
}
