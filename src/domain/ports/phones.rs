//! What phones need from the store: numbered devices, prekeys, codes, contacts.

use std::sync::Arc;

use async_trait::async_trait;

use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;
use crate::domain::ids::{AccountNumber, SessionId, SessionNumber};
use crate::domain::inbox::InboxKey;
use crate::domain::phone::contact::ListedPhone;
use crate::domain::phone::{
    CodeTry, CodeUse, Contact, ContactToken, DeviceChange, DeviceNumber, NewCode, NewLink,
    NewPhone, OutboxCode, PendingCode, Phone, PhoneNumber, Registered, RelayContact, Transport,
};
use crate::domain::prekeys::{NewPrekeys, SignedPrekey, TakenPrekey};

/// Phones and their numbered devices. Every change raises the generation of the account's roster
/// (other dialects' log of changes has nothing of it), and says in the same transaction whether the
/// phone is listed: it is while it is active.
#[async_trait]
pub trait Phones: Send + Sync {
    /// The phone of that number; `None` when it never registered. May be as old as a cache is.
    async fn phone(&self, number: &PhoneNumber) -> Result<Option<Arc<Phone>>, Fault>;

    /// The same, straight from the database.
    async fn fresh_phone(&self, number: &PhoneNumber) -> Result<Option<Arc<Phone>>, Fault>;

    /// Registers a number: makes its account if it has none, ends everything that it had, and makes
    /// its first device. All codes of the number go.
    ///
    /// # Errors
    /// [`Fault::Forbidden`] when the code is not on file any more.
    async fn register_phone(&self, new: NewPhone) -> Result<Registered, Fault>;

    /// Links a device.
    ///
    /// # Errors
    /// [`Fault::Forbidden`] when the code is not on file any more or the account has another first
    /// device, [`Fault::TooLarge`] when it has all the devices that it may have; the code is still
    /// good then.
    async fn link_device(&self, new: NewLink) -> Result<Registered, Fault>;

    /// Ends a device that is not the first one; the first one, which is `first`, wants it.
    ///
    /// # Errors
    /// [`Fault::Unauthorized`] when `first` is not the first one any more, [`Fault::NotFound`] when
    /// there is no such device.
    async fn unlink_device(
        &self,
        account: AccountNumber,
        device: DeviceNumber,
        first: SessionNumber,
        at: Timestamp,
    ) -> Result<Registered, Fault>;

    /// Changes a device; does nothing when it has ended.
    async fn change_device(
        &self,
        session: SessionNumber,
        change: DeviceChange,
    ) -> Result<(), Fault>;

    /// Whether a device may still act.
    async fn device_is_live(&self, session: SessionNumber) -> Result<bool, Fault>;

    /// Where messages wait for the device with this session; `None` when there is none, or it has
    /// ended.
    async fn device_inbox(&self, session: SessionId) -> Result<Option<InboxKey>, Fault>;

    /// Those of these that are listed, in the order of `tokens`. What is here wins over what
    /// another gateway says.
    async fn contacts(&self, tokens: &[ContactToken]) -> Result<Vec<Contact>, Fault>;

    /// How many phones have registered.
    async fn count_phones(&self) -> Result<u64, Fault>;

    /// A page of all phones in the order in which they first registered, from the one at `offset`
    /// on.
    async fn list_phones(&self, offset: u64, limit: u32) -> Result<Vec<ListedPhone>, Fault>;

    /// Notes what another gateway says: an active contact is listed as that gateway's unless
    /// somebody else has it, one that is not active is listed as that gateway's no more.
    async fn merge_contacts(&self, relay: &str, contacts: Vec<RelayContact>) -> Result<(), Fault>;

    /// The names of the gateways that contacts are listed for.
    async fn listed_relays(&self) -> Result<Vec<String>, Fault>;

    /// Forgets at most `limit` contacts of another gateway; returns how many.
    async fn forget_contacts(&self, relay: &str, limit: u32) -> Result<u64, Fault>;
}

/// Prekeys of devices.
#[async_trait]
pub trait Prekeys: Send + Sync {
    /// Keeps a device's prekeys in the place of those that it left before; does nothing when it has
    /// ended.
    async fn replace_prekeys(&self, new: NewPrekeys) -> Result<(), Fault>;

    /// Gives out a prekey of each of these devices, in their order: of its ordinary ones that with
    /// the lowest number, which goes, or else its last resort, which stays. No ordinary one is
    /// given out twice, whoever asks at the same time. The identity key is that of the same moment.
    async fn take_prekeys(&self, sessions: &[SessionNumber]) -> Result<Vec<TakenPrekey>, Fault>;

    /// How many ordinary ones a device has.
    async fn count_prekeys(&self, session: SessionNumber) -> Result<u64, Fault>;

    /// Keeps a device's signed prekey in the place of the one on file; does nothing when it has
    /// ended.
    async fn put_signed_prekey(
        &self,
        session: SessionNumber,
        signed: SignedPrekey,
    ) -> Result<(), Fault>;

    /// A device's signed prekey.
    async fn signed_prekey(&self, session: SessionNumber) -> Result<Option<SignedPrekey>, Fault>;
}

/// Codes that prove a number or allow a device.
#[async_trait]
pub trait Codes: Send + Sync {
    /// Keeps a code in the place of any other for its number and purpose, and counts it.
    ///
    /// # Errors
    /// [`Fault::RateLimited`] when as many were made within a window as may be.
    async fn put_code(&self, code: NewCode) -> Result<(), Fault>;

    /// Notes that the operator has to hand a code over, if it is still the one on file.
    async fn hand_over(&self, code: CodeUse, transport: Transport) -> Result<(), Fault>;

    /// Counts a try and returns the code, unless there is none, its time is over, or it was tried
    /// `most` times before.
    ///
    /// # Errors
    /// [`Fault::RateLimited`] when codes were tried as often within a window as they may be.
    async fn try_code(&self, attempt: CodeTry) -> Result<Option<PendingCode>, Fault>;

    /// Codes that the operator has to hand over and that are still good, the oldest first.
    async fn outbox(&self, now: Timestamp, limit: u32) -> Result<Vec<OutboxCode>, Fault>;

    /// Forgets at most `limit` codes whose time is over, and that of their window too; returns how
    /// many.
    async fn forget_codes(&self, now: Timestamp, limit: u32) -> Result<u64, Fault>;
}
