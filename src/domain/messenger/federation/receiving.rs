//! What other gateways bring for members here.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;

use super::forwarding::MOST_DEVICES;
use super::{Bundle, Federation};
use crate::domain::error::Fault;
use crate::domain::ids::{ConversationId, SessionId};
use crate::domain::messenger::actor::Actor;
use crate::domain::messenger::content::Sealed;
use crate::domain::messenger::introducing::Greeting;
use crate::domain::messenger::key_text;
use crate::domain::messenger::member::{DeviceOwner, Member};
use crate::domain::messenger::name::MemberName;
use crate::domain::messenger::node::{Address, NodeId};
use crate::domain::messenger::sending::{Outgoing, Part};

/// Introductions of one device that are looked through.
const LOOKED_THROUGH: u32 = 1000;

/// Letters that one acknowledgement drops.
const ACKNOWLEDGED: u32 = 100;

/// Who writes, as the other gateway says.
#[derive(Clone, Debug)]
pub struct ForeignSender {
    /// The member: `name@node`.
    pub address: String,
    /// The device's id there.
    pub device: SessionId,
    /// Its identity key, base64.
    pub identity_key: String,
}

/// An introduction from elsewhere.
pub type ForeignGreeting = Greeting;

/// A message from elsewhere.
#[derive(Clone, Debug)]
pub struct ForeignMessage {
    /// The sender's id for it.
    pub logical: String,
    /// For each device here its header, JSON, and ciphertext.
    pub parts: Vec<(SessionId, Bytes, Bytes)>,
}

/// What became of a message from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It waits for its devices.
    Now,
    /// It did so before.
    Before,
}

impl Federation {
    /// A member of this gateway and nobody else.
    ///
    /// # Errors
    /// [`Fault::NotFound`] (`user`).
    pub async fn local(&self, name: &str) -> Result<Arc<Member>, Fault> {
        const UNKNOWN: Fault = Fault::NotFound { what: "user" };
        let name = MemberName::parse(name).map_err(|_| UNKNOWN)?;
        let store = &self.messenger.gateway.store;
        let user = store.member_named(&name, None).await?.ok_or(UNKNOWN)?;
        store.member(user).await?.ok_or(UNKNOWN)
    }

