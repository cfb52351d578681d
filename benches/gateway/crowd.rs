//! A large database: more accounts and waiting rows than anybody would make through the gateway,
//! written straight into the tables.

use std::path::Path;

use rusqlite::{Connection, params};
use sealpost::domain::clock::{Clock as _, SystemClock};
use sealpost::domain::ids::AccountNumber;
use sealpost::sdk::conversation::contact_conversation_id;
use sealpost::sdk::ids::{SessionId, UserId};
use sealpost::sdk::keys::SigningKey;

use super::numbers::float;
use super::scene::{Contact, Device, Person, Scene};

/// Numbers of the crowd begin here, far above those of everybody else.
const FIRST: i64 = 10_000_000;

/// Rows in one transaction.
const AT_ONCE: usize = 20_000;

/// How long a message waits, in microseconds.
const WEEK: i64 = 7 * 24 * 60 * 60 * 1_000_000;

/// Bytes of what waits. Whoever sends later does not touch it.
const BODY: [u8; 256] = [7; 256];

// A row like that of somebody who signed in, so that no vocabulary is repeated here.
const ACCOUNT: &str = "
    INSERT INTO accounts (number, id, dialect, external_name, kind, full_name, created_at)
    SELECT ?1, ?2, dialect, 'crowd-' || ?1, kind, full_name, created_at
    FROM accounts WHERE number = ?3";

const SESSION: &str = "
    INSERT INTO sessions (number, id, account, signing_key, agreement_key, platform, created_at)
    SELECT ?1, ?2, ?1, ?3, ?4, platform, created_at FROM sessions WHERE number = ?5";

const CONVERSATION: &str = "
    INSERT INTO conversations (number, id, category, creator, created_at)
    SELECT ?1, ?2, category, ?3, created_at FROM conversations WHERE number = ?4";

const PARTICIPANT: &str = "
    INSERT INTO participants (conversation, account, role, joined_at)
    SELECT ?1, ?2, role, joined_at FROM participants WHERE conversation = ?3 LIMIT 1";

const PAYLOAD: &str = "
    INSERT INTO payloads (number, shard, sender_account, sender_session, conversation, message_id,
        category, accepted_at, expires_at, details, waiting, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'ENCRYPTED_TEXT', ?7, ?8, x'', ?9, ?10)";

const SLOT: &str = "INSERT INTO inbox (shard, session, number, slot) VALUES (?1, ?2, ?3, ?4)";

const SEEN: &str = "
    INSERT INTO seen_messages (shard, sender, message_id, digest, accepted_at)
    VALUES (?1, ?2, ?3, substr(?3, 1, 16), ?4)";

/// Somebody of the crowd: everything follows from the place.
pub fn member(place: usize) -> Person {
    let number = FIRST + i64::try_from(place).expect("a small number");
    let key = SigningKey::from_seed(&[31; 32]);
    let device = Device {
        session: SessionId::from_bytes(id(0x5e, number)),
        number,
        secret: key.agreement_secret(),
        key,
        token: String::new(),
    };
    Person { user: UserId::from_bytes(id(0xac, number)), number, devices: vec![device] }
}

/// Whose messages a member gets, by place, and their conversation.
pub fn contact(scene: &Scene, place: usize, member: &Person) -> (usize, Contact) {
    let from = place % scene.senders.len();
    let id = contact_conversation_id(scene.senders[from].user, member.user);
    (from, Contact { id, number: member.number })
}

/// A version 4 UUID.
fn id(kind: u8, number: i64) -> [u8; 16] {
    let mut bytes = [kind; 16];
    bytes[6] = 0x4c;
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    bytes[8] = 0x80;
    bytes
}

