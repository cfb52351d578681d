//! Introducing: a device leaves the beginning of a key agreement for another one, which confirms
//! it. That makes the two a pair, and the chat of their accounts.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::Messenger;
use super::actor::Actor;
use super::event::MemberEvent;
use super::introduction::{
    Confirmation, Confirmed, Introduced, Introduction, IntroductionId, NewIntroduction, Page, Room,
};
use super::key_text;
use crate::domain::Gateway;
use crate::domain::error::Fault;
use crate::domain::ids::{ConversationId, SessionId, UserId};

/// How long an introduction waits.
pub const INTRODUCTION_LIFE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The longest first message, in bytes. It is no more than the beginning of a key agreement.
pub const FIRST_MESSAGE_LIMIT: usize = 16 * 1024;

/// The field of the refusal of an introduction to the sender itself.
pub const ITSELF: &str = "recipient";

/// What a device leaves for another one.
#[derive(Clone, Debug)]
pub struct Greeting {
    /// The device that it is for.
    pub to: SessionId,
    /// The ephemeral key.
    pub ephemeral_key: String,
    /// The sender's own agreement key.
    pub sender_key: String,
    /// The recipient's one-time prekey that was used; empty for none.
    pub one_time_key: String,
    /// The first message.
    pub ciphertext: String,
}

/// Which devices a confirmation names, and which chat it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terms {
    /// The two devices; they have to be those of the introduction.
    Devices {
        /// The one that introduced itself.
        from: SessionId,
        /// The one that confirms.
        to: SessionId,
    },
    /// The chat; it is made if its id is free, and has to be theirs otherwise.
    Chat(ConversationId),
}

impl Messenger {
    /// Leaves introductions, all of them or none, in the order in which they are given. When `user`
    /// is named all devices have to be that member's. When as many wait for a device as one sender
    /// may have there, the oldest goes.
    ///
    /// # Errors
    /// [`Fault::Invalid`] for an introduction to the sender itself, for two to one device and for
    /// texts that cannot be used, [`Fault::NotFound`] (`device`), [`Fault::Conflict`] (`otpk_used`) when a prekey is not
    /// there any more, [`Fault::Deferred`] when too much waits for a device.
    pub async fn introduce(
        &self,
        from: Actor,
        user: Option<UserId>,
        greetings: Vec<Greeting>,
    ) -> Result<Vec<Introduced>, Fault> {
        let most = self.policy.devices_per_message;
        if greetings.len() > most {
            let reason = format!("has {} entries, the limit is {most}", greetings.len());
            return Err(Fault::invalid("sessions_init", reason));
        }
        if user == Some(from.user) || greetings.iter().any(|one| one.to == from.device) {
            return Err(Fault::invalid(ITSELF, "is the sender itself"));
        }
        greetings.iter().try_for_each(|one| self.check_greeting(one))?;
        check_different(&greetings)?;
        if greetings.is_empty() {
            return Ok(Vec::new());
        }
        self.check_owners(user, &greetings).await?;
        let devices: Vec<_> = greetings.iter().map(|one| one.to).collect();
        let new = greetings.into_iter().map(|one| self.new_introduction(from, one)).collect();
        let introduced = self.gateway.store.introduce(new, self.room()).await?;
        for (one, to) in introduced.iter().zip(devices).filter(|(one, _)| one.is_new) {
            let Introduced { id, at, account, user, .. } = *one;
            self.tell(account, MemberEvent::Introduction { user, id, from: from.device, to, at });
        }
        Ok(introduced)
    }

    fn room(&self) -> Room {
        Room { all: self.policy.introductions, of_one: self.policy.introductions_of_one }
    }

    /// Whether an introduction can be kept, here or at the gateway that it goes to.
    pub(super) fn check_greeting(&self, greeting: &Greeting) -> Result<(), Fault> {
        let keys = [
            ("ephemeral_pubkey", &greeting.ephemeral_key),
            ("sender_prekey_pub", &greeting.sender_key),
            ("otpk_used", &greeting.one_time_key),
        ];
        for (field, text) in keys {
            key_text::check_kept(field, text)?;
        }
        let most = self.gateway.limits.ciphertext_bytes.min(FIRST_MESSAGE_LIMIT);
        check_text("ciphertext", &greeting.ciphertext, most)?;
        if greeting.ephemeral_key.is_empty() {
            return Err(Fault::invalid("ephemeral_pubkey", "is empty"));
        }
        Ok(())
    }

