//! The least that storing messages costs in SQLite: the same rows in the same tables, written by
//! prepared statements on a connection of their own, with nothing between them and the library.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Statement, params};
use sealpost::domain::clock::{Clock as _, SystemClock};

use super::process::own_cpu;
use super::requests::FloorMessage;
use super::store::{Floor, Stored};

const TAKE_NUMBERS: &str =
    "UPDATE sequences SET value = value + ?1 WHERE name = 'messages' RETURNING value";

const PAYLOAD: &str = "
    INSERT INTO payloads (number, shard, sender_account, sender_session, conversation, message_id,
        category, accepted_at, expires_at, details, waiting, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";

const SLOT: &str = "INSERT INTO inbox (shard, session, number, slot) VALUES (?1, ?2, ?3, ?4)";

const SEEN: &str = "
    INSERT INTO seen_messages (shard, sender, message_id, digest, accepted_at)
    VALUES (?1, ?2, ?3, ?4, ?5)";

/// How long a message waits, in microseconds.
const WEEK: i64 = 7 * 24 * 60 * 60 * 1_000_000;

const STORED: &str = "
    SELECT (SELECT count(*) FROM payloads), (SELECT count(*) FROM inbox),
        (SELECT count(*) FROM seen_messages), (SELECT total(length(body)) FROM payloads),
        (SELECT total(length(slot)) FROM inbox), (SELECT total(length(waiting)) FROM payloads)";

/// Opens a database as the gateway's writer does, and asks whether it is so.
pub fn open(database: &Path) -> Connection {
    let connection = Connection::open(database).expect("a database");
    let settings = [
        ("journal_mode", "WAL"),
        ("synchronous", "FULL"),
        ("wal_autocheckpoint", "16000"),
        ("journal_size_limit", "134217728"),
        ("cache_size", "-16384"),
    ];
    for (name, value) in settings {
        connection.pragma_update(None, name, value).expect("a setting that SQLite knows");
    }
    let mode: String = ask(&connection, "PRAGMA journal_mode");
    let synchronous: i64 = ask(&connection, "PRAGMA synchronous");
    assert_eq!((mode.as_str(), synchronous), ("wal", 2), "the floor is as durable as the gateway");
    connection
}

fn ask<T: rusqlite::types::FromSql>(connection: &Connection, question: &str) -> T {
    connection.query_row(question, [], |row| row.get(0)).expect("an answer")
}

/// Writes all messages, so many in a transaction; at a rate when `each_second` says one.
pub fn write(
    database: &Path,
    messages: &[FloorMessage],
    group: usize,
    each_second: Option<f64>,
) -> Floor {
    let connection = open(database);
    let mut hand = Hand::new(&connection).expect("tables of the gateway");
    let (first, measured) = messages.split_at(messages.len() / 6);
    for group in first.chunks(group) {
        hand.commit(group);
    }
    let (start, before) = (Instant::now(), own_cpu());
    let mut times = Vec::new();
    let mut due = Duration::ZERO;
    for group in measured.chunks(group) {
        if let Some(rate) = each_second {
            due += Duration::from_secs_f64(super::numbers::float(group.len()) / rate);
            wait_until(start + due);
        }
        times.push(hand.commit(group));
    }
    let seconds = start.elapsed().as_secs_f64();
    Floor { seconds, times, messages: measured.len(), cpu: own_cpu() - before }
}

fn wait_until(due: Instant) {
    // Nobody unparks this thread, but a system may wake it early.
    while let Some(left) = due.checked_duration_since(Instant::now()) {
        std::thread::park_timeout(left);
    }
}

/// Statements that are prepared once.
struct Hand<'a> {
    begin: Statement<'a>,
    take_numbers: Statement<'a>,
    payload: Statement<'a>,
    slot: Statement<'a>,
    seen: Statement<'a>,
    commit: Statement<'a>,
}

impl<'a> Hand<'a> {
    fn new(connection: &'a Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            begin: connection.prepare("BEGIN IMMEDIATE")?,
            take_numbers: connection.prepare(TAKE_NUMBERS)?,
            payload: connection.prepare(PAYLOAD)?,
            slot: connection.prepare(SLOT)?,
            seen: connection.prepare(SEEN)?,
            commit: connection.prepare("COMMIT")?,
        })
    }

    fn commit(&mut self, group: &[FloorMessage]) -> Duration {
        let start = Instant::now();
        self.insert(group).expect("sound rows, and room on the disk");
        start.elapsed()
    }

    fn insert(&mut self, group: &[FloorMessage]) -> rusqlite::Result<()> {
        self.begin.execute([])?;
        let now = SystemClock.now().as_micros();
        let count = i64::try_from(group.len()).expect("a small number");
        let last: i64 = self.take_numbers.query_row([count], |row| row.get(0))?;
        let numbers = last - count + 1..;
        for (number, it) in numbers.clone().zip(group) {
            self.payload.execute(params![
                number,
                it.slots.first().map_or(0, |(shard, ..)| *shard),
                it.sender,
                it.sender_session,
                it.conversation,
                &it.message_id[..],
                it.category,
                now,
                now + WEEK,
                &[][..],
                &it.waiting[..],
                &it.body[..],
            ])?;
        }
        // In the order of their keys, so that rows of one inbox go to one page.
        let slots = numbers.zip(group).flat_map(|(number, it)| {
            it.slots.iter().map(move |(shard, session, slot)| (*shard, *session, number, slot))
        });
        let mut slots: Vec<_> = slots.collect();
        slots.sort_unstable_by_key(|(shard, session, number, _)| (*shard, *session, *number));
        for (shard, session, number, slot) in slots {
            self.slot.execute(params![shard, session, number, &slot[..]])?;
        }
        let mut claims: Vec<_> = group.iter().collect();
        claims.sort_unstable_by_key(|it| (it.sender % 1024, it.sender, it.message_id));
        for it in claims {
            let (id, digest) = (&it.message_id[..], &it.digest[..]);
            self.seen.execute(params![it.sender % 1024, it.sender, id, digest, now])?;
        }
        self.commit.execute([])?;
        Ok(())
    }
}

/// What is in the tables.
pub fn stored(database: &Path) -> Stored {
    let connection = Connection::open(database).expect("a database");
    let row = connection.query_row(STORED, [], |row| {
        Ok(Stored {
            payloads: row.get(0)?,
            slots: row.get(1)?,
            claims: row.get(2)?,
            body_bytes: row.get(3)?,
            slot_bytes: row.get(4)?,
            waiting_bytes: row.get(5)?,
        })
    });
    row.expect("the tables can be read")
}
