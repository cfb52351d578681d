//! A store around a store: what nearly every request asks for is kept in memory.
//!
//! What a change touches is forgotten after it, and a read that began before it brings nothing old
//! back ([`remembered`]). Changes run on tasks of their own, so that a caller that goes away between the change and the
//! invalidation leaves no old value behind.
//!
//! A stale roster is harmless even so: [`Inbox::accept`] compares generations in its transaction,
//! and a roster that it finds moved is dropped here.

mod attachments;
mod chats;
mod conversations;
mod dropboxes;
mod members;
mod nodes;
mod owners;
mod phones;
mod remembered;
mod sending;
mod sign_up;
mod whole;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use moka::sync::Cache;

use crate::domain::Fault;
use crate::domain::account::{Account, CreatedAccount, NewAccount, ProfileChange};
use crate::domain::acknowledge::Acknowledged;
use crate::domain::changes::{ChangedContacts, Cursor};
use crate::domain::clock::Timestamp;
use crate::domain::conversation::Conversation;
use crate::domain::ids::{
    AccountNumber, ConversationId, MessageId, Order, SessionId, SessionNumber, UserId,
};
use crate::domain::inbox::{
    Acceptance, Accepted, Cleared, Guard, InboxKey, InboxStatus, LeaseRequest, Leased,
    MessageDigest, Returned, SetAside, Stretch, StuckInbox, Sweep, SweepRequest, Waiting,
};
use crate::domain::phone::{Phone, PhoneNumber};
use crate::domain::ports::{Accounts, FreshId, Inbox, Rosters, Sessions, Store};
use crate::domain::roster::Roster;
use crate::domain::session::{ApiToken, NewSession, SessionOwner, SignedIn, TokenHash};
use owners::AccountOwners;
use remembered::Remembered;
use sending::{Block, Blockers};

/// How much is remembered, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheConfig {
    /// Entries in each cache, at most.
    pub entries: u64,
    /// How long rosters, sessions, accounts and conversations are kept.
    pub life: Duration,
    /// How long API tokens are kept.
    pub token_life: Duration,
}

impl Default for CacheConfig {
    fn default() -> Self {
        let (life, token_life) = (Duration::from_secs(60), Duration::from_secs(10));
        Self { entries: 100_000, life, token_life }
    }
}

/// A store that remembers what it read.
pub struct CachedStore {
    inner: Arc<dyn Store>,
    caches: Arc<Caches>,
}

struct Caches {
    rosters: Remembered<UserId, Arc<Roster>>,
    sessions: Remembered<SessionId, SessionOwner>,
    tokens: Remembered<TokenHash, ApiToken>,
    /// What does not exist is not remembered, so nothing is to be forgotten when it comes to be.
    accounts: Remembered<UserId, Account>,
    conversations: Remembered<ConversationId, Conversation>,
    /// Who has blocked an account.
    blockers: Remembered<AccountNumber, Blockers>,
    /// Of those whom too many have blocked, whether somebody has: first the one who would send, then
    /// the one who would get it.
    blocks: Remembered<(AccountNumber, AccountNumber), Block>,
    /// Whose roster a generation belongs to.
    users: AccountOwners<UserId>,
    phones: Remembered<PhoneNumber, Arc<Phone>>,
    /// Which of them a generation, and a device, belongs to.
    numbers: AccountOwners<PhoneNumber>,
    device_numbers: Cache<SessionNumber, PhoneNumber>,
    members: members::MemberCaches,
    /// When sessions were last noted to be in use.
    seen: Cache<SessionNumber, Timestamp>,
}

