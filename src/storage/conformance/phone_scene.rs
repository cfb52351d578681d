//! Phones for the stories: their numbers, devices, codes, and what they send.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::scene::{START, Scene, at, message_id, session_id, user_id};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{ConversationNumber, SessionNumber};
use crate::domain::inbox::{Acceptance, Accepted, Details, Guard, MessageDigest, Slot, Waiting};
use crate::domain::phone::{
    CodePurpose, CodeTry, CodeUse, ContactToken, Device, DeviceNumber, NewCode, NewDevice, NewLink,
    NewPhone, PasswordHash, Phone, PhoneNumber, PushAddress, PushKind, Registered, Window,
};
use crate::domain::prekeys::{NewPrekeys, Prekey, SignedPrekey};
use crate::domain::vault::Sealed;

/// How many devices a phone may have in the stories.
pub const DEVICE_LIMIT: u32 = 3;

/// The seconds of a window in which codes are counted.
pub const DAY: u64 = 24 * 60 * 60;

pub fn number(n: u16) -> PhoneNumber {
    PhoneNumber::parse(&format!("+1415{n:07}")).unwrap()
}

pub fn token(n: u16) -> ContactToken {
    let [high, low] = n.to_be_bytes();
    ContactToken([low, 2, 3, 4, 5, 6, 7, 8, 9, high])
}

pub fn sealed(n: u16) -> Sealed {
    Sealed(n.to_be_bytes().repeat(20))
}

/// A device that comes for its messages by itself.
pub fn new_device(n: u16) -> NewDevice {
    NewDevice {
        id: session_id(n),
        password: PasswordHash(format!("hash {n}")),
        signalling_key: sealed(n),
        registration: u32::from(n),
        fetches: true,
        name: Some(format!("device {n}")),
    }
}

/// The phone numbered `n`, with a first device of that number, proved without a code.
pub fn new_phone(n: u16) -> NewPhone {
    NewPhone {
        number: number(n),
        token: token(n),
        user: user_id(n),
        supports_sms: true,
        device: new_device(n),
        code: None,
        at: START,
    }
}

pub fn new_code(purpose: CodePurpose, n: u16, code: u16) -> NewCode {
    NewCode {
        purpose,
        number: number(n),
        code: sealed(code),
        outbox: None,
        created_at: START,
        expires_at: at(900),
        window: Window { ends_at: at(DAY), most: 100 },
    }
}

/// A try of a code that may be tried so often, and 100 times in a window.
pub fn code_try(purpose: CodePurpose, n: u16, now: Timestamp, most: u32) -> CodeTry {
    let window = Window { ends_at: now.plus(Duration::from_secs(DAY)), most: 100 };
    CodeTry { purpose, number: number(n), now, most, window }
}

pub fn code_use(purpose: CodePurpose, n: u16, code: u16) -> CodeUse {
    CodeUse { purpose, number: number(n), code: sealed(code) }
}

pub fn push(kind: PushKind, n: u16) -> PushAddress {
    PushAddress { kind, address: sealed(n) }
}

pub fn prekey(id: i64) -> Prekey {
    Prekey { id, public_key: format!("key {id}") }
}

pub fn signed_prekey(id: i64) -> SignedPrekey {
    let (public_key, signature) = (format!("signed {id}"), format!("signature of {id}"));
    SignedPrekey { id, public_key, signature }
}

/// Ordinary prekeys, in this order, and nothing else.
pub fn prekeys(session: SessionNumber, ids: impl IntoIterator<Item = i64>) -> NewPrekeys {
    let ordinary = ids.into_iter().map(prekey).collect();
    NewPrekeys { session, ordinary, last_resort: None, signed: None, identity: None }
}

/// Whether a rule stood in the way.
pub fn is_forbidden<T>(outcome: &Result<T, Fault>) -> bool {
    matches!(outcome, Err(Fault::Forbidden { .. }))
}

impl Scene {
    /// Registers the phone numbered `n`.
    pub async fn phone(&self, n: u16) -> Arc<Phone> {
        self.store.register_phone(new_phone(n)).await.unwrap();
        self.known_phone(n).await
    }

    /// The phone as the store knows it, whether that is remembered or not: it is never old in the
    /// stories, where nobody else changes anything.
    pub async fn known_phone(&self, n: u16) -> Arc<Phone> {
        let known = self.store.phone(&number(n)).await.unwrap().unwrap();
        assert_eq!(known, self.store.fresh_phone(&number(n)).await.unwrap().unwrap());
        known
    }

    /// Links the device numbered `device` to the phone numbered `n`, by a code of the same number.
    pub async fn link(&self, n: u16, device: u16) -> Result<Registered, Fault> {
        let code = new_code(CodePurpose::Link, n, device);
        self.store.put_code(code).await.unwrap();
        let phone = self.store.phone(&number(n)).await.unwrap().unwrap();
        let (account, first) = (phone.account, phone.devices[0].session);
        let code = code_use(CodePurpose::Link, n, device);
        let device = new_device(device);
        let link = NewLink { account, first, device, most: DEVICE_LIMIT, code, at: START };
        self.store.link_device(link).await
    }

    /// A message from a phone's first device to all of another one's, with the guard that holds for
    /// the phone as it is given.
    pub fn text(from: &Phone, to: &Phone, n: u16) -> Acceptance {
        let slot = |device: &Device| Slot {
            shard: to.account.shard(),
            session: device.session,
            bytes: Bytes::from(format!("{n} for {}", device.number.0)),
        };
        let guard = Guard::Roster { account: to.account, generation: to.generation };
        Acceptance {
            sender: from.account,
            sender_session: from.device(DeviceNumber::PRIMARY).unwrap().session,
            conversation: ConversationNumber(0),
            message_id: message_id(n),
            digest: MessageDigest([n.to_le_bytes()[0]; 16]),
            category: "TEXTSECURE".to_owned(),
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

    /// Sends a message that nothing speaks against.
    pub async fn send_text(&self, from: &Phone, to: &Phone, n: u16) {
        assert!(matches!(self.accept(Self::text(from, to, n)).await, Accepted::Stored(_)));
    }

    /// What a device would be handed at that time.
    pub async fn lease_of(&self, phone: &Phone, device: &Device, now: Timestamp) -> Vec<Waiting> {
        let request = Self::request_of(phone.inbox(device), now);
        self.store.lease(request).await.unwrap().messages
    }
}
