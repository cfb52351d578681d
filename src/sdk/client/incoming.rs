//! A message that came in, and how it is opened.

use std::fmt;

use crate::base64url::{self, Base64Error};
use crate::category;
use crate::conversation::contact_conversation_id;
use crate::envelope::{self, OpenError};
use crate::ids::{ConversationId, MessageId, SessionId, UserId};
use crate::types::{Gap, InboxMessage, SystemConversation};

use super::bot::Core;
use super::content::Content;
use super::error::RequestError;
use super::message::Message;
use super::sender::{self, SenderProof};

/// A message that a person or another bot sent to this bot, opened.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Incoming {
    /// The message.
    pub message_id: MessageId,
    /// The conversation it was sent in; none for what the gateway itself has to say
    /// (`SYSTEM_GAP`).
    pub conversation_id: Option<ConversationId>,
    /// Whether it was sent in a group, and not in the conversation of two accounts.
    pub in_group: bool,
    /// Who sent it; [`proof`](Self::proof) says how far that can be relied on. For what the
    /// gateway itself has to say: the bot's own account.
    pub sender: UserId,
    /// What shows that it is from `sender`.
    pub proof: SenderProof,
    /// The device it was sent from, when the gateway says so.
    pub sender_session: Option<SessionId>,
    /// What is in the message.
    pub category: String,
    /// The message that this one answers.
    pub quoted: Option<MessageId>,
    /// When the gateway accepted it, RFC 3339.
    pub created_at: String,
    /// The plaintext. Of a category that is not encrypted: what the gateway handed out, which
    /// nobody proves.
    pub bytes: Vec<u8>,
}

/// Why a message that came in cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnreadableReason {
    /// The gateway's description of the message is not what this protocol says.
    #[error("the gateway describes it in an unknown way")]
    Shape(#[source] serde_json::Error),
    /// The message names no sender.
    #[error("it names no sender")]
    NoSender,
    /// The payload is no base64.
    #[error("its payload is no base64")]
    Base64(#[source] Base64Error),
    /// The envelope cannot be opened: it is malformed, for another session or key, or was changed
    /// on the way.
    #[error("its envelope cannot be opened")]
    Open(#[source] OpenError),
}

/// Why opening came to nothing: the message itself, or a question to the gateway.
pub(super) enum OpenFailure {
    Unreadable(UnreadableReason),
    Request(RequestError),
}

impl Incoming {
    /// The text of an encrypted text message.
    ///
    /// `None` for every other category, and for a message that only the gateway's word connects
    /// with its sender: a text that the gateway could have written itself is never taken for one
    /// that a person sealed. It is in [`bytes`](Self::bytes) all the same.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        if self.category != category::ENCRYPTED_TEXT || self.proof == SenderProof::GatewaysWord {
            return None;
        }
        std::str::from_utf8(&self.bytes).ok()
    }

    /// What was dropped unread before this bot could have it, when the message is the gateway's
    /// marker for that (`SYSTEM_GAP`).
    #[must_use]
    pub fn gap(&self) -> Option<Gap> {
        match self.category == category::SYSTEM_GAP {
            true => serde_json::from_slice(&self.bytes).ok(),
            false => None,
        }
    }

    /// What changed in the conversation, when the message is the gateway's news of that
    /// (`SYSTEM_CONVERSATION`).
    #[must_use]
    pub fn conversation_news(&self) -> Option<SystemConversation> {
        match self.category == category::SYSTEM_CONVERSATION {
            true => serde_json::from_slice(&self.bytes).ok(),
            false => None,
        }
    }

    /// Whether the message was sealed, and opened here.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        category::is_encrypted(&self.category)
    }

    /// Whether it is sealed, and nothing here shows by whom.
    pub(super) fn is_unconfirmed(&self) -> bool {
        self.is_encrypted() && self.proof == SenderProof::GatewaysWord
    }

    /// An answer in the same conversation, to everyone in it, to be sent by
    /// [`Bot::send_message`](super::Bot::send_message) or with others.
    pub fn reply(&self, content: impl Into<Content>) -> Message {
        match self.conversation_id {
            Some(conversation) if self.in_group => Message::to_conversation(&conversation, content),
            Some(conversation) => Message::to(&self.sender, content).in_conversation(conversation),
            None => Message::to(&self.sender, content),
        }
    }
}

/// Says everything but the plaintext.
impl fmt::Debug for Incoming {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Incoming")
            .field("message_id", &self.message_id)
            .field("conversation_id", &self.conversation_id)
            .field("sender", &self.sender)
            .field("proof", &self.proof)
            .field("category", &self.category)
            .field("length", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

impl From<RequestError> for OpenFailure {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

impl From<UnreadableReason> for OpenFailure {
    fn from(reason: UnreadableReason) -> Self {
        Self::Unreadable(reason)
    }
}

/// Opens a message that the gateway handed out.
pub(super) async fn open(core: &Core, message: &InboxMessage) -> Result<Incoming, OpenFailure> {
    let is_notice = message.category.starts_with(category::SYSTEM_PREFIX);
    let own = is_notice.then_some(core.identity.user);
    let sender = message.user_id.or(own).ok_or(UnreadableReason::NoSender)?;
    let text = match message.data_base64.is_empty() {
        true => &message.data,
        false => &message.data_base64,
    };
    let payload = base64url::decode(text).map_err(UnreadableReason::Base64)?;
    let (bytes, proof) = match category::is_encrypted(&message.category) {
        true => open_envelope(core, sender, &payload).await?,
        false => (payload, SenderProof::GatewaysWord),
    };
    let contact = contact_conversation_id(core.identity.user, sender);
    if let (category::SYSTEM_CONVERSATION, Some(id)) = (&*message.category, message.conversation_id)
    {
        core.rosters.forget(id);
    }
    Ok(Incoming {
        message_id: message.message_id,
        conversation_id: message.conversation_id,
        in_group: message.conversation_id.is_some_and(|id| id != contact && !is_notice),
        sender,
        proof,
        sender_session: message.session_id,
        category: message.category.clone(),
        quoted: message.quote_message_id,
        created_at: message.created_at.clone(),
        bytes,
    })
}

/// Opens an envelope, whoever sealed it, and finds out what is known of the key that did.
async fn open_envelope(
    core: &Core,
    sender: UserId,
    payload: &[u8],
) -> Result<(Vec<u8>, SenderProof), OpenFailure> {
    let Core { identity, directory, wrap_cache, .. } = core;
    let unreadable = UnreadableReason::Open;
    let key = envelope::parse(payload).map_err(|error| unreadable(error.into()))?.sender_key();
    let bytes =
        envelope::open_cached(payload, identity.session, &identity.agreement, None, wrap_cache)
            .map_err(unreadable)?;
    Ok((bytes, sender::prove(directory, sender, key).await?))
}
