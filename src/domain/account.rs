//! Accounts: the users and bots that send and receive.

use sealpost_sdk::conversation;

use super::clock::Timestamp;
use super::error::Fault;
use super::gateway::Gateway;
use super::ids::{AccountNumber, ConversationId, UserId};

/// The protocol that an account speaks. An account belongs to one of them for life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Mixin's bot API.
    Mixin,
}

impl Dialect {
    /// The name under which the store keeps it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mixin => "mixin",
        }
    }

    /// The dialect of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        (name == "mixin").then_some(Self::Mixin)
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
    /// When it was made.
    pub created_at: Timestamp,
}

/// What the store needs to make an account.
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
}

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
        let full_name = checked_name(full_name)?;
        let account = NewAccount {
            id: self.random_id(),
            dialect: Dialect::Mixin,
            external_name: self.random_identity_number(),
            kind,
            full_name,
            created_at: self.clock.now(),
        };
        self.store.create_account(account).await
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

fn checked_name(name: &str) -> Result<String, Fault> {
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
