//! Sessions: the signed-in devices of an account, and the tokens that act for them.

use std::fmt;
use std::time::Duration;

use sealpost_sdk::device::SessionStatement;
use sealpost_sdk::keys::{AgreementKey, VerifyingKey};
use sha2::{Digest, Sha256};

use super::account::Account;
use super::clock::Timestamp;
use super::error::Fault;
use super::gateway::Gateway;
use super::ids::{AccountNumber, SessionId, SessionNumber, UserId};
use super::ports::Hint;

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

/// What an API token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Post messages.
    Send,
    /// Read the inbox and acknowledge.
    Receive,
    /// Look up users, sessions and conversations.
    Read,
}

/// A set of [`Scope`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Scopes(i64);

impl Scopes {
    /// Every scope.
    pub const ALL: Self = Self(0b111);

    /// The set of `scopes`.
    #[must_use]
    pub fn of(scopes: &[Scope]) -> Self {
        Self(scopes.iter().fold(0, |bits, scope| bits | scope.bit()))
    }

    /// The set that the store kept as `bits`; unknown bits grant nothing.
    #[must_use]
    pub fn from_bits(bits: i64) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// The form in which the store keeps it.
    #[must_use]
    pub fn bits(self) -> i64 {
        self.0
    }

    /// Whether `scope` is in the set.
    #[must_use]
    pub fn allows(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }
}

impl Scope {
    fn bit(self) -> i64 {
        match self {
            Self::Send => 1,
            Self::Receive => 2,
            Self::Read => 4,
        }
    }

    /// The word for it in commands and answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Receive => "receive",
            Self::Read => "read",
        }
    }

    /// The scope of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Send, Self::Receive, Self::Read].into_iter().find(|scope| scope.as_str() == name)
    }
}

/// The SHA-256 of a plain API token: all that is kept of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

impl TokenHash {
    /// The hash of a token as its bearer shows it.
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

/// A plain API token on file.
#[derive(Clone, Debug)]
pub struct ApiToken {
    /// All that is kept of the token itself.
    pub hash: TokenHash,
    /// The session that it acts for.
    pub session: SessionId,
    /// What it may do.
    pub scopes: Scopes,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops working.
    pub expires_at: Timestamp,
}

/// The start of every plain API token.
pub const API_TOKEN_PREFIX: &str = "spt_";

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
        Ok(signed_in.session)
    }

    /// Ends a session: it may not act any more, rosters rise, and what waited for it goes.
    ///
    /// # Errors
    /// [`Fault::NotFound`] unless it is a live session of `user`.
    pub async fn revoke_session(&self, user: UserId, session: SessionId) -> Result<(), Fault> {
        let ended = self.store.end_session(user, session, self.clock.now()).await?;
        self.bus.publish(Hint::SessionEnded(ended));
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

    /// The live session that a plain API token acts for, and what the token may do; `None` for a
    /// token that is unknown, has expired, or whose session has ended.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn api_token_bearer(
        &self,
        token: &str,
    ) -> Result<Option<(SessionOwner, Scopes)>, Fault> {
        let Some(found) = self.store.api_token(TokenHash::of(token)).await? else {
            return Ok(None);
        };
        if found.expires_at <= self.clock.now() {
            return Ok(None);
        }
        let owner = self.live_session(found.session).await?;
        Ok(owner.map(|owner| (owner, found.scopes)))
    }

    /// Makes all plain API tokens of a live session worthless at once.
    ///
    /// # Errors
    /// [`Fault::NotFound`] when the session is not live.
    pub async fn revoke_api_tokens(&self, session: SessionId) -> Result<(), Fault> {
        let owner = self.live_session(session).await?;
        let owner = owner.ok_or(Fault::NotFound { what: "session" })?;
        self.store.drop_api_tokens(session).await?;
        // Readers that came in with one look whether they may stay.
        self.bus.publish(Hint::Wake([owner.session.number].into()));
        Ok(())
    }

    /// Makes a plain API token for a live session and returns it, this once, as text.
    ///
    /// # Errors
    /// [`Fault::NotFound`] when the session is not live.
    pub async fn create_api_token(
        &self,
        session: SessionId,
        scopes: Scopes,
        life: Duration,
    ) -> Result<String, Fault> {
        if self.live_session(session).await?.is_none() {
            return Err(Fault::NotFound { what: "session" });
        }
        let mut secret = [0; 32];
        self.entropy.fill(&mut secret);
        let token = format!("{API_TOKEN_PREFIX}{}", sealpost_sdk::base64url::encode(&secret));
        let created_at = self.clock.now();
        self.store
            .add_api_token(ApiToken {
                hash: TokenHash::of(&token),
                session,
                scopes,
                created_at,
                expires_at: created_at.plus(life),
            })
            .await?;
        Ok(token)
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
