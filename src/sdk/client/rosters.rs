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
use super::gateway::{Call, Tagged};
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
    /// The latest answers, however old, so that the gateway need not send them again.
    answers: Mutex<RecentMap<ConversationId, Held>>,
    age: Duration,
}

/// What an answer said.
#[derive(Clone)]
struct Held {
    tag: String,
    of_others: Arc<KnownSessions>,
    of_all: Arc<KnownSessions>,
}

impl Rosters {
    pub(super) fn new(age: Duration) -> Self {
        let known = Mutex::new(RecentMap::with_capacity(2 * CAPACITY));
        Self { known, answers: Mutex::new(RecentMap::with_capacity(CAPACITY)), age }
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
        let held = self.answers().get(&conversation, UNIX_EPOCH).cloned();
        let tag = held.as_ref().map(|held| held.tag.clone());
        let call = Call::get(format!("/conversations/{conversation}")).unless(tag);
        let answer = core.gateway.call_tagged::<Conversation>(call).await?;
        let [of_others, of_all] = match (answer, held) {
            (Some(Tagged { data, tag }), _) => self.learn_tagged(core, &data, tag),
            (None, Some(held)) => self.remember_again(core, conversation, held),
            // Without a tag in the request there is no such answer.
            (None, None) => [&[], &[]].map(|none| Arc::new(KnownSessions::new(none))),
        };
        Ok(match without {
            Without::OwnAccount => of_others,
            Without::OwnSession => of_all,
        })
    }

    fn learn_tagged(
        &self,
        core: &Core,
        shown: &Conversation,
        tag: Option<String>,
    ) -> [Arc<KnownSessions>; 2] {
        let [of_others, of_all] = self.learn(core, shown);
        if let Some(tag) = tag {
            let held = Held { tag, of_others: Arc::clone(&of_others), of_all: Arc::clone(&of_all) };
            self.answers().insert(shown.conversation_id, held, core.clock.now());
        }
        [of_others, of_all]
    }

    /// The gateway said that an answer of before still holds.
    fn remember_again(
        &self,
        core: &Core,
        conversation: ConversationId,
        Held { of_others, of_all, .. }: Held,
    ) -> [Arc<KnownSessions>; 2] {
        let (mut known, now) = (self.lock(), core.clock.now());
        known.insert((conversation, Without::OwnAccount), Arc::clone(&of_others), now);
        known.insert((conversation, Without::OwnSession), Arc::clone(&of_all), now);
        [of_others, of_all]
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

    fn answers(&self) -> MutexGuard<'_, RecentMap<ConversationId, Held>> {
        // As with the lists.
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
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
