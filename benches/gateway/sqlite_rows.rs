//! What a message in SQLite says of whom it waits for, as the gateway packs it, and the rows of
//! inboxes that follow from it.

use std::collections::{BTreeMap, HashMap};

use rusqlite::Connection;

/// A row of an inbox: shard, session and number.
pub type Key = (i64, i64, i64);

/// Where a slot stands among those of its message: where it begins, and its length.
pub type Part = (i64, i64);

/// Inboxes with the lengths of their slots, each inbox as one number of session and shard: a first
/// byte, then for each the difference to the one before it with its sign in the lowest bit, and
/// the length, both with seven bits to the byte.
pub fn packed(slots: impl Iterator<Item = (i64, usize)>) -> Vec<u8> {
    let (mut bytes, mut before) = (vec![2], 0);
    for (inbox, length) in slots {
        let difference: i64 = inbox - before;
        push(&mut bytes, ((difference << 1) ^ (difference >> 63)).cast_unsigned());
        push(&mut bytes, length as u64);
        before = inbox;
    }
    bytes
}

/// Adds a number, seven bits to the byte.
pub fn push(bytes: &mut Vec<u8>, mut rest: u64) {
    while rest > 0x7f {
        bytes.push(rest.to_le_bytes()[0] | 0x80);
        rest >>= 7;
    }
    bytes.push(rest.to_le_bytes()[0]);
}

fn take(bytes: &mut &[u8]) -> i64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let (byte, rest) = bytes.split_first().expect("a whole number");
        *bytes = rest;
        value |= i64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

/// The rows of a message.
pub fn rows(number: i64, mut bytes: &[u8]) -> Vec<(Key, Part)> {
    bytes = bytes.strip_prefix(&[2]).expect("recipients with lengths");
    let (mut rows, mut inbox, mut start) = (Vec::new(), 0, 0);
    while !bytes.is_empty() {
        let difference = take(&mut bytes);
        inbox += (difference >> 1) ^ -(difference & 1);
        let length = take(&mut bytes);
        rows.push(((inbox % 1024, inbox / 1024, number), (start, length)));
        start += length;
    }
    rows
}

/// How far rows are in their table: all through a number, and of those up to another one the ones
/// up to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    pub through: i64,
    pub target: i64,
    pub cursor: Key,
}

/// Rows that wait and are not in their table.
pub fn fresh(connection: &Connection) -> rusqlite::Result<(BTreeMap<Key, Part>, Settled)> {
    let settled = "SELECT through, target, shard, session, number FROM settled";
    let settled = connection.query_row(settled, [], |row| {
        let cursor = (row.get(2)?, row.get(3)?, row.get(4)?);
        Ok(Settled { through: row.get(0)?, target: row.get(1)?, cursor })
    })?;
    let mut notes = connection.prepare("SELECT number, session, is_gone FROM fresh_rows")?;
    let notes = notes.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))?;
    let gone = notes.collect::<rusqlite::Result<HashMap<(i64, i64), bool>>>()?;
    let mut fresh = BTreeMap::new();
    let mut messages =
        connection.prepare("SELECT number, waiting FROM payloads WHERE number > ?1")?;
    let mut messages = messages.query([settled.through])?;
    while let Some(row) = messages.next()? {
        let (number, waiting): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
        for (key, part) in rows(number, &waiting) {
            let there = number <= settled.target && key <= settled.cursor;
            if !there && !gone.get(&(number, key.1)).copied().unwrap_or_default() {
                fresh.insert(key, part);
            }
        }
    }
    Ok((fresh, settled))
}
