//! What the gateway says about a change, in a message to everybody concerned.

use std::collections::HashMap;

use bytes::Bytes;
use sealpost_sdk::types::{ConversationAction, SystemConversation};

use super::Role;
use crate::domain::clock::Timestamp;
use crate::domain::gateway::Gateway;
use crate::domain::ids::{AccountNumber, MessageId, SessionNumber, UserId};
use crate::domain::inbox::{InboxKey, Quota, WhenFull};
use crate::domain::session::SessionOwner;

/// The category of a [`Notice`]'s message.
pub use sealpost_sdk::category::SYSTEM_CONVERSATION;

/// Something that has happened to a conversation, and who shall know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// What.
    pub action: ConversationAction,
    /// Whom it is about, unless it is about the conversation as a whole.
    pub participant: Option<UserId>,
    /// The participant's role from now on, where it matters.
    pub role: Option<Role>,
    /// The time after which messages disappear, where it matters.
    pub expire_in: Option<i64>,
    /// Who is told.
    pub readers: Vec<AccountNumber>,
}

/// News as they are stored: a message with an empty slot for every live session of its readers,
/// that of the acting session among them. The sessions are read in the transaction of the change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The message's id, fresh.
    pub message_id: MessageId,
    /// The message's body: JSON, as the SDK reads it.
    pub body: Bytes,
    /// Who is told.
    pub readers: Vec<AccountNumber>,
}

/// The live sessions of accounts.
pub type LiveSessions = HashMap<AccountNumber, Vec<SessionNumber>>;

impl Notice {
    /// Where it waits, given the live sessions of its readers.
    #[must_use]
    pub fn inboxes(&self, live: &LiveSessions) -> Vec<InboxKey> {
        let of = |account: &AccountNumber| {
            let shard = account.shard();
            let sessions = live.get(account).into_iter().flatten();
            sessions.map(move |session| InboxKey { shard, session: *session })
        };
        self.readers.iter().flat_map(of).collect()
    }
}

/// The notices of one change, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notices {
    /// Who made the change.
    pub sender: AccountNumber,
    /// At which session.
    pub sender_session: SessionNumber,
    /// How much may wait for each of the readers' sessions. A notice is stored however much does:
    /// the oldest messages make room.
    pub quota: Quota,
    /// When.
    pub at: Timestamp,
    /// When the messages are dropped even if nobody has read them.
    pub expires_at: Timestamp,
    /// The notices.
    pub list: Vec<Notice>,
}

impl News {
    /// News about the conversation as a whole.
    #[must_use]
    pub fn of_all(action: ConversationAction, readers: Vec<AccountNumber>) -> Self {
        Self { action, participant: None, role: None, expire_in: None, readers }
    }

    /// News about one participant.
    #[must_use]
    pub fn about(
        participant: UserId,
        action: ConversationAction,
        readers: Vec<AccountNumber>,
    ) -> Self {
        Self { participant: Some(participant), ..Self::of_all(action, readers) }
    }

    /// The body of the message: JSON, as the SDK reads it.
    fn to_json(&self, actor: UserId) -> String {
        let news = SystemConversation {
            action: self.action,
            participant_id: self.participant,
            user_id: Some(actor),
            role: self.role.map(|role| role.to_wire().to_owned()),
            expire_in: self.expire_in,
        };
        // Texts and a number always serialise.
        serde_json::to_string(&news).unwrap_or_default()
    }
}

impl Role {
    /// The role in the words of participants' devices: nothing for a member.
    #[must_use]
    pub fn to_wire(self) -> &'static str {
        match self {
            Self::Member => "",
            Self::Admin => "ADMIN",
            Self::Owner => "OWNER",
        }
    }
}

impl Gateway {
    /// Makes messages out of news.
    pub(super) fn notices(&self, actor: &SessionOwner, news: Vec<News>) -> Notices {
        let notice = |news: News| Notice {
            message_id: self.random_id(),
            body: news.to_json(actor.account.id).into(),
            readers: news.readers,
        };
        let at = self.clock.now();
        Notices {
            sender: actor.account.number,
            sender_session: actor.session.number,
            quota: self.quota(WhenFull::Trim),
            at,
            expires_at: at.plus(self.limits.message_life),
            list: news.into_iter().map(notice).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_say_what_happened_to_whom_by_whom() {
        let (actor, other) = (UserId::from_bytes([1; 16]), UserId::from_bytes([2; 16]));
        let added = News {
            role: Some(Role::Admin),
            ..News::about(other, ConversationAction::Add, Vec::new())
        };
        assert_eq!(
            added.to_json(actor),
            r#"{"action":"ADD","participant_id":"02020202-0202-0202-0202-020202020202","user_id":"01010101-0101-0101-0101-010101010101","role":"ADMIN"}"#
        );
        let expire =
            News { expire_in: Some(0), ..News::of_all(ConversationAction::Expire, Vec::new()) };
        assert_eq!(
            expire.to_json(actor),
            r#"{"action":"EXPIRE","participant_id":"","user_id":"01010101-0101-0101-0101-010101010101","expire_in":0}"#
        );
    }
}
