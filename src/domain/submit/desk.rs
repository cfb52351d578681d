//! One round of decisions over a batch: what is known, who may send, which audience counts.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join;

use super::addressees::{self, Address, Known, Refusal, Target};
use super::compare::{self, Objection};
use super::{Content, Stale, Submission, Verdict, digest_of, message_id_used};
use crate::domain::audience::Audience;
use crate::domain::clock::Timestamp;
use crate::domain::conversation::{ContactPair, Conversation};
use crate::domain::error::Fault;
use crate::domain::gateway::Gateway;
use crate::domain::ids::{AccountNumber, ConversationId, ConversationNumber, UserId};
use crate::domain::inbox::{Acceptance, Accepted, Details, FULL_RETRY, Slot, WhenFull};
use crate::domain::ports::Hint;
use crate::domain::roster::{Difference, Roster};
use crate::domain::session::SessionOwner;
use crate::domain::top_up::TopUpOffer;

/// How long slots may be added to a message that did not cover everybody.
const TOP_UP_TIME: Duration = Duration::from_secs(10 * 60);

/// What messages with a time of their own are kept beyond it: whoever reads within a day still
/// gets them.
const EXPIRING_EXTRA: Duration = Duration::from_secs(24 * 60 * 60);

/// How many rows in inboxes one call of the store makes, unless a single message makes more: a batch
/// of messages to large groups must not keep everybody else from the database.
const ROWS_AT_ONCE: usize = 8192;

/// What one round of decisions needs to know, looked up for the whole batch at once. Indices of
/// items come from the batch itself and from nowhere else.
pub(super) struct Desk<'a> {
    gateway: &'a Gateway,
    sender: &'a SessionOwner,
    /// When this round began.
    began: Timestamp,
    /// Whether all of this comes straight from the database.
    fresh: bool,
    conversations: HashMap<ConversationId, Conversation>,
    own: Option<Arc<Roster>>,
    targets: HashMap<Address, Result<Target, Refusal>>,
    /// Those of the representatives that the sender may speak for.
    companions: HashSet<UserId>,
}

/// A message that may go to the store, and what it was compared with.
struct Passed<'a> {
    index: usize,
    target: &'a Target,
    /// How it differs from its audience, when it goes to some of them alone.
    partial: Option<Stale>,
}

impl<'a> Desk<'a> {
    pub(super) async fn open(
        gateway: &'a Gateway,
        sender: &'a SessionOwner,
        batch: &[Submission],
        open: &[usize],
        fresh: bool,
    ) -> Result<Self, Fault> {
        let began = gateway.clock.now();
        let items = || open.iter().filter_map(|index| batch.get(*index));
        let addresses: HashSet<Address> = items().map(Address::of).collect();
        let ids = distinct(addresses.iter().map(|address| address.conversation));
        let me = sender.account.id;
        // Most of a batch names its recipients. They are looked up before their conversations say
        // whether they take part; whoever does not is refused all the same.
        let named = addresses.iter().filter_map(|address| address.to.named());
        let first = distinct(named.chain([me]));
        let conversations = find_conversations(gateway, &ids, fresh);
        let rosters = find_rosters(gateway, &first, fresh);
        let (conversations, mut rosters) = try_join(conversations, rosters).await?;
        let addressed: Vec<_> = (addresses.into_iter())
            .map(|address| (address, addressees::accounts(address, me, &conversations)))
            .collect();
        let users = addressed.iter().flat_map(|(_, users)| users.iter().flatten().copied());
        let others = distinct(users.filter(|user| first.binary_search(user).is_err()));
        if !others.is_empty() {
            rosters.extend(find_rosters(gateway, &others, fresh).await?);
        }
        let known = Known { sender, conversations: &conversations, rosters: &rosters };
        let target = |(address, users): (Address, Result<Vec<UserId>, Refusal>)| {
            (address, users.and_then(|users| known.target(address, &users)))
        };
        let mut targets: HashMap<_, _> = addressed.into_iter().map(target).collect();
        refuse_blocked(gateway, sender, &mut targets).await?;
        let represented = items().filter_map(|item| item.details.representative);
        let represented = distinct(represented.filter(|it| *it != me));
        let companions = companions(gateway, sender, represented).await?;
        let own = rosters.get(&me).cloned();
        Ok(Self { gateway, sender, began, fresh, conversations, own, targets, companions })
    }

