//! What the cache does for relationships, top-ups and repeated requests. Whether a sender is blocked
//! is asked for every message that is for one account, so the answers are remembered; the rest is
//! handed on.

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
            move |caches, _| caches.blocks.forget([(other, owner)]),
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

    async fn companions_among(
        &self,
        account: AccountNumber,
        users: &[UserId],
    ) -> Result<Vec<UserId>, Fault> {
        self.inner.companions_among(account, users).await
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
