//! Members in memory.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use sealpost_sdk::keys::VerifyingKey;

use super::{MemoryStore, State, chats, introductions, member_devices};
use crate::domain::Fault;
use crate::domain::account::{Account, AccountKind, Dialect, NewAccount};
use crate::domain::clock::Timestamp;
use crate::domain::conversation::{ConversationCategory, Participant, Role};
use crate::domain::ids::{AccountNumber, ConversationNumber, SessionId, SessionNumber, UserId};
use crate::domain::messenger::{
    DeviceOwner, EnrolledDevice, LatestMessage, ListedMember, Member, MemberDeviceChange,
    MemberName, NewEnrolment, NewMember, RemoteDevice,
};
use crate::domain::ports::Members;

/// All that there is about members.
#[derive(Default)]
pub(super) struct Records {
    pub members: BTreeMap<AccountNumber, Kept>,
    /// The live ones.
    pub devices: BTreeMap<SessionNumber, member_devices::Kept>,
    /// Whose keys these are, or were.
    pub keys: HashMap<VerifyingKey, SessionNumber>,
    /// Members of other gateways, and when it is looked whether they have come to something.
    pub guests: BTreeMap<AccountNumber, Timestamp>,
    pub used_enrolments: BTreeMap<[u8; 16], Timestamp>,
    pub one_time_keys: HashMap<SessionNumber, Vec<String>>,
    /// Until when they may be named, and remembered.
    pub taken_keys: BTreeMap<(SessionNumber, String), (Timestamp, Timestamp)>,
    /// In the order in which they came.
    pub introductions: Vec<introductions::Kept>,
    pub pairs: HashMap<(SessionNumber, SessionNumber), introductions::Pair>,
    pub direct_chats: BTreeMap<(AccountNumber, AccountNumber), ConversationNumber>,
    pub latest: HashMap<ConversationNumber, LatestMessage>,
    pub receipts: BTreeMap<chats::ReceiptKey, chats::Times>,
}

/// What an account has as a member.
pub(super) struct Kept {
    pub name: MemberName,
    pub relay: Option<String>,
    pub enrols_itself: bool,
    pub had_device: bool,
    pub is_discoverable: bool,
}

#[async_trait]
impl Members for MemoryStore {
    async fn create_member(&self, new: NewMember) -> Result<ListedMember, Fault> {
        self.change().create_member(new)
    }

    async fn member(&self, user: UserId) -> Result<Option<Arc<Member>>, Fault> {
        let state = self.state();
        let account = state.hushnet_account(user).map(|account| account.number);
        Ok(account.and_then(|account| state.member(account)).map(Arc::new))
    }

    async fn fresh_member(&self, user: UserId) -> Result<Option<Arc<Member>>, Fault> {
        self.member(user).await
    }

    async fn member_named(
        &self,
        name: &MemberName,
        relay: Option<&str>,
    ) -> Result<Option<UserId>, Fault> {
        let state = self.state();
        let shown = state.named(name, relay).filter(|it| state.messenger.members[it].had_device);
        Ok(shown.map(|account| state.accounts[&account].id))
    }

    async fn list_members(
        &self,
        after: Option<AccountNumber>,
        limit: u32,
    ) -> Result<Vec<ListedMember>, Fault> {
        let state = self.state();
        let own = state.messenger.members.iter();
        let own = own
            .filter(|(_, kept)| kept.relay.is_none())
            .filter(|(_, kept)| kept.had_device && kept.is_discoverable);
        let later = own.filter(|(account, _)| Some(**account) > after).take(limit as usize);
        Ok(later.map(|(account, kept)| listed(&state.accounts[account], kept)).collect())
    }

    async fn set_discoverable(
        &self,
        account: AccountNumber,
        is_discoverable: bool,
    ) -> Result<(), Fault> {
        if let Some(kept) = self.change().messenger.members.get_mut(&account) {
            kept.is_discoverable = is_discoverable;
        }
        Ok(())
    }

    async fn member_device(&self, key: &VerifyingKey) -> Result<Option<DeviceOwner>, Fault> {
        let state = self.state();
        let session = state.messenger.keys.get(key);
        Ok(session.and_then(|session| state.device_owner(*session)))
    }

    async fn device_owners(&self, ids: &[SessionId]) -> Result<Vec<(SessionId, UserId)>, Fault> {
        let state = self.state();
        let live = state.messenger.devices.values().filter(|kept| ids.contains(&kept.device.id));
        Ok(live.map(|kept| (kept.device.id, state.accounts[&kept.account].id)).collect())
    }

    async fn member_device_is_live(&self, session: SessionNumber) -> Result<bool, Fault> {
        Ok(self.state().messenger.devices.contains_key(&session))
    }

    async fn enrol(&self, new: NewEnrolment) -> Result<EnrolledDevice, Fault> {
        self.change().enrol(new)
    }

    async fn change_member_device(
        &self,
        session: SessionNumber,
        change: MemberDeviceChange,
    ) -> Result<(), Fault> {
        self.change().change_member_device(session, change);
        Ok(())
    }

    async fn end_member_device(
        &self,
        account: AccountNumber,
        device: SessionId,
        _at: Timestamp,
    ) -> Result<SessionNumber, Fault> {
        self.change().end_member_device(account, device)
    }

    async fn delete_member(
        &self,
        account: AccountNumber,
        _at: Timestamp,
    ) -> Result<Vec<SessionNumber>, Fault> {
        Ok(self.change().delete_member(account))
    }

