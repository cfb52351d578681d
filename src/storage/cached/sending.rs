//! What the cache does for relationships, top-ups and repeated requests. Whether a sender is blocked
//! is asked for every message that is for one account, so who has blocked it is remembered; the rest
//! is handed on.

use std::sync::Arc;

use async_trait::async_trait;

use super::CachedStore;
use crate::domain::Fault;
use crate::domain::account::Account;
use crate::domain::clock::Timestamp;
use crate::domain::idempotency::{
    AnswerQuota, Claimed, RequestClaim, RunningRequest, StoredAnswer,
};
use crate::domain::ids::{AccountNumber, MessageId, UserId};
use crate::domain::ports::{Relationships, Requests, TopUps};
use crate::domain::relationship::{Relation, RelationChange};
use crate::domain::top_up::{OpenTopUp, SlotAddition, SlotsAdded};

/// How many have blocked an account whose blockers are remembered as a whole, at most. That is far
/// more than most accounts have, and some kilobytes.
const MOST_BLOCKERS: u32 = 1_000;

/// Everybody who has blocked an account, in order; nothing when they are too many.
#[derive(Clone, Debug)]
pub(super) struct Blockers {
    account: AccountNumber,
    everybody: Option<Arc<[AccountNumber]>>,
}

impl Blockers {
    /// How much memory they take, in other entries, of a hundred bytes or more: nearly nobody is
    /// blocked by anybody, and a thousand numbers are 8 KiB.
    pub(super) fn weight(&self) -> u32 {
        let many = self.everybody.as_ref().map_or(0, |everybody| everybody.len() / 16);
        u32::try_from(many).unwrap_or(u32::MAX).saturating_add(1)
    }
}

/// Whether the second of a pair has blocked the first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pair: (AccountNumber, AccountNumber),
    is_blocked: bool,
}

#[async_trait]
impl Relationships for CachedStore {
    async fn change_relation(
        &self,
        owner: AccountNumber,
        other: AccountNumber,
        change: RelationChange,
        at: Timestamp,
    ) -> Result<(), Fault> {
        self.change(
            move |inner| async move { inner.change_relation(owner, other, change, at).await },
            move |caches, _| {
                caches.blockers.forget([other]);
                caches.blocks.forget([(other, owner)]);
            },
        )
        .await
    }

    async fn relations(
        &self,
        owner: AccountNumber,
        others: &[AccountNumber],
    ) -> Result<Vec<(AccountNumber, Relation)>, Fault> {
        self.inner.relations(owner, others).await
    }

    async fn related(
        &self,
        owner: AccountNumber,
        relation: Relation,
        limit: u32,
    ) -> Result<Vec<Account>, Fault> {
        self.inner.related(owner, relation, limit).await
    }

    async fn blockers(
        &self,
        account: AccountNumber,
        among: &[AccountNumber],
    ) -> Result<Vec<AccountNumber>, Fault> {
        let Some(everybody) = self.everybody_who_blocked(account).await? else {
            return self.blockers_among(account, among).await;
        };
        let has_blocked = |other: &&AccountNumber| everybody.binary_search(other).is_ok();
        Ok(among.iter().filter(has_blocked).copied().collect())
    }

    async fn all_blockers(
        &self,
        account: AccountNumber,
        limit: u32,
    ) -> Result<Option<Vec<AccountNumber>>, Fault> {
        self.inner.all_blockers(account, limit).await
    }

    async fn companions_among(
        &self,
        account: AccountNumber,
        users: &[UserId],
    ) -> Result<Vec<UserId>, Fault> {
        self.inner.companions_among(account, users).await
    }
}

impl CachedStore {
    /// Everybody who has blocked an account, in order, unless they are too many.
    async fn everybody_who_blocked(
        &self,
        account: AccountNumber,
    ) -> Result<Option<Arc<[AccountNumber]>>, Fault> {
        let read = |_| async {
            let found = self.inner.all_blockers(account, MOST_BLOCKERS).await?;
            let everybody = found.map(|mut everybody| {
                everybody.sort_unstable();
                everybody.into()
            });
            Ok(vec![Blockers { account, everybody }])
        };
        let blockers = &self.caches.blockers;
        let mut found = blockers.get_or_read(&[account], |found| found.account, read).await?;
        Ok(found.pop().and_then(|found| found.everybody))
    }

