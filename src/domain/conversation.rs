//! Conversations: who may speak with whom.
//!
//! A contact conversation belongs to two accounts for ever. A group changes: the rules decide on the
//! conversation as it was read ([`plan`]), the store compares its generation in the transaction that
//! makes the change ([`change`]), and says so to everybody concerned ([`notice`]).

pub mod change;
pub mod group;
pub mod notice;
pub mod plan;
pub mod settings;

use super::account::{Account, contact_conversation_id};
use super::clock::Timestamp;
use super::error::Fault;
use super::gateway::Gateway;
use super::ids::{AccountNumber, CodeId, ConversationId, ConversationNumber, UserId};
use super::inbox::Guard;

/// What kind of conversation it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConversationCategory {
    /// Two accounts; its id follows from theirs.
    Contact,
    /// Any number of accounts, up to a limit.
    Group,
}

impl ConversationCategory {
    /// The name under which the store keeps it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Group => "group",
        }
    }

    /// The category of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Contact, Self::Group].into_iter().find(|category| category.as_str() == name)
    }
}

/// What a participant may do in a group. In a contact conversation all are members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Takes part.
    Member,
    /// May add and remove participants.
    Admin,
    /// Made the group; may also set roles.
    Owner,
}

impl Role {
    /// The name under which the store keeps it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Member, Self::Admin, Self::Owner].into_iter().find(|role| role.as_str() == name)
    }
}

/// A conversation on file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// Its number inside the store.
    pub number: ConversationNumber,
    /// Its public id.
    pub id: ConversationId,
    /// Its kind.
    pub category: ConversationCategory,
    /// Who made it.
    pub creator: UserId,
    /// When it was made.
    pub created_at: Timestamp,
    /// Raised by every change to anything that its participants share, in the transaction that
    /// makes the change.
    pub generation: i64,
    /// A group's name.
    pub name: String,
    /// A group's announcement.
    pub announcement: String,
    /// The code by which one can join; none for a contact conversation and for a group that
    /// everybody has left.
    pub code: Option<CodeId>,
    /// Seconds after reading until messages disappear; 0 for never.
    pub expire_in: i64,
    /// Who takes part.
    pub participants: Vec<Participant>,
}

/// One account in a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant {
    /// The account's number inside the store.
    pub account: AccountNumber,
    /// The account's public id.
    pub user: UserId,
    /// What it may do.
    pub role: Role,
    /// When it joined.
    pub joined_at: Timestamp,
    /// Until when it wants no noise from this conversation; nobody else is told.
    pub muted_until: Option<Timestamp>,
}

impl Conversation {
    /// Whether it is a group.
    #[must_use]
    pub fn is_group(&self) -> bool {
        self.category == ConversationCategory::Group
    }

    /// What holds as long as these take part.
    #[must_use]
    pub const fn guard(&self) -> Guard {
        Guard::Conversation { conversation: self.number, generation: self.generation }
    }

    /// Whether `user` takes part.
    #[must_use]
    pub fn has(&self, user: UserId) -> bool {
        self.participant(user).is_some()
    }

    /// The participant with this account, if it takes part.
    #[must_use]
    pub fn participant(&self, user: UserId) -> Option<&Participant> {
        self.participants.iter().find(|participant| participant.user == user)
    }

    /// The participants other than `user`.
    pub fn others(&self, user: UserId) -> impl Iterator<Item = &Participant> {
        self.participants.iter().filter(move |participant| participant.user != user)
    }
}

/// Two accounts whose conversation shall exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContactPair {
    /// The conversation's public id, which follows from the two accounts'.
    pub id: ConversationId,
    /// Who makes it.
    pub creator: AccountNumber,
    /// The other side.
    pub other: AccountNumber,
}

impl Gateway {
    /// The conversation of `creator` and `other`, made if it does not exist yet.
    ///
    /// # Errors
    /// [`Fault::Invalid`] when `id` is not the one that follows from the two accounts, or when both
    /// are the same account; [`Fault::NotFound`] when `other` is unknown.
    pub async fn ensure_contact(
        &self,
        creator: &Account,
        other: UserId,
        id: ConversationId,
    ) -> Result<Conversation, Fault> {
        if other == creator.id {
            return Err(Fault::invalid("participants", "names nobody but the caller"));
        }
        let expected = contact_conversation_id(creator.id, other);
        if id != expected {
            let reason = format!("is not the id of this pair, which is {expected}");
            return Err(Fault::invalid("conversation_id", reason));
        }
        let other = self.account(other).await?;
        let pair = ContactPair { id, creator: creator.number, other: other.number };
        self.store.ensure_contacts(&[pair], self.clock.now()).await?;
        self.conversation(creator.id, id).await
    }

    /// A conversation, as one of its participants may see it.
    ///
    /// # Errors
    /// [`Fault::NotFound`] when there is none, [`Fault::Forbidden`] when `viewer` takes no part.
    pub async fn conversation(
        &self,
        viewer: UserId,
        id: ConversationId,
    ) -> Result<Conversation, Fault> {
        let cached = self.store.conversations(&[id]).await?.pop();
        if let Some(conversation) = cached.filter(|found| found.has(viewer)) {
            return Ok(conversation);
        }
        // A cache may let somebody in; it does not turn anybody away.
        self.fresh_conversation(viewer, id).await
    }

    /// The same, straight from the database.
    ///
    /// # Errors
    /// As [`conversation`](Self::conversation).
    pub async fn fresh_conversation(
        &self,
        viewer: UserId,
        id: ConversationId,
    ) -> Result<Conversation, Fault> {
        let found = self.store.fresh_conversations(&[id]).await?.pop();
        let conversation = found.ok_or(Fault::NotFound { what: "conversation" })?;
        if !conversation.has(viewer) {
            return Err(Fault::forbidden("the caller takes no part in this conversation"));
        }
        Ok(conversation)
    }
}