    /// Fills in verdicts; returns the items that another look has to decide: those whose audience
    /// moved while they were being stored, and those that something remembered speaks against,
    /// because the sender may know more than the cache.
    pub(super) async fn decide(
        &self,
        batch: &[Submission],
        open: &[usize],
        verdicts: &mut [Option<Verdict>],
    ) -> Result<Vec<usize>, Fault> {
        let mut passed = Vec::new();
        let mut again = Vec::new();
        for &index in open {
            let item = &batch[index];
            match self.examine(item).await? {
                Ok((target, partial)) => passed.push(Passed { index, target, partial }),
                Err(_) if !self.fresh => again.push(index),
                Err(verdict) => verdicts[index] = Some(verdict),
            }
        }
        again.extend(self.store(batch, passed, verdicts).await?);
        // Messages for one account keep their order.
        again.sort_unstable();
        Ok(again)
    }

    /// Whether an item may be stored, for whom, and for whom of them not.
    async fn examine(
        &self,
        item: &Submission,
    ) -> Result<Result<(&Target, Option<Stale>), Verdict>, Fault> {
        let target = match self.admit(item) {
            Ok(target) => target,
            Err(verdict) => return Ok(Err(verdict)),
        };
        let audience = || target.audience.clone();
        Ok(match compare::compare(item, &target.audience, self.own.as_deref()) {
            Ok(same) if same == Difference::default() => Ok((target, None)),
            Ok(difference) => {
                Ok((target, Some(self.gateway.tell_ended(audience(), difference).await?)))
            }
            Err(Objection::Rejected(fault)) => Err(Verdict::Rejected(fault)),
            Err(Objection::Stale(difference)) => {
                Err(Verdict::StaleSessions(self.gateway.tell_ended(audience(), difference).await?))
            }
        })
    }

    /// Whether the sender may send this at all, and to whom it goes.
    fn admit(&self, item: &Submission) -> Result<&Target, Verdict> {
        compare::check_named_sessions(item)?;
        if let Some(speaker) = item.details.representative
            && speaker != self.sender.account.id
            && !self.companions.contains(&speaker)
        {
            let reason = "shares no conversation with the sender";
            return Err(Fault::forbidden_field("representative_id", reason).into());
        }
        let target = self.targets.get(&Address::of(item));
        let target = target.ok_or_else(|| Refusal::Outside.verdict())?;
        target.as_ref().map_err(|refusal| refusal.verdict())
    }

    /// Stores what passed, part by part; returns the items whose audience moved meanwhile.
    async fn store(
        &self,
        batch: &[Submission],
        mut passed: Vec<Passed<'_>>,
        verdicts: &mut [Option<Verdict>],
    ) -> Result<Vec<usize>, Fault> {
        let mut moved = Vec::new();
        let mut began = self.began;
        while !passed.is_empty() {
            let later = passed.split_off(at_once(passed.iter().map(|it| it.target.audience.len())));
            moved.extend(self.store_part(batch, began, passed, verdicts).await?);
            began = self.gateway.clock.now();
            passed = later;
        }
        Ok(moved)
    }

