//! The least that storing messages costs in SQLite: the same rows in the same tables, written by
//! prepared statements on a connection of their own, with nothing between them and the library.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, Statement, params};
use sealpost::domain::clock::{Clock as _, SystemClock};

use super::pace::{Arrivals, Found, Line};
use super::process::own_cpu;
use super::requests::FloorMessage;
use super::sqlite_ids::{self, Ids};
use super::sqlite_log::{self, Log};
use super::sqlite_rows;
use super::sqlite_settling::Settling;
use super::store::{Floor, Stored};

const TAKE_NUMBERS: &str =
    "UPDATE sequences SET value = value + ?1 WHERE name = 'messages' RETURNING value";

const PAYLOAD: &str = "
    INSERT INTO payloads (number, shard, sender_account, sender_session, conversation, message_id,
        category, accepted_at, expires_at, details, waiting, slots, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, x'', ?10, ?11, ?12)";

/// How long a message waits, in microseconds.
const WEEK: i64 = 7 * 24 * 60 * 60 * 1_000_000;

const STORED: &str = "
    SELECT (SELECT count(*) FROM payloads), (SELECT count(*) FROM inbox),
        (SELECT total(length(body)) FROM payloads), (SELECT total(length(slots)) FROM payloads),
        (SELECT total(length(waiting)) FROM payloads),
        (SELECT total(sender_account + sender_session + conversation) FROM payloads),
        (SELECT total(session * 1024 + shard) FROM inbox)";

/// Opens a database as the gateway's writer does; asks whether it is as durable.
fn open(database: &Path) -> Connection {
    let connection = Connection::open(database).expect("a database");
    let settings = [
        ("journal_mode", "WAL"),
        ("synchronous", "FULL"),
        ("wal_autocheckpoint", sqlite_log::LONGEST),
        ("journal_size_limit", "134217728"),
        ("cache_size", "-65536"),
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

/// Writes all messages, so many in a transaction.
pub fn write(database: &Path, messages: &[FloorMessage], group: usize) -> Floor {
    let connection = open(database);
    let mut hand = Hand::new(&connection, database).expect("tables of the gateway");
    let (first, measured) = messages.split_at(messages.len() / 6);
    hand.write_all(first, group);
    let (start, before) = (Instant::now(), own_cpu());
    let times = hand.write_all(measured, group);
    let (seconds, cpu) = (start.elapsed().as_secs_f64(), own_cpu() - before);
    let (transactions, messages) = (times.len(), measured.len());
    Floor { seconds, transactions, times, messages, cpu, server_cpu: 0.0 }
}

/// Writes requests that come at a rate: all that are due in one transaction.
pub fn write_at(database: &Path, messages: &[FloorMessage], arrivals: Arrivals) -> Floor {
    let connection = open(database);
    let mut hand = Hand::new(&connection, database).expect("tables of the gateway");
    let requests = arrivals.requests(messages.len());
    let (first, measured) = messages.split_at(requests / 6 * arrivals.batch);
    hand.write_all(first, arrivals.batch);
    let mut line = Line::new(requests - requests / 6, arrivals.each_second);
    let (start, before) = (Instant::now(), own_cpu());
    let (mut times, mut transactions) = (Vec::new(), 0);
    loop {
        match line.take() {
            Found::Due(due, since) => {
                hand.commit(&measured[arrivals.messages(&due)]);
                times.extend(since.into_iter().map(|since| since.elapsed()));
                transactions += 1;
            }
            Found::Later(due) => {
                wait_until(due);
                line.wake();
            }
            Found::End => break,
        }
    }
    let (seconds, cpu) = (start.elapsed().as_secs_f64(), own_cpu() - before);
    Floor { seconds, transactions, times, messages: measured.len(), cpu, server_cpu: 0.0 }
}

fn wait_until(due: Instant) {
    // Nobody unparks this thread, but a system may wake it early.
    while let Some(left) = due.checked_duration_since(Instant::now()) {
        std::thread::park_timeout(left);
    }
}

/// Statements that are prepared once, and who copies the log.
struct Hand<'a> {
    connection: &'a Connection,
    log: Log,
    begin: Statement<'a>,
    take_numbers: Statement<'a>,
    payload: Statement<'a>,
    settling: Settling<'a>,
    ids: Ids<'a>,
    commit: Statement<'a>,
}

/// A message and its place in the one order of all.
pub type Numbered<'a> = (i64, &'a FloorMessage);