/// Makes the crowd and what waits for it.
pub fn fill(database: &Path, scene: &Scene, accounts: usize, rows: usize) {
    let connection = Connection::open(database).expect("a database");
    // Nothing of it is lost: the file is closed before it is used.
    connection.pragma_update(None, "synchronous", "OFF").expect("a setting that SQLite knows");
    connection.pragma_update(None, "cache_size", "-262144").expect("a setting that SQLite knows");
    in_parts(&connection, accounts, |place| people(&connection, scene, place));
    in_parts(&connection, rows, |place| waiting(&connection, scene, place, accounts));
    let last = FIRST + i64::try_from(rows).expect("a small number");
    let raise = "UPDATE sequences SET value = max(value, ?1) WHERE name = 'messages'";
    connection.execute(raise, [last]).expect("the order of all messages");
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); ANALYZE").expect("a checkpoint");
}

fn in_parts(
    connection: &Connection,
    count: usize,
    mut write: impl FnMut(std::ops::Range<usize>) -> rusqlite::Result<()>,
) {
    for first in (0..count).step_by(AT_ONCE) {
        connection.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
        write(first..count.min(first + AT_ONCE)).expect("sound rows");
        connection.execute_batch("COMMIT").expect("room on the disk");
        if first % (AT_ONCE * 50) == 0 && first > 0 {
            eprintln!("{:.0} % of {count} written", float(first) / float(count) * 100.0);
        }
    }
}

fn people(
    connection: &Connection,
    scene: &Scene,
    places: std::ops::Range<usize>,
) -> rusqlite::Result<()> {
    let like = scene.recipients(1).first().expect("somebody");
    let like_device = like.devices.first().expect("somebody with a device");
    let like_contact = scene.contact(0, 1, 0);
    let mut account = connection.prepare(ACCOUNT)?;
    let mut session = connection.prepare(SESSION)?;
    let mut conversation = connection.prepare(CONVERSATION)?;
    let mut participant = connection.prepare(PARTICIPANT)?;
    let key = *SigningKey::from_seed(&[31; 32]).agreement_secret().public().as_bytes();
    for place in places {
        let member = member(place);
        let device = &member.devices[0];
        account.execute(params![member.number, &member.user.as_bytes()[..], like.number])?;
        // Nobody of the crowd signs anything, so these need only be different.
        let mut signing_key = [0x33; 32];
        signing_key[..8].copy_from_slice(&member.number.to_be_bytes());
        let session_id = &device.session.as_bytes()[..];
        session.execute(params![
            member.number,
            session_id,
            &signing_key[..],
            &key[..],
            like_device.number
        ])?;
        let (from, contact) = contact(scene, place, &member);
        let (sender, id) = (scene.senders[from].number, &contact.id.as_bytes()[..]);
        conversation.execute(params![contact.number, id, sender, like_contact.number])?;
        for one in [sender, member.number] {
            participant.execute(params![contact.number, one, like_contact.number])?;
        }
    }
    Ok(())
}

fn waiting(
    connection: &Connection,
    scene: &Scene,
    places: std::ops::Range<usize>,
    accounts: usize,
) -> rusqlite::Result<()> {
    let now = SystemClock.now().as_micros();
    let mut payload = connection.prepare(PAYLOAD)?;
    let mut slot = connection.prepare(SLOT)?;
    let mut seen = connection.prepare(SEEN)?;
    for place in places {
        let number = FIRST + i64::try_from(place).expect("a small number");
        let member = FIRST + i64::try_from(place % accounts).expect("a small number");
        let shard = AccountNumber(member).shard().0;
        let sender = &scene.senders[place % accounts % scene.senders.len()];
        // Ids of messages are random, so that each falls somewhere else in its index.
        let id = scattered(number);
        let waiting = [1_u8, 0x80, 0x80, 0x80, 0x80, 0x01];
        payload.execute(params![
            number,
            shard,
            sender.number,
            sender.devices[0].number,
            member,
            &id[..],
            now,
            now + WEEK,
            &waiting[..],
            &BODY[..]
        ])?;
        slot.execute(params![shard, member, number, &BODY[..64]])?;
        seen.execute(params![sender.number % 1024, sender.number, &id[..], now])?;
    }
    Ok(())
}

/// Different for each number, and spread over all that an id can be.
fn scattered(number: i64) -> [u8; 16] {
    let mixed = number.unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15).swap_bytes();
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&mixed.to_be_bytes());
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    bytes
}
