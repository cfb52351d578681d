//! One round of decisions over a batch: what is known, who may send, which roster counts.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use sealpost_sdk::keys::AgreementKey;

use super::{Stale, Submission, Verdict, digest_of, message_id_used};
use crate::domain::account::contact_conversation_id;
use crate::domain::conversation::{ContactPair, Conversation};
use crate::domain::error::Fault;
use crate::domain::gateway::Gateway;
use crate::domain::ids::{ConversationId, ConversationNumber, UserId};
use crate::domain::inbox::{Acceptance, Accepted, FULL_RETRY, Guard, Slot, WhenFull};
use crate::domain::ports::Hint;
use crate::domain::roster::{Difference, Roster};
use crate::domain::session::SessionOwner;

/// When to try an account again that has no live session.
const NO_SESSION_RETRY: Duration = Duration::from_secs(300);

/// What one round of decisions needs to know, looked up for the whole batch at once. Indices of
/// items come from the batch itself and from nowhere else.
pub(super) struct Desk<'a> {
    gateway: &'a Gateway,
    sender: &'a SessionOwner,
    rosters: HashMap<UserId, Arc<Roster>>,
    /// Whether the rosters come straight from the database.
    fresh: bool,
    conversations: HashMap<ConversationId, Conversation>,
}

/// A message that may go to the store, and the roster that it was compared with.
struct Passed {
    index: usize,
    roster: Arc<Roster>,
}

impl<'a> Desk<'a> {
    pub(super) async fn open(
        gateway: &'a Gateway,
        sender: &'a SessionOwner,
        batch: &[Submission],
        open: &[usize],
        fresh: bool,
    ) -> Result<Self, Fault> {
        let items = || open.iter().filter_map(|index| batch.get(*index));
        let ids: HashSet<_> = items().map(|item| item.conversation).collect();
        let ids: Vec<_> = ids.into_iter().collect();
        let found = gateway.store.conversations(&ids).await?;
        let conversations: HashMap<_, _> = found.into_iter().map(|one| (one.id, one)).collect();

        let mut users: HashSet<_> =
            items().filter_map(|item| recipient(item, sender.account.id, &conversations)).collect();
        users.insert(sender.account.id);
        let users: Vec<_> = users.into_iter().collect();
        let rosters = match fresh {
            true => gateway.store.fresh_rosters(&users).await?,
            false => gateway.store.rosters(&users).await?,
        };
        let rosters = rosters.into_iter().map(|roster| (roster.user, roster)).collect();
        Ok(Self { gateway, sender, rosters, fresh, conversations })
    }

