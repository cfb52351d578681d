//! Phones are remembered as a whole; prekeys and codes are not.

use std::sync::Arc;

use async_trait::async_trait;

use super::{CachedStore, Caches};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, SessionId, SessionNumber};
use crate::domain::inbox::InboxKey;
use crate::domain::phone::contact::ListedPhone;
use crate::domain::phone::{
    CodeTry, CodeUse, Contact, ContactToken, DeviceChange, DeviceNumber, NewCode, NewLink,
    NewPhone, OutboxCode, PendingCode, Phone, PhoneNumber, Registered, RelayContact, Transport,
};
use crate::domain::ports::{Codes, Phones, Prekeys};
use crate::domain::prekeys::{NewPrekeys, SignedPrekey, TakenPrekey};

impl Caches {
    /// Notes whose a phone's account and devices are.
    fn know_phone(&self, phone: &Phone) {
        self.numbers.note([(phone.account, phone.number.clone())]);
        for device in &phone.devices {
            if self.device_numbers.get(&device.session).is_none() {
                self.device_numbers.insert(device.session, phone.number.clone());
            }
        }
    }

    /// Drops the phones of these accounts; returns the accounts that may be no phones.
    pub(super) fn forget_phones(
        &self,
        accounts: impl Iterator<Item = AccountNumber>,
    ) -> Vec<AccountNumber> {
        let mut others = Vec::new();
        for account in accounts {
            match self.numbers.get(account) {
                Some(number) => self.phones.forget([number]),
                None => others.push(account),
            }
        }
        if others.iter().any(|other| !self.users.knows(*other)) {
            self.phones.forget_everything();
        }
        others
    }

    /// Drops the phone of an account; all of them if it is unknown whose it is.
    fn forget_phone_of(&self, account: AccountNumber) {
        match self.numbers.get(account) {
            Some(number) => self.phones.forget([number]),
            None => self.phones.forget_everything(),
        }
    }

    /// The same for the phone that a device belongs to.
    fn forget_phone_with(&self, session: SessionNumber) {
        match self.device_numbers.get(&session) {
            Some(number) => self.phones.forget([number]),
            None => self.phones.forget_everything(),
        }
    }
}

#[async_trait]
impl Phones for CachedStore {
    async fn phone(&self, number: &PhoneNumber) -> Result<Option<Arc<Phone>>, Fault> {
        match self.caches.phones.get(number) {
            Some(phone) => Ok(Some(phone)),
            None => self.fresh_phone(number).await,
        }
    }

    /// What does not exist is not remembered, so nothing is to be forgotten when it comes to be.
    async fn fresh_phone(&self, number: &PhoneNumber) -> Result<Option<Arc<Phone>>, Fault> {
        let before = self.caches.phones.before();
        let found = self.inner.fresh_phone(number).await?;
        if let Some(phone) = &found {
            self.caches.know_phone(phone);
            self.caches.phones.keep(before, [(number.clone(), Arc::clone(phone))]);
        }
        Ok(found)
    }

    async fn register_phone(&self, new: NewPhone) -> Result<Registered, Fault> {
        let number = new.number.clone();
        self.change(
            move |inner| async move { inner.register_phone(new).await },
            move |caches, _| caches.phones.forget([number]),
        )
        .await
    }

    async fn link_device(&self, new: NewLink) -> Result<Registered, Fault> {
        let account = new.account;
        self.change(
            move |inner| async move { inner.link_device(new).await },
            move |caches, _| caches.forget_phone_of(account),
        )
        .await
    }

    async fn unlink_device(
        &self,
        account: AccountNumber,
        device: DeviceNumber,
        first: SessionNumber,
        at: Timestamp,
    ) -> Result<Registered, Fault> {
        self.change(
            move |inner| async move { inner.unlink_device(account, device, first, at).await },
            move |caches, _| caches.forget_phone_of(account),
        )
        .await
    }

    async fn change_device(
        &self,
        session: SessionNumber,
        change: DeviceChange,
    ) -> Result<(), Fault> {
        self.change(
            move |inner| async move { inner.change_device(session, change).await },
            move |caches, _| caches.forget_phone_with(session),
        )
        .await
    }

    /// A remembered phone says so of its devices; it never speaks the last word against one.
    async fn device_is_live(&self, session: SessionNumber) -> Result<bool, Fault> {
        let number = self.caches.device_numbers.get(&session);
        let phone = number.and_then(|number| self.caches.phones.get(&number));
        match phone.is_some_and(|it| it.devices.iter().any(|one| one.session == session)) {
            true => Ok(true),
            false => self.inner.device_is_live(session).await,
        }
    }

    async fn device_inbox(&self, session: SessionId) -> Result<Option<InboxKey>, Fault> {
        self.inner.device_inbox(session).await
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

    async fn listed_relays(&self) -> Result<Vec<String>, Fault> {
        self.inner.listed_relays().await
    }

    async fn forget_contacts(&self, relay: &str, limit: u32) -> Result<u64, Fault> {
        self.inner.forget_contacts(relay, limit).await
    }
}

#[async_trait]
impl Prekeys for CachedStore {
    /// A phone is remembered with its identity key.
    async fn replace_prekeys(&self, new: NewPrekeys) -> Result<(), Fault> {
        let session = new.session;
        self.change(
            move |inner| async move { inner.replace_prekeys(new).await },
            move |caches, _| caches.forget_phone_with(session),
        )
        .await
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

    async fn hand_over(&self, code: CodeUse, transport: Transport) -> Result<(), Fault> {
        self.inner.hand_over(code, transport).await
    }

    async fn try_code(&self, attempt: CodeTry) -> Result<Option<PendingCode>, Fault> {
        self.inner.try_code(attempt).await
    }

    async fn outbox(&self, now: Timestamp, limit: u32) -> Result<Vec<OutboxCode>, Fault> {
        self.inner.outbox(now, limit).await
    }

    async fn forget_codes(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        self.inner.forget_codes(now, limit).await
    }
}
