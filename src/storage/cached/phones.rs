//! Phones are remembered as a whole; prekeys and codes are not.

use std::sync::Arc;

use async_trait::async_trait;

use super::CachedStore;
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
impl Phones for CachedStore {
    async fn phone(&self, number: &PhoneNumber) -> Result<Option<Arc<Phone>>, Fault> {
        self.inner.phone(number).await
    }

    async fn fresh_phone(&self, number: &PhoneNumber) -> Result<Option<Arc<Phone>>, Fault> {
        self.inner.fresh_phone(number).await
    }

    async fn register_phone(&self, new: NewPhone) -> Result<Registered, Fault> {
        self.inner.register_phone(new).await
    }

    async fn link_device(&self, new: NewLink) -> Result<Registered, Fault> {
        self.inner.link_device(new).await
    }

    async fn unlink_device(
        &self,
        account: AccountNumber,
        device: DeviceNumber,
        at: Timestamp,
    ) -> Result<Registered, Fault> {
        self.inner.unlink_device(account, device, at).await
    }

    async fn change_device(
        &self,
        session: SessionNumber,
        change: DeviceChange,
    ) -> Result<(), Fault> {
        self.inner.change_device(session, change).await
    }

    async fn device_is_live(&self, session: SessionNumber) -> Result<bool, Fault> {
        self.inner.device_is_live(session).await
    }

    async fn contacts(&self, tokens: &[ContactToken]) -> Result<Vec<Contact>, Fault> {
        self.inner.contacts(tokens).await
    }

    async fn count_phones(&self) -> Result<u64, Fault> {
        self.inner.count_phones().await
    }

    async fn list_phones(&self, offset: u64, limit: u32) -> Result<Vec<ListedPhone>, Fault> {
        self.inner.list_phones(offset, limit).await
    }

    async fn merge_contacts(&self, relay: &str, contacts: Vec<RelayContact>) -> Result<(), Fault> {
        self.inner.merge_contacts(relay, contacts).await
    }
}

#[async_trait]
impl Prekeys for CachedStore {
    async fn replace_prekeys(&self, new: NewPrekeys) -> Result<(), Fault> {
        self.inner.replace_prekeys(new).await
    }

    async fn take_prekeys(&self, sessions: &[SessionNumber]) -> Result<Vec<TakenPrekey>, Fault> {
        self.inner.take_prekeys(sessions).await
    }

    async fn count_prekeys(&self, session: SessionNumber) -> Result<u64, Fault> {
        self.inner.count_prekeys(session).await
    }

    async fn put_signed_prekey(
        &self,
        session: SessionNumber,
        signed: SignedPrekey,
    ) -> Result<(), Fault> {
        self.inner.put_signed_prekey(session, signed).await
    }

    async fn signed_prekey(&self, session: SessionNumber) -> Result<Option<SignedPrekey>, Fault> {
        self.inner.signed_prekey(session).await
    }
}

#[async_trait]
impl Codes for CachedStore {
    async fn put_code(&self, code: NewCode) -> Result<(), Fault> {
        self.inner.put_code(code).await
    }

    async fn try_code(
        &self,
        purpose: CodePurpose,
        number: &PhoneNumber,
        now: Timestamp,
        most: u32,
    ) -> Result<Option<PendingCode>, Fault> {
        self.inner.try_code(purpose, number, now, most).await
    }

    async fn outbox(&self, now: Timestamp, limit: u32) -> Result<Vec<OutboxCode>, Fault> {
        self.inner.outbox(now, limit).await
    }

    async fn forget_codes(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        self.inner.forget_codes(now, limit).await
    }
}
