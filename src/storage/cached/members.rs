//! Members.

use std::sync::Arc;

use async_trait::async_trait;
use sealpost_sdk::keys::VerifyingKey;

use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;
use crate::domain::ids::{
    AccountNumber, ConversationId, ConversationNumber, MessageId, SessionId, SessionNumber, UserId,
};
use crate::domain::messenger::receipt::NewReceipt;
use crate::domain::messenger::{
    Chat, Confirmation, Confirmed, DeviceOwner, EnrolledDevice, Introduced, Introduction,
    LatestMessage, ListedMember, Member, MemberDeviceChange, MemberName, NewEnrolment,
    NewIntroduction, NewMember, Receipt, RemoteDevice,
};

use super::CachedStore;
use crate::domain::ports::{Chats, Introductions, Members, OneTimeKeys};

#[async_trait]
impl Members for CachedStore {
    async fn create_member(&self, new: NewMember) -> Result<ListedMember, Fault> {
        self.inner.create_member(new).await
    }

    async fn member(&self, user: UserId) -> Result<Option<Arc<Member>>, Fault> {
        self.inner.member(user).await
    }

    async fn fresh_member(&self, user: UserId) -> Result<Option<Arc<Member>>, Fault> {
        self.inner.fresh_member(user).await
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

    async fn member_device(&self, key: &VerifyingKey) -> Result<Option<DeviceOwner>, Fault> {
        self.inner.member_device(key).await
    }

    async fn device_owners(&self, ids: &[SessionId]) -> Result<Vec<(SessionId, UserId)>, Fault> {
        self.inner.device_owners(ids).await
    }

    async fn member_device_is_live(&self, session: SessionNumber) -> Result<bool, Fault> {
        self.inner.member_device_is_live(session).await
    }

    async fn enrol(&self, new: NewEnrolment) -> Result<EnrolledDevice, Fault> {
        self.inner.enrol(new).await
    }

    async fn change_member_device(
        &self,
        session: SessionNumber,
        change: MemberDeviceChange,
    ) -> Result<(), Fault> {
        self.inner.change_member_device(session, change).await
    }

    async fn end_member_device(
        &self,
        account: AccountNumber,
        device: SessionId,
        at: Timestamp,
    ) -> Result<SessionNumber, Fault> {
        self.inner.end_member_device(account, device, at).await
    }

    async fn delete_member(
        &self,
        account: AccountNumber,
        at: Timestamp,
    ) -> Result<Vec<SessionNumber>, Fault> {
        self.inner.delete_member(account, at).await
    }

    async fn note_remote_device(&self, device: RemoteDevice) -> Result<DeviceOwner, Fault> {
        self.inner.note_remote_device(device).await
    }

    async fn forget_enrolments(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        self.inner.forget_enrolments(now, limit).await
    }
}

#[async_trait]
impl OneTimeKeys for CachedStore {
    async fn add_one_time_keys(
        &self,
        session: SessionNumber,
        keys: Vec<String>,
        most: u32,
    ) -> Result<u64, Fault> {
        self.inner.add_one_time_keys(session, keys, most).await
    }

    async fn one_time_keys(
        &self,
        sessions: &[SessionNumber],
        limit: u32,
    ) -> Result<Vec<Vec<String>>, Fault> {
        self.inner.one_time_keys(sessions, limit).await
    }

    async fn take_one_time_keys(
        &self,
        sessions: &[SessionNumber],
        until: Timestamp,
    ) -> Result<Vec<Option<String>>, Fault> {
        self.inner.take_one_time_keys(sessions, until).await
    }

    async fn forget_taken_keys(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        self.inner.forget_taken_keys(now, limit).await
    }
}

#[async_trait]
impl Introductions for CachedStore {
    async fn introduce(
        &self,
        introductions: Vec<NewIntroduction>,
        most: u32,
    ) -> Result<Vec<Introduced>, Fault> {
        self.inner.introduce(introductions, most).await
    }

    async fn introductions(
        &self,
        to: SessionNumber,
        limit: u32,
    ) -> Result<Vec<Introduction>, Fault> {
        self.inner.introductions(to, limit).await
    }

    async fn confirm(&self, confirmation: Confirmation) -> Result<Confirmed, Fault> {
        self.inner.confirm(confirmation).await
    }

    async fn forget_introductions(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        self.inner.forget_introductions(now, limit).await
    }
}

#[async_trait]
impl Chats for CachedStore {
    async fn ensure_chat(
        &self,
        id: ConversationId,
        creator: AccountNumber,
        other: AccountNumber,
        at: Timestamp,
    ) -> Result<ConversationId, Fault> {
        self.inner.ensure_chat(id, creator, other, at).await
    }

    async fn chats(&self, account: AccountNumber, limit: u32) -> Result<Vec<Chat>, Fault> {
        self.inner.chats(account, limit).await
    }

    async fn note_latest(
        &self,
        latest: Vec<(ConversationNumber, LatestMessage)>,
    ) -> Result<(), Fault> {
        self.inner.note_latest(latest).await
    }

    async fn note_receipts(&self, receipts: Vec<NewReceipt>, at: Timestamp) -> Result<(), Fault> {
        self.inner.note_receipts(receipts, at).await
    }

    async fn receipts(
        &self,
        sender: AccountNumber,
        message: MessageId,
    ) -> Result<Vec<Receipt>, Fault> {
        self.inner.receipts(sender, message).await
    }

    async fn forget_receipts(&self, before: Timestamp, limit: u32) -> Result<u64, Fault> {
        self.inner.forget_receipts(before, limit).await
    }
}
