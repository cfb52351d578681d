//! Conversations: groups, who takes part in them, and their settings.

use serde::Serialize;
use serde::de::IgnoredAny;

use crate::ids::{CodeId, ConversationId, UserId};
use crate::types::{
    Conversation, ConversationDuration, CreateConversation, NewParticipant, UpdateConversation,
};

use super::bot::Bot;
use super::content::Content;
use super::error::RequestError;
use super::gateway::Call;
use super::message::Message;
use super::outcome::{SendError, Sent};

/// What a participant may do in a group, beside talking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Add and remove others, and change the group's texts.
    Admin,
    /// Nothing more.
    Member,
}

impl Role {
    fn word(self) -> String {
        match self {
            Self::Admin => "ADMIN".to_owned(),
            Self::Member => String::new(),
        }
    }
}

impl Bot {
    /// Seals `content` for every device of everyone else in `conversation` and sends it.
    ///
    /// Does the whole loop as [`send`](Self::send) does. Of more sessions than an envelope has room
    /// for (510), the first ones get the message at once, and the others their slots right after.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    ///
    /// ```no_run
    /// # async fn example(bot: sealpost_sdk::client::Bot) -> Result<(), Box<dyn std::error::Error>> {
    /// # let (alice, bob) = (sealpost_sdk::ids::UserId::from_bytes([1; 16]), sealpost_sdk::ids::UserId::from_bytes([2; 16]));
    /// use sealpost_sdk::client::Text;
    ///
    /// let group = bot.create_group("Release", &[alice, bob]).await?;
    /// let sent = bot.send_to_conversation(&group.conversation_id, Text::new("it is out")).await?;
    /// assert!(sent.outcome.is_delivered());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn send_to_conversation(
        &self,
        conversation: &ConversationId,
        content: impl Into<Content>,
    ) -> Result<Sent, SendError> {
        self.send_message(Message::to_conversation(conversation, content)).await
    }

    /// Makes a group with this account as its owner.
    ///
    /// # Errors
    /// When the request fails: an account is unknown, or they are too many.
    pub async fn create_group(
        &self,
        name: &str,
        participants: &[UserId],
    ) -> Result<Conversation, RequestError> {
        let body = CreateConversation {
            category: "GROUP".to_owned(),
            // Drawn once, so that a repeated request makes no second group.
            conversation_id: self.core.entropy.random_id(),
            name: name.to_owned(),
            announcement: String::new(),
            participants: participants.iter().map(|user| participant(*user)).collect(),
            random_id: String::new(),
        };
        self.change("/conversations".to_owned(), &body).await
    }

    /// A conversation that this account takes part in, fresh from the gateway. Its sessions are
    /// remembered for sending.
    ///
    /// # Errors
    /// When the request fails; 403 when this account takes no part.
    pub async fn conversation(
        &self,
        conversation: &ConversationId,
    ) -> Result<Conversation, RequestError> {
        let call = Call::get(format!("/conversations/{conversation}"));
        self.learn(self.core.gateway.call(call).await?)
    }

    /// Gives a group another name.
    ///
    /// # Errors
    /// When the request fails; 403 without the right to.
    pub async fn rename_conversation(
        &self,
        conversation: &ConversationId,
        name: &str,
    ) -> Result<Conversation, RequestError> {
        let body = UpdateConversation { name: Some(name.to_owned()), announcement: None };
        self.change(format!("/conversations/{conversation}"), &body).await
    }

    /// Gives a group another announcement; empty for none.
    ///
    /// # Errors
    /// When the request fails; 403 without the right to.
    pub async fn announce(
        &self,
        conversation: &ConversationId,
        announcement: &str,
    ) -> Result<Conversation, RequestError> {
        let body = UpdateConversation { name: None, announcement: Some(announcement.to_owned()) };
        self.change(format!("/conversations/{conversation}"), &body).await
    }

    /// Adds accounts to a group. They get what is sent from now on.
    ///
    /// # Errors
    /// When the request fails; 403 without the right to, code 20116 when the group is full.
    pub async fn add_participants(
        &self,
        conversation: &ConversationId,
        users: &[UserId],
    ) -> Result<Conversation, RequestError> {
        let body: Vec<_> = users.iter().map(|user| participant(*user)).collect();
        self.change(format!("/conversations/{conversation}/participants/ADD"), &body).await
    }

    /// Removes accounts from a group.
    ///
    /// # Errors
    /// When the request fails; 403 without the right to.
    pub async fn remove_participants(
        &self,
        conversation: &ConversationId,
        users: &[UserId],
    ) -> Result<Conversation, RequestError> {
        let body: Vec<_> = users.iter().map(|user| participant(*user)).collect();
        self.change(format!("/conversations/{conversation}/participants/REMOVE"), &body).await
    }

    /// Gives a participant of a group another role. Only its owner may.
    ///
    /// # Errors
    /// When the request fails; 403 without the right to.
    pub async fn set_role(
        &self,
        conversation: &ConversationId,
        user: &UserId,
        role: Role,
    ) -> Result<Conversation, RequestError> {
        let body = [NewParticipant { user_id: *user, role: role.word() }];
        self.change(format!("/conversations/{conversation}/participants/ROLE"), &body).await
    }

    /// Joins a group by its code, which its participants see as `code_id`.
    ///
    /// # Errors
    /// When the request fails; 404 when the code is none (any more).
    pub async fn join_conversation(&self, code: &CodeId) -> Result<Conversation, RequestError> {
        self.change_without_body(format!("/conversations/{code}/join")).await
    }

    /// Leaves a group.
    ///
    /// # Errors
    /// When the request fails.
    pub async fn exit_conversation(
        &self,
        conversation: &ConversationId,
    ) -> Result<(), RequestError> {
        let call = Call::post_nothing(format!("/conversations/{conversation}/exit"));
        self.core.gateway.call::<IgnoredAny>(call).await?;
        self.core.rosters.forget(*conversation);
        Ok(())
    }

    /// Gives a group another code; nobody can join by the old one any more.
    ///
    /// # Errors
    /// When the request fails; 403 without the right to.
    pub async fn rotate_code(
        &self,
        conversation: &ConversationId,
    ) -> Result<Conversation, RequestError> {
        self.change_without_body(format!("/conversations/{conversation}/rotate")).await
    }

    /// Mutes a conversation for this account, for so many seconds; 0 ends that.
    ///
    /// # Errors
    /// When the request fails.
    pub async fn mute_conversation(
        &self,
        conversation: &ConversationId,
        seconds: u32,
    ) -> Result<Conversation, RequestError> {
        let body = ConversationDuration { duration: seconds.into() };
        self.change(format!("/conversations/{conversation}/mute"), &body).await
    }

    /// Lets messages of a conversation disappear so many seconds after they were read; 0 ends that.
    ///
    /// # Errors
    /// When the request fails; 403 without the right to.
    pub async fn disappear_after(
        &self,
        conversation: &ConversationId,
        seconds: u32,
    ) -> Result<Conversation, RequestError> {
        let body = ConversationDuration { duration: seconds.into() };
        self.change(format!("/conversations/{conversation}/disappear"), &body).await
    }

    async fn change(
        &self,
        path: String,
        body: &(impl Serialize + ?Sized),
    ) -> Result<Conversation, RequestError> {
        self.learn(self.core.gateway.call(Call::post(path, body)?).await?)
    }

    async fn change_without_body(&self, path: String) -> Result<Conversation, RequestError> {
        self.learn(self.core.gateway.call(Call::post_nothing(path)).await?)
    }

    fn learn(&self, conversation: Conversation) -> Result<Conversation, RequestError> {
        self.core.rosters.learn(&self.core, &conversation);
        Ok(conversation)
    }
}

fn participant(user_id: UserId) -> NewParticipant {
    NewParticipant { user_id, role: String::new() }
}