    /// The store looks again whether the devices are live.
    async fn check_owners(
        &self,
        user: Option<UserId>,
        greetings: &[Greeting],
    ) -> Result<(), Fault> {
        let Some(user) = user else { return Ok(()) };
        let ids: Vec<_> = greetings.iter().map(|one| one.to).collect();
        let owners = self.gateway.store.device_owners(&ids).await?;
        let owners: HashMap<_, _> = owners.into_iter().collect();
        match ids.iter().all(|id| owners.get(id) == Some(&user)) {
            true => Ok(()),
            false => Err(Fault::NotFound { what: "device" }),
        }
    }

    fn new_introduction(&self, from: Actor, greeting: Greeting) -> NewIntroduction {
        let Greeting { to, ephemeral_key, sender_key, one_time_key, ciphertext } = greeting;
        let at = self.gateway.clock.now();
        NewIntroduction {
            id: self.gateway.random_id(),
            from: from.session,
            to,
            ephemeral_key,
            sender_key,
            one_time_key,
            ciphertext,
            at,
            expires_at: at.plus(INTRODUCTION_LIFE),
        }
    }

    /// The introductions that wait for a device, the oldest first, as many as fit into an answer.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn introductions(&self, reader: Actor) -> Result<Vec<Introduction>, Fault> {
        let Self { gateway, policy, .. } = self;
        let page = Page {
            now: gateway.clock.now(),
            limit: policy.introductions,
            max_bytes: gateway.limits.inbox_page_bytes,
        };
        gateway.store.introductions(reader.session, page).await
    }

    /// Takes an introduction: the two devices are a pair from then on.
    ///
    /// # Errors
    /// [`Fault::NotFound`] (`introduction`) when none of that id waits for this device,
    /// [`Fault::Invalid`] when the confirmation names other devices than the introduction,
    /// [`Fault::Conflict`] (`chat_id`) when it names a chat that is not theirs.
    pub async fn confirm(
        &self,
        reader: Actor,
        id: IntroductionId,
        terms: Terms,
    ) -> Result<Confirmed, Fault> {
        let (chat, insists) = match terms {
            Terms::Devices { from, to } => {
                self.check_devices(reader, id, from, to).await?;
                (self.gateway.random_id(), false)
            }
            Terms::Chat(chat) => (chat, true),
        };
        let (to, at) = (reader.session, self.gateway.clock.now());
        let confirmation = Confirmation { introduction: id, to, chat, insists, at };
        let confirmed = self.gateway.store.confirm(confirmation).await?;
        if confirmed.is_first {
            let (from, account, sender) = confirmed.from;
            let paired = |user| MemberEvent::Paired { user, from, to: reader.device };
            self.tell(reader.account, paired(reader.user));
            self.tell(account, paired(sender));
        }
        Ok(confirmed)
    }

    /// An introduction never changes, so what is read here still holds when it is taken.
    async fn check_devices(
        &self,
        reader: Actor,
        id: IntroductionId,
        from: SessionId,
        to: SessionId,
    ) -> Result<(), Fault> {
        let Gateway { store, clock, .. } = &*self.gateway;
        let found = store.introduction(reader.session, clock.now(), id).await?;
        let found = found.ok_or(Fault::NotFound { what: "introduction" })?;
        if found.from != from {
            return Err(Fault::invalid("sender_device_id", "is not that of the introduction"));
        }
        if found.to != to {
            return Err(Fault::invalid("receiver_device_id", "is not that of the introduction"));
        }
        Ok(())
    }
}

fn check_different(greetings: &[Greeting]) -> Result<(), Fault> {
    let mut named = HashSet::new();
    match greetings.iter().all(|one| named.insert(one.to)) {
        true => Ok(()),
        false => Err(Fault::invalid("recipient_device_id", "is named twice")),
    }
}

fn check_text(field: &'static str, text: &str, most: usize) -> Result<(), Fault> {
    if text.len() > most {
        let reason = format!("has {} bytes, the limit is {most}", text.len());
        return Err(Fault::invalid(field, reason));
    }
    if text.contains('\0') {
        return Err(Fault::invalid(field, "holds a NUL character"));
    }
    Ok(())
}
