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

use super::MemoryStore;
use crate::domain::ports::{Chats, Introductions, Members, OneTimeKeys};

#[async_trait]
impl Members for MemoryStore {
    async fn create_member(&self, _new: NewMember) -> Result<ListedMember, Fault> {
        Err(Fault::internal("create_member", "missing"))
    }

    async fn member(&self, _user: UserId) -> Result<Option<Arc<Member>>, Fault> {
        Err(Fault::internal("member", "missing"))
    }

    async fn fresh_member(&self, _user: UserId) -> Result<Option<Arc<Member>>, Fault> {
        Err(Fault::internal("fresh_member", "missing"))
    }

    async fn member_named(
        &self,
        _name: &MemberName,
        _relay: Option<&str>,
    ) -> Result<Option<UserId>, Fault> {
        Err(Fault::internal("member_named", "missing"))
    }

    async fn list_members(
        &self,
        _after: Option<AccountNumber>,
        _limit: u32,
    ) -> Result<Vec<ListedMember>, Fault> {
        Err(Fault::internal("list_members", "missing"))
    }

    async fn member_device(&self, _key: &VerifyingKey) -> Result<Option<DeviceOwner>, Fault> {
        Err(Fault::internal("member_device", "missing"))
    }

    async fn device_owners(&self, _ids: &[SessionId]) -> Result<Vec<(SessionId, UserId)>, Fault> {
        Err(Fault::internal("device_owners", "missing"))
    }

    async fn member_device_is_live(&self, _session: SessionNumber) -> Result<bool, Fault> {
        Err(Fault::internal("member_device_is_live", "missing"))
    }

    async fn enrol(&self, _new: NewEnrolment) -> Result<EnrolledDevice, Fault> {
        Err(Fault::internal("enrol", "missing"))
    }

    async fn change_member_device(
        &self,
        _session: SessionNumber,
        _change: MemberDeviceChange,
    ) -> Result<(), Fault> {
        Err(Fault::internal("change_member_device", "missing"))
    }

    async fn end_member_device(
        &self,
        _account: AccountNumber,
        _device: SessionId,
        _at: Timestamp,
    ) -> Result<SessionNumber, Fault> {
        Err(Fault::internal("end_member_device", "missing"))
    }

    async fn delete_member(
        &self,
        _account: AccountNumber,
        _at: Timestamp,
    ) -> Result<Vec<SessionNumber>, Fault> {
        Err(Fault::internal("delete_member", "missing"))
    }

    async fn note_remote_device(&self, _device: RemoteDevice) -> Result<DeviceOwner, Fault> {
        Err(Fault::internal("note_remote_device", "missing"))
    }

    async fn forget_enrolments(&self, _now: Timestamp, _limit: u32) -> Result<u64, Fault> {
        Err(Fault::internal("forget_enrolments", "missing"))
    }
}

#[async_trait]
impl OneTimeKeys for MemoryStore {
    async fn add_one_time_keys(
        &self,
        _session: SessionNumber,
        _keys: Vec<String>,
        _most: u32,
    ) -> Result<u64, Fault> {
        Err(Fault::internal("add_one_time_keys", "missing"))
    }

    async fn one_time_keys(
        &self,
        _sessions: &[SessionNumber],
        _limit: u32,
    ) -> Result<Vec<Vec<String>>, Fault> {
        Err(Fault::internal("one_time_keys", "missing"))
    }

    async fn take_one_time_keys(
        &self,
        _sessions: &[SessionNumber],
        _until: Timestamp,
    ) -> Result<Vec<Option<String>>, Fault> {
        Err(Fault::internal("take_one_time_keys", "missing"))
    }

    async fn forget_taken_keys(&self, _now: Timestamp, _limit: u32) -> Result<u64, Fault> {
        Err(Fault::internal("forget_taken_keys", "missing"))
    }
}

#[async_trait]
impl Introductions for MemoryStore {
    async fn introduce(
        &self,
        _introductions: Vec<NewIntroduction>,
        _most: u32,
    ) -> Result<Vec<Introduced>, Fault> {
        Err(Fault::internal("introduce", "missing"))
    }

    async fn introductions(
        &self,
        _to: SessionNumber,
        _limit: u32,
    ) -> Result<Vec<Introduction>, Fault> {
        Err(Fault::internal("introductions", "missing"))
    }

    async fn confirm(&self, _confirmation: Confirmation) -> Result<Confirmed, Fault> {
        Err(Fault::internal("confirm", "missing"))
    }

    async fn forget_introductions(&self, _now: Timestamp, _limit: u32) -> Result<u64, Fault> {
        Err(Fault::internal("forget_introductions", "missing"))
    }
}

#[async_trait]
impl Chats for MemoryStore {
    async fn ensure_chat(
        &self,
        _id: ConversationId,
        _creator: AccountNumber,
        _other: AccountNumber,
        _at: Timestamp,
    ) -> Result<ConversationId, Fault> {
        Err(Fault::internal("ensure_chat", "missing"))
    }

    async fn chats(&self, _account: AccountNumber, _limit: u32) -> Result<Vec<Chat>, Fault> {
        Err(Fault::internal("chats", "missing"))
    }

    async fn note_latest(
        &self,
        _latest: Vec<(ConversationNumber, LatestMessage)>,
    ) -> Result<(), Fault> {
        Err(Fault::internal("note_latest", "missing"))
    }

    async fn note_receipts(&self, _receipts: Vec<NewReceipt>, _at: Timestamp) -> Result<(), Fault> {
        Err(Fault::internal("note_receipts", "missing"))
    }

    async fn receipts(
        &self,
        _sender: AccountNumber,
        _message: MessageId,
    ) -> Result<Vec<Receipt>, Fault> {
        Err(Fault::internal("receipts", "missing"))
    }

    async fn forget_receipts(&self, _before: Timestamp, _limit: u32) -> Result<u64, Fault> {
        Err(Fault::internal("forget_receipts", "missing"))
    }
}
