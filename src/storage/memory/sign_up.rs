//! Signing up, invitations and used tokens in memory.

use async_trait::async_trait;

use super::MemoryStore;
use crate::domain::Fault;
use crate::domain::account::NewAccount;
use crate::domain::clock::Timestamp;
use crate::domain::ports::SignUps;
use crate::domain::session::SessionOwner;
use crate::domain::sign_up::{Invite, InviteHash, InviteId, NewInvite, UsedToken};

#[async_trait]
impl SignUps for MemoryStore {
    async fn sign_up(
        &self,
        account: NewAccount,
        token: UsedToken,
        invite: Option<InviteHash>,
    ) -> Result<SessionOwner, Fault> {
        let mut state = self.change();
        if let Some(used) = state.used_tokens.get(&(token.signer, token.jti)) {
            let mut sessions = state.sessions.values().filter(|session| session.is_live());
            let made = sessions.find(|session| session.signing_key.to_bytes() == token.signer);
            let made = made.filter(|_| used.request == token.request);
            let session = made.ok_or_else(UsedToken::refusal)?.clone();
            let account = state.accounts[&session.account].clone();
            return Ok(SessionOwner { session, account });
        }
        if let Some(conflict) = state.obstacle(&account) {
            return Err(conflict);
        }
        if let Some(hash) = invite {
            let mut found = state.invites.iter_mut().find(|it| it.hash == hash);
            Invite::admit(found.as_ref().map(|it| &it.invite), account.created_at)?;
            if let Some(found) = &mut found {
                found.invite.used += 1;
            }
        }
        state.used_tokens.insert((token.signer, token.jti), token);
        let mut made = state.create_account(account)?;
        let session = made.sessions.pop();
        let session = session.ok_or(Fault::NotFound { what: "session" })?;
        Ok(SessionOwner { session, account: made.account })
    }

    async fn use_token(&self, token: UsedToken) -> Result<(), Fault> {
        let mut state = self.change();
        if state.used_tokens.contains_key(&(token.signer, token.jti)) {
            return Err(UsedToken::refusal());
        }
        state.used_tokens.insert((token.signer, token.jti), token);
        Ok(())
    }

    async fn forget_used_tokens(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        let mut state = self.change();
        let old = state.used_tokens.iter().filter(|(_, token)| token.expires_at <= now);
        let old: Vec<_> = old.map(|(key, _)| *key).take(limit as usize).collect();
        for key in &old {
            state.used_tokens.remove(key);
        }
        Ok(old.len() as u64)
    }

    async fn add_invite(&self, invite: NewInvite) -> Result<(), Fault> {
        self.change().invites.push(invite);
        Ok(())
    }

    async fn invites(&self, after: Option<InviteId>, limit: u32) -> Result<Vec<Invite>, Fault> {
        let state = self.state();
        let mut invites = state.invites.iter().map(|it| it.invite);
        if let Some(after) = after {
            let known = invites.by_ref().any(|invite| invite.id == after);
            known.then_some(()).ok_or(Fault::NotFound { what: "invitation" })?;
        }
        Ok(invites.take(limit as usize).collect())
    }

    async fn drop_invite(&self, id: InviteId) -> Result<(), Fault> {
        let mut state = self.change();
        let place = state.invites.iter().position(|it| it.invite.id == id);
        state.invites.remove(place.ok_or(Fault::NotFound { what: "invitation" })?);
        Ok(())
    }
}
