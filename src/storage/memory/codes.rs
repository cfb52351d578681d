//! Codes in memory.

use async_trait::async_trait;

use super::{MemoryStore, State};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::phone::{CodePurpose, CodeUse, NewCode, OutboxCode, PendingCode, PhoneNumber};
use crate::domain::ports::Codes;

/// A code on file.
pub(super) struct Kept {
    code: NewCode,
    attempts: u32,
}

#[async_trait]
impl Codes for MemoryStore {
    async fn put_code(&self, code: NewCode) -> Result<(), Fault> {
        let key = (code.purpose, code.number.clone());
        self.change().codes.insert(key, Kept { code, attempts: 0 });
        Ok(())
    }

    async fn try_code(
        &self,
        purpose: CodePurpose,
        number: &PhoneNumber,
        now: Timestamp,
        most: u32,
    ) -> Result<Option<PendingCode>, Fault> {
        let mut state = self.change();
        let found = state.codes.get_mut(&(purpose, number.clone()));
        let good = found.filter(|it| it.code.expires_at > now && it.attempts < most);
        Ok(good.map(|kept| {
            kept.attempts += 1;
            PendingCode { code: kept.code.code.clone(), attempts: kept.attempts }
        }))
    }

    async fn outbox(&self, now: Timestamp, limit: u32) -> Result<Vec<OutboxCode>, Fault> {
        let state = self.state();
        let good = state.codes.values().map(|kept| &kept.code).filter(|it| it.expires_at > now);
        let mut waiting: Vec<OutboxCode> = good
            .filter_map(|code| {
                Some(OutboxCode {
                    number: code.number.clone(),
                    transport: code.outbox?,
                    code: code.code.clone(),
                    created_at: code.created_at,
                    expires_at: code.expires_at,
                })
            })
            .collect();
        waiting.sort_by_key(|code| code.created_at);
        waiting.truncate(limit as usize);
        Ok(waiting)
    }

    async fn forget_codes(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        let mut state = self.change();
        let over = state.codes.iter().filter(|(_, kept)| kept.code.expires_at <= now);
        let over: Vec<_> = over.map(|(key, _)| key.clone()).take(limit as usize).collect();
        state.codes.retain(|key, _| !over.contains(key));
        Ok(over.len() as u64)
    }
}

impl State {
    /// Whether a code is the one on file.
    pub(super) fn check_code(&self, code: &CodeUse) -> Result<(), Fault> {
        let kept = self.codes.get(&(code.purpose, code.number.clone()));
        let is_same = kept.is_some_and(|kept| kept.code.code == code.code);
        is_same.then_some(()).ok_or_else(CodeUse::refusal)
    }

    pub(super) fn use_code(&mut self, code: &CodeUse) -> Result<(), Fault> {
        self.check_code(code)?;
        self.codes.remove(&(code.purpose, code.number.clone()));
        Ok(())
    }
}
