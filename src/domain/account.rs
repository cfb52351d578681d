//! Accounts: the users and bots that send and receive.

mod profile;

use std::collections::HashSet;

use sealpost_sdk::conversation;
use sealpost_sdk::keys::VerifyingKey;

use super::clock::Timestamp;
use super::error::Fault;
use super::gateway::Gateway;
use super::ids::{AccountNumber, ConversationId, SessionId, UserId};
use super::session::{NewSession, Session, checked_platform};

pub use profile::ProfileChange;

/// The protocol that an account speaks. An account belongs to one of them for life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Mixin's bot API.
    Mixin,
    /// The first version of the TextSecure protocol.
    TextSecure,
    /// HushNet's.
    HushNet,
    /// The key service's, which knows no accounts.
    KeyService,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Mixin, Self::TextSecure, Self::HushNet, Self::KeyService];

    /// The name under which the store keeps it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mixin => "mixin",
            Self::TextSecure => "textsecure",
            Self::HushNet => "hushnet",
            Self::KeyService => "keyservice",
        }
    }

    /// The dialect of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.as_str() == name)
    }
}

/// Whether a person or a program stands behind an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccountKind {
    /// A person.
    User,
    /// A program.
    Bot,
}

impl AccountKind {
    /// The name under which the store keeps it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Bot => "bot",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "user" => Some(Self::User),
            "bot" => Some(Self::Bot),
            _ => None,
        }
    }
}

/// An account on file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its number inside the store.
    pub number: AccountNumber,
    /// Its public id.
    pub id: UserId,
    /// The protocol it speaks.
    pub dialect: Dialect,
    /// Its short public name, unique in its dialect: a random number in Mixin's.
    pub external_name: String,
    /// Person or program.
    pub kind: AccountKind,
    /// The name shown to others.
    pub full_name: String,
    /// What it says about itself; may be empty.
    pub biography: String,
    /// Where its picture is: an `https` URL, or empty.
    pub avatar_url: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What the store needs to make an account, and the sessions that it begins with.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Its public id, fresh.
    pub id: UserId,
    /// The protocol it will speak.
    pub dialect: Dialect,
    /// Its short public name.
    pub external_name: String,
    /// Person or program.
    pub kind: AccountKind,
    /// The name shown to others.
    pub full_name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// The devices that are signed in from the beginning.
    pub sessions: Vec<FirstSession>,
}

/// A device that is signed in together with its account.
#[derive(Clone, Debug)]
pub struct FirstSession {
    /// Its public id, fresh.
    pub id: SessionId,
    /// The Ed25519 key that verifies its tokens; on file for no other session.
    pub signing_key: VerifyingKey,
    /// What kind of device it says it is.
    pub platform: String,
}

impl FirstSession {
    /// What signing it in to its account takes, once that exists.
    #[must_use]
    pub fn of(self, account: &Account) -> NewSession {
        NewSession {
            id: self.id,
            account: account.number,
            user: account.id,
            signing_key: self.signing_key,
            platform: self.platform,
            attestation: None,
            created_at: account.created_at,
            replaces: None,
        }
    }
}

/// An account that was just made.
#[derive(Clone, Debug)]
pub struct CreatedAccount {
    /// The account.
    pub account: Account,
    /// Its sessions, in the order in which they were asked for.
    pub sessions: Vec<Session>,
}

/// The field that a conflict names when an account's number is somebody else's.
pub const IDENTITY_NUMBER: &str = "identity_number";

/// How many numbers are drawn for an account before the gateway gives up. Among ten million
/// accounts one draw in ten is taken, sixteen in a row never.
const IDENTITY_NUMBER_DRAWS: usize = 16;

/// The longest name shown to others, in characters.
pub const FULL_NAME_LIMIT: usize = 64;

