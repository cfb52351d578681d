//! What a program may hear about lists that were old.

use std::sync::Arc;

use crate::ids::{ConversationId, MessageId, SessionId, UserId};
use crate::types::SessionInfo;

use super::receipt::Stale;
use super::schedule::Job;

/// A message came back because the list of its recipient's sessions was old, and is about to be
/// sealed again for the fresh list. Nothing has to be done; this is for logs and counters.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refreshed {
    /// The message; it keeps its id.
    pub message_id: MessageId,
    /// The account that it is for; none when it is for everyone in the conversation.
    pub recipient: Option<UserId>,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// How often it had been sealed, this time included.
    pub round: u32,
    /// The live sessions.
    pub sessions: Vec<SessionId>,
    /// Live sessions that the envelope had no slot for.
    pub missing: Vec<SessionId>,
    /// Sessions in the envelope that never were the recipient's.
    pub redundant: Vec<SessionId>,
    /// Sessions in the envelope that have been revoked.
    pub deleted: Vec<SessionId>,
}

impl Refreshed {
    /// How many sessions the envelope had a slot for, as the lists say.
    ///
    /// ```
    /// # use sealpost_sdk::client::{Bot, BuildError};
    /// # use sealpost_sdk::keystore::Keystore;
    /// # fn example(keystore: Keystore) -> Result<Bot, BuildError> {
    /// let builder = Bot::builder(keystore).on_refresh(|refreshed| {
    ///     println!("{} sessions -> {}", refreshed.sealed_for(), refreshed.sessions.len());
    /// });
    /// # builder.build()
    /// # }
    /// ```
    #[must_use]
    pub fn sealed_for(&self) -> usize {
        let with_slots = self.sessions.len() + self.redundant.len() + self.deleted.len();
        with_slots.saturating_sub(self.missing.len())
    }
}

type Callback = dyn Fn(&Refreshed) + Send + Sync;

/// Somebody who wants to hear.
#[derive(Clone, Default)]
pub(super) struct Listener(Option<Arc<Callback>>);

impl Listener {
    pub(super) fn new(listener: impl Fn(&Refreshed) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(listener)))
    }

    pub(super) fn tell_as_is(&self, refreshed: &Refreshed) {
        self.0.iter().for_each(|listener| listener(refreshed));
    }

    pub(super) fn tell(&self, job: &Job, stale: &Stale) {
        let ids = |sessions: &[SessionInfo]| sessions.iter().map(|info| info.session_id).collect();
        self.tell_as_is(&Refreshed {
            message_id: job.id,
            recipient: job.message.recipient(),
            conversation_id: job.conversation,
            round: job.round + 1,
            sessions: ids(&stale.sessions),
            missing: stale.missing.clone(),
            redundant: stale.redundant.clone(),
            deleted: stale.deleted.clone(),
        });
    }
}
