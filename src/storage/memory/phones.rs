//! Phones, prekeys and codes.

use std::sync::Arc;

use async_trait::async_trait;

use super::MemoryStore;
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, SessionNumber};
use crate::domain::phone::contact::ListedPhone;
use crate::domain::phone::{
    CodePurpose, Contact, ContactToken, DeviceChange, DeviceNumber, NewCode, NewLink, NewPhone,
    OutboxCode, PendingCode, Phone, PhoneNumber, Registered, RelayContact,
};
use crate::domain::ports::{Codes, Phones, Prekeys};
use crate::domain::prekeys::{NewPrekeys, SignedPrekey, TakenPrekey};

#[async_trait]
impl Phones for MemoryStore {
    async fn phone(&self, _number: &PhoneNumber) -> Result<Option<Arc<Phone>>, Fault> {
        Err(Fault::internal("phone", "missing"))
    }
    async fn fresh_phone(&self, _number: &PhoneNumber) -> Result<Option<Arc<Phone>>, Fault> {
        Err(Fault::internal("fresh_phone", "missing"))
    }
    async fn register_phone(&self, _new: NewPhone) -> Result<Registered, Fault> {
        Err(Fault::internal("register_phone", "missing"))
    }
    async fn link_device(&self, _new: NewLink) -> Result<Registered, Fault> {
        Err(Fault::internal("link_device", "missing"))
    }
    async fn unlink_device(
        &self,
        _account: AccountNumber,
        _device: DeviceNumber,
        _at: Timestamp,
    ) -> Result<Registered, Fault> {
        Err(Fault::internal("unlink_device", "missing"))
    }
    async fn change_device(
        &self,
        _session: SessionNumber,
        _change: DeviceChange,
    ) -> Result<(), Fault> {
        Err(Fault::internal("change_device", "missing"))
    }
    async fn device_is_live(&self, _session: SessionNumber) -> Result<bool, Fault> {
        Err(Fault::internal("device_is_live", "missing"))
    }
    async fn contacts(&self, _tokens: &[ContactToken]) -> Result<Vec<Contact>, Fault> {
        Err(Fault::internal("contacts", "missing"))
    }
    async fn count_phones(&self) -> Result<u64, Fault> {
        Err(Fault::internal("count_phones", "missing"))
    }
    async fn list_phones(&self, _offset: u64, _limit: u32) -> Result<Vec<ListedPhone>, Fault> {
        Err(Fault::internal("list_phones", "missing"))
    }
    async fn merge_contacts(
        &self,
        _relay: &str,
        _contacts: Vec<RelayContact>,
    ) -> Result<(), Fault> {
        Err(Fault::internal("merge_contacts", "missing"))
    }
}

#[async_trait]
impl Prekeys for MemoryStore {
    async fn replace_prekeys(&self, _new: NewPrekeys) -> Result<(), Fault> {
        Err(Fault::internal("replace_prekeys", "missing"))
    }
    async fn take_prekeys(&self, _sessions: &[SessionNumber]) -> Result<Vec<TakenPrekey>, Fault> {
        Err(Fault::internal("take_prekeys", "missing"))
    }
    async fn count_prekeys(&self, _session: SessionNumber) -> Result<u64, Fault> {
        Err(Fault::internal("count_prekeys", "missing"))
    }
    async fn put_signed_prekey(
        &self,
        _session: SessionNumber,
        _signed: SignedPrekey,
    ) -> Result<(), Fault> {
        Err(Fault::internal("put_signed_prekey", "missing"))
    }
    async fn signed_prekey(&self, _session: SessionNumber) -> Result<Option<SignedPrekey>, Fault> {
        Err(Fault::internal("signed_prekey", "missing"))
    }
}

#[async_trait]
impl Codes for MemoryStore {
    async fn put_code(&self, _code: NewCode) -> Result<(), Fault> {
        Err(Fault::internal("put_code", "missing"))
    }
    async fn try_code(
        &self,
        _purpose: CodePurpose,
        _number: &PhoneNumber,
        _now: Timestamp,
        _most: u32,
    ) -> Result<Option<PendingCode>, Fault> {
        Err(Fault::internal("try_code", "missing"))
    }
    async fn outbox(&self, _now: Timestamp, _limit: u32) -> Result<Vec<OutboxCode>, Fault> {
        Err(Fault::internal("outbox", "missing"))
    }
    async fn forget_codes(&self, _now: Timestamp, _limit: u32) -> Result<u64, Fault> {
        Err(Fault::internal("forget_codes", "missing"))
    }
}