impl Gateway {
    /// Makes an account without a session.
    ///
    /// # Errors
    /// [`Fault::Invalid`] when the name is empty, too long or holds control characters.
    pub async fn create_account(
        &self,
        kind: AccountKind,
        full_name: &str,
    ) -> Result<Account, Fault> {
        Ok(self.create_account_with(kind, full_name, Vec::new()).await?.account)
    }

    /// Makes an account with its first sessions, each with its key and platform, on an operator's
    /// word: all of it or nothing.
    ///
    /// # Errors
    /// [`Fault::Invalid`] when the name or a platform cannot be used or a key is given twice,
    /// [`Fault::TooLarge`] when there are more sessions than an account may have, and
    /// [`Fault::Conflict`] (`public_key`) when a key is on file for a session.
    pub async fn create_account_with(
        &self,
        kind: AccountKind,
        full_name: &str,
        sessions: Vec<(VerifyingKey, String)>,
    ) -> Result<CreatedAccount, Fault> {
        let full_name = checked_name(full_name)?;
        let sessions = self.first_sessions(sessions)?;
        let account = NewAccount {
            id: self.random_id(),
            dialect: Dialect::Mixin,
            external_name: String::new(),
            kind,
            full_name,
            created_at: self.clock.now(),
            sessions,
        };
        let with = |external_name| NewAccount { external_name, ..account.clone() };
        self.draw_identity_number(|number| self.store.create_account(with(number))).await
    }

    /// Makes something with a random identity number, and with others while the number is taken.
    pub(super) async fn draw_identity_number<T, F>(
        &self,
        make: impl Fn(String) -> F,
    ) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        for _ in 1..IDENTITY_NUMBER_DRAWS {
            match make(self.random_identity_number()).await {
                Err(Fault::Conflict { field, .. }) if field == IDENTITY_NUMBER => {}
                made => return made,
            }
        }
        make(self.random_identity_number()).await
    }

    pub(super) fn first_sessions(
        &self,
        sessions: Vec<(VerifyingKey, String)>,
    ) -> Result<Vec<FirstSession>, Fault> {
        let limit = u64::from(self.limits.sessions_per_account);
        let actual = sessions.len() as u64;
        if actual > limit {
            return Err(Fault::TooLarge { what: "the number of sessions", actual, limit });
        }
        let mut keys = HashSet::new();
        let check = |(signing_key, platform): (VerifyingKey, String)| {
            if !keys.insert(signing_key.to_bytes()) {
                return Err(Fault::invalid("public_key", "is given for two sessions"));
            }
            let platform = checked_platform(&platform)?;
            Ok(FirstSession { id: self.random_id(), signing_key, platform })
        };
        sessions.into_iter().map(check).collect()
    }

    /// The account of that public id.
    ///
    /// # Errors
    /// [`Fault::NotFound`] when there is none.
    pub async fn account(&self, id: UserId) -> Result<Account, Fault> {
        let found = self.store.accounts(&[id]).await?;
        found.into_iter().next().ok_or(Fault::NotFound { what: "user" })
    }

    /// An identity number that cannot be guessed from another: `7000` and eight random digits.
    fn random_identity_number(&self) -> String {
        let mut bytes = [0; 8];
        self.entropy.fill(&mut bytes);
        format!("7000{:08}", u64::from_le_bytes(bytes) % 100_000_000)
    }
}

pub(super) fn checked_name(name: &str) -> Result<String, Fault> {
    let name = name.trim();
    if name.is_empty() {
        return Err(Fault::invalid("full_name", "is empty"));
    }
    let length = name.chars().count();
    if length > FULL_NAME_LIMIT {
        let reason = format!("has {length} characters, the limit is {FULL_NAME_LIMIT}");
        return Err(Fault::invalid("full_name", reason));
    }
    if name.chars().any(char::is_control) {
        return Err(Fault::invalid("full_name", "holds a control character"));
    }
    Ok(name.to_owned())
}

/// The id of the conversation of two accounts.
#[must_use]
pub fn contact_conversation_id(one: UserId, other: UserId) -> ConversationId {
    conversation::contact_conversation_id(one, other)
}
