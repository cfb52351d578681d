//! Devices of members in memory.

use std::collections::btree_map::Entry;

use super::{Seat, State, members};
use crate::domain::Fault;
use crate::domain::account::Dialect;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, SessionId, SessionNumber, UserId};
use crate::domain::messenger::member::{GUEST_LIFE, Permit, last_device, new_one_time_keys};
use crate::domain::messenger::{
    Circumstances, DeviceOwner, EnrolledDevice, MemberDevice, MemberDeviceChange, NewEnrolment,
    RemoteDevice, SignedKey,
};

/// A live device.
pub(super) struct Kept {
    pub account: AccountNumber,
    pub device: MemberDevice,
    /// Its id at the gateway that speaks for it.
    pub id_there: Option<String>,
}

impl State {
    pub(super) fn enrol(&mut self, new: NewEnrolment) -> Result<EnrolledDevice, Fault> {
        let account = self.hushnet_account(new.user).map(|account| account.number);
        let member = account.and_then(|account| self.messenger.members.get(&account));
        let (Some(account), Some(member)) = (account, member.filter(|it| it.relay.is_none()))
        else {
            return Err(Fault::NotFound { what: "user" });
        };
        let (is_token_used, is_signer_live) = match new.permit {
            Permit::Token { hash, .. } => {
                (self.messenger.used_enrolments.contains_key(&hash), false)
            }
            Permit::First { .. } => (false, false),
            Permit::Device(signer) => {
                let signer = self.messenger.devices.get(&signer);
                (false, signer.is_some_and(|signer| signer.account == account))
            }
        };
        let own = self.messenger.devices.values().filter(|device| device.account == account);
        new.check(&Circumstances {
            made_at: self.accounts[&account].created_at,
            enrols_itself: member.enrols_itself,
            had_device: member.had_device,
            devices: own.count() as u64,
            is_token_used,
            is_signer_live,
            is_key_on_file: self.is_key_on_file(&new.signing_key),
        })?;
        if let Permit::Token { hash, until } = new.permit {
            self.messenger.used_enrolments.insert(hash, until);
        }
        let session = self.seat(Seat { id: new.id, user: new.user, created_at: new.at });
        self.messenger.keys.insert(new.signing_key, session);
        let keys = new_one_time_keys(&new.one_time_keys, &[], &[], u32::MAX)?;
        let keys = keys.into_iter().map(str::to_owned).collect();
        self.messenger.one_time_keys.insert(session, keys);
        let device = MemberDevice {
            session,
            id: new.id,
            identity_key: new.identity_key,
            agreement_key: new.agreement_key,
            signed: new.signed,
            label: new.label,
            is_strong: false,
            created_at: new.at,
            last_seen_at: None,
        };
        self.add_member_device(account, device.clone(), None);
        Ok(EnrolledDevice { account, device })
    }

    fn add_member_device(
        &mut self,
        account: AccountNumber,
        device: MemberDevice,
        id_there: Option<String>,
    ) {
        self.messenger.devices.insert(device.session, Kept { account, device, id_there });
        if let Some(member) = self.messenger.members.get_mut(&account) {
            member.had_device = true;
        }
        self.member_changed(account);
    }

    pub(super) fn change_member_device(
        &mut self,
        session: SessionNumber,
        change: MemberDeviceChange,
    ) {
        let Some(kept) = self.messenger.devices.get_mut(&session) else { return };
        match change {
            MemberDeviceChange::Signed(signed) => kept.device.signed = signed,
            MemberDeviceChange::Label(label) => kept.device.label = label,
            MemberDeviceChange::Strong => kept.device.is_strong = true,
        }
        let account = kept.account;
        self.member_changed(account);
    }

    pub(super) fn end_member_device(
        &mut self,
        account: AccountNumber,
        device: SessionId,
    ) -> Result<SessionNumber, Fault> {
        let live = self.messenger.devices.iter().filter(|(_, it)| it.account == account);
        let live: Vec<_> = live.map(|(session, it)| (*session, it.device.id)).collect();
        let found = live.iter().find(|(_, id)| *id == device);
        let (session, _) = *found.ok_or(Fault::NotFound { what: "device" })?;
        if live.len() < 2 {
            return Err(last_device());
        }
        self.end_member_session(session);
        self.member_changed(account);
        Ok(session)
    }

