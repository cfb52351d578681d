//! Signing up: who may make an account without an operator, and what keeps it from happening twice.
//!
//! A sign-up is proved by the key that it puts on file. Its answer may get lost, and then the client
//! knows neither its account nor its session, while key and invitation are spent. So the `jti` of
//! the sign-up is remembered for a day: the same key asking for the same thing under the same `jti`
//! gets the same answer, anything else under it is refused.

mod invite;
mod once;

use sealpost_sdk::keys::VerifyingKey;

use super::account::{AccountKind, Dialect, NewAccount, checked_name};
use super::error::Fault;
use super::gateway::Gateway;
use super::session::SessionOwner;

pub use invite::{INVITE_PREFIX, Invite, InviteHash, InviteId, NewInvite};
pub use once::{SIGN_UP_REMEMBERED, UsedToken};

/// Who may sign up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SignUpPolicy {
    /// Nobody; accounts are made by operators.
    #[default]
    Closed,
    /// Whoever has an invitation.
    Invite,
    /// Everybody.
    Open,
}

/// What somebody asks for who has proved to hold the key.
#[derive(Clone, Debug)]
pub struct SignUp {
    /// The first device's Ed25519 key.
    pub signing_key: VerifyingKey,
    /// The name shown to others.
    pub full_name: String,
    /// What kind of device it says it is.
    pub platform: String,
    /// The code of an invitation; empty when there is none.
    pub invite: String,
    /// The `jti` of the token.
    pub jti: String,
    /// The digest of the request that the token was made for.
    pub request: String,
}

impl SignUpPolicy {
    /// Refuses those who need not try.
    ///
    /// # Errors
    /// [`Fault::Forbidden`] when nobody may sign up.
    pub fn require_some(self) -> Result<(), Fault> {
        match self {
            Self::Closed => Err(Fault::forbidden(
                "sign-up is closed here; the operator opens it with `dialects.mixin.sign_up`",
            )),
            Self::Invite | Self::Open => Ok(()),
        }
    }

    fn invite(self, code: &str) -> Result<Option<InviteHash>, Fault> {
        self.require_some()?;
        match (self, code) {
            (Self::Invite, "") => Err(Fault::forbidden_field(
                "invite",
                "is missing: one signs up here with an invitation of the operator",
            )),
            (Self::Invite, code) => Ok(Some(InviteHash::of(code))),
            (Self::Closed | Self::Open, _) => Ok(None),
        }
    }
}

impl Gateway {
    /// Makes an account with its first session, uses the invitation and remembers the token: all of
    /// it or nothing. Asked again by the same key for the same thing under the same `jti`, returns
    /// what was made the first time.
    ///
    /// # Errors
    /// [`Fault::Forbidden`] when the policy or the invitation does not allow it,
    /// [`Fault::Unauthorized`] when the `jti` was used for something else, [`Fault::Conflict`]
    /// (`public_key`) when the key is on file, [`Fault::Invalid`] when a field cannot be used.
    pub async fn sign_up(
        &self,
        policy: SignUpPolicy,
        asked: SignUp,
    ) -> Result<SessionOwner, Fault> {
        let invite = policy.invite(&asked.invite)?;
        let now = self.clock.now();
        let token = UsedToken::new(
            &asked.signing_key,
            &asked.jti,
            &asked.request,
            now.plus(SIGN_UP_REMEMBERED),
        );
        let account = NewAccount {
            id: self.random_id(),
            dialect: Dialect::Mixin,
            external_name: String::new(),
            kind: AccountKind::User,
            full_name: checked_name(&asked.full_name)?,
            created_at: now,
            sessions: self.first_sessions(vec![(asked.signing_key, asked.platform)])?,
        };
        let with = |external_name| NewAccount { external_name, ..account.clone() };
        self.draw_identity_number(|number| self.store.sign_up(with(number), token, invite)).await
    }
}
