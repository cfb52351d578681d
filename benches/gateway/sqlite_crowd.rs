//! A crowd in SQLite.

use std::ops::Range;
use std::path::Path;

use rusqlite::{Connection, params};
use sealpost::domain::clock::{Clock as _, SystemClock};
use sealpost::sdk::keys::SigningKey;
use sealpost::storage::{SeenIds, WriterConnection};
use sqlx::query;
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};

use super::crowd::{ACCOUNT as ACCOUNT_ID, BODY, SESSION as SESSION_ID, Size, WEEK};
use super::crowd::{contact, id, number};
use super::scene::Scene;
use super::sqlite_rows::packed;

const BODY_BYTES: i64 = BODY.len() as i64;

/// Accounts in one transaction.
const AT_ONCE: usize = 50_000;

/// Ids in one transaction.
const GROUP: usize = 2000;

/// So many of the newest ids become a run, as with the gateway.
const NEWEST: usize = 65_536;

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

/// A message whose slots are like its body.
pub const PAYLOAD: &str = "
    INSERT INTO payloads (number, shard, sender_account, sender_session, conversation, message_id,
        category, accepted_at, expires_at, details, waiting, slots, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'ENCRYPTED_TEXT', ?7, ?8, x'', ?9, ?10, ?10)";

const SLOT: &str = "
    INSERT INTO inbox (shard, session, number, slot_start, slot_length)
    VALUES (?1, ?2, ?3, 0, ?4)";

/// Makes the crowd and what waits for it.
pub async fn fill(database: &Path, scene: &Scene, size: Size) {
    write(database, scene, size);
    remember(database, scene, size).await;
}

fn write(database: &Path, scene: &Scene, size: Size) {
    let connection = Connection::open(database).expect("a database");
    // Nothing of it can be lost: nobody else uses the file, and it is closed before it is used.
    let settings = [
        ("foreign_keys", "OFF"),
        ("journal_mode", "OFF"),
        ("synchronous", "OFF"),
        ("cache_size", "-262144"),
    ];
    for (name, value) in settings {
        connection.pragma_update(None, name, value).expect("a setting that SQLite knows");
    }
    for first in (0..size.accounts).step_by(AT_ONCE) {
        let places = first..size.accounts.min(first + AT_ONCE);
        in_transaction(&connection, |connection| people(connection, scene, places));
    }
    for places in size.waves() {
        in_transaction(&connection, |connection| wave(connection, scene, places, size.accounts));
    }
    let raise = "UPDATE sequences SET value = max(value, ?1) WHERE name = 'messages'";
    connection.execute(raise, [number(size.rows)]).expect("the order of all messages");
    let settled = "UPDATE settled SET through = ?1, target = ?1";
    connection.execute(settled, [number(size.rows)]).expect("all rows are in their table");
    connection.pragma_update(None, "journal_mode", "WAL").expect("a setting that SQLite knows");
}

fn in_transaction(
    connection: &Connection,
    write: impl FnOnce(&Connection) -> rusqlite::Result<()>,
) {
    connection.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
    write(connection).expect("sound rows");
    connection.execute_batch("COMMIT").expect("room on the disk");
}

fn people(connection: &Connection, scene: &Scene, places: Range<usize>) -> rusqlite::Result<()> {
    let like = scene.recipients(1).first().expect("somebody");
    let like_device = like.devices.first().expect("somebody with a device");
    let like_contact = scene.contact(0, 1, 0);
    let mut account = connection.prepare(ACCOUNT)?;
    let mut session = connection.prepare(SESSION)?;
    let mut conversation = connection.prepare(CONVERSATION)?;
    let mut participant = connection.prepare(PARTICIPANT)?;
    let key = *SigningKey::from_seed(&[31; 32]).agreement_secret().public().as_bytes();
    for place in places {
        let number = number(place);
        account.execute(params![number, &id(ACCOUNT_ID, number)[..], like.number])?;
        // Nobody of the crowd signs anything, so these need only be different.
        let mut signing_key = [0x33; 32];
        signing_key[..8].copy_from_slice(&number.to_be_bytes());
        let session_id = id(SESSION_ID, number);
        session.execute(params![
            number,
            &session_id[..],
            &signing_key[..],
            &key[..],
            like_device.number
        ])?;
        let (from, contact) = contact(scene, place);
        let (sender, id) = (scene.senders[from].number, &contact.id.as_bytes()[..]);
        conversation.execute(params![contact.number, id, sender, like_contact.number])?;
        for one in [sender, number] {
            participant.execute(params![contact.number, one, like_contact.number])?;
        }
    }
    Ok(())
}

