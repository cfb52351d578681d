//! Members: accounts that are known by a name, and their devices that sign each request.
//!
//! A member is made with a name alone; a token, or a new key's own word soon after, enrols its first
//! device. A device is a session like any other: it has an inbox, and an Ed25519 key that belongs to
//! no other session. It leaves prekeys here; whoever wants to write to it introduces itself first,
//! the device confirms, and that makes the chat of the two accounts, which is a conversation.

pub mod actor;
pub mod allowance;
pub mod chat;
pub mod chatting;
pub mod content;
pub mod devices;
pub mod enrolment;
pub mod event;
pub mod federation;
pub mod grouping;
pub mod handed_out;
pub mod introducing;
pub mod introduction;
pub mod key_text;
pub mod member;
pub mod missed;
pub mod name;
pub mod node;
pub mod outbox;
pub mod reading;
pub mod receipt;
pub mod sending;
pub mod taking;

use std::sync::Arc;
use std::time::Duration;

use super::gateway::Gateway;
use allowance::Allowances;
use chatting::Latest;
use enrolment::EnrolmentKey;
use handed_out::HandedOut;
use receipt::LateReceipts;

pub use actor::Actor;
pub use chat::{Chat, ChatMember, LatestMessage};
pub use event::MemberEvent;
pub use introduction::{Confirmation, Confirmed, Introduced, Introduction, NewIntroduction};
pub use member::{
    Circumstances, DeviceOwner, EnrolledDevice, ListedMember, Member, MemberDevice,
    MemberDeviceChange, NewEnrolment, NewMember, RemoteDevice, SignedKey,
};
pub use name::MemberName;
pub use receipt::Receipt;

/// What an operator may choose about members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberPolicy {
    /// How long a token enrols a device.
    pub token_life: Duration,
    /// How long a member without a device may enrol its first by the new key's own word. A name
    /// whose member never had a device is free again after that.
    pub enrolment_life: Duration,
    /// Whether new members are in the list that everybody may read, unless they say otherwise.
    pub discoverable: bool,
    /// One-time prekeys of one device.
    pub one_time_keys: u32,
    /// Introductions that may wait for one device.
    pub introductions: u32,
    /// Of these, introductions by one other device.
    pub introductions_of_one: u32,
    /// The devices that one message may name.
    pub devices_per_message: usize,
}

impl Default for MemberPolicy {
    fn default() -> Self {
        Self {
            token_life: Duration::from_secs(5 * 60),
            enrolment_life: Duration::from_secs(10 * 60),
            discoverable: true,
            one_time_keys: 100,
            introductions: 1_000,
            introductions_of_one: 5,
            devices_per_message: 1_000,
        }
    }
}

/// Serves members: the rules stand in the files beside this one as its methods.
pub struct Messenger {
    /// The rules that all protocols share, and what they stand on.
    pub gateway: Arc<Gateway>,
    /// What the operator chose.
    pub policy: MemberPolicy,
    /// How fast members may go.
    pub allowances: Allowances,
    /// Makes and reads the tokens that enrol devices.
    pub enrolment_key: EnrolmentKey,
    /// The newest message of each chat, not yet on disk.
    pub latest: Latest,
    /// What devices were given and have not acknowledged.
    pub handed_out: HandedOut,
    /// Receipts that could not be noted yet.
    pub late_receipts: LateReceipts,
}