impl CachedStore {
    /// Puts caches around `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>, config: &CacheConfig) -> Self {
        let caches = Caches {
            rosters: Remembered::new(config.entries, config.life),
            sessions: Remembered::new(config.entries, config.life),
            tokens: Remembered::new(config.entries, config.token_life),
            accounts: Remembered::new(config.entries, config.life),
            conversations: Remembered::new(config.entries, config.life),
            blockers: Remembered::weighed(config.entries, config.life, Blockers::weight),
            blocks: Remembered::new(config.entries, config.life),
            users: AccountOwners::new(config.entries),
            phones: Remembered::new(config.entries, config.life),
            numbers: AccountOwners::new(config.entries),
            device_numbers: Cache::builder().max_capacity(config.entries).build(),
            members: members::MemberCaches::new(*config),
            seen: Cache::builder().max_capacity(config.entries).build(),
        };
        Self { inner, caches: Arc::new(caches) }
    }

    /// Runs a change to its end, whatever becomes of the caller, and then forgets what it touched.
    async fn change<T, F>(
        &self,
        change: impl FnOnce(Arc<dyn Store>) -> F,
        forget: impl FnOnce(&Caches, &Result<T, Fault>) + Send + 'static,
    ) -> Result<T, Fault>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        let change = change(Arc::clone(&self.inner));
        let caches = Arc::clone(&self.caches);
        let task = tokio::spawn(async move {
            let outcome = change.await;
            forget(&caches, &outcome);
            outcome
        });
        task.await.unwrap_or_else(|error| Err(Fault::internal("changing a session", error)))
    }
}

impl Caches {
    fn know_users(&self, rosters: &[Arc<Roster>]) {
        self.users.note(rosters.iter().map(|roster| (roster.account, roster.user)));
    }

    /// Drops what the guards stood for. A conversation is kept by its id and guarded by its number,
    /// and moves rarely: then all are dropped.
    fn forget_guarded(&self, guards: &HashSet<Guard>) {
        if guards.iter().any(|guard| matches!(guard, Guard::Conversation { .. })) {
            self.conversations.forget_everything();
        }
        let accounts = guards.iter().filter_map(|guard| match guard {
            Guard::Roster { account, .. } => Some(*account),
            Guard::Conversation { .. } => None,
        });
        // Members and phones have no rosters, except when it is unknown whose they are.
        let others = self.forget_phones(self.forget_members(accounts).into_iter());
        self.forget_rosters(others);
    }

    /// Drops the rosters of these accounts; all of them if it is unknown whose they are.
    fn forget_rosters(&self, accounts: impl IntoIterator<Item = AccountNumber>) {
        let users: Option<Vec<UserId>> =
            accounts.into_iter().map(|account| self.users.get(account)).collect();
        match users {
            Some(users) => self.rosters.forget(users),
            None => self.rosters.forget_everything(),
        }
    }
}

#[async_trait]
impl Accounts for CachedStore {
    /// Nothing is forgotten: what does not exist is not remembered, and it comes into being whole.
    async fn create_account(&self, account: NewAccount) -> Result<CreatedAccount, Fault> {
        self.inner.create_account(account).await
    }

    async fn accounts(&self, ids: &[UserId]) -> Result<Vec<Account>, Fault> {
        let read = |unknown: Vec<UserId>| async move { self.inner.accounts(&unknown).await };
        self.caches.accounts.get_or_read(ids, |account| account.id, read).await
    }

    async fn account_by_identity_number(&self, number: &str) -> Result<Option<Account>, Fault> {
        self.inner.account_by_identity_number(number).await
    }

    async fn list_accounts(
        &self,
        after: Option<AccountNumber>,
        limit: u32,
    ) -> Result<Vec<Account>, Fault> {
        self.inner.list_accounts(after, limit).await
    }

    /// Sessions are remembered with their account, so those of this one are forgotten with it.
    async fn change_profile(&self, user: UserId, change: ProfileChange) -> Result<Account, Fault> {
        let changed = self.change(
            move |inner| async move {
                let account = inner.change_profile(user, change).await?;
                let rosters = inner.fresh_rosters(&[user]).await.ok();
                let members = |roster: &Arc<Roster>| {
                    roster.members.iter().map(|member| member.session).collect::<Vec<_>>()
                };
                Ok((account, rosters.map(|found| found.iter().flat_map(members).collect())))
            },
            move |caches, outcome: &Result<(Account, Option<Vec<SessionId>>), Fault>| {
                caches.accounts.forget([user]);
                match outcome {
                    Ok((_, Some(sessions))) => caches.sessions.forget(sessions.iter().copied()),
                    _ => caches.sessions.forget_everything(),
                }
            },
        );
        changed.await.map(|(account, _)| account)
    }
}

