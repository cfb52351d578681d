//! Prekeys in memory.

use async_trait::async_trait;

use super::{MemoryStore, State};
use crate::domain::Fault;
use crate::domain::ids::SessionNumber;
use crate::domain::ports::Prekeys;
use crate::domain::prekeys::{NewPrekeys, SignedPrekey, TakenPrekey};

#[async_trait]
impl Prekeys for MemoryStore {
    async fn replace_prekeys(&self, new: NewPrekeys) -> Result<(), Fault> {
        let mut state = self.change();
        let Some(kept) = state.devices.get_mut(&new.session) else { return Ok(()) };
        kept.ordinary = new.ordinary;
        // Those with the same number stay in their order.
        kept.ordinary.sort_by_key(|prekey| prekey.id);
        kept.last_resort = new.last_resort;
        kept.signed = new.signed.or(kept.signed.take());
        let account = kept.account;
        if let Some(identity) = new.identity.filter(|identity| identity.account == account)
            && let Some(phone) = state.phones.get_mut(&account)
        {
            phone.identity_key = Some(identity.key);
        }
        Ok(())
    }

    async fn take_prekeys(&self, sessions: &[SessionNumber]) -> Result<Vec<TakenPrekey>, Fault> {
        let mut state = self.change();
        Ok(sessions.iter().map(|session| state.take_prekey(*session)).collect())
    }

    async fn count_prekeys(&self, session: SessionNumber) -> Result<u64, Fault> {
        let state = self.state();
        Ok(state.devices.get(&session).map_or(0, |kept| kept.ordinary.len() as u64))
    }

    async fn put_signed_prekey(
        &self,
        session: SessionNumber,
        signed: SignedPrekey,
    ) -> Result<(), Fault> {
        if let Some(kept) = self.change().devices.get_mut(&session) {
            kept.signed = Some(signed);
        }
        Ok(())
    }

    async fn signed_prekey(&self, session: SessionNumber) -> Result<Option<SignedPrekey>, Fault> {
        Ok(self.state().devices.get(&session).and_then(|kept| kept.signed.clone()))
    }
}

impl State {
    fn take_prekey(&mut self, session: SessionNumber) -> TakenPrekey {
        let Some(kept) = self.devices.get_mut(&session) else {
            return TakenPrekey { session, prekey: None, signed: None, identity: None };
        };
        let phone = self.phones.get(&kept.account);
        let identity = phone.and_then(|phone| phone.identity_key.clone());
        let prekey = match kept.ordinary.is_empty() {
            true => kept.last_resort.clone(),
            false => Some(kept.ordinary.remove(0)),
        };
        TakenPrekey { session, prekey, signed: kept.signed.clone(), identity }
    }
}