impl<'a> Hand<'a> {
    fn new(connection: &'a Connection, database: &Path) -> rusqlite::Result<Self> {
        Ok(Self {
            connection,
            log: Log::new(database),
            begin: connection.prepare("BEGIN IMMEDIATE")?,
            take_numbers: connection.prepare(TAKE_NUMBERS)?,
            payload: connection.prepare(PAYLOAD)?,
            settling: Settling::new(connection)?,
            ids: Ids::new(connection)?,
            commit: connection.prepare("COMMIT")?,
        })
    }

    /// Writes messages, so many in a transaction; returns what each transaction took.
    fn write_all(&mut self, messages: &[FloorMessage], group: usize) -> Vec<Duration> {
        let timed = |group| {
            let start = Instant::now();
            self.commit(group);
            start.elapsed()
        };
        messages.chunks(group).map(timed).collect()
    }

    /// Writes some messages in one transaction.
    fn commit(&mut self, group: &[FloorMessage]) {
        self.log.finish(self.connection);
        self.transaction(group).expect("sound rows, and room on the disk");
        self.log.grew(group.iter().map(cost).sum());
    }

    fn transaction(&mut self, group: &[FloorMessage]) -> rusqlite::Result<()> {
        self.begin.execute([])?;
        let now = SystemClock.now().as_micros();
        let count = i64::try_from(group.len()).expect("a small number");
        let last: i64 = self.take_numbers.query_row([count], |row| row.get(0))?;
        let numbered: Vec<Numbered<'_>> = (last - count + 1..).zip(group).collect();
        self.append(&numbered, now)?;
        self.settling.add(&numbered)?;
        self.ids.add(&numbered, now)?;
        self.commit.execute([])?;
        Ok(())
    }

    /// What goes to the end of its table.
    fn append(&mut self, group: &[Numbered<'_>], now: i64) -> rusqlite::Result<()> {
        for (number, it) in group {
            let slots = it.slots.iter().map(|(.., slot)| &slot[..]).collect::<Vec<_>>().concat();
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
                &it.places[..],
                slots,
                &it.body[..],
            ])?;
        }
        Ok(())
    }
}

/// About how many bytes a message takes, as the gateway counts them.
fn cost(message: &FloorMessage) -> usize {
    let slots = message.slots.iter().map(|(.., slot)| slot.len() + 64);
    512 + message.body.len() + slots.sum::<usize>()
}

/// What is in the tables, and what is on its way there.
pub fn stored(database: &Path) -> Stored {
    let connection = Connection::open(database).expect("a database");
    let row = connection.query_row(STORED, [], |row| {
        Ok(Stored {
            payloads: row.get(0)?,
            slots: row.get(1)?,
            claims: 0,
            body_bytes: row.get(2)?,
            slot_bytes: row.get(3)?,
            waiting_bytes: row.get(4)?,
            digest_bytes: 0.0,
            senders: row.get(5)?,
            inboxes: row.get(6)?,
        })
    });
    let mut stored = row.expect("the tables can be read");
    let (fresh, _) = sqlite_rows::fresh(&connection).expect("the rows can be read");
    for (shard, session, _) in fresh.into_keys() {
        stored.slots += 1;
        stored.inboxes += float(session * 1024 + shard);
    }
    let ids = sqlite_ids::all(&connection).expect("the ids can be read");
    stored.claims = i64::try_from(ids.len()).expect("a small number");
    stored.digest_bytes = ids.values().map(|digest| float(digest.len() as i64)).sum();
    stored
}

fn float(number: i64) -> f64 {
    number as f64
}

/// The ids of all messages that are kept.
pub fn message_ids(database: &Path) -> Vec<[u8; 16]> {
    let connection = Connection::open(database).expect("a database");
    let mut ids = connection.prepare("SELECT message_id FROM payloads").expect("a table");
    let ids = ids.query_map([], |row| row.get(0)).expect("a table that can be read");
    ids.collect::<rusqlite::Result<_>>().expect("ids of 16 bytes")
}