    async fn store_part(
        &self,
        batch: &[Submission],
        began: Timestamp,
        passed: Vec<Passed<'_>>,
        verdicts: &mut [Option<Verdict>],
    ) -> Result<Vec<usize>, Fault> {
        let numbers = self.conversation_numbers(batch, &passed).await?;
        let acceptances = (passed.iter().zip(numbers))
            .map(|(pass, number)| self.acceptance(&batch[pass.index], pass, number))
            .collect();
        let results = self.gateway.accept(began, acceptances).await?;
        let mut moved = Vec::new();
        let mut woken = Vec::new();
        for (pass, result) in passed.into_iter().zip(results) {
            let audience = &pass.target.audience;
            verdicts[pass.index] = match result {
                Accepted::Stored(_) => {
                    woken.extend(audience.members().map(|(_, member)| member.number));
                    Some(match pass.partial {
                        None => Verdict::Accepted(audience.clone()),
                        Some(partial) => Verdict::AcceptedForSome(partial),
                    })
                }
                Accepted::Duplicate => Some(Verdict::Duplicate(Some(audience.clone()))),
                Accepted::MessageIdUsed => Some(message_id_used()),
                Accepted::Full => Some(Verdict::Deferred { after: FULL_RETRY }),
                Accepted::RosterMoved => {
                    moved.push(pass.index);
                    None
                }
            };
        }
        if !woken.is_empty() {
            self.gateway.bus.publish(Hint::Wake(distinct(woken.into_iter()).into()));
        }
        Ok(moved)
    }

