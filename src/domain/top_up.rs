//! Adding slots to a message that did not cover everybody, without sending its body again.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sealpost_sdk::checksum::Checksum;

use super::audience::Audience;
use super::clock::Timestamp;
use super::error::Fault;
use super::gateway::Gateway;
use super::ids::{AccountNumber, MessageId, Order, SessionId, SessionNumber, UserId};
use super::inbox::{FULL_RETRY, Guard, InboxKey, Quota, Slot, WhenFull};
use super::ports::Hint;
use super::roster::Difference;
use super::session::SessionOwner;
use super::submit::{Stale, Verdict};

/// Who may still get a message that was stored for some, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUpOffer {
    /// The accounts that it was for.
    pub users: Vec<UserId>,
    /// The session of those that it was not for.
    pub left_out: Option<SessionId>,
    /// When it is too late.
    pub until: Timestamp,
}

/// A message that may get more slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenTopUp {
    /// The message's place.
    pub order: Order,
    /// Who may still get it.
    pub offer: TopUpOffer,
    /// Whom it was stored for by now.
    pub stored_for: Vec<InboxKey>,
}

/// Slots on their way to the store.
#[derive(Clone, Debug)]
pub struct SlotAddition {
    /// Who sent the message.
    pub sender: AccountNumber,
    /// The sender's id for it.
    pub message_id: MessageId,
    /// The message's place.
    pub order: Order,
    /// What is added.
    pub slots: Vec<Slot>,
    /// The generations of the rosters that were looked at.
    pub guards: Vec<Guard>,
    /// How much may wait for each of their sessions.
    pub quota: Quota,
    /// Whether nobody is missing then, so that the message is as any other.
    pub completes: bool,
    /// The present moment.
    pub now: Timestamp,
}

/// What became of a [`SlotAddition`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotsAdded {
    /// The rows are there.
    Added,
    /// It was too late.
    Gone,
    /// A roster has changed since it was looked at; nothing was added.
    RosterMoved,
    /// The inbox of a session that is in use is full; nothing was added.
    Full,
}

/// Slots as their sender posted them.
#[derive(Clone, Debug)]
pub struct TopUp {
    /// The message that they belong to.
    pub message_id: MessageId,
    /// The sender's idea of all live sessions of the message's recipients.
    pub checksum: Checksum,
    /// Each session's own part.
    pub slots: Vec<(SessionId, Bytes)>,
}

/// How often slots are compared again when a roster moves under them.
const ROUNDS: usize = 3;

const NOT_FOUND: Fault = Fault::NotFound { what: "message that lacks slots" };

impl Gateway {
    /// Adds slots for sessions that a message of the sender's did not cover. The verdict is one of
    /// [`Verdict::Accepted`], [`Verdict::AcceptedForSome`], [`Verdict::StaleSessions`] and
    /// [`Verdict::Deferred`].
    ///
    /// # Errors
    /// [`Fault::NotFound`] when nobody is missing, it is too late, or the sender sent no such
    /// message; [`Fault::Forbidden`] when the only recipient has blocked the sender since;
    /// [`Fault::Invalid`] when a slot is for none of its recipients or for one session twice.
    pub async fn top_up(&self, sender: &SessionOwner, top_up: &TopUp) -> Result<Verdict, Fault> {
        let mut seen = HashSet::new();
        if !top_up.slots.iter().all(|(session, _)| seen.insert(*session)) {
            return Err(Fault::invalid("slots", "name a session twice"));
        }
        for _ in 0..ROUNDS {
            if let Some(verdict) = self.try_top_up(sender, top_up).await? {
                return Ok(verdict);
            }
        }
        Ok(Verdict::Deferred { after: Duration::from_secs(1) })
    }

