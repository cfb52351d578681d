//! What members here write to members of other gateways.

use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::wire::{Device, Init, Introductions, Message, Payload};
use super::{Bundle, Federation, NodeError};
use crate::domain::error::Fault;
use crate::domain::ids::{ConversationId, MessageId, SessionId, UserId};
use crate::domain::messenger::chat::LatestMessage;
use crate::domain::messenger::devices::identity_key;
use crate::domain::messenger::introducing::Greeting;
use crate::domain::messenger::member::{Member, MemberDevice, RemoteDevice};
use crate::domain::messenger::node::Address;
use crate::domain::messenger::outbox::{Amount, NewLetter};
use crate::domain::messenger::sending::{Outgoing, Part};
use crate::domain::ports::{KnownNode, NodeAnswer, NodeRequest};

/// Devices that another gateway is believed to have of one member.
pub(super) const MOST_DEVICES: usize = 100;

impl Federation {
    /// The prekeys of a member of another gateway: one of each device's is given out there. The
    /// devices have their ids here.
    ///
    /// # Errors
    /// [`Fault::NotFound`] (`user`), and when that gateway does not say.
    pub async fn keys_elsewhere(&self, of: &Address) -> Result<Vec<Bundle>, NodeError> {
        let node = self.resolve(&of.node).await?;
        let answer = self.ask(&node, NodeRequest::Keys(of.name.clone())).await?;
        let bundles: Vec<Bundle> = list(&answer)?;
        let here = |bundle: Bundle| {
            let device_id = self.ids.here(&node.id, bundle.device_id);
            Bundle { device_id, ..bundle }
        };
        Ok(bundles.into_iter().map(here).collect())
    }

    /// Brings introductions to another gateway, all of them or none. The chat of the two exists
    /// afterwards, so that the other one may answer.
    ///
    /// # Errors
    /// [`Fault::Conflict`] (`otpk_used`) when a prekey is not there any more, and when that gateway
    /// does not take them.
    pub async fn forward_introductions(
        &self,
        from: (&Member, &MemberDevice),
        to: &Address,
        introductions: &[Greeting],
    ) -> Result<(), NodeError> {
        self.check_number("sessions_init", introductions.len())?;
        introductions.iter().try_for_each(|one| self.messenger.check_greeting(one))?;
        let node = self.resolve(&to.node).await?;
        if introductions.is_empty() {
            return Ok(());
        }
        let body = self.introductions(from, to, introductions)?;
        let answer = self.ask(&node, NodeRequest::Introductions(body.into())).await?;
        match answer.status {
            200..=299 => Ok(self.befriend(from.0, to, &node).await?),
            409 => Err(Fault::conflict("otpk_used", "is not there any more").into()),
            status => Err(NodeError::Refused { status }),
        }
    }

    fn introductions(
        &self,
        (member, device): (&Member, &MemberDevice),
        to: &Address,
        introductions: &[Greeting],
    ) -> Result<Vec<u8>, NodeError> {
        let body = Introductions {
            from_federated_address: self.address_of(member)?,
            from_device_id: device.id,
            from_identity_pubkey: &device.identity_key,
            to_user: to.name.as_str(),
            sessions_init: introductions.iter().map(|one| self.init(to, one)).collect(),
        };
        json(&body)
    }

