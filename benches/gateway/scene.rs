//! Who sends and who receives: accounts that every measured database begins with.

use futures_util::future::join_all;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sealpost::admin::client::AdminClient;
use sealpost::admin::types::{
    CreateAccount, CreateToken, CreatedAccount, CreatedToken, NewSession,
};
use sealpost::app::App;
use sealpost::domain::conversation::ContactPair;
use sealpost::domain::ids::{AccountNumber, ConversationNumber};
use sealpost::sdk::conversation::contact_conversation_id;
use sealpost::sdk::envelope::Recipient;
use sealpost::sdk::ids::{ConversationId, SessionId, UserId};
use sealpost::sdk::keys::{AgreementSecret, SigningKey};

/// An account with its devices.
pub struct Person {
    pub user: UserId,
    /// Its number inside the store.
    pub number: i64,
    pub devices: Vec<Device>,
}

/// A signed-in device.
pub struct Device {
    pub session: SessionId,
    /// Its number inside the store.
    pub number: i64,
    pub key: SigningKey,
    /// The secret half of its agreement key, worked out once.
    pub secret: AgreementSecret,
    /// An API token that may do everything.
    pub token: String,
}

/// Everybody.
pub struct Scene {
    /// Bots, each with one device.
    pub senders: Vec<Person>,
    /// Recipients, by how many devices each has.
    recipients: Vec<(usize, Vec<Person>)>,
    /// The conversations of senders (by place) and recipients (by number of devices and place).
    contacts: Vec<(usize, Vec<Vec<Contact>>)>,
}

/// A conversation of a sender and a recipient.
#[derive(Clone, Copy)]
pub struct Contact {
    pub id: ConversationId,
    pub number: i64,
}

const SENDERS: usize = 4;

/// How many recipients there are with so many devices.
const RECIPIENTS: [(usize, usize); 5] = [(1, 1000), (4, 1000), (100, 16), (256, 16), (2, 64)];

/// Accounts that are made at the same time.
const AT_ONCE: usize = 64;

impl Scene {
    /// Makes everybody in a gateway of this process.
    pub async fn make(app: &App) -> Self {
        let mut rng = ChaCha20Rng::from_seed([23; 32]);
        let mut senders = people(app, SENDERS, 1, &mut rng).await;
        for device in senders.iter_mut().flat_map(|sender| &mut sender.devices) {
            device.token = token(app, device.session).await;
        }
        let (mut recipients, mut contacts) = (Vec::new(), Vec::new());
        for (devices, count) in RECIPIENTS {
            let mut people = people(app, count, devices, &mut rng).await;
            // Readers that are measured sign nothing, so that their own work stays small.
            for person in people.iter_mut().filter(|_| devices == 4).take(64) {
                for device in &mut person.devices {
                    device.token = token(app, device.session).await;
                }
            }
            let mut known = Vec::new();
            for sender in &senders {
                known.push(acquaint(app, sender, &people).await);
            }
            contacts.push((devices, known));
            recipients.push((devices, people));
        }
        Self { senders, recipients, contacts }
    }

    /// The recipients with so many devices.
    pub fn recipients(&self, devices: usize) -> &[Person] {
        let found = self.recipients.iter().find(|(count, _)| *count == devices);
        found.map(|(_, people)| people.as_slice()).expect("a number of devices that somebody has")
    }

    /// The conversation of a sender with a recipient, both by their places.
    pub fn contact(&self, sender: usize, devices: usize, recipient: usize) -> Contact {
        let found = self.contacts.iter().find(|(count, _)| *count == devices);
        found.map(|(_, contacts)| contacts[sender][recipient]).expect("everybody is acquainted")
    }
}

impl Person {
    /// What a sender needs to know of the devices.
    pub fn keys(&self) -> Vec<Recipient> {
        let devices = self.devices.iter();
        devices.map(|it| Recipient { session: it.session, key: it.secret.public() }).collect()
    }
}

async fn people(app: &App, count: usize, devices: usize, rng: &mut ChaCha20Rng) -> Vec<Person> {
    let mut people = Vec::with_capacity(count);
    while people.len() < count {
        let batch = AT_ONCE.min(count - people.len());
        let keys = (0..batch).map(|_| (0..devices).map(|_| SigningKey::generate(rng)).collect());
        let keys: Vec<Vec<SigningKey>> = keys.collect();
        people.extend(join_all(keys.into_iter().map(|keys| person(app, keys))).await);
    }
    people
}

async fn person(app: &App, keys: Vec<SigningKey>) -> Person {
    let session = |key: &SigningKey| NewSession {
        public_key: key.verifying_key().to_base64(),
        platform: "Sealpost".to_owned(),
        replaces: None,
    };
    let kind = if keys.len() == 1 { "bot" } else { "user" };
    let request = CreateAccount {
        kind: kind.to_owned(),
        full_name: "somebody".to_owned(),
        sessions: keys.iter().map(session).collect(),
    };
    let operator = AdminClient::Local(app.admin_router());
    let created = operator.post::<CreatedAccount>("/admin/v1/accounts", &request).await;
    let created = created.expect("the account is made");
    let rosters = app.gateway().store.fresh_rosters(&[created.user_id]).await;
    let rosters = rosters.expect("the database answers");
    let roster = rosters.first().expect("a roster of the new account");
    let numbers = |session: SessionId| {
        let member = roster.members.iter().find(|member| member.session == session);
        member.expect("the new session").number.0
    };
    let devices = created.sessions.iter().zip(keys).map(|(session, key)| Device {
        session: session.session_id,
        number: numbers(session.session_id),
        secret: key.agreement_secret(),
        key,
        token: String::new(),
    });
    Person { user: created.user_id, number: roster.account.0, devices: devices.collect() }
}

async fn token(app: &App, session: SessionId) -> String {
    let scopes = ["send", "receive", "read"].map(str::to_owned).to_vec();
    let request = CreateToken { scopes, life_seconds: 24 * 60 * 60 };
    let operator = AdminClient::Local(app.admin_router());
    let path = format!("/admin/v1/sessions/{session}/tokens");
    let created = operator.post::<CreatedToken>(&path, &request).await;
    created.expect("the token is made").token.clone()
}

/// Makes the conversations of a sender with all these people.
async fn acquaint(app: &App, sender: &Person, people: &[Person]) -> Vec<Contact> {
    let pair = |person: &Person| ContactPair {
        id: contact_conversation_id(sender.user, person.user),
        creator: AccountNumber(sender.number),
        other: AccountNumber(person.number),
    };
    let pairs: Vec<ContactPair> = people.iter().map(pair).collect();
    let mut contacts = Vec::with_capacity(pairs.len());
    for pairs in pairs.chunks(500) {
        let gateway = app.gateway();
        let numbers = gateway.store.ensure_contacts(pairs, gateway.clock.now()).await;
        let numbers: Vec<ConversationNumber> = numbers.expect("the conversations are made");
        let both = pairs.iter().zip(numbers);
        contacts.extend(both.map(|(pair, number)| Contact { id: pair.id, number: number.0 }));
    }
    contacts
}
