//! Sending: each device that a message names gets a part of its own, or nobody gets anything.
//!
//! Sender and recipient take part in the chat, the sending device is live, and the others are the
//! recipient's. That is decided
//! on what was read; the store compares the generations again in its transaction.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::Messenger;
use super::actor::Actor;
use super::chat::LatestMessage;
use super::content::{HUSHNET, Sealed, Shared};
use super::event::MemberEvent;
use super::member::Member;
use crate::domain::account::Dialect;
use crate::domain::clock::Timestamp;
use crate::domain::conversation::Conversation;
use crate::domain::error::Fault;
use crate::domain::ids::{ConversationId, MessageId, SessionId, UserId};
use crate::domain::inbox::{
    Acceptance, Accepted, Details, FULL_RETRY, Guard, MessageDigest, Slot, WhenFull,
};
use crate::domain::measures::Outcome;

/// How often a message is compared again when its recipient changes under it.
const ROUNDS: usize = 3;

/// When a sender should try again whose recipient changed all the time.
const MOVED_RETRY: Duration = Duration::from_secs(1);

/// The longest id that a sender may choose for a message, in bytes.
pub const LOGICAL_LIMIT: usize = 256;

/// The longest header, in bytes of JSON.
pub const HEADER_LIMIT: usize = 16 * 1024;

/// A message on its way to one member.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Where it belongs.
    pub chat: ConversationId,
    /// The sender's own id for it. The same one for the same devices is the same message.
    pub logical: String,
    /// Who gets it.
    pub to: UserId,
    /// What each device gets. A device that is named again gets the first part.
    pub parts: Vec<Part>,
}

/// What one device gets.
#[derive(Clone, Debug)]
pub struct Part {
    /// The device.
    pub device: SessionId,
    /// What it gets.
    pub sealed: Sealed,
}

/// A message that is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its id.
    pub id: MessageId,
    /// When it came; now, if it had come before.
    pub at: Timestamp,
    /// Whether it came just now, and not before.
    pub is_new: bool,
}

/// What was read about a message, and speaks for it.
struct Passed {
    own: Arc<Member>,
    chat: Conversation,
    to: Arc<Member>,
    slots: Vec<Slot>,
}

impl Messenger {
    /// Stores a message for all the devices that it names, or for none. One that repeats an earlier
    /// one is that one.
    ///
    /// # Errors
    /// [`Fault::Invalid`] when something is too long or too many, [`Fault::NotFound`] (`chat`,
    /// `user`, `device`), [`Fault::Forbidden`] when sender or recipient take no part in the chat,
    /// [`Fault::Deferred`] when too much waits for a device, [`Fault::Unauthorized`] when the sending
    /// one has ended.
    pub async fn send(&self, from: Actor, message: &Outgoing) -> Result<Sent, Fault> {
        let sent = self.send_uncounted(from, message).await;
        let outcome = match &sent {
            Ok(sent) if sent.is_new => Some(Outcome::Accepted),
            Ok(_) => Some(Outcome::Duplicate),
            Err(fault) => Outcome::of_refusal(fault),
        };
        if let Some(outcome) = outcome {
            self.gateway.measures.message(Dialect::HushNet, outcome);
        }
        sent
    }

    async fn send_uncounted(&self, from: Actor, message: &Outgoing) -> Result<Sent, Fault> {
        self.check(message)?;
        let id = message_id(from, message);
        for round in 0..ROUNDS {
            let fresh = round > 0;
            let began = self.gateway.clock.now();
            let passed = match self.pass(from, message, fresh).await {
                Ok(passed) => passed,
                Err(fault) if fault.is_ours() => return Err(fault),
                // Something remembered does not turn anybody away.
                Err(_) if !fresh => continue,
                // The retry of a lost answer must not fail, whatever has changed meanwhile.
                Err(_) if self.was_sent(from, id).await? => return Ok(self.sent(id)),
                Err(fault) => return Err(fault),
            };
            if passed.slots.is_empty() {
                return Ok(self.sent(id));
            }
            let acceptance = self.acceptance(from, message, &passed, id);
            match self.gateway.accept(began, vec![acceptance]).await?.pop() {
                Some(Accepted::Stored(_)) => return Ok(self.stored(&passed, id)),
                Some(Accepted::Duplicate | Accepted::MessageIdUsed) => return Ok(self.sent(id)),
                Some(Accepted::Full) => return Err(Fault::Deferred { retry_after: FULL_RETRY }),
                Some(Accepted::RosterMoved) | None => {}
            }
        }
        Err(Fault::Deferred { retry_after: MOVED_RETRY })
    }

