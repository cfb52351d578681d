//! Codes in memory.

use async_trait::async_trait;

use super::{MemoryStore, State};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::phone::code::CODES_COUNTED;
use crate::domain::phone::{CodeTry, CodeUse, NewCode, OutboxCode, PendingCode, Transport, Window};
use crate::domain::ports::Codes;

/// A code on file.
pub(super) struct Kept {
    code: NewCode,
    attempts: u32,
    /// The end of the window.
    ends_at: Timestamp,
    /// What was made and tried in it.
    codes: u32,
    tries: u32,
}

#[async_trait]
impl Codes for MemoryStore {
    async fn put_code(&self, code: NewCode) -> Result<(), Fault> {
        let (key, now) = ((code.purpose, code.number.clone()), code.created_at);
        let mut state = self.change();
        let counted = state.codes.get(&key).filter(|kept| kept.ends_at > now);
        let (ends_at, codes, tries) = match counted {
            Some(kept) => (kept.ends_at, kept.codes, kept.tries),
            None => (code.window.ends_at, 0, 0),
        };
        if codes >= code.window.most {
            return Err(Window::refusal(CODES_COUNTED, ends_at, now));
        }
        state.codes.insert(key, Kept { code, attempts: 0, ends_at, codes: codes + 1, tries });
        Ok(())
    }

    async fn hand_over(&self, code: CodeUse, transport: Transport) -> Result<(), Fault> {
        if let Some(kept) = self.change().codes.get_mut(&(code.purpose, code.number))
            && kept.code.code == code.code
        {
            kept.code.outbox = Some(transport);
        }
        Ok(())
    }

    async fn try_code(&self, attempt: CodeTry) -> Result<Option<PendingCode>, Fault> {
        let mut state = self.change();
        let key = (attempt.purpose, attempt.number.clone());
        let Some(kept) = state.codes.get_mut(&key) else { return Ok(None) };
        attempt.check_window(kept.ends_at, kept.tries.into())?;
        let CodeTry { now, most, window, .. } = attempt;
        let is_counted = kept.ends_at > now;
        if kept.code.expires_at <= now || kept.attempts >= most {
            return Ok(None);
        }
        if !is_counted {
            (kept.ends_at, kept.codes, kept.tries) = (window.ends_at, 1, 0);
        }
        kept.tries += 1;
        kept.attempts += 1;
        Ok(Some(PendingCode { code: kept.code.code.clone(), attempts: kept.attempts }))
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
        let over = state.codes.iter();
        let over = over.filter(|(_, kept)| kept.code.expires_at.max(kept.ends_at) <= now);
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