    fn init<'a>(&self, to: &Address, one: &'a Greeting) -> Init<'a> {
        Init {
            recipient_device_id: self.ids.there(&to.node, one.to),
            ephemeral_pubkey: &one.ephemeral_key,
            sender_prekey_pub: &one.sender_key,
            otpk_used: &one.one_time_key,
            ciphertext: &one.ciphertext,
        }
    }

    /// Makes the chat of a member here and one elsewhere, who is there from now on.
    async fn befriend(
        &self,
        member: &Member,
        to: &Address,
        node: &KnownNode,
    ) -> Result<(), NodeError> {
        let gateway = &self.messenger.gateway;
        let user = match gateway.store.member_named(&to.name, Some(to.node.as_str())).await? {
            Some(user) => user,
            None => self.meet(to, node).await?,
        };
        let Some(other) = gateway.store.member(user).await? else { return Ok(()) };
        let (id, at) = (gateway.random_id(), gateway.clock.now());
        gateway.store.ensure_chat(id, member.account, other.account, at).await?;
        Ok(())
    }

    /// Notes a member elsewhere with the devices that it has there; those that it has no more end
    /// here too.
    pub(super) async fn meet(&self, who: &Address, node: &KnownNode) -> Result<UserId, NodeError> {
        let answer = self.ask(node, NodeRequest::Devices(who.name.clone())).await?;
        let mut devices: Vec<Device> = list(&answer)?;
        devices.retain(|device| identity_key(&device.identity_pubkey).is_ok());
        let (store, user) = (&self.messenger.gateway.store, self.ids.member(who));
        let ids: Vec<_> = devices.iter().map(|it| self.ids.here(&who.node, it.id)).collect();
        if let Some(known) = store.fresh_member(user).await? {
            for gone in known.devices.iter().filter(|device| !ids.contains(&device.id)) {
                self.end_device(&known, gone.id).await?;
            }
        }
        for device in devices {
            let device = self.remote(who, device.id, device.identity_pubkey);
            store.note_remote_device(device).await?;
        }
        Ok(user)
    }

    /// Ends a device of a member elsewhere, unless somebody else just did.
    pub(super) async fn end_device(&self, of: &Member, device: SessionId) -> Result<(), Fault> {
        let (store, at) = (&self.messenger.gateway.store, self.messenger.gateway.clock.now());
        match store.end_member_device(of.account, device, at).await {
            Err(fault) if fault.is_ours() => Err(fault),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// A device elsewhere, as it is here.
    pub(super) fn remote(
        &self,
        who: &Address,
        id_there: SessionId,
        identity_key: String,
    ) -> RemoteDevice {
        RemoteDevice {
            relay: who.node.as_str().to_owned(),
            name: who.name.clone(),
            user: self.ids.member(who),
            id: self.ids.here(&who.node, id_there),
            id_there: id_there.to_string(),
            identity_key,
            at: self.messenger.gateway.clock.now(),
        }
    }

    /// Takes a message for another gateway: it is on disk before this returns, and is brought there
    /// as soon as that can be asked.
    ///
    /// # Errors
    /// [`Fault::Invalid`] for what cannot be sent, [`Fault::Deferred`] when too much waits already,
    /// and when nobody knows that gateway or it is blocked.
    pub async fn forward_message(
        &self,
        from: (&Member, &MemberDevice),
        to: &Address,
        message: &Outgoing,
    ) -> Result<(), NodeError> {
        self.messenger.check(message)?;
        match self.resolve(&to.node).await {
            Err(NodeError::RegistryUnreachable | NodeError::Unreachable) | Ok(_) => {}
            Err(error) => return Err(error),
        }
        if message.parts.is_empty() {
            return Ok(());
        }
        let body = self.message(from, to, message)?;
        let digest = half(&body);
        let gateway = &self.messenger.gateway;
        let at = gateway.clock.now();
        let letter = NewLetter {
            node: to.node.clone(),
            sender: from.1.session,
            logical: message.logical.clone(),
            digest,
            body,
            at,
            expires_at: at.plus(gateway.limits.message_life),
        };
        gateway.store.put_letter(letter, Amount::MOST).await?;
        (self.wake)();
        let latest = LatestMessage { id: MessageId::from_bytes(digest), at };
        Ok(self.note_latest(from.0, message.chat, latest).await?)
    }

    fn check_number(&self, field: &'static str, actual: usize) -> Result<(), Fault> {
        let most = self.messenger.policy.devices_per_message;
        match actual <= most {
            true => Ok(()),
            false => Err(Fault::invalid(field, format!("has {actual}, the limit is {most}"))),
        }
    }

    fn message(
        &self,
        (member, device): (&Member, &MemberDevice),
        to: &Address,
        message: &Outgoing,
    ) -> Result<Vec<u8>, NodeError> {
        let payloads = message.parts.iter().map(|part| self.payload(to, part));
        let payloads: Result<_, Fault> = payloads.collect();
        let body = Message {
            logical_msg_id: &message.logical,
            from_federated_address: self.address_of(member)?,
            from_device_id: device.id,
            from_identity_pubkey: &device.identity_key,
            to_user: to.name.as_str(),
            payloads: payloads?,
        };
        json(&body)
    }

    fn payload<'a>(&self, to: &Address, part: &'a Part) -> Result<Payload<'a>, Fault> {
        let header: &RawValue = serde_json::from_slice(&part.sealed.header)
            .map_err(|_| Fault::invalid("header", "is not JSON"))?;
        let ciphertext = std::str::from_utf8(&part.sealed.ciphertext)
            .map_err(|_| Fault::invalid("ciphertext", "is no text"))?;
        let to_device_id = self.ids.there(&to.node, part.device);
        Ok(Payload { to_device_id, header, ciphertext })
    }

    /// Something has happened in a chat, if the sender takes part in one of that id.
    async fn note_latest(
        &self,
        member: &Member,
        chat: ConversationId,
        latest: LatestMessage,
    ) -> Result<(), Fault> {
        let found = self.messenger.gateway.store.conversations(&[chat]).await?.pop();
        if let Some(chat) = found.filter(|chat| chat.has(member.user)) {
            self.messenger.latest.note(chat.number, latest);
        }
        Ok(())
    }

    /// The address of a member of this gateway.
    fn address_of(&self, member: &Member) -> Result<String, NodeError> {
        Ok(format!("{}@{}", member.name.as_str(), self.own()?.id))
    }

    pub(super) async fn ask(
        &self,
        node: &KnownNode,
        request: NodeRequest,
    ) -> Result<NodeAnswer, NodeError> {
        Ok(self.neighbours.ask(&node.id, &node.api_url, request).await?)
    }
}

/// A list that another gateway answers with.
fn list<T: for<'de> serde::Deserialize<'de>>(answer: &NodeAnswer) -> Result<Vec<T>, NodeError> {
    match answer.status {
        200 => {}
        404 => return Err(Fault::NotFound { what: "user" }.into()),
        status => return Err(NodeError::Refused { status }),
    }
    let mut list: Vec<T> =
        serde_json::from_slice(&answer.body).map_err(|_| NodeError::Unreachable)?;
    list.truncate(MOST_DEVICES);
    Ok(list)
}

fn json(body: &impl serde::Serialize) -> Result<Vec<u8>, NodeError> {
    let written = serde_json::to_vec(body);
    written.map_err(|error| Fault::internal("writing to another gateway", error).into())
}

fn half(body: &[u8]) -> [u8; 16] {
    let full: [u8; 32] = Sha256::digest(body).into();
    let mut half = [0; 16];
    half.copy_from_slice(&full[..16]);
    half
}
