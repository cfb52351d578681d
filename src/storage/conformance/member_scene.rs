//! Members for the stories: their names, devices, and what they leave for each other.

use std::sync::Arc;

use bytes::Bytes;

use super::scene::{START, Scene, at, key, message_id, session_id, user_id};
use crate::domain::Fault;
use crate::domain::ids::{ConversationId, ConversationNumber};
use crate::domain::inbox::{Acceptance, Details, Guard, MessageDigest, Slot, Waiting};
use crate::domain::messenger::introduction::{IntroductionId, Page, Room};
use crate::domain::messenger::member::Permit;
use crate::domain::messenger::{
    Confirmation, Confirmed, EnrolledDevice, Introduced, Member, MemberDevice, MemberName,
    NewEnrolment, NewIntroduction, NewMember, RemoteDevice, SignedKey,
};

/// How many devices a member may have in the stories.
pub const DEVICE_LIMIT: u32 = 3;

/// How many introductions may wait for a device in the stories.
pub const ROOM: Room = Room { all: 3, of_one: 3 };

/// All introductions that wait for a device.
pub const ALL: Page = Page { now: START, limit: 10, max_bytes: u64::MAX };

pub fn name(n: u16) -> MemberName {
    MemberName::parse(&format!("person {n}")).unwrap()
}

/// The member numbered `n`, made at the beginning.
pub fn new_member(n: u16) -> NewMember {
    NewMember {
        user: user_id(n),
        name: name(n),
        at: START,
        enrols_itself: false,
        idle_before: START,
        is_discoverable: true,
    }
}

/// The same, whose first device needs no token.
pub fn self_enrolling_member(n: u16) -> NewMember {
    NewMember { enrols_itself: true, ..new_member(n) }
}

pub fn token(n: u16) -> Permit {
    let mut hash = [9; 16];
    hash[..2].copy_from_slice(&n.to_le_bytes());
    Permit::Token { hash, until: at(300) }
}

pub fn signed_key(n: u16) -> SignedKey {
    SignedKey { key: format!("signed {n}"), signature: format!("signature {n}") }
}

/// A device of the member numbered `user`, enrolled by a token of the device's number.
pub fn enrolment(user: u16, n: u16) -> NewEnrolment {
    NewEnrolment {
        user: user_id(user),
        id: session_id(n),
        signing_key: key(n),
        identity_key: format!("identity {n}"),
        agreement_key: format!("agreement {n}"),
        signed: signed_key(n),
        one_time_keys: keys([1, 2, 1, 3]),
        label: Some(format!("device {n}")),
        permit: token(n),
        most: DEVICE_LIMIT,
        at: START,
    }
}

pub fn keys(numbers: impl IntoIterator<Item = u16>) -> Vec<String> {
    numbers.into_iter().map(|n| format!("key {n}")).collect()
}

pub fn introduction_id(n: u16) -> IntroductionId {
    IntroductionId::from_bytes(*message_id(n).as_bytes())
}

pub fn chat_id(n: u16) -> ConversationId {
    ConversationId::from_bytes(*message_id(n).as_bytes())
}

/// An introduction, whose ephemeral key has its number, without a one-time prekey.
pub fn introduction(from: &MemberDevice, to: &MemberDevice, n: u16) -> NewIntroduction {
    NewIntroduction {
        id: introduction_id(n),
        from: from.session,
        to: to.id,
        ephemeral_key: format!("ephemeral {n}"),
        sender_key: format!("sender {n}"),
        one_time_key: String::new(),
        ciphertext: format!("hello {n}"),
        at: at(u64::from(n)),
        expires_at: at(1000 + u64::from(n)),
    }
}

/// A device of somebody at another gateway.
pub fn remote_device(n: u16) -> RemoteDevice {
    RemoteDevice {
        relay: "elsewhere".to_owned(),
        name: name(n),
        user: user_id(n),
        id: session_id(n),
        id_there: format!("there {n}"),
        identity_key: format!("identity {n}"),
        at: START,
    }
}

impl Scene {
    /// The member numbered `n` with one device of that number.
    pub async fn member(&self, n: u16) -> Arc<Member> {
        self.store.create_member(new_member(n)).await.unwrap();
        self.enrol(n, n).await;
        self.known_member(n).await
    }

    pub async fn enrol(&self, user: u16, n: u16) -> EnrolledDevice {
        self.store.enrol(enrolment(user, n)).await.unwrap()
    }

    /// The member as the store knows it, whether that is remembered or not: it is never old in the
    /// stories, where nobody else changes anything.
    pub async fn known_member(&self, n: u16) -> Arc<Member> {
        let known = self.store.member(user_id(n)).await.unwrap().unwrap();
        assert_eq!(known, self.store.fresh_member(user_id(n)).await.unwrap().unwrap());
        known
    }

    pub async fn introduce(&self, new: NewIntroduction) -> Result<Introduced, Fault> {
        let introduced = self.store.introduce(vec![new], ROOM).await;
        introduced.map(|introduced| introduced[0])
    }

    /// Confirms the introduction numbered `n`; a chat that has to be made gets the id `chat`.
    pub async fn confirm(&self, to: &MemberDevice, n: u16, chat: u16) -> Result<Confirmed, Fault> {
        let confirmation = Confirmation {
            introduction: introduction_id(n),
            to: to.session,
            chat: chat_id(chat),
            insists: false,
            at: at(60),
        };
        self.store.confirm(confirmation).await
    }

    /// A message from a member's first device to all of another one's.
    pub fn whisper(from: &Member, to: &Member, n: u16) -> Acceptance {
        let slot = |device: &MemberDevice| Slot {
            shard: to.account.shard(),
            session: device.session,
            bytes: Bytes::from(format!("{n} for {}", device.identity_key)),
        };
        let guard = Guard::Roster { account: to.account, generation: to.generation };
        Acceptance {
            sender: from.account,
            sender_session: from.devices[0].session,
            conversation: ConversationNumber(0),
            message_id: message_id(n),
            digest: MessageDigest([n.to_le_bytes()[0]; 16]),
            category: "HUSHNET".to_owned(),
            body: Bytes::new(),
            details: Details::default(),
            slots: to.devices.iter().map(slot).collect(),
            guards: [guard].into(),
            accepted_at: START,
            expires_at: at(7 * 24 * 3600),
            top_up: None,
            quota: Self::quota(10_000, START),
        }
    }

    /// What a device would be handed.
    pub async fn waiting_for(&self, member: &Member, device: &MemberDevice) -> Vec<Waiting> {
        let request = Self::request_of(member.inbox(device), START);
        self.store.lease(request).await.unwrap().messages
    }
}
