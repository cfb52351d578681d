//! Relationships, top-ups and repeated requests in memory.

use std::collections::HashMap;

use async_trait::async_trait;

use super::{FREE, MemoryStore, Row};
use crate::domain::Fault;
use crate::domain::account::Account;
use crate::domain::clock::Timestamp;
use crate::domain::conversation::Conversation;
use crate::domain::idempotency::{
    AnswerQuota, Claimed, RequestClaim, RequestKey, RunningRequest, StoredAnswer,
};
use crate::domain::ids::{AccountNumber, MessageId, UserId};
use crate::domain::inbox::{InboxKey, Intake, Slot};
use crate::domain::ports::{Relationships, Requests, TopUps};
use crate::domain::relationship::{Relation, RelationChange};
use crate::domain::top_up::{OpenTopUp, SlotAddition, SlotsAdded};

/// A request under a key, and its answer once there is one.
pub(super) struct Request {
    claim: RequestClaim,
    end: End,
}

/// How far a request is.
enum End {
    Running,
    Done,
    Answered(StoredAnswer),
}

impl Request {
    fn bytes(&self) -> u64 {
        match &self.end {
            End::Answered(answer) => answer.body.len() as u64,
            End::Running | End::Done => 0,
        }
    }
}

/// How many requests of an account there are, and the bytes of their answers.
fn kept(requests: &HashMap<RequestKey, Request>, account: AccountNumber) -> (u64, u64) {
    let own = requests.iter().filter(|(key, _)| key.account == account);
    own.fold((0, 0), |(count, bytes), (_, one)| (count + 1, bytes + one.bytes()))
}

#[async_trait]
impl Relationships for MemoryStore {
    async fn change_relation(
        &self,
        owner: AccountNumber,
        other: AccountNumber,
        change: RelationChange,
        at: Timestamp,
    ) -> Result<(), Fault> {
        let mut state = self.change();
        if state.fails_to_relate {
            return Err(Fault::unavailable("this store is to fail", None));
        }
        let known = state.relations.get(&(owner, other)).map(|known| known.0);
        match change {
            RelationChange::Set(relation) if known != Some(relation) => {
                state.relations.insert((owner, other), (relation, at));
            }
            RelationChange::Clear(relation) if known == Some(relation) => {
                state.relations.remove(&(owner, other));
            }
            RelationChange::Set(_) | RelationChange::Clear(_) => {}
        }
        Ok(())
    }

    async fn relations(
        &self,
        owner: AccountNumber,
        others: &[AccountNumber],
    ) -> Result<Vec<(AccountNumber, Relation)>, Fault> {
        let state = self.state();
        let relation =
            |other: &AccountNumber| Some((*other, state.relations.get(&(owner, *other))?.0));
        Ok(others.iter().filter_map(relation).collect())
    }

    async fn related(
        &self,
        owner: AccountNumber,
        relation: Relation,
        limit: u32,
    ) -> Result<Vec<Account>, Fault> {
        let state = self.state();
        let found = state.relations.iter();
        let found = found.filter(|(pair, known)| pair.0 == owner && known.0 == relation);
        let mut found: Vec<_> = found.map(|(pair, known)| (known.1, pair.1)).collect();
        found.sort_unstable_by(|one, other| other.cmp(one));
        let accounts = found.into_iter().take(limit as usize);
        Ok(accounts.map(|(_, account)| state.accounts[&account].clone()).collect())
    }

    async fn blockers(
        &self,
        account: AccountNumber,
        among: &[AccountNumber],
    ) -> Result<Vec<AccountNumber>, Fault> {
        let state = self.state();
        let blocks = |owner: &&AccountNumber| {
            let known = state.relations.get(&(**owner, account));
            known.is_some_and(|known| known.0 == Relation::Blocked)
        };
        Ok(among.iter().filter(blocks).copied().collect())
    }

    async fn all_blockers(
        &self,
        account: AccountNumber,
        limit: u32,
    ) -> Result<Option<Vec<AccountNumber>>, Fault> {
        let state = self.state();
        let relations = state.relations.iter();
        let blocks =
            relations.filter(|(pair, known)| pair.1 == account && known.0 == Relation::Blocked);
        let owners: Vec<_> = blocks.map(|(pair, _)| pair.0).collect();
        Ok(Some(owners).filter(|owners| owners.len() <= limit as usize))
    }

    async fn companions_among(
        &self,
        account: AccountNumber,
        users: &[UserId],
    ) -> Result<Vec<UserId>, Fault> {
        let state = self.state();
        let shared = |user: &&UserId| {
            let mut all = state.conversations.values();
            let mine = |one: &Conversation| one.participants.iter().any(|it| it.account == account);
            all.any(|one| one.has(**user) && mine(one))
        };
        Ok(users.iter().filter(shared).copied().collect())
    }
}