    /// Those of `among` that have blocked an account, of which each is remembered by itself.
    async fn blockers_among(
        &self,
        account: AccountNumber,
        among: &[AccountNumber],
    ) -> Result<Vec<AccountNumber>, Fault> {
        let pairs: Vec<_> = among.iter().map(|other| (account, *other)).collect();
        let read = |unknown: Vec<(AccountNumber, AccountNumber)>| async move {
            let others: Vec<_> = unknown.iter().map(|pair| pair.1).collect();
            let blockers = self.inner.blockers(account, &others).await?;
            let block = |pair: (AccountNumber, AccountNumber)| Block {
                pair,
                is_blocked: blockers.contains(&pair.1),
            };
            Ok(unknown.into_iter().map(block).collect())
        };
        let blocks = self.caches.blocks.get_or_read(&pairs, |block| block.pair, read).await?;
        Ok(blocks.iter().filter(|block| block.is_blocked).map(|block| block.pair.1).collect())
    }
}

#[async_trait]
impl TopUps for CachedStore {
    async fn open_top_up(
        &self,
        sender: AccountNumber,
        message: MessageId,
        now: Timestamp,
    ) -> Result<Option<OpenTopUp>, Fault> {
        self.inner.open_top_up(sender, message, now).await
    }

    async fn add_slots(&self, addition: SlotAddition) -> Result<SlotsAdded, Fault> {
        self.inner.add_slots(addition).await
    }

    async fn close_top_ups(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        self.inner.close_top_ups(now, limit).await
    }
}

#[async_trait]
impl Requests for CachedStore {
    async fn claim_request(&self, claim: RequestClaim) -> Result<Claimed, Fault> {
        self.inner.claim_request(claim).await
    }

    async fn finish_request(
        &self,
        running: RunningRequest,
        answer: Option<StoredAnswer>,
        quota: AnswerQuota,
    ) -> Result<(), Fault> {
        self.inner.finish_request(running, answer, quota).await
    }

    async fn forget_requests(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        self.inner.forget_requests(now, limit).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ports::Accounts;
    use crate::storage::MemoryStore;
    use crate::storage::conformance::scene::{Scene, at};

    #[tokio::test]
    async fn whoever_too_many_have_blocked_is_refused_by_each_of_them() {
        let store = CachedStore::new(Arc::new(MemoryStore::new()), &Default::default());
        let mut numbers = Vec::new();
        for n in 0..=2 + u16::try_from(MOST_BLOCKERS).unwrap() {
            numbers.push(store.create_account(Scene::new_account(n)).await.unwrap().account.number);
        }
        let (sender, others) = numbers.split_first().unwrap();
        let change = async |owner: AccountNumber, change| {
            store.change_relation(owner, *sender, change, at(1)).await.unwrap();
        };
        for owner in &others[2..] {
            change(*owner, RelationChange::Set(Relation::Blocked)).await;
        }
        assert_eq!(store.blockers(*sender, others).await.unwrap(), others[2..], "as one list");
        for owner in &others[..2] {
            change(*owner, RelationChange::Set(Relation::Blocked)).await;
        }
        assert_eq!(store.everybody_who_blocked(*sender).await.unwrap(), None);
        assert_eq!(store.blockers(*sender, others).await.unwrap().len(), others.len());
        change(others[5], RelationChange::Clear(Relation::Blocked)).await;
        assert_eq!(store.everybody_who_blocked(*sender).await.unwrap(), None, "one too many");
        let blockers = store.blockers(*sender, others).await.unwrap();
        assert!(!blockers.contains(&others[5]) && blockers.len() == others.len() - 1);
        change(others[5], RelationChange::Set(Relation::Blocked)).await;
        assert_eq!(store.blockers(*sender, others).await.unwrap().len(), others.len());
    }

    #[test]
    fn a_long_list_takes_the_place_of_many_short_ones() {
        let list = |blockers: i64| {
            let everybody = Some((0..blockers).map(AccountNumber).collect());
            Blockers { account: AccountNumber(1), everybody }.weight()
        };
        assert_eq!((list(0), list(15), list(1_000)), (1, 1, 63));
    }
}
