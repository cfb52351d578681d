//! What members hear at once: that there is something to look for. Events are hints like all others:
//! they may be lost, and hold nothing that is not in the store.

use std::sync::Arc;

use super::Messenger;
use super::introduction::IntroductionId;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, ConversationId, MessageId, SessionId, UserId};
use crate::domain::ports::Hint;

/// Something that happened to a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberEvent {
    /// A message waits for a device; told once for each device.
    Message {
        /// Where it belongs.
        chat: ConversationId,
        /// The account that it is for.
        user: UserId,
    },
    /// A device wants to write to one of the member's.
    Introduction {
        /// The member.
        user: UserId,
        /// Which introduction.
        id: IntroductionId,
        /// The device that introduces itself.
        from: SessionId,
        /// The member's device.
        to: SessionId,
        /// When it came.
        at: Timestamp,
    },
    /// Two devices are a pair from now on; told to both their owners.
    Paired {
        /// Who is told.
        user: UserId,
        /// The device that had introduced itself.
        from: SessionId,
        /// The device that confirmed.
        to: SessionId,
    },
    /// One of the member's own devices is new, has changed or has ended.
    Device {
        /// The member.
        user: UserId,
    },
    /// A message that the member had sent was taken or read.
    Receipt {
        /// The member.
        user: UserId,
        /// The message.
        message: MessageId,
        /// The device that has it.
        device: SessionId,
        /// Whether it was read.
        is_read: bool,
        /// When.
        at: Timestamp,
    },
}

impl Messenger {
    /// Tells whoever listens to a member, on any node. To be called once what happened is on file:
    /// who hears of it looks at once.
    pub fn tell(&self, account: AccountNumber, event: MemberEvent) {
        self.gateway.bus.publish(Hint::Member { account, event: Arc::new(event) });
    }
}
