//! Signing up goes past the caches: what does not exist is not remembered, and what comes into being
//! does so whole.

use async_trait::async_trait;

use super::CachedStore;
use crate::domain::Fault;
use crate::domain::account::NewAccount;
use crate::domain::clock::Timestamp;
use crate::domain::ports::SignUps;
use crate::domain::session::SessionOwner;
use crate::domain::sign_up::{Invite, InviteHash, InviteId, NewInvite, UsedToken};

#[async_trait]
impl SignUps for CachedStore {
    async fn sign_up(
        &self,
        account: NewAccount,
        token: UsedToken,
        invite: Option<InviteHash>,
    ) -> Result<SessionOwner, Fault> {
        self.inner.sign_up(account, token, invite).await
    }

    async fn use_token(&self, token: UsedToken) -> Result<(), Fault> {
        self.inner.use_token(token).await
    }

    async fn forget_used_tokens(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        self.inner.forget_used_tokens(now, limit).await
    }

    async fn add_invite(&self, invite: NewInvite) -> Result<(), Fault> {
        self.inner.add_invite(invite).await
    }

    async fn invites(&self, after: Option<InviteId>, limit: u32) -> Result<Vec<Invite>, Fault> {
        self.inner.invites(after, limit).await
    }

    async fn drop_invite(&self, id: InviteId) -> Result<(), Fault> {
        self.inner.drop_invite(id).await
    }
}
