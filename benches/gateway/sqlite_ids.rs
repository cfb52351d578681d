//! Ids against duplicates, by hand: appended, and moved on in sorted runs when there are many.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, Statement, params};

use super::sqlite_floor::Numbered;

/// When there are so many of the newest they become a run, as with the gateway.
const KEPT: usize = 65_536;

/// Ids in a row of a run, and of a filter.
const CHUNK: usize = 100;
const FILTER: usize = 1920;

/// How many ids are moved on for each that comes in.
const PACE: usize = 3;

/// Bytes of an id: sender, id and digest.
const BYTES: usize = 40;

const APPEND: &str = "INSERT INTO seen_newest (number, newest_at, ids) VALUES (?1, ?2, ?3)";

const RUN: &str = "
    INSERT INTO seen_runs (level, ids, newest_at, state, written_to) VALUES (0, ?1, ?2, 'done', ?3)
    RETURNING number";

const WRITE: &str = "INSERT INTO seen_chunks (run, first, ids) VALUES (?1, ?2, ?3)";

const FILTER_ROW: &str = "INSERT INTO seen_filters (run, first, bits) VALUES (?1, ?2, ?3)";

const REMOVE: &str = "DELETE FROM seen_newest WHERE number <= ?1";

type Entry = [u8; BYTES];

pub struct Ids<'a> {
    append: Statement<'a>,
    run: Statement<'a>,
    write: Statement<'a>,
    filter: Statement<'a>,
    remove: Statement<'a>,
    /// What is known: nothing is stored twice.
    known: HashSet<(i64, [u8; 16])>,
    newest: Vec<Entry>,
    last: i64,
    /// A run that is being written, and the number up to which it is made.
    writing: Option<Writing>,
}

struct Writing {
    run: i64,
    entries: Vec<Entry>,
    /// How many of them are in the run.
    done: usize,
    up_to: i64,
}

impl<'a> Ids<'a> {
    pub fn new(connection: &'a Connection) -> rusqlite::Result<Self> {
        let mut newest = Vec::new();
        let mut rows = connection.prepare("SELECT ids FROM seen_newest ORDER BY number")?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            newest.extend_from_slice(row.get_ref(0)?.as_blob()?.as_chunks().0);
        }
        Ok(Self {
            append: connection.prepare(APPEND)?,
            run: connection.prepare(RUN)?,
            write: connection.prepare(WRITE)?,
            filter: connection.prepare(FILTER_ROW)?,
            remove: connection.prepare(REMOVE)?,
            known: HashSet::new(),
            newest,
            last: 0,
            writing: None,
        })
    }

    /// Stores the ids of a transaction's messages, and moves others on.
    pub fn add(&mut self, group: &[Numbered<'_>], now: i64) -> rusqlite::Result<()> {
        let Some((first, _)) = group.first() else { return Ok(()) };
        let mut bytes = Vec::with_capacity(group.len() * BYTES);
        for (number, it) in group {
            assert!(self.known.insert((it.sender, it.message_id)), "ids are used once");
            bytes.extend(it.sender.to_le_bytes());
            bytes.extend(it.message_id);
            bytes.extend(it.digest);
            self.last = *number;
        }
        self.append.execute(params![first, now, bytes])?;
        self.newest.extend_from_slice(bytes.as_chunks().0);
        if self.writing.is_none() && self.newest.len() >= KEPT {
            let mut entries = std::mem::take(&mut self.newest);
            // As good an order as any: ids are random.
            entries.sort_unstable_by_key(|entry| entry[8..24].to_vec());
            let ids = entries.len() as i64;
            let run = self.run.query_row(params![ids, now, i64::MAX], |row| row.get(0))?;
            self.writing = Some(Writing { run, entries, done: 0, up_to: self.last });
        }
        self.move_on(group.len() * PACE)
    }

    fn move_on(&mut self, ids: usize) -> rusqlite::Result<()> {
        let Some(Writing { run, entries, done, up_to }) = &mut self.writing else { return Ok(()) };
        let end = (*done + ids.div_ceil(CHUNK) * CHUNK).min(entries.len());
        for at in (*done..end).step_by(CHUNK) {
            let chunk = &entries[at..(at + CHUNK).min(entries.len())];
            self.write.execute(params![*run, place(&chunk[0]), chunk.as_flattened()])?;
            if at % FILTER < CHUNK {
                // What is in it costs nothing to write.
                let bits = vec![0x55_u8; FILTER * 2];
                self.filter.execute(params![*run, place(&chunk[0]), bits])?;
            }
        }
        *done = end;
        if end == entries.len() {
            self.remove.execute([*up_to])?;
            self.writing = None;
        }
        Ok(())
    }
}

fn place(entry: &Entry) -> i64 {
    i64::from_be_bytes(*entry[8..].first_chunk().expect("an id has more")) & i64::MAX
}

/// All ids that are remembered, each with its sender, and their digests.
pub fn all(connection: &Connection) -> rusqlite::Result<HashMap<[u8; 24], [u8; 16]>> {
    let mut all = HashMap::new();
    for table in ["SELECT ids FROM seen_newest", "SELECT ids FROM seen_chunks"] {
        let mut rows = connection.prepare(table)?;
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            for entry in row.get_ref(0)?.as_blob()?.as_chunks::<BYTES>().0 {
                let (name, digest) = entry.split_at(24);
                let name = *name.first_chunk().expect("24 bytes");
                all.insert(name, *digest.first_chunk().expect("16 bytes"));
            }
        }
    }
    Ok(all)
}
