//! What members need from the store: names, devices, prekeys, introductions, chats, receipts.

use std::sync::Arc;

use async_trait::async_trait;
use sealpost_sdk::keys::VerifyingKey;

use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;
use crate::domain::ids::{
    AccountNumber, ConversationId, ConversationNumber, MessageId, SessionId, SessionNumber, UserId,
};
use crate::domain::messenger::introduction::{IntroductionHead, IntroductionId, Page, Room};
use crate::domain::messenger::receipt::NewReceipt;
use crate::domain::messenger::{
    Chat, Confirmation, Confirmed, DeviceOwner, EnrolledDevice, Introduced, Introduction,
    LatestMessage, ListedMember, Member, MemberDeviceChange, MemberName, NewEnrolment,
    NewIntroduction, NewMember, Receipt, RemoteDevice,
};

/// Members and their devices. Every change to devices raises the generation of the account's roster
/// in its transaction.
#[async_trait]
pub trait Members: Send + Sync {
    /// Makes a member.
    ///
    /// # Errors
    /// [`Fault::Conflict`] (`username`) when somebody of this gateway has the name and
    /// `idle_before` does not free it.
    async fn create_member(&self, new: NewMember) -> Result<ListedMember, Fault>;

    /// The member of that id, of this gateway or another one; `None` when there is none, or it was
    /// deleted. May be as old as a cache is.
    async fn member(&self, user: UserId) -> Result<Option<Arc<Member>>, Fault>;

    /// The same, straight from the database.
    async fn fresh_member(&self, user: UserId) -> Result<Option<Arc<Member>>, Fault>;

    /// Who has that name, and had a device; at this gateway, or at that one.
    async fn member_named(
        &self,
        name: &MemberName,
        relay: Option<&str>,
    ) -> Result<Option<UserId>, Fault>;

    /// A page of this gateway's members that had a device and are discoverable, in the order in which
    /// they were made.
    async fn list_members(
        &self,
        after: Option<AccountNumber>,
        limit: u32,
    ) -> Result<Vec<ListedMember>, Fault>;

    /// Notes whether a member is discoverable; does nothing when there is none.
    async fn set_discoverable(
        &self,
        account: AccountNumber,
        is_discoverable: bool,
    ) -> Result<(), Fault>;

    /// The live device that signs with that key. May be as old as a cache is, as long as another
    /// gateway that writes to the same database may have ended it; what a device does is judged
    /// again where it is written down.
    async fn member_device(&self, key: &VerifyingKey) -> Result<Option<DeviceOwner>, Fault>;

    /// Whose these live devices are, in any order; those that are unknown or have ended are left
    /// out.
    async fn device_owners(&self, ids: &[SessionId]) -> Result<Vec<(SessionId, UserId)>, Fault>;

    /// Whether a device may still act. May be as old as a cache is.
    async fn member_device_is_live(&self, session: SessionNumber) -> Result<bool, Fault>;

    /// Enrols a device: what allows it is used up in the same transaction.
    ///
    /// # Errors
    /// [`Fault::Forbidden`] when the permit does not hold (used before, not the first device, the
    /// signing device has ended), [`Fault::NotFound`] (`user`) for an unknown account,
    /// [`Fault::Conflict`] (`identity_pubkey`) when the key is on file, [`Fault::TooLarge`] when the
    /// account has all the devices that it may have. Nothing is used up then.
    async fn enrol(&self, new: NewEnrolment) -> Result<EnrolledDevice, Fault>;

    /// Changes a device; does nothing when it has ended.
    async fn change_member_device(
        &self,
        session: SessionNumber,
        change: MemberDeviceChange,
    ) -> Result<(), Fault>;

    /// Ends a device: what waits for it, its prekeys and introductions go.
    ///
    /// # Errors
    /// [`Fault::NotFound`] (`device`) unless it is a live one of this account, [`Fault::Conflict`]
    /// (`device`) when it is the last one.
    async fn end_member_device(
        &self,
        account: AccountNumber,
        device: SessionId,
        at: Timestamp,
    ) -> Result<SessionNumber, Fault>;

    /// Deletes an account: its name is free, all its devices end, and it leaves its groups, each of
    /// which rises by a generation; who would follow an owner that leaves follows it. Returns the sessions that ended.
    async fn delete_member(
        &self,
        account: AccountNumber,
        at: Timestamp,
    ) -> Result<Vec<SessionNumber>, Fault>;

    /// Notes a device that another gateway speaks for, and its member; returns both. Its inbox stays
    /// empty: nothing is ever addressed to it here.
    ///
    /// # Errors
    /// [`Fault::Forbidden`] when the id is on file for somebody else.
    async fn note_remote_device(&self, device: RemoteDevice) -> Result<DeviceOwner, Fault>;

    /// Looks at members of other gateways who had come to nothing a day ago, at most `limit`: those
    /// without a chat and without an introduction that waits are forgotten. Returns them.
    async fn forget_guests(&self, now: Timestamp, limit: u32) -> Result<Vec<UserId>, Fault>;

    /// Forgets at most `limit` used tokens whose time is over; returns how many.
    async fn forget_enrolments(&self, now: Timestamp, limit: u32) -> Result<u64, Fault>;

    /// Removes at most `limit` members, with their accounts, that were made before then and never had
    /// a device; returns how many.
    async fn forget_idle_members(&self, before: Timestamp, limit: u32) -> Result<u64, Fault>;
}