    /// Fills in verdicts; returns the items that another look at the rosters has to decide: those
    /// whose roster moved while they were being stored, and those that a cached roster speaks
    /// against, because the sender may know more than the cache.
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
            verdicts[index] = match self.admit(item).map(|user| self.compare(item, user)) {
                Err(fault) => Some(Verdict::Rejected(fault)),
                Ok(Ok(roster)) => {
                    passed.push(Passed { index, roster });
                    None
                }
                Ok(Err(_)) if !self.fresh => {
                    again.push(index);
                    None
                }
                Ok(Err(Verdict::StaleSessions(stale))) => Some(self.tell_ended(stale).await?),
                Ok(Err(verdict)) => Some(verdict),
            };
        }
        again.extend(self.store(batch, passed, verdicts).await?);
        // Messages for one account keep their order.
        again.sort_unstable();
        Ok(again)
    }

    /// Stores what passed; returns the items whose roster moved meanwhile.
    async fn store(
        &self,
        batch: &[Submission],
        passed: Vec<Passed>,
        verdicts: &mut [Option<Verdict>],
    ) -> Result<Vec<usize>, Fault> {
        if passed.is_empty() {
            return Ok(Vec::new());
        }
        let numbers = self.conversation_numbers(batch, &passed).await?;
        let acceptances = (passed.iter().zip(numbers))
            .map(|(pass, number)| self.acceptance(&batch[pass.index], &pass.roster, number))
            .collect();
        let results = self.gateway.store.accept(acceptances).await?;
        let mut moved = Vec::new();
        let mut woken = Vec::new();
        for (pass, result) in passed.into_iter().zip(results) {
            verdicts[pass.index] = match result {
                Accepted::Stored(_) => {
                    woken.extend(pass.roster.members.iter().map(|member| member.number));
                    Some(Verdict::Accepted(pass.roster))
                }
                Accepted::Duplicate => Some(Verdict::Duplicate(Some(pass.roster))),
                Accepted::MessageIdUsed => Some(message_id_used()),
                Accepted::Full => Some(Verdict::Deferred { after: FULL_RETRY }),
                Accepted::RosterMoved => {
                    moved.push(pass.index);
                    None
                }
            };
        }
        if !woken.is_empty() {
            self.gateway.bus.publish(Hint::Wake(woken.into()));
        }
        Ok(moved)
    }

    /// Compares an item with the rosters: the one to store for, or what speaks against it.
    fn compare(&self, item: &Submission, recipient: UserId) -> Result<Arc<Roster>, Verdict> {
        let Some(roster) = self.rosters.get(&recipient) else {
            return Err(Verdict::RecipientGone);
        };
        if roster.members.is_empty() {
            return Err(Verdict::Deferred { after: NO_SESSION_RETRY });
        }
        let sealed_for: Vec<_> = item.content.slots.iter().map(|(session, _)| *session).collect();
        let Difference { missing, surplus } = roster.difference(&sealed_for);
        let rejected = |reason| Err(Verdict::Rejected(Fault::invalid("data_base64", reason)));
        if item.checksum != roster.checksum {
            let (roster, deleted) = (roster.clone(), Vec::new());
            return Err(Verdict::StaleSessions(Stale {
                roster,
                missing,
                redundant: surplus,
                deleted,
            }));
        }
        if !missing.is_empty() || !surplus.is_empty() {
            return rejected("covers other sessions than the checksum stands for");
        }
        if !self.is_senders_key(&item.content.sender_key) {
            return rejected("the header's key belongs to no live session of the sender");
        }
        Ok(roster.clone())
    }

    /// Tells sessions that have ended from those that never belonged to the recipient.
    async fn tell_ended(&self, stale: Stale) -> Result<Verdict, Fault> {
        let Stale { roster, missing, redundant: surplus, .. } = stale;
        let ended = match surplus.is_empty() {
            true => Vec::new(),
            false => self.gateway.store.ended_among(roster.account, &surplus).await?,
        };
        let (deleted, redundant) = surplus.into_iter().partition(|session| ended.contains(session));
        Ok(Verdict::StaleSessions(Stale { roster, missing, redundant, deleted }))
    }

    /// Whether the sender may send this at all, and to whom it goes.
    fn admit(&self, item: &Submission) -> Result<UserId, Fault> {
        if let Some(named) = &item.named_sessions {
            let named: HashSet<_> = named.iter().collect();
            let sealed: HashSet<_> =
                item.content.slots.iter().map(|(session, _)| session).collect();
            if named != sealed {
                return Err(Fault::invalid("recipient_sessions", "differ from the envelope's"));
            }
        }
        let sender = self.sender.account.id;
        let outside = || {
            let reason = "the sender takes no part in this conversation";
            Fault::forbidden_field("conversation_id", reason)
        };
        if item.recipient == Some(sender) {
            return Err(Fault::invalid("recipient_id", "is the sender"));
        }
        let Some(conversation) = self.conversations.get(&item.conversation) else {
            let recipient = item.recipient.ok_or_else(outside)?;
            let is_theirs = item.conversation == contact_conversation_id(sender, recipient);
            return if is_theirs { Ok(recipient) } else { Err(outside()) };
        };
        if !conversation.has(sender) {
            return Err(outside());
        }
        let recipient = recipient(item, sender, &self.conversations).ok_or_else(outside)?;
        if !conversation.has(recipient) {
            let reason = "takes no part in this conversation";
            return Err(Fault::invalid("recipient_id", reason));
        }
        Ok(recipient)
    }

    fn is_senders_key(&self, key: &AgreementKey) -> bool {
        let roster = self.rosters.get(&self.sender.account.id);
        roster.is_some_and(|roster| roster.has_key(key))
    }

    /// The conversations' numbers, in the order of `passed`; those that do not exist yet are made.
    async fn conversation_numbers(
        &self,
        batch: &[Submission],
        passed: &[Passed],
    ) -> Result<Vec<ConversationNumber>, Fault> {
        let mut numbers: HashMap<_, _> =
            self.conversations.values().map(|one| (one.id, one.number)).collect();
        let creator = self.sender.account.number;
        let new: Vec<_> = (passed.iter())
            .map(|pass| (batch[pass.index].conversation, pass.roster.account))
            .filter(|(id, _)| !numbers.contains_key(id))
            .map(|(id, other)| ContactPair { id, creator, other })
            .collect();
        if !new.is_empty() {
            let made = self.gateway.store.ensure_contacts(&new, self.gateway.clock.now()).await?;
            numbers.extend(new.iter().zip(made).map(|(pair, number)| (pair.id, number)));
        }
        Ok(passed.iter().map(|pass| numbers[&batch[pass.index].conversation]).collect())
    }

    fn acceptance(
        &self,
        item: &Submission,
        roster: &Roster,
        conversation: ConversationNumber,
    ) -> Acceptance {
        let shard = roster.account.shard();
        let slots = item.content.slots.iter().filter_map(|(session, bytes)| {
            let member = roster.member(*session)?;
            Some(Slot { shard, session: member.number, bytes: bytes.clone() })
        });
        let accepted_at = self.gateway.clock.now();
        Acceptance {
            sender: self.sender.account.number,
            sender_session: self.sender.session.number,
            conversation,
            message_id: item.message_id,
            digest: digest_of(item),
            category: item.category.clone(),
            body: item.content.body.clone(),
            details: item.details.clone(),
            slots: slots.collect(),
            guards: self.guards(roster),
            quota: self.gateway.quota(WhenFull::for_accounts(1)),
            accepted_at,
            expires_at: accepted_at.plus(self.gateway.limits.message_life),
        }
    }

    /// Both rosters that were looked at: the recipient's for the slots, the sender's for the key.
    fn guards(&self, roster: &Roster) -> Vec<Guard> {
        let own = self.rosters.get(&self.sender.account.id);
        let guard =
            |one: &Roster| Guard::Roster { account: one.account, generation: one.generation };
        own.map(|own| guard(own)).into_iter().chain([guard(roster)]).collect()
    }
}

/// For whom an item is: the account it names, or the other side of a contact conversation.
fn recipient(
    item: &Submission,
    sender: UserId,
    conversations: &HashMap<ConversationId, Conversation>,
) -> Option<UserId> {
    item.recipient.or_else(|| {
        let conversation = conversations.get(&item.conversation)?;
        conversation.others(sender).next().map(|participant| participant.user)
    })
}
