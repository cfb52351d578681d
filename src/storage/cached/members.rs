//! Members are remembered as a whole, and whose keys sign.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use moka::sync::Cache;
use sealpost_sdk::keys::VerifyingKey;

use super::owners::AccountOwners;
use super::remembered::Remembered;
use super::{CacheConfig, CachedStore, Caches};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, SessionId, SessionNumber, UserId};
use crate::domain::messenger::{
    DeviceOwner, EnrolledDevice, ListedMember, Member, MemberDeviceChange, MemberName,
    NewEnrolment, NewMember, RemoteDevice,
};
use crate::domain::ports::Members;

/// Made when the first member is asked for: a gateway that has none spares the memory.
pub(super) struct MemberCaches {
    config: CacheConfig,
    made: OnceLock<Made>,
}

struct Made {
    members: Remembered<UserId, Arc<Member>>,
    /// Whose an account and a device are. That never changes, nor whose a key is.
    users: AccountOwners<UserId>,
    device_owners: Cache<SessionNumber, UserId>,
    keys: Cache<VerifyingKey, (UserId, SessionNumber)>,
}

impl MemberCaches {
    pub(super) fn new(config: CacheConfig) -> Self {
        Self { config, made: OnceLock::new() }
    }

    fn made(&self) -> &Made {
        self.made.get_or_init(|| {
            let CacheConfig { entries, life, .. } = self.config;
            Made {
                members: Remembered::new(entries, life),
                users: AccountOwners::new(entries),
                device_owners: Cache::builder().max_capacity(entries).build(),
                keys: Cache::builder().max_capacity(entries).build(),
            }
        })
    }

    /// Drops a member.
    fn forget(&self, user: UserId) {
        if let Some(made) = self.made.get() {
            made.members.forget([user]);
        }
    }

    /// Drops the member that it is; all of them if it is unknown which.
    fn forget_which(&self, which: impl FnOnce(&Made) -> Option<UserId>) {
        let Some(made) = self.made.get() else { return };
        match which(made) {
            Some(user) => made.members.forget([user]),
            None => made.members.forget_everything(),
        }
    }
}

impl Made {
    fn know(&self, member: &Member) {
        self.users.note([(member.account, member.user)]);
        for device in &member.devices {
            if !self.device_owners.contains_key(&device.session) {
                self.device_owners.insert(device.session, member.user);
            }
        }
    }
}

impl Caches {
    /// Drops the members with these accounts; returns the accounts that may be no members.
    pub(super) fn forget_members(
        &self,
        accounts: impl Iterator<Item = AccountNumber>,
    ) -> Vec<AccountNumber> {
        let Some(made) = self.members.made.get() else { return accounts.collect() };
        let mut others = Vec::new();
        for account in accounts {
            match made.users.get(account) {
                Some(user) => made.members.forget([user]),
                None => others.push(account),
            }
        }
        let is_unknown = |other| !self.users.knows(other) && !self.numbers.knows(other);
        if others.iter().copied().any(is_unknown) {
            made.members.forget_everything();
        }
        others
    }
}

#[async_trait]
impl Members for CachedStore {
    /// Whoever had the name and is gone had no device, so nobody remembers them.
    async fn create_member(&self, new: NewMember) -> Result<ListedMember, Fault> {
        self.inner.create_member(new).await
    }

    async fn member(&self, user: UserId) -> Result<Option<Arc<Member>>, Fault> {
        match self.caches.members.made().members.get(&user) {
            Some(member) => Ok(Some(member)),
            None => self.fresh_member(user).await,
        }
    }

    /// Who does not exist is not remembered, so nothing is to be forgotten when they come to be; nor
    /// who has no device, so nothing is to be forgotten when they give up.
    async fn fresh_member(&self, user: UserId) -> Result<Option<Arc<Member>>, Fault> {
        let made = self.caches.members.made();
        let before = made.members.before();
        let found = self.inner.fresh_member(user).await?;
        if let Some(member) = found.as_ref().filter(|member| !member.devices.is_empty()) {
            made.know(member);
            made.members.keep(before, [(user, Arc::clone(member))]);
        }
        Ok(found)
    }