/// A message that waits.
struct Waiting {
    number: i64,
    /// Its account, session and conversation.
    member: i64,
    sender: i64,
    sender_session: i64,
    id: [u8; 16],
}

impl Waiting {
    fn at(scene: &Scene, place: usize, accounts: usize) -> Self {
        let member = place % accounts;
        let sender = &scene.senders[member % scene.senders.len()];
        Self {
            number: number(place),
            member: number(member),
            sender: sender.number,
            sender_session: sender.devices[0].number,
            id: scattered(number(place)),
        }
    }
}

fn wave(
    connection: &Connection,
    scene: &Scene,
    places: Range<usize>,
    accounts: usize,
) -> rusqlite::Result<()> {
    let now = SystemClock.now().as_micros();
    let mut messages: Vec<_> = places.map(|place| Waiting::at(scene, place, accounts)).collect();
    append(connection, &messages, now)?;
    messages.sort_unstable_by_key(|it| (it.member % 1024, it.member));
    place_rows(connection, &messages)
}

/// What goes to the end of its table.
fn append(connection: &Connection, messages: &[Waiting], now: i64) -> rusqlite::Result<()> {
    let mut payload = connection.prepare(PAYLOAD)?;
    for it in messages {
        payload.execute(params![
            it.number,
            it.member % 1024,
            it.sender,
            it.sender_session,
            it.member,
            &it.id[..],
            now,
            now + WEEK,
            packed(std::iter::once((it.member * 1024 + it.member % 1024, BODY.len()))),
            &BODY[..]
        ])?;
    }
    Ok(())
}

/// Who waits, in the order of the keys.
fn place_rows(connection: &Connection, messages: &[Waiting]) -> rusqlite::Result<()> {
    let mut slot = connection.prepare(SLOT)?;
    for it in messages {
        slot.execute(params![it.member % 1024, it.member, it.number, BODY_BYTES])?;
    }
    Ok(())
}

/// What is remembered against duplicates, moved into runs as the gateway does it: nothing else would
/// leave as many of each length.
async fn remember(database: &Path, scene: &Scene, size: Size) {
    let options = SqliteConnectOptions::new().filename(database).pragma("cache_size", "-65536");
    let options = options.synchronous(SqliteSynchronous::Off);
    let mut connection = WriterConnection::open(&options).await.expect("a database");
    let mut ids = SeenIds::open(&mut connection, NEWEST).await.expect("the tables of ids");
    // Ids of long ago would be forgotten before anything is measured.
    let now = SystemClock.now();
    for first in (0..size.rows).step_by(GROUP) {
        let places = first..size.rows.min(first + GROUP);
        query("BEGIN IMMEDIATE").execute(&mut *connection).await.expect("nobody else writes");
        ids.begin(&mut connection).await.expect("a transaction");
        let group = places.map(|place| Waiting::at(scene, place, size.accounts));
        let group = group.map(|it| (it.sender, it.id, it.id));
        ids.remember(&connection, number(first), now, group).expect("room on the disk");
        query("COMMIT").execute(&mut *connection).await.expect("room on the disk");
        ids.committed();
    }
    connection.close().await.expect("the log goes into the file");
}

/// Different for each number, and spread over all that an id can be.
pub fn scattered(number: i64) -> [u8; 16] {
    let mixed = number.unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15).swap_bytes();
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&mixed.to_be_bytes());
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    bytes
}
