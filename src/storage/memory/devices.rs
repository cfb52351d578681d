//! Numbered devices in memory.

use super::{Seat, State};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, SessionNumber};
use crate::domain::phone::device::not_the_first;
use crate::domain::phone::{
    CodeUse, Device, DeviceChange, DeviceNumber, NewDevice, NewLink, Registered,
};
use crate::domain::prekeys::{Prekey, SignedPrekey};

/// A device, and what it leaves here for others.
pub(super) struct Kept {
    pub account: AccountNumber,
    pub device: Device,
    pub ordinary: Vec<Prekey>,
    pub last_resort: Option<Prekey>,
    pub signed: Option<SignedPrekey>,
}

impl State {
    pub(super) fn devices_of(&self, account: AccountNumber) -> impl Iterator<Item = &Device> {
        let own = self.devices.values().filter(move |kept| kept.account == account);
        own.map(|kept| &kept.device)
    }

    fn first_device(&self, account: AccountNumber) -> Option<SessionNumber> {
        let mut own = self.devices_of(account);
        own.find(|device| device.number == DeviceNumber::PRIMARY).map(|device| device.session)
    }

    pub(super) fn link_device(&mut self, new: NewLink) -> Result<Registered, Fault> {
        self.check_code(&new.code)?;
        if self.first_device(new.account) != Some(new.first) {
            return Err(CodeUse::refusal());
        }
        new.check_room(self.devices_of(new.account).count() as u64)?;
        self.use_code(&new.code)?;
        let numbers = self.devices_of(new.account).map(|device| device.number.0);
        let highest = numbers.max().unwrap_or_default();
        let (account, device) = (new.account, DeviceNumber(highest + 1));
        self.add_device(account, device, new.device, new.at);
        Ok(Registered { account, device, ended: Vec::new() })
    }

    pub(super) fn unlink_device(
        &mut self,
        account: AccountNumber,
        device: DeviceNumber,
        first: SessionNumber,
    ) -> Result<Registered, Fault> {
        if self.first_device(account) != Some(first) {
            return Err(not_the_first());
        }
        let own = self.devices_of(account).map(|device| (device.number, device.session));
        let linked =
            own.filter(|(number, _)| *number != DeviceNumber::PRIMARY && *number == device);
        let found = linked.map(|(_, session)| session).next();
        let session = found.ok_or(Fault::NotFound { what: "device" })?;
        self.end_device(session);
        self.raise_own(account);
        Ok(Registered { account, device, ended: vec![session] })
    }

    pub(super) fn change_device(&mut self, session: SessionNumber, change: &DeviceChange) {
        let Some(kept) = self.devices.get_mut(&session) else { return };
        let (kind, address) = change.condition();
        let push = &mut kept.device.push;
        let is_kind = kind.is_none_or(|kind| push.as_ref().is_some_and(|it| it.kind == kind));
        let is_address =
            address.is_none_or(|address| push.as_ref().is_some_and(|it| it.address == *address));
        if !(is_kind && is_address) {
            return;
        }
        *push = change.to().cloned();
        let account = kept.account;
        self.device_changed(account);
    }

    pub(super) fn add_device(
        &mut self,
        account: AccountNumber,
        number: DeviceNumber,
        new: NewDevice,
        at: Timestamp,
    ) {
        let user = self.accounts[&account].id;
        let session = self.seat(Seat { id: new.id, user, created_at: at });
        let device = Device {
            session,
            id: new.id,
            number,
            password: new.password,
            signalling_key: new.signalling_key,
            registration: new.registration,
            fetches: new.fetches,
            push: None,
            name: new.name,
            created_at: at,
            last_seen_at: None,
        };
        let (ordinary, last_resort, signed) = (Vec::new(), None, None);
        self.devices.insert(session, Kept { account, device, ordinary, last_resort, signed });
        self.device_changed(account);
    }

    pub(super) fn end_device(&mut self, session: SessionNumber) {
        self.devices.remove(&session);
        // Whoever comes next learns nothing of what waited.
        self.empty(session);
    }

    fn device_changed(&mut self, account: AccountNumber) {
        let is_first = |device: &&Device| device.number == DeviceNumber::PRIMARY;
        let is_listed = self.devices_of(account).find(is_first).is_some_and(Device::is_active);
        if let Some(phone) = self.phones.get_mut(&account) {
            phone.is_listed = is_listed;
        }
        self.raise_own(account);
    }
}