    /// `None` when a roster moved meanwhile.
    async fn try_top_up(
        &self,
        sender: &SessionOwner,
        top_up: &TopUp,
    ) -> Result<Option<Verdict>, Fault> {
        let (now, sender) = (self.clock.now(), sender.account.number);
        let open = self.store.open_top_up(sender, top_up.message_id, now).await?;
        let open = open.ok_or(NOT_FOUND)?;
        let rosters = self.store.fresh_rosters(&open.offer.users).await?;
        let others: Vec<_> =
            rosters.iter().map(|one| one.account).filter(|account| *account != sender).collect();
        if others.len() == 1 && !self.blockers(sender, &others).await?.is_empty() {
            return Err(Fault::forbidden("this account has blocked the sender"));
        }
        let guards = rosters.iter().map(|roster| roster.guard()).collect();
        let audience = Arc::new(Audience::new(rosters, open.offer.left_out));
        let stored: HashSet<SessionNumber> =
            open.stored_for.iter().map(|inbox| inbox.session).collect();
        let plan = Plan::new(top_up, audience, &stored)?;
        if plan.is_stale(top_up) {
            let Plan { audience, missing, surplus, .. } = plan;
            let difference = Difference { missing, surplus };
            let stale = self.tell_ended(audience, difference).await?;
            return Ok(Some(Verdict::StaleSessions(stale)));
        }
        if !plan.surplus.is_empty() {
            return Err(Fault::invalid(
                "slots",
                "are for a session that is none of the recipients'",
            ));
        }
        let addition = SlotAddition {
            sender,
            message_id: top_up.message_id,
            order: open.order,
            slots: plan.slots.clone(),
            guards,
            quota: self.quota(WhenFull::for_accounts(others.len())),
            completes: plan.left.is_empty(),
            now,
        };
        match self.store.add_slots(addition).await? {
            SlotsAdded::RosterMoved => return Ok(None),
            SlotsAdded::Gone => return Err(NOT_FOUND),
            SlotsAdded::Full => return Ok(Some(Verdict::Deferred { after: FULL_RETRY })),
            SlotsAdded::Added => {}
        }
        let woken: Vec<_> = plan.slots.iter().map(|slot| slot.session).collect();
        if !woken.is_empty() {
            self.bus.publish(Hint::Wake(woken.into()));
        }
        Ok(Some(plan.verdict()))
    }

    /// Closes top-ups whose time is over, at most `limit`; returns how many.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn close_top_ups(&self, limit: u32) -> Result<u64, Fault> {
        self.store.close_top_ups(self.clock.now(), limit).await
    }
}

/// What a top-up comes to.
struct Plan {
    audience: Arc<Audience>,
    /// Live sessions that do not have the message.
    missing: Vec<SessionId>,
    /// Those of them that the top-up has no slot for.
    left: Vec<SessionId>,
    /// Sessions that the top-up has slots for and that are none of the recipients'.
    surplus: Vec<SessionId>,
    /// What there is to add.
    slots: Vec<Slot>,
}

impl Plan {
    fn new(
        top_up: &TopUp,
        audience: Arc<Audience>,
        stored: &HashSet<SessionNumber>,
    ) -> Result<Self, Fault> {
        let lacking = audience.members().filter(|(_, member)| !stored.contains(&member.number));
        let missing: Vec<_> = lacking.map(|(_, member)| member.session).collect();
        if missing.is_empty() {
            return Err(NOT_FOUND);
        }
        let mut plan =
            Self { audience, missing, left: Vec::new(), surplus: Vec::new(), slots: Vec::new() };
        let mut covered = HashSet::new();
        for (session, bytes) in &top_up.slots {
            covered.insert(*session);
            match plan.audience.member(*session) {
                None => plan.surplus.push(*session),
                Some((_, member)) if stored.contains(&member.number) => {}
                Some((roster, member)) => plan.slots.push(Slot {
                    shard: roster.account.shard(),
                    session: member.number,
                    bytes: bytes.clone(),
                }),
            }
        }
        let left = plan.missing.iter().filter(|session| !covered.contains(*session));
        plan.left = left.copied().collect();
        Ok(plan)
    }

    fn is_stale(&self, top_up: &TopUp) -> bool {
        top_up.checksum != self.audience.checksum()
    }

    fn verdict(self) -> Verdict {
        if self.left.is_empty() {
            return Verdict::Accepted(self.audience);
        }
        Verdict::AcceptedForSome(Stale {
            audience: self.audience,
            missing: self.left,
            redundant: Vec::new(),
            deleted: Vec::new(),
        })
    }
}
