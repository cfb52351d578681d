//! The heart: what becomes of a batch of messages.
//!
//! Each item gets a [`Verdict`] of its own; a bad one never fails the others. The order of the
//! questions matters: an id that was accepted before is a duplicate whatever the roster is by now,
//! because the retry of a lost answer must never fail; only then does the roster decide. The store
//! asks both questions again inside its transaction, so a cache can be stale and still never let
//! a message through to an old list.

mod digest;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sealpost_sdk::checksum::Checksum;
use sealpost_sdk::keys::AgreementKey;

use super::account::contact_conversation_id;
use super::conversation::{ContactPair, Conversation};
use super::error::Fault;
use super::gateway::Gateway;
use super::ids::{ConversationId, ConversationNumber, MessageId, SessionId, UserId};
use super::inbox::{Acceptance, Accepted, Details, Guard, Slot};
use super::ports::Hint;
use super::roster::{Difference, Roster};
use super::session::SessionOwner;
use digest::digest_of;

/// One message as its sender posted it, already read and found well-formed.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The sender's id for it.
    pub message_id: MessageId,
    /// Where it belongs.
    pub conversation: ConversationId,
    /// For whom it is; `None` for everybody else in the conversation.
    pub recipient: Option<UserId>,
    /// What kind of content is inside, in the words of the dialect.
    pub category: String,
    /// The sender's idea of the roster.
    pub checksum: Checksum,
    /// The sessions that the sender says it sealed for, when it says so apart from the envelope.
    pub named_sessions: Option<Vec<SessionId>>,
    /// The sealed content.
    pub content: SealedContent,
    /// What only a few messages have.
    pub details: Details,
}

/// Sealed content, taken apart.
#[derive(Clone, Debug)]
pub struct SealedContent {
    /// The public key that the content says it comes from.
    pub sender_key: AgreementKey,
    /// The parts that all recipients share.
    pub body: Bytes,
    /// Each session's own part.
    pub slots: Vec<(SessionId, Bytes)>,
}

/// What became of one message.
#[derive(Debug)]
pub enum Verdict {
    /// On disk; every session of this roster gets it.
    Accepted(Arc<Roster>),
    /// The very same message was accepted before; the recipient's roster by now, if any.
    Duplicate(Option<Arc<Roster>>),
    /// The sender's list is stale. Nothing was stored.
    StaleSessions(Stale),
    /// There is no such account, or no longer.
    RecipientGone,
    /// This message cannot be accepted as it is.
    Rejected(Fault),
    /// Not now, but perhaps later.
    Deferred {
        /// When to try again.
        after: Duration,
    },
}

/// A stale list, and what is wrong with it.
#[derive(Debug)]
pub struct Stale {
    /// The roster to seal for.
    pub roster: Arc<Roster>,
    /// Live sessions that were not covered.
    pub missing: Vec<SessionId>,
    /// Sessions that were covered and never belonged to the recipient.
    pub redundant: Vec<SessionId>,
    /// Sessions that were covered and have ended.
    pub deleted: Vec<SessionId>,
}

/// Why a message under an accepted id is not a duplicate. The SDK knows this reason: the message
/// that the id stands for has been delivered.
pub const MESSAGE_ID_USED: &str = "message_id_used";

/// When to try an account again that has no live session.
const NO_SESSION_RETRY: Duration = Duration::from_secs(300);

/// How often a message is compared again when its roster moves under it.
const ROUNDS: usize = 3;

impl Gateway {
    /// Decides over a batch and stores what passes; the verdicts come in the order of the items.
    ///
    /// # Errors
    /// Only when the store fails before anything was stored. When it fails later, what is not
    /// decided yet is [`Verdict::Deferred`].
    pub async fn submit(
        &self,
        sender: &SessionOwner,
        batch: &[Submission],
    ) -> Result<Vec<Verdict>, Fault> {
        let mut verdicts: Vec<Option<Verdict>> = batch.iter().map(|_| None).collect();
        if let Err(fault) = self.decide(sender, batch, &mut verdicts).await {
            if !verdicts.iter().any(is_stored) {
                return Err(fault);
            }
            // A refusal may be wrong as long as it is not known whether the id was accepted before.
            verdicts.iter_mut().filter(|verdict| !is_stored(verdict)).for_each(|it| *it = None);
        }
        let undecided = || Verdict::Deferred { after: Duration::from_secs(1) };
        Ok(verdicts.into_iter().map(|verdict| verdict.unwrap_or_else(undecided)).collect())
    }

    async fn decide(
        &self,
        sender: &SessionOwner,
        batch: &[Submission],
        verdicts: &mut [Option<Verdict>],
    ) -> Result<(), Fault> {
        let mut open: Vec<usize> = (0..batch.len()).collect();
        for round in 0..ROUNDS {
            if open.is_empty() {
                break;
            }
            let desk = Desk::open(self, sender, batch, &open, round > 0).await?;
            open = desk.decide(batch, &open, verdicts).await?;
        }
        self.recognise_duplicates(sender, batch, verdicts).await
    }

    /// Turns every refusal of a message that had been accepted before into what it is: a repeated
    /// request. The store itself answers for messages that reached it.
    async fn recognise_duplicates(
        &self,
        sender: &SessionOwner,
        batch: &[Submission],
        verdicts: &mut [Option<Verdict>],
    ) -> Result<(), Fault> {
        let refused: Vec<_> =
            batch.iter().zip(verdicts).filter(|(_, verdict)| !is_stored(verdict)).collect();
        if refused.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = refused.iter().map(|(item, _)| item.message_id).collect();
        let seen = self.store.seen(sender.account.number, &ids).await?;
        for ((item, verdict), digest) in refused.into_iter().zip(seen) {
            let Some(digest) = digest else { continue };
            *verdict = Some(if digest == digest_of(item) {
                Verdict::Duplicate(None)
            } else {
                message_id_used()
            });
        }
        Ok(())
    }
}

fn is_stored(verdict: &Option<Verdict>) -> bool {
    matches!(verdict, Some(Verdict::Accepted(_) | Verdict::Duplicate(_)))
}

fn message_id_used() -> Verdict {
    Verdict::Rejected(Fault::conflict("message_id", MESSAGE_ID_USED))
}

/// What one round of decisions needs to know, looked up for the whole batch at once. Indices of
/// items come from the batch itself and from nowhere else.
struct Desk<'a> {
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
    async fn open(
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
    async fn decide(
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
        let outside = || Fault::forbidden("the sender takes no part in this conversation");
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
            accepted_at,
            expires_at: accepted_at.plus(self.gateway.limits.message_life),
        }
    }

    /// Both rosters that were looked at: the recipient's for the slots, the sender's for the key.
    fn guards(&self, roster: &Roster) -> Vec<Guard> {
        let own = self.rosters.get(&self.sender.account.id);
        let guard = |one: &Roster| Guard { account: one.account, generation: one.generation };
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