    /// Whether a message can be sent, here or to another gateway.
    ///
    /// # Errors
    /// [`Fault::Invalid`].
    pub(super) fn check(&self, message: &Outgoing) -> Result<(), Fault> {
        let within = |field: &'static str, actual: usize, most: usize| match actual <= most {
            true => Ok(()),
            false => Err(Fault::invalid(field, format!("has {actual}, the limit is {most}"))),
        };
        if message.logical.is_empty() {
            return Err(Fault::invalid("logical_msg_id", "is empty"));
        }
        if message.logical.chars().any(char::is_control) {
            return Err(Fault::invalid("logical_msg_id", "holds a control character"));
        }
        within("bytes of logical_msg_id", message.logical.len(), LOGICAL_LIMIT)?;
        within("number of payloads", message.parts.len(), self.policy.devices_per_message)?;
        for part in &message.parts {
            let most = self.gateway.limits.ciphertext_bytes;
            within("bytes of header", part.sealed.header.len(), HEADER_LIMIT)?;
            within("bytes of ciphertext", part.sealed.ciphertext.len(), most)?;
        }
        Ok(())
    }

    async fn pass(&self, from: Actor, message: &Outgoing, fresh: bool) -> Result<Passed, Fault> {
        let chat = self.chat(from.user, message.chat, fresh).await?;
        if !chat.has(message.to) {
            return Err(Fault::forbidden_field("to_user_id", "takes no part in this chat"));
        }
        // The device may have ended since the request was let in.
        let own = self.look_up(from.user, fresh).await?;
        let own = own.filter(|own| own.devices.iter().any(|it| it.session == from.session));
        let own = own.ok_or_else(|| Fault::unauthorized("the device has ended"))?;
        let to = self.look_up(message.to, fresh).await?;
        let to = to.ok_or(Fault::NotFound { what: "user" })?;
        let slots = slots(&to, &message.parts)?;
        Ok(Passed { own, chat, to, slots })
    }

    async fn look_up(&self, user: UserId, fresh: bool) -> Result<Option<Arc<Member>>, Fault> {
        match fresh {
            true => self.gateway.store.fresh_member(user).await,
            false => self.gateway.store.member(user).await,
        }
    }

    async fn was_sent(&self, from: Actor, id: MessageId) -> Result<bool, Fault> {
        let seen = self.gateway.store.seen(from.account, &[id]).await?;
        Ok(seen.first().is_some_and(Option::is_some))
    }

    fn sent(&self, id: MessageId) -> Sent {
        Sent { id, at: self.gateway.clock.now(), is_new: false }
    }

    fn stored(&self, passed: &Passed, id: MessageId) -> Sent {
        let sent = Sent { is_new: true, ..self.sent(id) };
        self.latest.note(passed.chat.number, LatestMessage { id, at: sent.at });
        for _ in &passed.slots {
            let event = MemberEvent::Message { chat: passed.chat.id, user: passed.to.user };
            self.tell(passed.to.account, event);
        }
        sent
    }

    fn acceptance(
        &self,
        from: Actor,
        message: &Outgoing,
        passed: &Passed,
        id: MessageId,
    ) -> Acceptance {
        let (gateway, Passed { own, chat, to, slots }) = (&self.gateway, passed);
        let accepted_at = gateway.clock.now();
        let roster = |it: &Member| Guard::Roster { account: it.account, generation: it.generation };
        let mut guards = vec![roster(to), roster(own)];
        if chat.is_group() {
            let (conversation, generation) = (chat.number, chat.generation);
            guards.push(Guard::Conversation { conversation, generation });
        }
        let shared = Shared { logical: message.logical.clone(), to: message.to };
        Acceptance {
            sender: from.account,
            sender_session: from.session,
            conversation: chat.number,
            message_id: id,
            digest: digest_of(message),
            category: HUSHNET.to_owned(),
            body: shared.to_bytes(),
            details: Details::default(),
            slots: slots.clone(),
            guards: guards.into(),
            quota: gateway.quota(WhenFull::Defer),
            accepted_at,
            expires_at: accepted_at.plus(gateway.limits.message_life),
            top_up: None,
        }
    }
}

/// The row of each device, each once.
fn slots(to: &Member, parts: &[Part]) -> Result<Vec<Slot>, Fault> {
    let mut named = HashSet::new();
    let mut slots = Vec::with_capacity(parts.len());
    for part in parts.iter().filter(|part| named.insert(part.device)) {
        let device = to.device(part.device).ok_or(Fault::NotFound { what: "device" })?;
        let inbox = to.inbox(device);
        let bytes = part.sealed.to_bytes();
        let bytes = bytes.ok_or_else(|| Fault::invalid("header", "is too long"))?;
        slots.push(Slot { shard: inbox.shard, session: inbox.session, bytes });
    }
    Ok(slots)
}

/// The id follows from what a repetition has in common with the first try: who sends it, the
/// sender's own id, and for which devices.
fn message_id(from: Actor, message: &Outgoing) -> MessageId {
    let mut devices: Vec<_> = message.parts.iter().map(|part| part.device).collect();
    devices.sort_unstable();
    devices.dedup();
    let mut hash = Sha256::new();
    hash.update(b"hushnet message");
    hash.update(from.device.as_bytes());
    hash.update((message.logical.len() as u64).to_le_bytes());
    hash.update(&message.logical);
    devices.iter().for_each(|device| hash.update(device.as_bytes()));
    MessageId::from_bytes(half(hash))
}

fn digest_of(message: &Outgoing) -> MessageDigest {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(message.chat.as_bytes());
    part(message.to.as_bytes());
    part(message.logical.as_bytes());
    for one in &message.parts {
        part(one.device.as_bytes());
        part(&one.sealed.header);
        part(&one.sealed.ciphertext);
    }
    MessageDigest(half(hash))
}

fn half(hash: Sha256) -> [u8; 16] {
    let full: [u8; 32] = hash.finalize().into();
    let mut half = [0; 16];
    half.copy_from_slice(&full[..16]);
    half
}
