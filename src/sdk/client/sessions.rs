//! Which sessions an account has, as far as this bot knows.
//!
//! Lists are kept for a while. An old one is harmless: the gateway compares it with the truth and
//! hands back the fresh one, which [`learn`](SessionDirectory::learn) puts here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use crate::checksum::{Checksum, session_checksum};
use crate::envelope::Recipient;
use crate::ids::{SessionId, UserId};
use crate::keys::{AgreementKey, KeyError};
use crate::types::{CheckAnswer, CheckItem, SessionInfo};

use super::error::RequestError;
use super::gateway::{Call, Gateway, Tagged};
use super::recent::RecentMap;
use super::sender::KeyMemory;

/// How many accounts one request may ask about.
pub(super) const FETCH_LIMIT: usize = 500;
/// How many keys are remembered for each account that there is room for.
const KEYS_PER_ACCOUNT: usize = 4;

/// The live sessions of one account.
#[derive(Debug, Clone)]
pub(super) struct KnownSessions {
    pub(super) recipients: Vec<Recipient>,
    /// The account of each of them.
    pub(super) owners: Vec<UserId>,
    pub(super) checksum: Checksum,
    /// The first session that cannot be sealed to, and why.
    pub(super) unusable: Option<(UserId, SessionId, KeyError)>,
}

/// What an answer said.
#[derive(Clone)]
struct Held {
    tag: String,
    listed: Vec<SessionInfo>,
}

/// Session lists of many accounts, fetched as needed, bounded in number and age.
pub(super) struct SessionDirectory {
    gateway: Arc<Gateway>,
    known: Mutex<RecentMap<UserId, Arc<KnownSessions>>>,
    /// The latest answers about single accounts, however old, so that the gateway need not send them
    /// again. Questions about many seldom come again as they were.
    answers: Mutex<RecentMap<UserId, Held>>,
    /// The keys on these lists, and on those before them.
    pub(super) keys: KeyMemory,
    age: Duration,
    capacity: usize,
}

impl KnownSessions {
    pub(super) fn new(sessions: &[SessionInfo]) -> Self {
        let mut recipients = Vec::with_capacity(sessions.len());
        let mut owners = Vec::with_capacity(sessions.len());
        let mut unusable = None;
        for info in sessions {
            match info.agreement_key() {
                Ok(key) => {
                    recipients.push(Recipient { session: info.session_id, key });
                    owners.push(info.user_id);
                }
                Err(error) => unusable = unusable.or(Some((info.user_id, info.session_id, error))),
            }
        }
        let checksum = session_checksum(sessions.iter().map(|info| info.session_id));
        Self { recipients, owners, checksum, unusable }
    }

    /// Whether a session has this key.
    pub(super) fn has(&self, key: AgreementKey) -> bool {
        self.recipients.iter().any(|recipient| recipient.key == key)
    }
}

impl SessionDirectory {
    pub(super) fn new(gateway: Arc<Gateway>, age: Duration, capacity: usize) -> Self {
        let known = Mutex::new(RecentMap::with_capacity(capacity));
        let answers = Mutex::new(RecentMap::with_capacity(capacity));
        let keys = KeyMemory::with_capacity(capacity.saturating_mul(KEYS_PER_ACCOUNT));
        Self { gateway, known, answers, keys, age, capacity }
    }

    /// The sessions of each of `users`, from memory or else from the gateway. Accounts without a
    /// live session are left out.
    pub(super) async fn load(
        &self,
        users: &[UserId],
    ) -> Result<HashMap<UserId, Arc<KnownSessions>>, RequestError> {
        let mut found = HashMap::with_capacity(users.len());
        let mut unknown = Vec::new();
        for user in users {
            match self.cached(user) {
                Some(sessions) => drop(found.insert(*user, sessions)),
                None => unknown.push(*user),
            }
        }
        unknown.sort_unstable();
        unknown.dedup();
        for chunk in unknown.chunks(FETCH_LIMIT) {
            found.extend(self.fetch(chunk).await?);
        }
        Ok(found)
    }

    /// Fetches what is not remembered yet of `users`, several requests at once, as far as there is
    /// room for it. Stops at the first failure: a gateway in trouble is left alone.
    pub(super) async fn warm_up(
        &self,
        users: impl IntoIterator<Item = UserId>,
        concurrency: usize,
    ) {
        let unknown: Vec<UserId> = users
            .into_iter()
            .filter(|user| self.cached(user).is_none())
            .take(self.capacity / 2)
            .collect();
        let mut running = FuturesUnordered::new();
        for chunk in unknown.chunks(FETCH_LIMIT) {
            if running.len() >= concurrency && matches!(running.next().await, Some(Err(_))) {
                return;
            }
            running.push(self.fetch(chunk));
        }
        while running.next().await.is_some() {}
    }

