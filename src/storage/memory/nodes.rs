//! Other gateways in memory.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;

use super::MemoryStore;
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::SessionNumber;
use crate::domain::messenger::node::NodeId;
use crate::domain::messenger::outbox::{Amount, Letter, Line, NewLetter, Settled};
use crate::domain::ports::{KnownNode, NodeOutbox, Nodes};

/// All that is kept of other gateways.
#[derive(Default)]
pub(super) struct Kept {
    nodes: HashMap<NodeId, KnownNode>,
    nonces: HashMap<(NodeId, String), Timestamp>,
    lines: BTreeMap<Line, Letters>,
}

struct Letters {
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
        kept.is_strong |= node.is_strong;
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
    async fn put_letter(&self, letter: NewLetter, most: Amount) -> Result<(), Fault> {
        let mut state = self.change();
        if !state.messenger.devices.contains_key(&letter.sender) {
            return Err(Fault::NotFound { what: "device" });
        }
        let key = Line { sender: letter.sender, node: letter.node.clone() };
        let lines = &mut state.nodes.lines;
        let is_same = |it: &NewLetter| it.logical == letter.logical && it.digest == letter.digest;
        let line = lines.get(&key);
        if line.is_some_and(|line| line.letters.values().any(is_same)) {
            return Ok(());
        }
        let own = || lines.iter().filter(|(line, _)| line.sender == letter.sender);
        let letters = || own().flat_map(|(_, line)| line.letters.values());
        let waiting = Amount {
            lines: own().count() as u64,
            letters: letters().count() as u64,
            bytes: letters().map(|letter| letter.body.len() as u64).sum(),
        };
        waiting.with(letter.body.len(), line.is_none(), most)?;
        let new = || Letters { attempts: 0, next_at: letter.at, letters: BTreeMap::new() };
        let line = lines.entry(key).or_insert_with(new);
        let number = line.letters.last_key_value().map_or(1, |(number, _)| number + 1);
        line.letters.insert(number, letter);
        Ok(())
    }

    async fn due_lines(
        &self,
        now: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Line>, Fault> {
        let mut state = self.change();
        let lines = state.nodes.lines.iter_mut();
        let mut due: Vec<_> = lines.filter(|(_, letters)| letters.next_at <= now).collect();
        due.sort_by_key(|(_, letters)| letters.next_at);
        due.truncate(limit as usize);
        let hold = |(line, letters): (&Line, &mut Letters)| {
            letters.next_at = until;
            line.clone()
        };
        Ok(due.into_iter().map(hold).collect())
    }

    async fn first_letter(&self, line: &Line) -> Result<Option<Letter>, Fault> {
        let state = self.state();
        let Some(kept) = state.nodes.lines.get(line) else { return Ok(None) };
        let first = kept.letters.first_key_value();
        Ok(first.map(|(number, letter)| as_letter(*number, letter, kept.attempts)))
    }

    async fn settle_letter(&self, letter: &Letter, settled: Settled) -> Result<(), Fault> {
        let mut state = self.change();
        let Some(line) = state.nodes.lines.get_mut(&letter.line()) else { return Ok(()) };
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
        state.nodes.lines.retain(|_, line| !line.letters.is_empty());
        Ok(())
    }

    async fn put_off_lines(&self, node: &NodeId, until: Timestamp) -> Result<(), Fault> {
        let mut state = self.change();
        let lines = state.nodes.lines.iter_mut().filter(|(line, _)| line.node == *node);
        lines.for_each(|(_, letters)| letters.next_at = until);
        Ok(())
    }

    async fn forget_letters(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        let mut state = self.change();
        let mut forgotten = 0;
        for line in state.nodes.lines.values_mut() {
            line.letters.retain(|_, letter| {
                let goes = letter.expires_at <= now && forgotten < u64::from(limit);
                forgotten += u64::from(goes);
                !goes
            });
        }
        state.nodes.lines.retain(|_, line| !line.letters.is_empty());
        Ok(forgotten)
    }
}

impl Kept {
    /// What a session that ended has written goes with it.
    pub(super) fn end_letters(&mut self, sender: SessionNumber) {
        self.lines.retain(|line, _| line.sender != sender);
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
