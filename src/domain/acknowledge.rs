//! Acknowledging: a reader has taken care of messages, and their senders hear of it.

use std::sync::Arc;

use sealpost_sdk::category::SYSTEM_PREFIX;
use sealpost_sdk::types::{Acknowledgement, AcknowledgementStatus};

use super::clock::Timestamp;
use super::error::Fault;
use super::gateway::Gateway;
use super::ids::{AccountNumber, MessageId, SessionId, UserId};
use super::inbox::{InboxKey, Stretch, Waiting};
use super::measures::Stage;
use super::ports::Hint;
use super::session::SessionOwner;

/// A message that was taken out of an inbox because its reader has acknowledged it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// The sender's id for it.
    pub message_id: MessageId,
    /// Who sent it.
    pub sender: AccountNumber,
    /// What kind of content was inside.
    pub category: String,
}

/// Tells a sender how far a message got. Notices may get lost, as all hints may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Who sent the message.
    pub sender: AccountNumber,
    /// The message.
    pub message_id: MessageId,
    /// The account that has it.
    pub reader: UserId,
    /// The session that has it.
    pub session: SessionId,
    /// How far it got.
    pub status: AcknowledgementStatus,
    /// When its reader said so.
    pub at: Timestamp,
}

impl Gateway {
    /// Drops what its reader has taken care of, and tells the senders. Ids that are unknown, not
    /// handed out to this session, or acknowledged before are no mistake.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn acknowledge(
        &self,
        reader: &SessionOwner,
        list: &[Acknowledgement],
    ) -> Result<(), Fault> {
        if list.is_empty() {
            return Ok(());
        }
        let session = &reader.session;
        let ids = list.iter().map(|one| one.message_id).collect();
        let removed = self.take_out(InboxKey::of(session), ids).await?;
        let at = self.clock.now();
        let notice = |gone: Acknowledged| Notice {
            sender: gone.sender,
            message_id: gone.message_id,
            reader: reader.account.id,
            session: session.id,
            status: furthest(list, gone.message_id),
            at,
        };
        let told = removed.into_iter().filter(|gone| !gone.category.starts_with(SYSTEM_PREFIX));
        let notices: Arc<[Notice]> = told.map(notice).collect();
        if !notices.is_empty() {
            self.bus.publish(Hint::Acknowledged(notices));
        }
        Ok(())
    }

    /// Drops what its reader has taken care of, and tells nobody but the reader's other connections;
    /// returns what was there. For protocols in which senders hear of it in another way, or not.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn take_out(
        &self,
        inbox: InboxKey,
        ids: Vec<MessageId>,
    ) -> Result<Vec<Acknowledged>, Fault> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        self.note_seen(inbox.session).await;
        let removed = self.timed(Stage::Acknowledge, self.store.acknowledge(inbox, ids)).await?;
        self.measures.acknowledged.add(removed.len() as u64);
        if !removed.is_empty() {
            let ids = removed.iter().map(|gone| gone.message_id).collect();
            self.bus.publish(Hint::Taken { session: inbox.session, ids });
        }
        Ok(removed)
    }

    /// The oldest message in an inbox for which `find` has something, whether it was handed out or
    /// not. Looks through all of it, a page at a time.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn find_waiting<T>(
        &self,
        inbox: InboxKey,
        mut find: impl FnMut(&Waiting) -> Option<T>,
    ) -> Result<Option<(Waiting, T)>, Fault> {
        let (limit, max_bytes) = (self.limits.inbox_page, self.limits.inbox_page_bytes);
        let mut after = None;
        loop {
            let page = self.store.browse(inbox, Stretch { after, limit, max_bytes }).await?;
            let Some(last) = page.last() else { return Ok(None) };
            after = Some(last.order);
            for waiting in page {
                if let Some(found) = find(&waiting) {
                    return Ok(Some((waiting, found)));
                }
            }
        }
    }

    /// Drops a message that its reader has by other means, and tells the reader's other connections.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn withdraw(&self, inbox: InboxKey, message: &Waiting) -> Result<(), Fault> {
        self.note_seen(inbox.session).await;
        self.store.withdraw(inbox, message.order).await?;
        let ids = [message.message_id].into();
        self.bus.publish(Hint::Taken { session: inbox.session, ids });
        Ok(())
    }
}

/// How far a message got; a list may name it twice.
fn furthest(list: &[Acknowledgement], id: MessageId) -> AcknowledgementStatus {
    let read = AcknowledgementStatus::Read;
    match list.iter().any(|one| one.message_id == id && one.status == read) {
        true => read,
        false => AcknowledgementStatus::Delivered,
    }
}