#[async_trait]
impl Sessions for CachedStore {
    async fn sign_in(
        &self,
        session: NewSession,
        limit: u32,
        gap_id: MessageId,
    ) -> Result<SignedIn, Fault> {
        let (user, replaces) = (session.user, session.replaces);
        self.change(
            move |inner| async move { inner.sign_in(session, limit, gap_id).await },
            move |caches, _| {
                caches.rosters.forget([user]);
                if let Some(replaced) = replaces {
                    caches.sessions.forget([replaced]);
                    caches.tokens.forget_everything();
                }
            },
        )
        .await
    }

    async fn end_session(
        &self,
        user: UserId,
        session: SessionId,
        at: Timestamp,
    ) -> Result<SessionNumber, Fault> {
        self.change(
            move |inner| async move { inner.end_session(user, session, at).await },
            move |caches, _| {
                caches.rosters.forget([user]);
                caches.sessions.forget([session]);
                caches.tokens.forget_everything();
            },
        )
        .await
    }

    async fn session(&self, id: SessionId) -> Result<Option<SessionOwner>, Fault> {
        if let Some(owner) = self.caches.sessions.get(&id) {
            return Ok(Some(owner));
        }
        let read = |_| async { Ok(Vec::from_iter(self.inner.session(id).await?)) };
        let key_of = |owner: &SessionOwner| owner.session.id;
        Ok(self.caches.sessions.get_or_read(&[id], key_of, read).await?.pop())
    }

    async fn ended_among(
        &self,
        accounts: &[AccountNumber],
        sessions: &[SessionId],
    ) -> Result<Vec<SessionId>, Fault> {
        self.inner.ended_among(accounts, sessions).await
    }

    async fn add_api_token(&self, token: ApiToken) -> Result<(), Fault> {
        self.inner.add_api_token(token).await
    }

    async fn api_token(&self, hash: TokenHash) -> Result<Option<ApiToken>, Fault> {
        if let Some(token) = self.caches.tokens.get(&hash) {
            return Ok(Some(token));
        }
        let read = |_| async { Ok(Vec::from_iter(self.inner.api_token(hash).await?)) };
        Ok(self.caches.tokens.get_or_read(&[hash], |token| token.hash, read).await?.pop())
    }

    async fn drop_api_tokens(&self, session: SessionId) -> Result<(), Fault> {
        self.change(
            move |inner| async move { inner.drop_api_tokens(session).await },
            |caches, _| caches.tokens.forget_everything(),
        )
        .await
    }
}

#[async_trait]
impl Rosters for CachedStore {
    async fn rosters(&self, users: &[UserId]) -> Result<Vec<Arc<Roster>>, Fault> {
        let read = |unknown: Vec<UserId>| async move {
            let rosters = self.inner.rosters(&unknown).await?;
            self.caches.know_users(&rosters);
            Ok(rosters)
        };
        self.caches.rosters.get_or_read(users, |roster| roster.user, read).await
    }

    async fn fresh_rosters(&self, users: &[UserId]) -> Result<Vec<Arc<Roster>>, Fault> {
        let before = self.caches.rosters.before();
        let rosters = self.inner.fresh_rosters(users).await?;
        self.caches.know_users(&rosters);
        let entries = rosters.iter().map(|roster| (roster.user, Arc::clone(roster)));
        self.caches.rosters.keep(before, entries);
        Ok(rosters)
    }

    async fn newest_change(&self) -> Result<Cursor, Fault> {
        self.inner.newest_change().await
    }