    async fn member_named(
        &self,
        name: &MemberName,
        relay: Option<&str>,
    ) -> Result<Option<UserId>, Fault> {
        self.inner.member_named(name, relay).await
    }

    async fn list_members(
        &self,
        after: Option<AccountNumber>,
        limit: u32,
    ) -> Result<Vec<ListedMember>, Fault> {
        self.inner.list_members(after, limit).await
    }

    async fn set_discoverable(
        &self,
        account: AccountNumber,
        is_discoverable: bool,
    ) -> Result<(), Fault> {
        self.inner.set_discoverable(account, is_discoverable).await
    }

    /// A remembered member says so of its devices; it never speaks the last word against one.
    async fn member_device(&self, key: &VerifyingKey) -> Result<Option<DeviceOwner>, Fault> {
        let made = self.caches.members.made();
        let known = made.keys.get(key).and_then(|(user, session)| {
            let member = made.members.get(&user)?;
            DeviceOwner::of(member, session)
        });
        if known.is_some() {
            return Ok(known);
        }
        let before = made.members.before();
        let found = self.inner.member_device(key).await?;
        if let Some(DeviceOwner { member, device }) = &found {
            made.know(member);
            made.keys.insert(*key, (member.user, device.session));
            made.members.keep(before, [(member.user, Arc::clone(member))]);
        }
        Ok(found)
    }

    async fn device_owners(&self, ids: &[SessionId]) -> Result<Vec<(SessionId, UserId)>, Fault> {
        self.inner.device_owners(ids).await
    }

    /// The same.
    async fn member_device_is_live(&self, session: SessionNumber) -> Result<bool, Fault> {
        let made = self.caches.members.made();
        let member = made.device_owners.get(&session).and_then(|user| made.members.get(&user));
        match member.and_then(|member| DeviceOwner::of(member, session)) {
            Some(_) => Ok(true),
            None => self.inner.member_device_is_live(session).await,
        }
    }

    async fn enrol(&self, new: NewEnrolment) -> Result<EnrolledDevice, Fault> {
        let user = new.user;
        self.change(
            move |inner| async move { inner.enrol(new).await },
            move |caches, _| caches.members.forget(user),
        )
        .await
    }

    async fn change_member_device(
        &self,
        session: SessionNumber,
        change: MemberDeviceChange,
    ) -> Result<(), Fault> {
        self.change(
            move |inner| async move { inner.change_member_device(session, change).await },
            move |caches, _| caches.members.forget_which(|made| made.device_owners.get(&session)),
        )
        .await
    }

    async fn end_member_device(
        &self,
        account: AccountNumber,
        device: SessionId,
        at: Timestamp,
    ) -> Result<SessionNumber, Fault> {
        self.change(
            move |inner| async move { inner.end_member_device(account, device, at).await },
            move |caches, _| caches.members.forget_which(|made| made.users.get(account)),
        )
        .await
    }

    /// It leaves its groups.
    async fn delete_member(
        &self,
        account: AccountNumber,
        at: Timestamp,
    ) -> Result<Vec<SessionNumber>, Fault> {
        self.change(
            move |inner| async move { inner.delete_member(account, at).await },
            move |caches, _| {
                caches.members.forget_which(|made| made.users.get(account));
                caches.conversations.forget_everything();
            },
        )
        .await
    }

    async fn note_remote_device(&self, device: RemoteDevice) -> Result<DeviceOwner, Fault> {
        let user = device.user;
        self.change(
            move |inner| async move { inner.note_remote_device(device).await },
            move |caches, _| caches.members.forget(user),
        )
        .await
    }

    async fn forget_guests(&self, now: Timestamp, limit: u32) -> Result<Vec<UserId>, Fault> {
        self.change(
            move |inner| async move { inner.forget_guests(now, limit).await },
            |caches, outcome: &Result<Vec<UserId>, Fault>| {
                outcome.iter().flatten().for_each(|user| caches.members.forget(*user));
            },
        )
        .await
    }

    async fn forget_enrolments(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        self.inner.forget_enrolments(now, limit).await
    }

    /// Nobody remembers who has no device.
    async fn forget_idle_members(&self, before: Timestamp, limit: u32) -> Result<u64, Fault> {
        self.inner.forget_idle_members(before, limit).await
    }
}