    async fn note_remote_device(&self, device: RemoteDevice) -> Result<DeviceOwner, Fault> {
        self.change().note_remote_device(device)
    }

    async fn forget_guests(&self, now: Timestamp, limit: u32) -> Result<Vec<UserId>, Fault> {
        Ok(self.change().forget_guests(now, limit))
    }

    async fn forget_enrolments(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        let mut state = self.change();
        let used = &mut state.messenger.used_enrolments;
        Ok(used.extract_if(.., |_, until| *until <= now).take(limit as usize).count() as u64)
    }

    async fn forget_idle_members(&self, before: Timestamp, limit: u32) -> Result<u64, Fault> {
        let mut state = self.change();
        let members = state.messenger.members.iter().filter(|(_, kept)| !kept.had_device);
        let idle = members.map(|(account, _)| *account);
        let idle = idle.filter(|it| state.accounts[it].created_at < before).take(limit as usize);
        let idle: Vec<_> = idle.collect();
        idle.iter().for_each(|account| state.give_up(*account));
        Ok(idle.len() as u64)
    }
}

fn listed(account: &Account, kept: &Kept) -> ListedMember {
    ListedMember {
        account: account.number,
        user: account.id,
        name: kept.name.clone(),
        created_at: account.created_at,
    }
}

impl State {
    pub(super) fn hushnet_account(&self, user: UserId) -> Option<&Account> {
        let mut accounts = self.accounts.values();
        accounts.find(|account| account.dialect == Dialect::HushNet && account.id == user)
    }

    pub(super) fn member(&self, account: AccountNumber) -> Option<Member> {
        let kept = self.messenger.members.get(&account)?;
        let own = self.messenger.devices.values().filter(|device| device.account == account);
        let devices = own.map(|kept| {
            let mut device = kept.device.clone();
            device.last_seen_at = self.last_seen.get(&device.session).copied();
            device
        });
        Some(Member {
            account,
            user: self.accounts[&account].id,
            name: kept.name.clone(),
            relay: kept.relay.clone(),
            generation: self.generation(account).unwrap_or_default(),
            created_at: self.accounts[&account].created_at,
            devices: devices.collect(),
        })
    }

    pub(super) fn device_owner(&self, session: SessionNumber) -> Option<DeviceOwner> {
        let member = self.member(self.messenger.devices.get(&session)?.account)?;
        DeviceOwner::of(Arc::new(member), session)
    }

    fn named(&self, name: &MemberName, relay: Option<&str>) -> Option<AccountNumber> {
        let mut members = self.messenger.members.iter();
        let found = members.find(|(_, it)| it.name == *name && it.relay.as_deref() == relay);
        found.map(|(account, _)| *account)
    }

    /// Raises the generation of a member's roster, of which no other dialect is told.
    pub(super) fn member_changed(&mut self, account: AccountNumber) {
        *self.generations.entry(account).or_default() += 1;
    }

    fn create_member(&mut self, new: NewMember) -> Result<ListedMember, Fault> {
        if let Some(holder) = self.named(&new.name, None) {
            let had_device = self.messenger.members[&holder].had_device;
            new.check_holder(had_device, self.accounts[&holder].created_at)?;
            self.give_up(holder);
        }
        let account = self.hushnet_account_for(new.user, new.at)?;
        let NewMember { name, enrols_itself, is_discoverable, .. } = new;
        let kept = Kept { name, relay: None, enrols_itself, had_device: false, is_discoverable };
        let listed = listed(&self.accounts[&account], &kept);
        self.messenger.members.insert(account, kept);
        Ok(listed)
    }

    /// Makes an account; its name stands elsewhere, so that it can become free.
    pub(super) fn hushnet_account_for(
        &mut self,
        user: UserId,
        at: Timestamp,
    ) -> Result<AccountNumber, Fault> {
        let new = NewAccount {
            id: user,
            dialect: Dialect::HushNet,
            external_name: user.to_string(),
            kind: AccountKind::User,
            full_name: String::new(),
            created_at: at,
            sessions: Vec::new(),
        };
        Ok(self.create_account(new)?.account.number)
    }

    fn delete_member(&mut self, account: AccountNumber) -> Vec<SessionNumber> {
        if self.messenger.members.remove(&account).is_none() {
            return Vec::new();
        }
        let own = self.messenger.devices.iter().filter(|(_, device)| device.account == account);
        let ended: Vec<SessionNumber> = own.map(|(session, _)| *session).collect();
        ended.iter().for_each(|session| self.end_member_session(*session));
        self.member_changed(account);
        let groups = self.conversations.values_mut();
        for group in groups.filter(|it| it.category == ConversationCategory::Group) {
            let Some(place) = group.participants.iter().position(|it| it.account == account) else {
                continue;
            };
            let gone = group.participants.remove(place);
            group.generation += 1;
            group.code = group.code.filter(|_| !group.participants.is_empty());
            // `min_by_key` takes the first of equals.
            let age = |it: &&mut Participant| (Reverse(it.role), it.joined_at, it.account);
            let heir = group.participants.iter_mut().min_by_key(age);
            if let Some(heir) = heir.filter(|_| gone.role == Role::Owner) {
                heir.role = Role::Owner;
            }
        }
        ended
    }

    /// Removes a member that never had a device, with its account, which nothing names then.
    fn give_up(&mut self, account: AccountNumber) {
        self.delete_member(account);
        self.accounts.remove(&account);
        self.generations.remove(&account);
    }
}
