//! Notifying devices: a message waits in its inbox whatever becomes of its notification, so nothing
//! here can lose one.

use bytes::Bytes;

use super::device::{Device, DeviceChange, Phone, PushAddress, PushKind, SIGNALLING_KEY};
use super::number::PhoneNumber;
use super::push_address::{Endpoint, push_address_context};
use super::switchboard::Switchboard;
use crate::domain::error::Fault;
use crate::domain::ids::{AccountNumber, SessionNumber};
use crate::domain::inbox::Slot;
use crate::domain::ports::{Notification, Pushed};

/// The largest envelope that a notification carries: encrypted and in base64 it has some four
/// thousand bytes, which is all that services take. For what is larger a device is woken.
const LARGEST_CARRIED: usize = 3000;

/// A notification on its way to a device.
#[derive(Clone, Debug)]
pub struct Note {
    /// The account.
    pub account: AccountNumber,
    /// The device, as it was when the message was stored.
    pub device: Device,
    /// Where it goes.
    pub address: PushAddress,
    /// What it carries; nothing when it only wakes.
    pub envelope: Option<Bytes>,
}

/// What a dialect makes of an envelope: with the device's signalling key and a fresh IV.
pub type Dress = fn(&[u8; SIGNALLING_KEY], [u8; 16], &Bytes) -> Notification;

impl Note {
    /// A notification for a device, if it has an address for them.
    #[must_use]
    pub fn to(phone: &Phone, device: &Device, envelope: &Bytes) -> Option<Self> {
        let address = device.push.clone()?;
        let carries = address.kind != PushKind::Apn && envelope.len() <= LARGEST_CARRIED;
        let envelope = carries.then(|| envelope.clone());
        Some(Self { account: phone.account, device: device.clone(), address, envelope })
    }

    /// A notification that only wakes a device, if it has an address for them.
    #[must_use]
    pub fn waking(phone: &Phone, device: &Device) -> Option<Self> {
        let address = device.push.clone()?;
        Some(Self { account: phone.account, device: device.clone(), address, envelope: None })
    }

    /// The same without what it carries.
    #[must_use]
    pub fn into_waking(self) -> Self {
        Self { envelope: None, ..self }
    }

    /// Whether it goes to a device that reads its inbox at the same moment.
    ///
    /// Apple's service wakes a device and carries nothing, so whoever reads is awake. What the
    /// others carry is the message itself, and a connection that a phone has lost looks alive for
    /// long; the servers of the protocol did the same.
    #[must_use]
    pub fn is_for_readers_too(&self) -> bool {
        self.address.kind != PushKind::Apn
    }
}

impl Switchboard {
    /// Sees to it that the devices for which something was stored are woken.
    pub(super) fn notify(&self, phone: &Phone, slots: &[Slot]) {
        for slot in slots {
            let device = phone.devices.iter().find(|device| device.session == slot.session);
            if let Some(device) = device {
                self.notifier.stored(phone, device, &slot.bytes);
            }
        }
    }

    /// Asks the service to carry a notification, and notes what it says about the address. What
    /// the device changed in the meantime stays as it is.
    ///
    /// # Errors
    /// When the device's secrets cannot be read, or the store fails.
    pub async fn carry(&self, note: Note, dress: Dress) -> Result<Pushed, Fault> {
        let Note { device, address: from, envelope, .. } = note;
        let notification = match envelope {
            Some(envelope) => self.dressed(&device, &envelope, dress)?,
            None => Notification::Wake,
        };
        let address = device.open_push_address(&self.vault, &from)?;
        let pushed = self.push.push(from.kind, &address, notification).await;
        let change = match &pushed {
            Pushed::Dead => DeviceChange::DropPush(from),
            Pushed::Moved(to) => {
                let context = push_address_context(device.id);
                let address = self.vault.seal(&*self.gateway.entropy, &context, to);
                let to = PushAddress { kind: from.kind, address };
                DeviceChange::MovePush { from, to }
            }
            _ => return Ok(pushed),
        };
        self.gateway.store.change_device(device.session, change).await?;
        Ok(pushed)
    }

    /// The host that would be asked to carry a notification, if the device has named it.
    #[must_use]
    pub fn host(&self, note: &Note) -> Option<String> {
        if note.address.kind != PushKind::WebPush {
            return None;
        }
        let address = note.device.open_push_address(&self.vault, &note.address).ok()?;
        Some(Endpoint::from_bytes(&address)?.host())
    }

    /// Sees to it that a device is woken whose reader has left something behind. What carries
    /// messages has brought them already.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn left(&self, number: &PhoneNumber, session: SessionNumber) -> Result<(), Fault> {
        let phone = self.gateway.store.phone(number).await?;
        let device =
            |phone: &Phone| phone.devices.iter().find(|device| device.session == session).cloned();
        if let Some((phone, device)) =
            phone.as_ref().and_then(|phone| Some((phone, device(phone)?)))
        {
            self.notifier.left(phone, &device);
        }
        Ok(())
    }

    fn dressed(
        &self,
        device: &Device,
        envelope: &Bytes,
        dress: Dress,
    ) -> Result<Notification, Fault> {
        let key = device.open_signalling_key(&self.vault)?;
        let mut iv = [0; 16];
        self.gateway.entropy.fill(&mut iv);
        Ok(dress(&key, iv, envelope))
    }
}