    /// The prekeys of a member of this gateway: one of each device's is given out, unless that address
    /// has asked too often.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn keys_here(
        &self,
        member: &Member,
        by: Option<IpAddr>,
    ) -> Result<Vec<Bundle>, Fault> {
        let taken = self.messenger.take_keys(member, by).await?;
        let bundles = member.devices.iter().zip(taken).map(|(device, taken)| Bundle {
            device_id: device.id,
            identity_pubkey: device.identity_key.clone(),
            prekey_pubkey: device.agreement_key.clone(),
            signed_prekey_pub: device.signed.key.clone(),
            signed_prekey_sig: device.signed.signature.clone(),
            one_time_prekeys: taken.into_iter().collect(),
        });
        Ok(bundles.collect())
    }

    /// Leaves introductions from another gateway, all of them or none.
    ///
    /// # Errors
    /// [`Fault::Forbidden`] when that gateway does not speak for the sender, [`Fault::NotFound`]
    /// when the recipient or one of its devices is unknown, and as [`super::Messenger::introduce`].
    pub async fn take_introductions(
        &self,
        peer: &NodeId,
        sender: ForeignSender,
        to: &str,
        greetings: Vec<ForeignGreeting>,
    ) -> Result<(), Fault> {
        let recipient = self.local(to).await?;
        let from = self.sender(peer, sender).await?;
        self.messenger.introduce(Actor::from(&from), Some(recipient.user), greetings).await?;
        Ok(())
    }

    /// Takes a message from another gateway, for all of its devices or none. The sender has to have
    /// introduced itself.
    ///
    /// # Errors
    /// As [`Self::take_introductions`], and [`Fault::Forbidden`] for a stranger.
    pub async fn take_message(
        &self,
        peer: &NodeId,
        sender: ForeignSender,
        to: &str,
        message: ForeignMessage,
    ) -> Result<Taken, Fault> {
        let recipient = self.local(to).await?;
        let from = self.sender(peer, sender).await?;
        let chat = self.chat_of(&from, &recipient, &message).await?;
        let part =
            |(device, header, ciphertext)| Part { device, sealed: Sealed { header, ciphertext } };
        let parts = message.parts.into_iter().map(part).collect();
        let outgoing = Outgoing { chat, logical: message.logical, to: recipient.user, parts };
        let sent = self.messenger.send(Actor::from(&from), &outgoing).await?;
        Ok(if sent.is_new { Taken::Now } else { Taken::Before })
    }

    /// The other gateway has a letter; it need not be brought again.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn acknowledge(&self, peer: &NodeId, logical: &str) -> Result<(), Fault> {
        let store = &self.messenger.gateway.store;
        store.drop_letters(peer, logical, ACKNOWLEDGED).await?;
        Ok(())
    }

    /// The device that another gateway speaks for.
    async fn sender(&self, peer: &NodeId, sender: ForeignSender) -> Result<DeviceOwner, Fault> {
        const FIELD: &str = "from_federated_address";
        key_text::check_kept("from_identity_pubkey", &sender.identity_key)?;
        let address = Address::parse(FIELD, &sender.address)?
            .ok_or_else(|| Fault::invalid(FIELD, "has no @"))?;
        if address.node != *peer {
            return Err(Fault::forbidden_field(FIELD, "belongs to another node"));
        }
        let owner = match self.known_device(&address, sender.device).await? {
            Some(owner) => owner,
            None => {
                let device = self.remote(&address, sender.device, sender.identity_key.clone());
                self.messenger.gateway.store.note_remote_device(device).await?
            }
        };
        if owner.device.identity_key != sender.identity_key {
            let reason = "is another one than on file for this device";
            return Err(Fault::forbidden_field("from_identity_pubkey", reason));
        }
        Ok(owner)
    }

    /// A device elsewhere that was heard of before.
    async fn known_device(
        &self,
        who: &Address,
        id_there: SessionId,
    ) -> Result<Option<DeviceOwner>, Fault> {
        let store = &self.messenger.gateway.store;
        let Some(member) = store.member(self.ids.member(who)).await? else { return Ok(None) };
        let device = member.device(self.ids.here(&who.node, id_there)).cloned();
        if device.is_none() && member.devices.len() >= MOST_DEVICES {
            return Err(Fault::forbidden_field("from_device_id", "is one of too many devices"));
        }
        Ok(device.map(|device| DeviceOwner { member, device }))
    }

    /// The chat of the two, if there is one; it comes to be with the first message of somebody who
    /// has introduced itself, whether that was confirmed or not.
    async fn chat_of(
        &self,
        from: &DeviceOwner,
        to: &Member,
        message: &ForeignMessage,
    ) -> Result<ConversationId, Fault> {
        let gateway = &self.messenger.gateway;
        let known = gateway.store.companions_among(from.member.account, &[to.user]).await?;
        if known.is_empty() && !self.has_introduced(from, to, message).await? {
            let reason = "has not introduced itself to the recipient";
            return Err(Fault::forbidden_field("from_federated_address", reason));
        }
        let (id, at) = (gateway.random_id(), gateway.clock.now());
        gateway.store.ensure_chat(id, from.member.account, to.account, at).await
    }

    async fn has_introduced(
        &self,
        from: &DeviceOwner,
        to: &Member,
        message: &ForeignMessage,
    ) -> Result<bool, Fault> {
        let named = message.parts.iter().filter_map(|(device, ..)| to.device(*device));
        for device in named {
            let gateway = &self.messenger.gateway;
            let now = gateway.clock.now();
            let waiting = gateway.store.introductions(device.session, now, LOOKED_THROUGH).await?;
            if waiting.iter().any(|one| one.sender == from.member.user) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
