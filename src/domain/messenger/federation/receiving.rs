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
use crate::domain::messenger::devices::identity_key;
use crate::domain::messenger::introducing::Greeting;
use crate::domain::messenger::member::{DeviceOwner, Member};
use crate::domain::messenger::name::MemberName;
use crate::domain::messenger::node::{Address, NodeId};
use crate::domain::messenger::sending::{Outgoing, Part};

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

/// The same, as far as it can be judged without looking anything up.
struct Claimed {
    address: Address,
    device: SessionId,
    identity_key: String,
}

impl Claimed {
    fn read(peer: &NodeId, sender: ForeignSender) -> Result<Self, Fault> {
        const FIELD: &str = "from_federated_address";
        let address = Address::parse(FIELD, &sender.address)?
            .ok_or_else(|| Fault::invalid(FIELD, "has no @"))?;
        if address.node != *peer {
            return Err(Fault::forbidden_field(FIELD, "belongs to another node"));
        }
        let ForeignSender { device, identity_key: key, .. } = sender;
        if identity_key(&key).is_err() {
            return Err(Fault::invalid("from_identity_pubkey", "is no Ed25519 key in base64"));
        }
        Ok(Self { address, device, identity_key: key })
    }
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
        let sender = Claimed::read(peer, sender)?;
        let recipient = self.local(to).await?;
        if greetings.iter().any(|one| recipient.device(one.to).is_none()) {
            return Err(Fault::NotFound { what: "device" });
        }
        let known = self.known_device(&sender).await?;
        if greetings.is_empty() {
            return Ok(());
        }
        let from = self.noted(sender, known).await?;
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
        let sender = Claimed::read(peer, sender)?;
        let recipient = self.local(to).await?;
        if message.parts.iter().any(|(device, ..)| recipient.device(*device).is_none()) {
            return Err(Fault::NotFound { what: "device" });
        }
        let known = self.known_device(&sender).await?;
        let chat = self.chat_of(&sender, &recipient, &message).await?;
        let from = self.noted(sender, known).await?;
        let part =
            |(device, header, ciphertext)| Part { device, sealed: Sealed { header, ciphertext } };
        let parts = message.parts.into_iter().map(part).collect();
        let outgoing = Outgoing { chat, logical: message.logical, to: recipient.user, parts };
        let sent = self.messenger.send(Actor::from(&from), &outgoing).await?;
        Ok(if sent.is_new { Taken::Now } else { Taken::Before })
    }

    /// A device elsewhere that was heard of before.
    async fn known_device(&self, sender: &Claimed) -> Result<Option<DeviceOwner>, Fault> {
        let store = &self.messenger.gateway.store;
        let member = store.member(self.ids.member(&sender.address)).await?;
        let Some(member) = member else { return Ok(None) };
        let id = self.ids.here(&sender.address.node, sender.device);
        let Some(device) = member.device(id).cloned() else { return Ok(None) };
        if device.identity_key != sender.identity_key {
            let reason = "is another one than on file for this device";
            return Err(Fault::forbidden_field("from_identity_pubkey", reason));
        }
        Ok(Some(DeviceOwner { member, device }))
    }

    /// A device that another gateway speaks for, which is put on file if it is not yet: only when
    /// nothing speaks against what it brings.
    async fn noted(
        &self,
        sender: Claimed,
        known: Option<DeviceOwner>,
    ) -> Result<DeviceOwner, Fault> {
        if let Some(known) = known {
            return Ok(known);
        }
        let Claimed { address, device, identity_key } = sender;
        self.messenger.allowances.foreign_device(&address.node)?;
        let store = &self.messenger.gateway.store;
        let member = store.fresh_member(self.ids.member(&address)).await?;
        if let Some(member) = member.filter(|member| member.devices.len() >= MOST_DEVICES) {
            // It comes back with its next message if it is still there.
            self.end_device(&member, member.devices[0].id).await?;
        }
        store.note_remote_device(self.remote(&address, device, identity_key)).await
    }

    /// The chat of the two, if there is one; it comes to be with the first message of somebody who
    /// has introduced itself, whether that was confirmed or not.
    async fn chat_of(
        &self,
        from: &Claimed,
        to: &Member,
        message: &ForeignMessage,
    ) -> Result<ConversationId, Fault> {
        let gateway = &self.messenger.gateway;
        let stranger = || {
            let reason = "has not introduced itself to the recipient";
            Fault::forbidden_field("from_federated_address", reason)
        };
        let member = gateway.store.member(self.ids.member(&from.address)).await?;
        let member = member.ok_or_else(stranger)?;
        if let Some(chat) = gateway.store.direct_chat(member.account, to.account).await? {
            return Ok(chat);
        }
        if !self.has_introduced(&member, to, message).await? {
            return Err(stranger());
        }
        let (id, at) = (gateway.random_id(), gateway.clock.now());
        gateway.store.ensure_chat(id, member.account, to.account, at).await
    }

    async fn has_introduced(
        &self,
        from: &Member,
        to: &Member,
        message: &ForeignMessage,
    ) -> Result<bool, Fault> {
        let named = message.parts.iter().filter_map(|(device, ..)| to.device(*device));
        let named: Vec<_> = named.map(|device| device.session).collect();
        let gateway = &self.messenger.gateway;
        gateway.store.has_introduced(from.account, &named, gateway.clock.now()).await
    }
}