    /// The conversations' numbers, in the order of `passed`; those that do not exist yet are made.
    async fn conversation_numbers(
        &self,
        batch: &[Submission],
        passed: &[Passed<'_>],
    ) -> Result<Vec<ConversationNumber>, Fault> {
        let creator = self.sender.account.number;
        let new: Vec<_> = (passed.iter())
            .filter_map(|pass| Some((batch[pass.index].conversation, pass.target.single?)))
            .filter(|(id, _)| !self.conversations.contains_key(id))
            .map(|(id, other)| ContactPair { id, creator, other })
            .collect();
        let mut made = HashMap::new();
        if !new.is_empty() {
            let now = self.gateway.clock.now();
            let numbers = self.gateway.store.ensure_contacts(&new, now).await?;
            made.extend(new.iter().zip(numbers).map(|(pair, number)| (pair.id, number)));
        }
        let number = |id| self.conversations.get(id).map_or_else(|| made[id], |one| one.number);
        Ok(passed.iter().map(|pass| number(&batch[pass.index].conversation)).collect())
    }

    fn acceptance(
        &self,
        item: &Submission,
        pass: &Passed<'_>,
        conversation: ConversationNumber,
    ) -> Acceptance {
        let audience = &pass.target.audience;
        let accepted_at = self.gateway.clock.now();
        let details = self.details(item);
        let expires_at = accepted_at.plus(self.life(details.expire_in));
        let (body, slots) = split(&item.content, audience);
        let missing = pass.partial.as_ref().is_some_and(|partial| !partial.missing.is_empty());
        Acceptance {
            sender: self.sender.account.number,
            sender_session: self.sender.session.number,
            conversation,
            message_id: item.message_id,
            digest: digest_of(item),
            category: item.category.clone(),
            body,
            details,
            slots,
            guards: pass.target.guards.clone(),
            quota: self.gateway.quota(self.when_full(audience)),
            accepted_at,
            expires_at,
            top_up: missing.then(|| TopUpOffer {
                users: audience.rosters().iter().map(|roster| roster.user).collect(),
                left_out: audience.left_out(),
                until: accepted_at.plus(TOP_UP_TIME).min(expires_at),
            }),
        }
    }

    /// The sender's own devices do not make a message to one account one to many.
    fn when_full(&self, audience: &Audience) -> WhenFull {
        let me = self.sender.account.number;
        let others = audience.rosters().iter().filter(|roster| roster.account != me);
        WhenFull::for_accounts(others.count())
    }

    /// What the sender said, and what the conversation says where the sender said nothing.
    fn details(&self, item: &Submission) -> Details {
        let mut details = item.details.clone();
        if details.expire_in == 0
            && let Some(conversation) = self.conversations.get(&item.conversation)
        {
            details.expire_in = conversation.expire_in;
        }
        details
    }

    /// How long a message waits for its readers that disappears so many seconds after reading.
    fn life(&self, expire_in: i64) -> Duration {
        let longest = self.gateway.limits.message_life;
        match u64::try_from(expire_in) {
            Ok(seconds) if seconds > 0 => {
                longest.min(EXPIRING_EXTRA.saturating_add(Duration::from_secs(seconds)))
            }
            _ => longest,
        }
    }
}

/// How many of the messages that make so many rows each go to the store together: at least one.
fn at_once(rows: impl Iterator<Item = usize>) -> usize {
    let mut sum: usize = 0;
    let fits = rows.take_while(|rows| {
        sum = sum.saturating_add(*rows);
        sum <= ROWS_AT_ONCE
    });
    fits.count().max(1)
}

/// The same values, each once. Nearly always there is only one of them, or a handful.
fn distinct<T: Ord>(values: impl Iterator<Item = T>) -> Vec<T> {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    values.dedup();
    values
}

/// What all readers share, and each session's own part.
fn split(content: &Content, audience: &Audience) -> (bytes::Bytes, Vec<Slot>) {
    let slot =
        |roster: &Roster, session, bytes| Slot { shard: roster.account.shard(), session, bytes };
    match content {
        Content::Plain(body) => {
            let members = audience.members();
            let slots = members.map(|(roster, it)| slot(roster, it.number, bytes::Bytes::new()));
            (body.clone(), slots.collect())
        }
        Content::Sealed(sealed) => {
            let slots = sealed.slots.iter().filter_map(|(session, bytes)| {
                let (roster, member) = audience.member(*session)?;
                Some(slot(roster, member.number, bytes.clone()))
            });
            (sealed.body.clone(), slots.collect())
        }
    }
}

async fn find_conversations(
    gateway: &Gateway,
    ids: &[ConversationId],
    fresh: bool,
) -> Result<HashMap<ConversationId, Conversation>, Fault> {
    let found = match fresh {
        true => gateway.store.fresh_conversations(ids).await?,
        false => gateway.store.conversations(ids).await?,
    };
    Ok(found.into_iter().map(|one| (one.id, one)).collect())
}

async fn find_rosters(
    gateway: &Gateway,
    users: &[UserId],
    fresh: bool,
) -> Result<HashMap<UserId, Arc<Roster>>, Fault> {
    let rosters = match fresh {
        true => gateway.store.fresh_rosters(users).await?,
        false => gateway.store.rosters(users).await?,
    };
    Ok(rosters.into_iter().map(|roster| (roster.user, roster)).collect())
}

/// Nobody gets a message that is for them alone from somebody they have blocked.
async fn refuse_blocked(
    gateway: &Gateway,
    sender: &SessionOwner,
    targets: &mut HashMap<Address, Result<Target, Refusal>>,
) -> Result<(), Fault> {
    let singles = targets.values().filter_map(|target| target.as_ref().ok()?.single);
    let singles: Vec<AccountNumber> = distinct(singles);
    let blockers = gateway.blockers(sender.account.number, &singles).await?;
    for target in targets.values_mut().filter(|_| !blockers.is_empty()) {
        let single = target.as_ref().ok().and_then(|target| target.single);
        if single.is_some_and(|single| blockers.contains(&single)) {
            *target = Err(Refusal::Blocked);
        }
    }
    Ok(())
}

/// Those of `users` that share a conversation with the sender.
async fn companions(
    gateway: &Gateway,
    sender: &SessionOwner,
    users: Vec<UserId>,
) -> Result<HashSet<UserId>, Fault> {
    if users.is_empty() {
        return Ok(HashSet::new());
    }
    let found = gateway.store.companions_among(sender.account.number, &users).await?;
    Ok(found.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_to_few_are_stored_together_and_those_to_many_part_by_part() {
        assert_eq!(at_once([2; 100].into_iter()), 100);
        assert_eq!(at_once([510; 100].into_iter()), 16);
        assert_eq!(at_once([ROWS_AT_ONCE + 1, 1].into_iter()), 1);
    }
}
