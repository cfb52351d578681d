//! Plain API tokens: opaque texts that act for one session of a bot, with scopes and an end.

use std::fmt;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::SessionOwner;
use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;
use crate::domain::gateway::Gateway;
use crate::domain::ids::SessionId;
use crate::domain::ports::Hint;

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

impl Gateway {
    /// The live session that a plain API token acts for, and what the token may do; `None` for a
    /// token that is unknown, has expired, or whose session has ended.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn api_token_bearer(
        &self,
        token: TokenHash,
    ) -> Result<Option<(SessionOwner, Scopes)>, Fault> {
        let Some(found) = self.store.api_token(token).await? else {
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