    async fn changed_contacts(
        &self,
        account: AccountNumber,
        after: Cursor,
        limit: u32,
    ) -> Result<ChangedContacts, Fault> {
        self.inner.changed_contacts(account, after, limit).await
    }
}

#[async_trait]
impl Inbox for CachedStore {
    async fn accept(&self, messages: Vec<Acceptance>) -> Result<Vec<Accepted>, Fault> {
        let guards: Vec<Arc<[Guard]>> =
            messages.iter().map(|message| message.guards.clone()).collect();
        let outcomes = self.inner.accept(messages).await?;
        let moved: HashSet<Guard> = outcomes
            .iter()
            .zip(guards)
            .filter(|(outcome, _)| **outcome == Accepted::RosterMoved)
            .flat_map(|(_, guards)| guards.to_vec())
            .collect();
        if !moved.is_empty() {
            self.caches.forget_guarded(&moved);
        }
        Ok(outcomes)
    }

    async fn seen(
        &self,
        sender: AccountNumber,
        ids: &[MessageId],
    ) -> Result<Vec<Option<MessageDigest>>, Fault> {
        self.inner.seen(sender, ids).await
    }

    async fn lease(&self, request: LeaseRequest) -> Result<Leased, Fault> {
        self.inner.lease(request).await
    }

    async fn acknowledge(
        &self,
        inbox: InboxKey,
        ids: Vec<MessageId>,
    ) -> Result<Vec<Acknowledged>, Fault> {
        self.inner.acknowledge(inbox, ids).await
    }

    async fn release(&self, inbox: InboxKey, returned: Returned) -> Result<(), Fault> {
        self.inner.release(inbox, returned).await
    }

    async fn browse(&self, inbox: InboxKey, stretch: Stretch) -> Result<Vec<Waiting>, Fault> {
        self.inner.browse(inbox, stretch).await
    }

    async fn withdraw(&self, inbox: InboxKey, order: Order) -> Result<(), Fault> {
        self.inner.withdraw(inbox, order).await
    }

    async fn set_aside(
        &self,
        inbox: InboxKey,
        after: Option<MessageId>,
        limit: u32,
    ) -> Result<Vec<SetAside>, Fault> {
        self.inner.set_aside(inbox, after, limit).await
    }

    async fn stuck_inboxes(&self, limit: u32) -> Result<Vec<StuckInbox>, Fault> {
        self.inner.stuck_inboxes(limit).await
    }

    async fn retry_set_aside(&self, inbox: InboxKey, id: MessageId) -> Result<bool, Fault> {
        self.inner.retry_set_aside(inbox, id).await
    }

    async fn drop_set_aside(&self, inbox: InboxKey, id: MessageId) -> Result<bool, Fault> {
        self.inner.drop_set_aside(inbox, id).await
    }

    async fn inbox_status(&self, inbox: InboxKey, most: u32) -> Result<InboxStatus, Fault> {
        self.inner.inbox_status(inbox, most).await
    }

    /// Remembered, so that a session that is in use does not cost a write for each request.
    async fn note_seen(
        &self,
        session: SessionNumber,
        at: Timestamp,
        precision: Duration,
    ) -> Result<(), Fault> {
        let noted = self.caches.seen.get(&session);
        if noted.is_some_and(|noted| at < noted.plus(precision)) {
            return Ok(());
        }
        self.inner.note_seen(session, at, precision).await?;
        self.caches.seen.insert(session, at);
        Ok(())
    }

    async fn sweep(&self, request: SweepRequest, fresh_id: FreshId<'_>) -> Result<Sweep, Fault> {
        self.inner.sweep(request, fresh_id).await
    }

    async fn clear_ended(&self, limit: u32) -> Result<Cleared, Fault> {
        self.inner.clear_ended(limit).await
    }

    async fn forget_seen(&self, before: Timestamp, limit: u32) -> Result<u64, Fault> {
        self.inner.forget_seen(before, limit).await
    }
}
