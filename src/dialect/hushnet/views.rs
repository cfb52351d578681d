//! What answers look like: the same things in the shapes of both contracts.

use serde::Serialize;
use utoipa::ToSchema;

use super::contract::Contract;
use super::times;
use crate::domain::conversation::{ConversationCategory, Role};
use crate::domain::ids::{ConversationId, MessageId, SessionId, UserId};
use crate::domain::messenger::introduction::IntroductionId;
use crate::domain::messenger::{Chat, ChatMember, Introduction};

/// An introduction that waits.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HushNetPendingSession)]
pub(super) struct IntroductionView {
    /// Its id.
    id: IntroductionId,
    /// The device that introduces itself.
    sender_device_id: SessionId,
    /// The device that it is for.
    recipient_device_id: SessionId,
    /// The ephemeral key.
    ephemeral_pubkey: String,
    /// The sender's own agreement key.
    sender_prekey_pub: String,
    /// The recipient's one-time prekey that was used; empty for none.
    otpk_used: String,
    /// The first message.
    ciphertext: String,
    /// Always `initiated`; in the documentation's contract alone.
    #[schema(example = "initiated")]
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    /// When it came; without a zone in the server's contract, though it is UTC.
    #[schema(example = "2025-11-02T10:30:00")]
    created_at: String,
}

/// Introductions as a contract shows them.
pub(super) fn introductions(
    waiting: Vec<Introduction>,
    contract: Contract,
) -> Vec<IntroductionView> {
    let view = |one: Introduction| IntroductionView {
        id: one.id,
        sender_device_id: one.from,
        recipient_device_id: one.to,
        ephemeral_pubkey: one.ephemeral_key,
        sender_prekey_pub: one.sender_key,
        otpk_used: one.one_time_key,
        ciphertext: one.ciphertext,
        state: (contract == Contract::Document).then_some("initiated"),
        created_at: times::written(one.at, contract),
    };
    waiting.into_iter().map(view).collect()
}

/// A chat as the server's contract has it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HushNetChat)]
pub(super) struct ChatView {
    /// Its id.
    id: ConversationId,
    /// `direct` or `group`.
    #[schema(example = "direct")]
    chat_type: &'static str,
    /// The other member of a direct chat.
    partner_user_id: Option<UserId>,
    /// The other member's name; null when the account was deleted.
    #[schema(example = "bob")]
    partner_username: Option<String>,
    /// The other member's name and gateway, if it is at another one.
    #[schema(example = "bob@other.example")]
    partner_federated_address: Option<String>,
    /// A group's name.
    name: Option<String>,
    /// The newest message.
    last_message_id: Option<MessageId>,
    /// When something last happened, UTC without a zone.
    #[schema(example = "2025-11-02T14:30:00")]
    updated_at: String,
}

impl ChatView {
    /// A chat as one of its members sees it.
    pub(super) fn of(chat: &Chat, viewer: UserId) -> Self {
        let partner = match chat.category {
            ConversationCategory::Contact => chat.members.iter().find(|it| it.user != viewer),
            ConversationCategory::Group => None,
        };
        let address = |partner: &ChatMember| {
            Some(format!("{}@{}", name(partner)?, partner.relay.as_deref()?))
        };
        Self {
            id: chat.id,
            chat_type: chat_type(chat),
            partner_user_id: partner.map(|partner| partner.user),
            partner_username: partner.and_then(name),
            partner_federated_address: partner.and_then(address),
            name: group_name(chat),
            last_message_id: chat.latest.map(|latest| latest.id),
            updated_at: times::naive(chat.updated_at()),
        }
    }
}

/// A chat as the documentation has it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HushNetDocumentedChat)]
pub(super) struct DocumentedChat {
    /// Its id.
    id: ConversationId,
    /// `direct` or `group`.
    #[schema(example = "direct")]
    chat_type: &'static str,
    /// The member of a direct chat whose id is the smaller one.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_a: Option<UserId>,
    /// The other member of a direct chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_b: Option<UserId>,
    /// A group's name.
    name: Option<String>,
    /// The owner of a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner_id: Option<UserId>,
    /// The members of a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = json!(["6b1e2c5e-7f33-4b1a-9d58-2f0c6c1b7a10"]))]
    members: Option<Vec<UserId>>,
    /// The newest message.
    last_message_id: Option<MessageId>,
    /// When it was made.
    #[schema(example = "2025-11-02T10:00:00Z")]
    created_at: String,
    /// When something last happened.
    #[schema(example = "2025-11-02T14:30:00Z")]
    updated_at: String,
}

impl From<&Chat> for DocumentedChat {
    fn from(chat: &Chat) -> Self {
        let mut users: Vec<_> = chat.members.iter().map(|member| member.user).collect();
        let owner = chat.members.iter().find(|member| member.role == Role::Owner);
        let is_group = chat.category == ConversationCategory::Group;
        if !is_group {
            users.sort_unstable();
        }
        let pair = |place: usize| users.get(place).copied().filter(|_| !is_group);
        Self {
            id: chat.id,
            chat_type: chat_type(chat),
            user_a: pair(0),
            user_b: pair(1),
            name: group_name(chat),
            owner_id: owner.map(|owner| owner.user).filter(|_| is_group),
            members: is_group.then(|| users.clone()),
            last_message_id: chat.latest.map(|latest| latest.id),
            created_at: times::utc(chat.created_at),
            updated_at: times::utc(chat.updated_at()),
        }
    }
}

fn name(member: &ChatMember) -> Option<String> {
    member.name.as_ref().map(|name| name.as_str().to_owned())
}

fn chat_type(chat: &Chat) -> &'static str {
    match chat.category {
        ConversationCategory::Contact => "direct",
        ConversationCategory::Group => "group",
    }
}

fn group_name(chat: &Chat) -> Option<String> {
    (chat.category == ConversationCategory::Group).then(|| chat.name.clone())
}