/// One-time prekeys of members' devices: each is given out once, and used once.
#[async_trait]
pub trait OneTimeKeys: Send + Sync {
    /// Adds keys behind those that are there; doubles are passed over, and what was given out or used
    /// before. Returns how many are there.
    ///
    /// # Errors
    /// [`Fault::TooLarge`] when there would be more than `most`; nothing was added.
    async fn add_one_time_keys(
        &self,
        session: SessionNumber,
        keys: Vec<String>,
        most: u32,
    ) -> Result<u64, Fault>;

    /// At most `limit` keys of each of these devices that nobody was given, in the order in which
    /// they are given out.
    async fn one_time_keys(
        &self,
        sessions: &[SessionNumber],
        limit: u32,
    ) -> Result<Vec<Vec<String>>, Fault>;

    /// Gives out the first key of each of these devices, in their order; `None` for one that has
    /// none. Nobody is given it again, but one introduction may still name it until `until`.
    async fn take_one_time_keys(
        &self,
        sessions: &[SessionNumber],
        until: Timestamp,
    ) -> Result<Vec<Option<String>>, Fault>;

    /// Forgets at most `limit` keys that were given out or used
    /// [long ago](crate::domain::messenger::member::KEYS_REMEMBERED); returns how many.
    async fn forget_taken_keys(&self, now: Timestamp, limit: u32) -> Result<u64, Fault>;
}

/// Introductions.
#[async_trait]
pub trait Introductions: Send + Sync {
    /// Keeps introductions, all of them or none; the one-time prekeys that they name are used up. One
    /// that repeats an earlier one (same devices, same ephemeral key) is that one. Those whose time
    /// is over by then count as gone. They come from one device and are for different ones. Each
    /// takes the place of the oldest ones from the same device when there are as many as may be.
    ///
    /// # Errors
    /// [`Fault::Unauthorized`] when the device that introduces itself has ended,
    /// [`Fault::NotFound`] (`device`) when a recipient is no live device of this gateway,
    /// [`Fault::Conflict`] (`otpk_used`) when a prekey that is named is not there any more,
    /// [`Fault::Deferred`] when there is no room.
    async fn introduce(
        &self,
        introductions: Vec<NewIntroduction>,
        room: Room,
    ) -> Result<Vec<Introduced>, Fault>;

    /// What waits for a device and whose time is not over, the oldest first.
    async fn introductions(
        &self,
        to: SessionNumber,
        page: Page,
    ) -> Result<Vec<Introduction>, Fault>;

    /// The same without the texts.
    async fn introduction_heads(
        &self,
        to: SessionNumber,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<IntroductionHead>, Fault>;

    /// One that waits for a device.
    async fn introduction(
        &self,
        to: SessionNumber,
        now: Timestamp,
        id: IntroductionId,
    ) -> Result<Option<IntroductionHead>, Fault>;

    /// Whether one by any device of that account waits for one of these devices.
    async fn has_introduced(
        &self,
        from: AccountNumber,
        to: &[SessionNumber],
        now: Timestamp,
    ) -> Result<bool, Fault>;

    /// Takes an introduction: it goes, the two devices are a pair, and the chat of their accounts
    /// exists.
    ///
    /// # Errors
    /// [`Fault::NotFound`] (`introduction`) when there is none of that id for that device, or its
    /// time is over,
    /// [`Fault::Conflict`] (`chat_id`) when it insists on an id that is not their chat's, or the chat
    /// would have to get one that is another conversation's or may be none
    /// ([`may_have_id`](crate::domain::messenger::chat::may_have_id)).
    async fn confirm(&self, confirmation: Confirmation) -> Result<Confirmed, Fault>;

    /// Forgets at most `limit` introductions whose time is over; returns how many.
    async fn forget_introductions(&self, now: Timestamp, limit: u32) -> Result<u64, Fault>;
}

/// Chats, as lists of them show them.
#[async_trait]
pub trait Chats: Send + Sync {
    /// The chat of two accounts, made with this id unless it exists; returns its id.
    ///
    /// # Errors
    /// [`Fault::Conflict`] (`chat_id`) when the id is another conversation's, or may be none
    /// ([`may_have_id`](crate::domain::messenger::chat::may_have_id)).
    async fn ensure_chat(
        &self,
        id: ConversationId,
        creator: AccountNumber,
        other: AccountNumber,
        at: Timestamp,
    ) -> Result<ConversationId, Fault>;

    /// The chat of two accounts, if there is one.
    async fn direct_chat(
        &self,
        one: AccountNumber,
        other: AccountNumber,
    ) -> Result<Option<ConversationId>, Fault>;

    /// The chats that an account takes part in, in any order.
    async fn chats(&self, account: AccountNumber, limit: u32) -> Result<Vec<Chat>, Fault>;

    /// Notes the newest messages of chats; an older one than is on file changes nothing.
    async fn note_latest(
        &self,
        latest: Vec<(ConversationNumber, LatestMessage)>,
    ) -> Result<(), Fault>;

    /// Notes how far messages got. What was read stays read.
    async fn note_receipts(&self, receipts: Vec<NewReceipt>, at: Timestamp) -> Result<(), Fault>;

    /// How far one message of this sender got, by device in the order of their numbers.
    async fn receipts(
        &self,
        sender: AccountNumber,
        message: MessageId,
    ) -> Result<Vec<Receipt>, Fault>;

    /// Forgets at most `limit` receipts of before then; returns how many.
    async fn forget_receipts(&self, before: Timestamp, limit: u32) -> Result<u64, Fault>;
}
