//! A large database: more accounts and waiting rows than anybody would make through the gateway,
//! written straight into the tables.
//!
//! Messages come in waves that have one for each account. Each wave is written in the order of
//! the keys, between what is there, so that pages are as full as they are in a database that has
//! grown, and the filling takes minutes.

use std::ops::Range;
use std::sync::LazyLock;
use std::time::Instant;

use sealpost::sdk::conversation::contact_conversation_id;
use sealpost::sdk::ids::{SessionId, UserId};
use sealpost::sdk::keys::{AgreementSecret, SigningKey};

use super::scene::{Contact, Device, Person, Scene};
use super::store::Copy;
use super::{postgres_crowd, sqlite_crowd};

/// Numbers of the crowd begin here, far above those of everybody else.
pub const FIRST: i64 = 10_000_000;

/// How long a message waits, in microseconds.
pub const WEEK: i64 = 7 * 24 * 60 * 60 * 1_000_000;

/// Bytes of what waits, and of the slot beside it. Whoever sends later touches neither.
pub const BODY: [u8; 64] = [7; 64];

/// The first bytes of ids.
pub const SESSION: u8 = 0x5e;
pub const ACCOUNT: u8 = 0xac;

/// How many there are.
#[derive(Clone, Copy)]
pub struct Size {
    pub accounts: usize,
    pub rows: usize,
}

impl Size {
    /// The places of the messages of each wave.
    pub fn waves(self) -> impl Iterator<Item = Range<usize>> {
        (0..self.rows).step_by(self.accounts).map(move |first| {
            let end = self.rows.min(first + self.accounts);
            first..end
        })
    }
}

/// The keys of everybody's device, worked out once.
static KEYS: LazyLock<(SigningKey, AgreementSecret)> = LazyLock::new(|| {
    let key = SigningKey::from_seed(&[31; 32]);
    let secret = key.agreement_secret();
    (key, secret)
});

/// Somebody of the crowd: everything follows from the place.
pub fn member(place: usize) -> Person {
    let number = number(place);
    let (key, secret) = KEYS.clone();
    let device = Device {
        session: SessionId::from_bytes(id(SESSION, number)),
        number,
        secret,
        key,
        token: String::new(),
    };
    Person { user: UserId::from_bytes(id(ACCOUNT, number)), number, devices: vec![device] }
}

/// The number of an account, its session, its conversation or its message.
pub fn number(place: usize) -> i64 {
    FIRST + i64::try_from(place).expect("a small number")
}

/// Whose messages a member gets, by place, and their conversation.
pub fn contact(scene: &Scene, place: usize) -> (usize, Contact) {
    let (from, number) = (place % scene.senders.len(), number(place));
    let user = UserId::from_bytes(id(ACCOUNT, number));
    let id = contact_conversation_id(scene.senders[from].user, user);
    (from, Contact { id, number })
}

/// A version 4 UUID.
pub fn id(kind: u8, number: i64) -> [u8; 16] {
    let mut bytes = [kind; 16];
    bytes[6] = 0x4c;
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    bytes[8] = 0x80;
    bytes
}

/// Makes the crowd and what waits for it; says how many seconds it took.
pub async fn fill(copy: &Copy, scene: &Scene, size: Size) -> f64 {
    let start = Instant::now();
    match copy.url() {
        Some(url) => postgres_crowd::fill(&url, scene, size).await,
        None => sqlite_crowd::fill(&copy.database(), scene, size).await,
    }
    start.elapsed().as_secs_f64()
}
