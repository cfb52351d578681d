//! Everything that is sent, made before any clock starts: sealed, signed, and as rows for the floor.

use std::borrow::Borrow;
use std::sync::Arc;

use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use sealpost::domain::clock::{Clock as _, SystemClock};
use sealpost::domain::ids::AccountNumber;
use sealpost::sdk::base64url;
use sealpost::sdk::checksum::session_checksum;
use sealpost::sdk::envelope::{self, WrapCache};
use sealpost::sdk::ids::MessageId;
use sealpost::sdk::token::{self, RequestClaims};
use sealpost::sdk::types::OutgoingMessage;

use super::scene::{Contact, Person, Scene};
use super::shape::{Credential, Shape};
use super::sqlite_rows;

/// Bytes of text in every message.
const TEXT: usize = 1024;

const PATH: &str = "/encrypted_messages";
const CATEGORY: &str = "ENCRYPTED_TEXT";

/// The messages of a shape, in all the forms that are measured.
pub struct Prepared {
    /// One for each request: who sends it, and its JSON.
    posts: Vec<(usize, Bytes)>,
    /// What the store is to hold in the end.
    pub rows: Vec<FloorMessage>,
}

/// A message as it stands in the tables.
#[derive(Clone)]
pub struct FloorMessage {
    pub sender: i64,
    pub sender_session: i64,
    pub conversation: i64,
    pub message_id: [u8; 16],
    pub digest: [u8; 16],
    pub category: &'static str,
    pub body: Bytes,
    /// Who it waits for, in as many bytes as the gateway needs for that.
    pub waiting: Bytes,
    /// The same with the lengths of their slots, as a file has it.
    pub places: Bytes,
    /// Shard, session and slot.
    pub slots: Vec<(i64, i64, Bytes)>,
}

impl Prepared {
    /// Makes so many requests of a shape, with ids that no other `seed` has.
    pub fn new(scene: &Scene, shape: &Shape, requests: usize, seed: u8) -> Self {
        Self::new_for(scene, shape, requests, seed, scene.recipients(shape.sessions).len())
    }

    /// The same for the first `people` of the recipients.
    pub fn new_for(scene: &Scene, shape: &Shape, requests: usize, seed: u8, people: usize) -> Self {
        let recipients = &scene.recipients(shape.sessions)[..people];
        Self::to(scene, shape, requests, seed, |from, item| {
            let to = item % people;
            (&recipients[to], scene.contact(from, shape.sessions, to))
        })
    }

    /// The same for whom `recipient` says, from the place of the sender and that of the message.
    pub fn to<P: Borrow<Person>>(
        scene: &Scene,
        shape: &Shape,
        requests: usize,
        seed: u8,
        mut recipient: impl FnMut(usize, usize) -> (P, Contact),
    ) -> Self {
        let mut rng = ChaCha20Rng::from_seed([seed; 32]);
        let cache = WrapCache::with_capacity(8192);
        let (mut posts, mut rows) = (Vec::with_capacity(requests), Vec::new());
        for request in 0..requests {
            let from = request % scene.senders.len();
            let sender = &scene.senders[from];
            let mut items = Vec::with_capacity(shape.batch);
            for item in 0..shape.batch {
                let (person, contact) = recipient(from, request * shape.batch + item);
                let (message, row) = message(sender, person.borrow(), contact, &cache, &mut rng);
                items.push(message);
                rows.push(row);
            }
            let json = serde_json::to_vec(&items).expect("plain data");
            posts.push((from, json.into()));
        }
        Self { posts, rows }
    }

    /// The requests as they go over the wire.
    pub fn requests(&self, scene: &Scene, credential: Credential) -> Arc<[Bytes]> {
        let request = |(from, body): &(usize, Bytes)| {
            let token = credential_of(&scene.senders[*from], credential, "POST", PATH, body);
            http("POST", PATH, &token, body)
        };
        self.posts.iter().map(request).collect()
    }
}

/// A token for a request.
pub fn credential_of(
    person: &Person,
    credential: Credential,
    method: &str,
    path: &str,
    body: &[u8],
) -> String {
    let device = person.devices.first().expect("somebody with a device");
    if credential == Credential::Api {
        return device.token.clone();
    }
    let now = SystemClock.now().as_seconds();
    let claims = RequestClaims {
        uid: person.user,
        sid: device.session,
        iat: now,
        exp: now + 24 * 60 * 60,
        jti: "5dc5d6f2-3bd3-4d07-8c0f-2f3c0b7a6e11".to_owned(),
        sig: token::body_digest(method, path, body),
        scp: "FULL".to_owned(),
    };
    token::sign(&claims, &device.key).expect("a key that signs")
}

/// A request in one piece.
pub fn http(method: &str, path: &str, token: &str, body: &[u8]) -> Bytes {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat().into()
}

fn message(
    sender: &Person,
    person: &Person,
    contact: Contact,
    cache: &WrapCache,
    rng: &mut ChaCha20Rng,
) -> (OutgoingMessage, FloorMessage) {
    let device = sender.devices.first().expect("a sender has a device");
    let mut text = [0; TEXT];
    rng.fill_bytes(&mut text);
    let sealed = envelope::seal(&text, &device.secret, &person.keys(), Some(cache), rng);
    let sealed = Bytes::from(sealed.expect("sound recipients"));
    let message_id = MessageId::random(rng);
    let message = OutgoingMessage {
        conversation_id: contact.id,
        recipient_id: Some(person.user),
        message_id,
        category: CATEGORY.to_owned(),
        data_base64: base64url::encode(&sealed),
        checksum: session_checksum(person.devices.iter().map(|it| it.session)).to_string(),
        recipient_sessions: Vec::new(),
        representative_id: None,
        quote_message_id: None,
        silent: false,
        expire_in: 0,
    };
    let parsed = envelope::parse(&sealed).expect("an envelope of our own");
    let shard = AccountNumber(person.number).shard().0;
    let number = |session| {
        let device = person.devices.iter().find(|device| device.session == session);
        device.expect("a slot for a device of the recipient").number
    };
    let slots = parsed.slots();
    let slots = slots.map(|it| (shard, number(it.session), sealed.slice_ref(it.bytes)));
    let slots: Vec<_> = slots.collect();
    let places = slots.iter().map(|(shard, session, slot)| (session * 1024 + shard, slot.len()));
    let mut digest = [0; 16];
    rng.fill_bytes(&mut digest);
    let row = FloorMessage {
        sender: sender.number,
        sender_session: device.number,
        conversation: contact.number,
        message_id: *message_id.as_bytes(),
        digest,
        category: CATEGORY,
        body: parsed.shared_bytes().into(),
        waiting: waiting(person),
        places: sqlite_rows::packed(places).into(),
        slots,
    };
    (message, row)
}

/// The recipients of a message.
fn waiting(person: &Person) -> Bytes {
    let shard = AccountNumber(person.number).shard().0;
    packed(person.devices.iter().map(|it| it.number * 1024 + shard)).into()
}

/// Inboxes, each as one number of session and shard: a first byte, then each as the difference to
/// the one before it, with seven bits to the byte.
pub fn packed(inboxes: impl Iterator<Item = i64>) -> Vec<u8> {
    let mut numbers: Vec<_> = inboxes.map(i64::unsigned_abs).collect();
    numbers.sort_unstable();
    let (mut bytes, mut before) = (vec![1], 0);
    for number in numbers {
        sqlite_rows::push(&mut bytes, number - before);
        before = number;
    }
    bytes
}
