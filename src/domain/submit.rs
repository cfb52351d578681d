//! The heart: what becomes of a batch of messages.
//!
//! Each item gets a [`Verdict`] of its own; a bad one never fails the others. The order of the
//! questions matters: an id that was accepted before is a duplicate whatever the roster is by now,
//! because the retry of a lost answer must never fail; only then does the roster decide. The store
//! asks both questions again inside its transaction, so a cache can be stale and still never let
//! a message through to an old list.

mod addressees;
mod compare;
mod desk;
mod digest;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sealpost_sdk::checksum::Checksum;
use sealpost_sdk::keys::AgreementKey;
use sealpost_sdk::types::MESSAGE_ID_USED;

use self::desk::Desk;
use self::digest::digest_of;
use super::account::Dialect;
use super::audience::Audience;
use super::error::Fault;
use super::gateway::Gateway;
use super::ids::{ConversationId, MessageId, SessionId, UserId};
use super::inbox::Details;
use super::measures::Outcome;
use super::roster::Difference;
use super::session::SessionOwner;

/// One message as its sender posted it, already read and found well-formed.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The sender's id for it.
    pub message_id: MessageId,
    /// Where it belongs.
    pub conversation: ConversationId,
    /// For whom it is.
    pub to: Addressees,
    /// What kind of content is inside, in the words of the dialect.
    pub category: String,
    /// The sender's idea of the audience. Sealed content always comes with one.
    pub checksum: Option<Checksum>,
    /// The sessions that the sender says it sealed for, when it says so apart from the envelope.
    pub named_sessions: Option<Vec<SessionId>>,
    /// What readers get.
    pub content: Content,
    /// What becomes of it when the sender's list is stale.
    pub on_stale: OnStale,
    /// What only a few messages have.
    pub details: Details,
}

/// For whom a message is; all of them but the first are worked out from the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Addressees {
    /// The live sessions of one account.
    One(UserId),
    /// The live sessions of all participants but the sender.
    Others,
    /// The live sessions of all participants, the sender's own other devices included: what
    /// `participant_sessions` of the conversation listed for the sending session.
    Everyone,
}

impl Addressees {
    /// The account that the sender named, if it named one.
    #[must_use]
    pub fn named(self) -> Option<UserId> {
        match self {
            Self::One(user) => Some(user),
            Self::Others | Self::Everyone => None,
        }
    }
}

/// What becomes of a message whose sender's list is stale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnStale {
    /// Nothing is stored.
    #[default]
    Reject,
    /// It is stored for those of its sessions that are live; the others may get it by a top-up.
    DeliverKnown,
}

/// What is inside a message.
#[derive(Clone, Debug)]
pub enum Content {
    /// Sealed by the sender for each session.
    Sealed(SealedContent),
    /// Readable by the gateway; the same bytes for everybody.
    Plain(Bytes),
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
    /// On disk; every session of this audience gets it.
    Accepted(Arc<Audience>),
    /// On disk for those of the audience that are not missing.
    AcceptedForSome(Stale),
    /// The very same message was accepted before; its audience by now, if any.
    Duplicate(Option<Arc<Audience>>),
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

impl Verdict {
    /// As what it is counted.
    fn outcome(&self) -> Outcome {
        match self {
            Self::Accepted(_) => Outcome::Accepted,
            Self::AcceptedForSome(_) => Outcome::AcceptedForSome,
            Self::Duplicate(_) => Outcome::Duplicate,
            Self::StaleSessions(_) => Outcome::StaleSessions,
            Self::RecipientGone => Outcome::RecipientGone,
            Self::Rejected(_) => Outcome::Rejected,
            Self::Deferred { .. } => Outcome::Deferred,
        }
    }
}

/// A stale list, and what is wrong with it.
#[derive(Debug)]
pub struct Stale {
    /// Whom to seal for.
    pub audience: Arc<Audience>,
    /// Live sessions that were not covered.
    pub missing: Vec<SessionId>,
    /// Sessions that were covered and never belonged to the audience's accounts.
    pub redundant: Vec<SessionId>,
    /// Sessions that were covered and have ended.
    pub deleted: Vec<SessionId>,
}

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
        let verdicts: Vec<Verdict> =
            verdicts.into_iter().map(|verdict| verdict.unwrap_or_else(undecided)).collect();
        for verdict in &verdicts {
            self.measures.message(Dialect::Mixin, verdict.outcome());
        }
        Ok(verdicts)
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

impl Gateway {
    /// Tells sessions that have ended from those that never belonged to the audience's accounts.
    pub(super) async fn tell_ended(
        &self,
        audience: Arc<Audience>,
        difference: Difference,
    ) -> Result<Stale, Fault> {
        let Difference { missing, surplus } = difference;
        let ended = match surplus.is_empty() {
            true => Vec::new(),
            false => {
                let accounts: Vec<_> =
                    audience.rosters().iter().map(|roster| roster.account).collect();
                self.store.ended_among(&accounts, &surplus).await?
            }
        };
        let (deleted, redundant) = surplus.into_iter().partition(|session| ended.contains(session));
        Ok(Stale { audience, missing, redundant, deleted })
    }
}

fn is_stored(verdict: &Option<Verdict>) -> bool {
    use Verdict::{Accepted, AcceptedForSome, Duplicate};
    matches!(verdict, Some(Accepted(_) | AcceptedForSome(_) | Duplicate(_)))
}

fn message_id_used() -> Verdict {
    Verdict::Rejected(Fault::conflict("message_id", MESSAGE_ID_USED))
}
