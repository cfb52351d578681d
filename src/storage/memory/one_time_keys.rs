//! One-time prekeys of members' devices in memory.

use async_trait::async_trait;

use super::MemoryStore;
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::SessionNumber;
use crate::domain::messenger::member::{KEYS_REMEMBERED, new_one_time_keys};
use crate::domain::ports::OneTimeKeys;

#[async_trait]
impl OneTimeKeys for MemoryStore {
    async fn add_one_time_keys(
        &self,
        session: SessionNumber,
        keys: Vec<String>,
        most: u32,
    ) -> Result<u64, Fault> {
        let mut state = self.change();
        let records = &mut state.messenger;
        if !records.devices.contains_key(&session) {
            return Ok(0);
        }
        let spent = records.taken_keys.keys().filter(|(owner, _)| *owner == session);
        let spent: Vec<String> = spent.map(|(_, key)| key.clone()).collect();
        let waiting = records.one_time_keys.entry(session).or_default();
        let new = new_one_time_keys(&keys, waiting, &spent, most)?;
        let new: Vec<String> = new.into_iter().map(str::to_owned).collect();
        waiting.extend(new);
        Ok(waiting.len() as u64)
    }

    async fn one_time_keys(
        &self,
        sessions: &[SessionNumber],
        limit: u32,
    ) -> Result<Vec<Vec<String>>, Fault> {
        let state = self.state();
        let keys = sessions.iter().map(|session| state.messenger.one_time_keys.get(session));
        let first = |keys: &Vec<String>| keys.iter().take(limit as usize).cloned().collect();
        Ok(keys.map(|keys| keys.map(first).unwrap_or_default()).collect())
    }

    async fn take_one_time_keys(
        &self,
        sessions: &[SessionNumber],
        until: Timestamp,
    ) -> Result<Vec<Option<String>>, Fault> {
        let mut state = self.change();
        let records = &mut state.messenger;
        let mut given = Vec::with_capacity(sessions.len());
        for session in sessions {
            let waiting = records.one_time_keys.get_mut(session);
            let key = waiting.filter(|keys| !keys.is_empty()).map(|keys| keys.remove(0));
            if let Some(key) = &key {
                let life = (until, until.plus(KEYS_REMEMBERED));
                records.taken_keys.insert((*session, key.clone()), life);
            }
            given.push(key);
        }
        Ok(given)
    }

    async fn forget_taken_keys(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        let mut state = self.change();
        let taken = &mut state.messenger.taken_keys;
        Ok(taken.extract_if(.., |_, life| life.1 <= now).take(limit as usize).count() as u64)
    }
}
