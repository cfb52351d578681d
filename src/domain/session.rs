//! Sessions: the signed-in devices of an account, and the tokens that act for them.

mod api_token;

use sealpost_sdk::device::SessionStatement;
use sealpost_sdk::keys::{AgreementKey, VerifyingKey};

use super::account::Account;
use super::clock::Timestamp;
use super::error::Fault;
use super::gateway::Gateway;
use super::ids::{AccountNumber, SessionId, SessionNumber, UserId};
use super::ports::Hint;

pub use api_token::{API_TOKEN_PREFIX, ApiToken, Scope, Scopes, TokenHash};

/// A session on file, live or ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its number inside the store.
    pub number: SessionNumber,
    /// Its public id.
    pub id: SessionId,
    /// The account that is signed in.
    pub account: AccountNumber,
    /// The same account's public id.
    pub user: UserId,
    /// The Ed25519 key that verifies its tokens.
    pub signing_key: VerifyingKey,
    /// The X25519 form of the same key, which senders seal for.
    pub agreement_key: AgreementKey,
    /// What kind of device it says it is.
    pub platform: String,
    /// The session that added this one, and its signature over the new key.
    pub attestation: Option<Attestation>,
    /// When it signed in.
    pub created_at: Timestamp,
    /// When it was revoked, if it was.
    pub ended_at: Option<Timestamp>,
}

impl Session {
    /// Whether it may still act.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.ended_at.is_none()
    }
}

/// A live session's word for a session that it added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attestation {
    /// The session that gave its word.
    pub added_by: SessionId,
    /// Its Ed25519 signature over the statement about the new key, 64 bytes.
    pub signature: [u8; 64],
}

/// What the store needs to sign a session in.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Its public id, fresh.
    pub id: SessionId,
    /// The account that signs in.
    pub account: AccountNumber,
    /// The account's public id.
    pub user: UserId,
    /// The Ed25519 key that verifies its tokens; on file for no other session.
    pub signing_key: VerifyingKey,
    /// What kind of device it says it is.
    pub platform: String,
    /// The adding session's word, unless an operator added it.
    pub attestation: Option<Attestation>,
    /// When it signed in.
    pub created_at: Timestamp,
    /// The session that it takes the place of, which ends in the same transaction.
    pub replaces: Option<SessionId>,
}

/// What signing in changed.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The new session.
    pub session: Session,
    /// The session that it took the place of.
    pub replaced: Option<SessionNumber>,
}

/// A session, and the account that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionOwner {
    /// The session.
    pub session: Session,
    /// The account.
    pub account: Account,
}

/// The longest `platform`, in characters.
const PLATFORM_LIMIT: usize = 64;

/// A device that an account's live session wants to add.
#[derive(Clone, Debug)]
pub struct DeviceRequest {
    /// The new device's Ed25519 key.
    pub signing_key: VerifyingKey,
    /// What kind of device it says it is.
    pub platform: String,
    /// The new key's own signature over the statement.
    pub signature: [u8; 64],
    /// The adding session's signature over the statement.
    pub attestation: [u8; 64],
    /// The session that it takes the place of.
    pub replaces: Option<SessionId>,
}

impl Gateway {
    /// Adds a device on the word of a live session of the same account.
    ///
    /// # Errors
    /// [`Fault::Invalid`] when a signature does not fit, [`Fault::NotFound`] when the session to
    /// replace is not a live one of this account, [`Fault::Conflict`] when the key is already on
    /// file or the account has all the sessions it may have.
    pub async fn add_device(
        &self,
        by: &SessionOwner,
        request: DeviceRequest,
    ) -> Result<Session, Fault> {
        let statement = SessionStatement {
            user: by.account.id,
            added_by: by.session.id,
            public_key: request.signing_key,
        };
        if statement.verify_new(&request.signature).is_err() {
            return Err(Fault::invalid("signature", "is not the new key's over the statement"));
        }
        if statement.verify_adder(&by.session.signing_key, &request.attestation).is_err() {
            return Err(Fault::invalid("attestation", "is not the adding session's signature"));
        }
        let attestation = Attestation { added_by: by.session.id, signature: request.attestation };
        self.sign_in(NewSession {
            id: self.random_id(),
            account: by.account.number,
            user: by.account.id,
            signing_key: request.signing_key,
            platform: request.platform,
            attestation: Some(attestation),
            created_at: self.clock.now(),
            replaces: request.replaces,
        })
        .await
    }

    /// Adds a device on an operator's word.
    ///
    /// # Errors
    /// As [`Gateway::add_device`], and [`Fault::NotFound`] for an unknown account.
    pub async fn add_device_as_operator(
        &self,
        user: UserId,
        signing_key: VerifyingKey,
        platform: String,
        replaces: Option<SessionId>,
    ) -> Result<Session, Fault> {
        let account = self.account(user).await?;
        self.sign_in(NewSession {
            id: self.random_id(),
            account: account.number,
            user: account.id,
            signing_key,
            platform,
            attestation: None,
            created_at: self.clock.now(),
            replaces,
        })
        .await
    }

    async fn sign_in(&self, mut session: NewSession) -> Result<Session, Fault> {
        session.platform = checked_platform(&session.platform)?;
        let limit = self.limits.sessions_per_account;
        let signed_in = self.store.sign_in(session, limit, self.random_id()).await?;
        if let Some(replaced) = signed_in.replaced {
            self.bus.publish(Hint::SessionEnded(replaced));
        }
        self.bus.publish(Hint::RosterChanged(signed_in.session.account));
        Ok(signed_in.session)
    }

    /// Ends a session: it may not act any more, rosters rise, and what waited for it goes.
    ///
    /// # Errors
    /// [`Fault::NotFound`] unless it is a live session of `user`.
    pub async fn revoke_session(&self, user: UserId, session: SessionId) -> Result<(), Fault> {
        let account = self.account(user).await?;
        let ended = self.store.end_session(user, session, self.clock.now()).await?;
        self.bus.publish(Hint::SessionEnded(ended));
        self.bus.publish(Hint::RosterChanged(account.number));
        Ok(())
    }

    /// The live session of that id and its account; `None` for an unknown or an ended one.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn live_session(&self, id: SessionId) -> Result<Option<SessionOwner>, Fault> {
        let found = self.store.session(id).await?;
        Ok(found.filter(|owner| owner.session.is_live()))
    }

    /// The live sessions of an account, in the order in which they signed in.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn sessions_of(&self, user: UserId) -> Result<Vec<Session>, Fault> {
        let rosters = self.store.fresh_rosters(&[user]).await?;
        let mut sessions = Vec::new();
        for member in rosters.iter().flat_map(|roster| &roster.members) {
            // A session that ended since the roster was read is left out.
            if let Some(owner) = self.live_session(member.session).await? {
                sessions.push(owner.session);
            }
        }
        sessions.sort_by_key(|session| (session.created_at, session.id));
        Ok(sessions)
    }
}

/// The platform as it will be kept.
///
/// # Errors
/// [`Fault::Invalid`] when it is too long or holds control characters.
pub fn checked_platform(platform: &str) -> Result<String, Fault> {
    let length = platform.chars().count();
    if length > PLATFORM_LIMIT {
        let reason = format!("has {length} characters, the limit is {PLATFORM_LIMIT}");
        return Err(Fault::invalid("platform", reason));
    }
    if platform.chars().any(char::is_control) {
        return Err(Fault::invalid("platform", "holds a control character"));
    }
    Ok(platform.to_owned())
}