#[async_trait]
impl TopUps for MemoryStore {
    async fn open_top_up(
        &self,
        sender: AccountNumber,
        message: MessageId,
        now: Timestamp,
    ) -> Result<Option<OpenTopUp>, Fault> {
        let state = self.state();
        let open = state.top_ups.get(&(sender, message));
        Ok(open.filter(|open| open.offer.until > now).cloned())
    }

    async fn add_slots(&self, addition: SlotAddition) -> Result<SlotsAdded, Fault> {
        let mut state = self.change();
        let key = (addition.sender, addition.message_id);
        if state.top_ups.get(&key).is_none_or(|open| open.offer.until <= addition.now) {
            return Ok(SlotsAdded::Gone);
        }
        if !addition.guards.iter().all(|guard| state.holds(guard)) {
            return Ok(SlotsAdded::RosterMoved);
        }
        let (quota, now) = (addition.quota, addition.now);
        let stored = &state.top_ups[&key].stored_for;
        let is_new = |slot: &&Slot| !stored.iter().any(|inbox| inbox.session == slot.session);
        let new: Vec<Slot> = addition.slots.iter().filter(is_new).cloned().collect();
        if !state.has_room(Intake { slots: &new, quota, now }) {
            return Ok(SlotsAdded::Full);
        }
        for slot in addition.slots {
            let inbox = InboxKey { shard: slot.shard, session: slot.session };
            let open = state.top_ups.get_mut(&key).filter(|it| !it.stored_for.contains(&inbox));
            if let Some(open) = open {
                open.stored_for.push(inbox);
                let row =
                    Row { leased_until: FREE, deliveries: 0, set_aside_at: None, slot: slot.bytes };
                state.inbox.insert((slot.session, addition.order), row);
                state.make_room(slot.session, &quota, now);
            }
        }
        if addition.completes {
            state.top_ups.remove(&key);
        }
        Ok(SlotsAdded::Added)
    }

    async fn close_top_ups(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        let mut state = self.change();
        let over = state.top_ups.iter().filter(|(_, open)| open.offer.until <= now);
        let over: Vec<_> = over.map(|(key, _)| *key).take(limit as usize).collect();
        over.iter().for_each(|key| drop(state.top_ups.remove(key)));
        Ok(over.len() as u64)
    }
}

#[async_trait]
impl Requests for MemoryStore {
    async fn claim_request(&self, claim: RequestClaim) -> Result<Claimed, Fault> {
        let mut state = self.change();
        if let Some(known) = state.requests.get(&claim.running.key) {
            let lapsed =
                matches!(known.end, End::Running) && known.claim.claimed_until <= claim.now;
            if !lapsed && known.claim.expires_at > claim.now {
                return Ok(match &known.end {
                    _ if known.claim.digest != claim.digest => Claimed::Differs,
                    End::Running => Claimed::Running,
                    End::Done => Claimed::Done,
                    End::Answered(answer) => Claimed::Answered(answer.clone()),
                });
            }
            state.requests.remove(&claim.running.key);
        }
        let (count, bytes) = kept(&state.requests, claim.running.key.account);
        if !claim.quota.has_room(count, bytes) {
            return Ok(Claimed::Full);
        }
        state.requests.insert(claim.running.key, Request { claim, end: End::Running });
        Ok(Claimed::First)
    }

    async fn finish_request(
        &self,
        running: RunningRequest,
        answer: Option<StoredAnswer>,
        quota: AnswerQuota,
    ) -> Result<(), Fault> {
        let mut state = self.change();
        let (_, bytes) = kept(&state.requests, running.key.account);
        let known = state.requests.get_mut(&running.key);
        let runs = |known: &&mut Request| {
            known.claim.running == running && matches!(known.end, End::Running)
        };
        let Some(known) = known.filter(runs) else {
            return Ok(());
        };
        match answer {
            Some(answer) if quota.fits(bytes, answer.body.len() as u64) => {
                known.end = End::Answered(answer);
            }
            Some(_) => known.end = End::Done,
            None => drop(state.requests.remove(&running.key)),
        }
        Ok(())
    }

    async fn forget_requests(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        let mut state = self.change();
        let old = state.requests.iter().filter(|(_, known)| known.claim.expires_at <= now);
        let old: Vec<_> = old.map(|(key, _)| *key).take(limit as usize).collect();
        old.iter().for_each(|key| drop(state.requests.remove(key)));
        Ok(old.len() as u64)
    }
}
