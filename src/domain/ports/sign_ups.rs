//! What signing up needs from a store.

use async_trait::async_trait;

use crate::domain::account::NewAccount;
use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;
use crate::domain::session::SessionOwner;
use crate::domain::sign_up::{Invite, InviteHash, InviteId, NewInvite, UsedToken};

/// Accounts that people make themselves, invitations, and tokens that are accepted once.
#[async_trait]
pub trait SignUps: Send + Sync {
    /// Makes an account with its one session, counts the use of the invitation, and keeps the
    /// token; or does nothing at all. When the token is on file for the same request and its signer
    /// is the key of a live session, returns that one as it is.
    ///
    /// # Errors
    /// [`UsedToken::refusal`] when the token is on file for something else, [`Fault::Conflict`] as
    /// [`super::Accounts::create_account`] gives it, and [`Invite::admit`]'s at the account's time;
    /// they are looked for in this order.
    async fn sign_up(
        &self,
        account: NewAccount,
        token: UsedToken,
        invite: Option<InviteHash>,
    ) -> Result<SessionOwner, Fault>;

    /// Keeps a token that is accepted once.
    ///
    /// # Errors
    /// [`UsedToken::refusal`] when it is on file.
    async fn use_token(&self, token: UsedToken) -> Result<(), Fault>;

    /// Forgets at most `limit` tokens whose time is over; returns how many.
    async fn forget_used_tokens(&self, now: Timestamp, limit: u32) -> Result<u64, Fault>;

    /// Keeps an invitation.
    async fn add_invite(&self, invite: NewInvite) -> Result<(), Fault>;

    /// A page of all invitations in the order in which they were made, from the one after `after`.
    ///
    /// # Errors
    /// [`Fault::NotFound`] when there is no `after`.
    async fn invites(&self, after: Option<InviteId>, limit: u32) -> Result<Vec<Invite>, Fault>;

    /// Drops an invitation.
    ///
    /// # Errors
    /// [`Fault::NotFound`] when there is none.
    async fn drop_invite(&self, id: InviteId) -> Result<(), Fault>;
}
