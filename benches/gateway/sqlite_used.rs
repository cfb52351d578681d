//! What a gateway on SQLite has in memory once it has worked for a while.

use std::path::Path;

use rusqlite::{Connection, params};
use sealpost::domain::clock::{Clock as _, SystemClock};

use super::crowd::{BODY, WEEK};
use super::scene::Scene;
use super::sqlite_crowd::{PAYLOAD, scattered};
use super::sqlite_rows::packed;
use super::sqlite_settling::KEPT;

/// As many rows, and ids, as stay there.
const MESSAGES: usize = KEPT;

/// Ids in a row, as a group of requests leaves them.
const GROUP: usize = 64;

const IDS: &str = "INSERT INTO seen_newest (number, newest_at, ids) VALUES (?1, ?2, ?3)";

/// Leaves messages for one device each.
pub fn fill(database: &Path, scene: &Scene) {
    let connection = Connection::open(database).expect("a database");
    connection.pragma_update(None, "synchronous", "OFF").expect("a setting that SQLite knows");
    connection.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
    write(&connection, scene).expect("sound rows");
    connection.execute_batch("COMMIT").expect("room on the disk");
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("nobody reads");
}

fn write(connection: &Connection, scene: &Scene) -> rusqlite::Result<()> {
    let now = SystemClock.now().as_micros();
    let last = "SELECT value FROM sequences WHERE name = 'messages'";
    let last: i64 = connection.query_row(last, [], |row| row.get(0))?;
    let mut payload = connection.prepare(PAYLOAD)?;
    let mut ids_row = connection.prepare(IDS)?;
    let recipients = scene.recipients(1);
    let mut ids = Vec::new();
    for (place, number) in (0..MESSAGES).zip(last + 1..) {
        let (from, to) = (place % scene.senders.len(), place % recipients.len());
        let (sender, recipient) = (&scene.senders[from], &recipients[to]);
        let shard = recipient.number % 1024;
        let session = recipient.devices[0].number;
        let id = scattered(number);
        payload.execute(params![
            number,
            shard,
            sender.number,
            sender.devices[0].number,
            scene.contact(from, 1, to).number,
            &id[..],
            now,
            now + WEEK,
            packed(std::iter::once((session * 1024 + shard, BODY.len()))),
            &BODY[..],
        ])?;
        ids.extend(sender.number.to_le_bytes());
        ids.extend(id);
        ids.extend(id);
        if place % GROUP == GROUP - 1 {
            ids_row.execute(params![number, now, std::mem::take(&mut ids)])?;
        }
    }
    let raise = "UPDATE sequences SET value = value + ?1 WHERE name = 'messages'";
    connection.execute(raise, [MESSAGES as i64])?;
    Ok(())
}