    /// Asks the gateway about at most [`FETCH_LIMIT`] accounts, whatever is remembered of them.
    pub(super) async fn fetch(
        &self,
        users: &[UserId],
    ) -> Result<HashMap<UserId, Arc<KnownSessions>>, RequestError> {
        let listed = self.ask(users).await?;
        Ok(self.learn_all(users, listed))
    }

    /// As [`fetch`](Self::fetch), for any number of accounts, and gives what the gateway said.
    pub(super) async fn list(&self, users: &[UserId]) -> Result<Vec<SessionInfo>, RequestError> {
        let mut all = Vec::new();
        for chunk in users.chunks(FETCH_LIMIT) {
            let listed = self.ask(chunk).await?;
            self.learn_all(chunk, listed.clone());
            all.extend(listed);
        }
        Ok(all)
    }

    /// Compares what is remembered with the gateway and brings it up to date. Gives the accounts
    /// whose sessions were not known as they are.
    pub(super) async fn check(&self, users: &[UserId]) -> Result<Vec<UserId>, RequestError> {
        let mut changed = Vec::new();
        for chunk in users.chunks(FETCH_LIMIT) {
            let items: Vec<CheckItem> = chunk
                .iter()
                .map(|user| {
                    let known = self.cached(user);
                    let checksum = known.map_or_else(Checksum::default, |known| known.checksum);
                    CheckItem { user_id: *user, checksum: checksum.to_string() }
                })
                .collect();
            let answers: Vec<CheckAnswer> =
                self.gateway.call(Call::post("/sessions/check", &items)?).await?;
            for answer in answers {
                self.take(&answer);
                changed.push(answer.user_id);
            }
        }
        Ok(changed)
    }

    /// Remembers a list as it is now.
    pub(super) fn take(&self, answer: &CheckAnswer) {
        match answer.sessions.as_slice() {
            [] => self.forget(&answer.user_id),
            sessions => drop(self.learn(answer.user_id, sessions)),
        }
    }

    /// Remembers what the gateway said about `user`.
    pub(super) fn learn(&self, user: UserId, sessions: &[SessionInfo]) -> Arc<KnownSessions> {
        let known = Arc::new(KnownSessions::new(sessions));
        let now = self.now();
        self.keys.learn(user, known.recipients.iter().map(|recipient| recipient.key), now);
        self.lock().insert(user, Arc::clone(&known), now);
        known
    }

    pub(super) fn now(&self) -> SystemTime {
        self.gateway.clock.now()
    }

    /// What is remembered of `user` and not too old.
    pub(super) fn cached(&self, user: &UserId) -> Option<Arc<KnownSessions>> {
        let oldest = self.now().checked_sub(self.age).unwrap_or(UNIX_EPOCH);
        self.lock().get(user, oldest).map(Arc::clone)
    }

    async fn ask(&self, users: &[UserId]) -> Result<Vec<SessionInfo>, RequestError> {
        let call = Call::post("/sessions/fetch", users)?;
        let [user] = users else { return self.gateway.call(call).await };
        let held = self.answers().get(user, UNIX_EPOCH).cloned();
        let tag = held.as_ref().map(|held| held.tag.clone());
        let Some(Tagged { data: listed, tag }) = self.gateway.call_tagged(call.unless(tag)).await?
        else {
            // Without a tag in the request there is no such answer.
            return Ok(held.map(|held| held.listed).unwrap_or_default());
        };
        match tag {
            Some(tag) => {
                let held = Held { tag, listed: Vec::clone(&listed) };
                self.answers().insert(*user, held, self.now());
            }
            None => self.answers().remove(user),
        }
        Ok(listed)
    }

    fn learn_all(
        &self,
        users: &[UserId],
        listed: Vec<SessionInfo>,
    ) -> HashMap<UserId, Arc<KnownSessions>> {
        let mut by_user: HashMap<UserId, Vec<SessionInfo>> = HashMap::new();
        for info in listed {
            by_user.entry(info.user_id).or_default().push(info);
        }
        let mut found = HashMap::with_capacity(by_user.len());
        for user in users {
            match by_user.remove(user) {
                Some(sessions) => drop(found.insert(*user, self.learn(*user, &sessions))),
                None => self.forget(user),
            }
        }
        found
    }

    /// Nothing that is remembered can be relied on.
    pub(super) fn forget_all(&self) {
        *self.lock() = RecentMap::with_capacity(self.capacity);
    }

    fn forget(&self, user: &UserId) {
        self.lock().remove(user);
    }

    fn answers(&self) -> MutexGuard<'_, RecentMap<UserId, Held>> {
        // As with the lists.
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, RecentMap<UserId, Arc<KnownSessions>>> {
        // Only whole entries are written, so a panic elsewhere leaves nothing half done.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