    /// Ends a device with all that it left here and that waited for it.
    pub(super) fn end_member_session(&mut self, session: SessionNumber) {
        let records = &mut self.messenger;
        records.devices.remove(&session);
        records.one_time_keys.remove(&session);
        records.taken_keys.retain(|(owner, _), _| *owner != session);
        records.introductions.retain(|it| it.from != session && it.to != session);
        records.pairs.retain(|(from, to), _| *from != session && *to != session);
        self.nodes.end_letters(session);
        self.empty(session);
    }

    pub(super) fn note_remote_device(&mut self, new: RemoteDevice) -> Result<DeviceOwner, Fault> {
        let account = self.remote_account(&new)?;
        let known = self.seats.iter().find(|(_, seat)| seat.id == new.id);
        let known = known.map(|(session, seat)| (*session, seat.user));
        if known.is_some_and(|(_, user)| user != new.user) {
            return Err(RemoteDevice::refusal());
        }
        let account = match account {
            Some(account) => account,
            None => self.hushnet_account_for(new.user, new.at)?,
        };
        let relay = Some(new.relay);
        let member = members::Kept {
            name: new.name,
            relay,
            enrols_itself: false,
            had_device: true,
            is_discoverable: true,
        };
        if let Entry::Vacant(new_member) = self.messenger.members.entry(account) {
            new_member.insert(member);
            self.messenger.guests.insert(account, new.at.plus(GUEST_LIFE));
        }
        let session = known.map(|(session, _)| session);
        if let Some(kept) = session.and_then(|it| self.messenger.devices.get_mut(&it)) {
            if kept.id_there.as_ref() != Some(&new.id_there) {
                return Err(RemoteDevice::refusal());
            }
            if kept.device.identity_key != new.identity_key {
                kept.device.identity_key = new.identity_key;
                self.member_changed(account);
            }
        } else {
            let seat = Seat { id: new.id, user: new.user, created_at: new.at };
            let session = session.unwrap_or_else(|| self.seat(seat));
            let device = MemberDevice {
                session,
                id: new.id,
                identity_key: new.identity_key,
                agreement_key: String::new(),
                signed: SignedKey { key: String::new(), signature: String::new() },
                label: None,
                is_strong: false,
                created_at: self.seats[&session].created_at,
                last_seen_at: None,
            };
            self.add_member_device(account, device, Some(new.id_there));
        }
        let noted = self.messenger.devices.values().find(|kept| kept.device.id == new.id);
        let owner = noted.and_then(|kept| self.device_owner(kept.device.session));
        owner.ok_or_else(|| Fault::internal("noting a device", "it is not there"))
    }

    pub(super) fn forget_guests(&mut self, now: Timestamp, limit: u32) -> Vec<UserId> {
        let due = self.messenger.guests.iter().filter(|(_, look_at)| **look_at <= now);
        let due: Vec<_> = due.map(|(account, _)| *account).take(limit as usize).collect();
        let mut forgotten = Vec::new();
        for account in due {
            self.messenger.guests.remove(&account);
            let mut participants = self.conversations.values().flat_map(|it| &it.participants);
            if participants.any(|participant| participant.account == account) {
                continue;
            }
            let owns = |session| {
                let device = self.messenger.devices.get(session);
                device.is_some_and(|device| device.account == account)
            };
            if self.messenger.introductions.iter().any(|waiting| owns(&waiting.from)) {
                self.messenger.guests.insert(account, now.plus(GUEST_LIFE));
                continue;
            }
            self.messenger.devices.retain(|_, device| device.account != account);
            self.messenger.members.remove(&account);
            self.member_changed(account);
            forgotten.push(self.accounts[&account].id);
        }
        forgotten
    }

    /// The account with a remote member's id, if there is one, and it is that member's.
    fn remote_account(&self, new: &RemoteDevice) -> Result<Option<AccountNumber>, Fault> {
        let Some(account) = self.accounts.values().find(|account| account.id == new.user) else {
            return Ok(None);
        };
        let member = self.messenger.members.get(&account.number);
        let is_same =
            member.is_none_or(|it| it.relay.as_ref() == Some(&new.relay) && it.name == new.name);
        match account.dialect == Dialect::HushNet && is_same {
            true => Ok(Some(account.number)),
            false => Err(RemoteDevice::refusal()),
        }
    }
}
