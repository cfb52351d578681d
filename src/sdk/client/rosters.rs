//! Which sessions a message to a whole conversation must cover, as far as this client knows.
//!
//! As with single accounts, an old list is harmless: the gateway compares it with the truth.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use crate::ids::{ConversationId, SessionId, UserId};
use crate::types::{Conversation, ObjectType, ParticipantSession, SessionInfo};

use super::bot::Core;
use super::error::RequestError;
use super::gateway::Call;
use super::recent::RecentMap;
use super::sessions::KnownSessions;

/// How many conversations are remembered.
const CAPACITY: usize = 1000;

/// Whom a list leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Without {
    /// The own account: what a bot's messages cover.
    OwnAccount,
    /// This session alone: a person's other devices show what was said on this one.
    OwnSession,
}

/// Lists of sessions of many conversations, bounded in number and age.
pub(super) struct Rosters {
    known: Mutex<RecentMap<(ConversationId, Without), Arc<KnownSessions>>>,
    age: Duration,
}

impl Rosters {
    pub(super) fn new(age: Duration) -> Self {
        Self { known: Mutex::new(RecentMap::with_capacity(2 * CAPACITY)), age }
    }

    /// The sessions of a conversation, from memory or else from the gateway.
    pub(super) async fn load(
        &self,
        core: &Core,
        conversation: ConversationId,
        without: Without,
    ) -> Result<Arc<KnownSessions>, RequestError> {
        let oldest = core.clock.now().checked_sub(self.age).unwrap_or(UNIX_EPOCH);
        if let Some(known) = self.lock().get(&(conversation, without), oldest) {
            return Ok(Arc::clone(known));
        }
        let call = Call::get(format!("/conversations/{conversation}"));
        let shown: Conversation = core.gateway.call(call).await?;
        let [of_others, of_all] = self.learn(core, &shown);
        Ok(match without {
            Without::OwnAccount => of_others,
            Without::OwnSession => of_all,
        })
    }

    /// Remembers a conversation as the gateway has just shown it.
    pub(super) fn learn(&self, core: &Core, shown: &Conversation) -> [Arc<KnownSessions>; 2] {
        let identity = &core.identity;
        let other = |one: &&ParticipantSession| one.session_id != identity.session;
        let all: Vec<SessionInfo> =
            shown.participant_sessions.iter().filter(other).map(info).collect();
        let others: Vec<SessionInfo> =
            all.iter().filter(|one| one.user_id != identity.user).cloned().collect();
        let id = shown.conversation_id;
        [
            self.keep(core, id, Without::OwnAccount, &others),
            self.keep(core, id, Without::OwnSession, &all),
        ]
    }

    /// Remembers a list.
    pub(super) fn keep(
        &self,
        core: &Core,
        conversation: ConversationId,
        without: Without,
        sessions: &[SessionInfo],
    ) -> Arc<KnownSessions> {
        let known = Arc::new(KnownSessions::new(sessions));
        let now = core.clock.now();
        let mut by_user: HashMap<UserId, Vec<_>> = HashMap::new();
        for (user, recipient) in known.owners.iter().zip(&known.recipients) {
            by_user.entry(*user).or_default().push(recipient.key);
        }
        for (user, keys) in by_user {
            core.directory.keys.learn(user, keys, now);
        }
        self.lock().insert((conversation, without), Arc::clone(&known), now);
        known
    }

    /// Something about the conversation has changed.
    pub(super) fn forget(&self, conversation: ConversationId) {
        let mut known = self.lock();
        known.remove(&(conversation, Without::OwnAccount));
        known.remove(&(conversation, Without::OwnSession));
    }

    fn lock(&self) -> MutexGuard<'_, RecentMap<(ConversationId, Without), Arc<KnownSessions>>> {
        // Only whole entries are written, so a panic elsewhere leaves nothing half done.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KnownSessions {
    /// Whether there is anybody to seal to, or anybody who cannot be sealed to.
    pub(super) fn is_somebody(&self) -> bool {
        !self.recipients.is_empty() || self.unusable.is_some()
    }

    /// The ids of those that can be sealed to.
    pub(super) fn ids(&self) -> Vec<SessionId> {
        self.recipients.iter().map(|recipient| recipient.session).collect()
    }
}

fn info(session: &ParticipantSession) -> SessionInfo {
    SessionInfo {
        kind: ObjectType::Session,
        user_id: session.user_id,
        session_id: session.session_id,
        public_key: session.public_key.clone(),
        platform: String::new(),
    }
}
