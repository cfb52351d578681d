//! Rows of inboxes on their way into their table, by hand: they are kept in memory, and once there
//! are many, two go to their places for each that comes, in the order of the tree.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

use rusqlite::{Connection, Statement, params};

use super::sqlite_floor::Numbered;
use super::sqlite_rows::{Key, Part, Settled, fresh, rows};

/// So many stay in memory, as with the gateway.
pub const KEPT: usize = 131_072;

const SLOT: &str = "
    INSERT INTO inbox (shard, session, number, slot_start, slot_length)
    VALUES (?1, ?2, ?3, ?4, ?5)";

const ADVANCE: &str = "
    UPDATE settled SET through = ?1, target = ?2, shard = ?3, session = ?4, number = ?5";

const BEGINNING: Key = (i64::MIN, i64::MIN, 0);

pub struct Settling<'a> {
    slot: Statement<'a>,
    advance: Statement<'a>,
    fresh: BTreeMap<Key, Part>,
    last: i64,
    settled: Settled,
}

impl<'a> Settling<'a> {
    pub fn new(connection: &'a Connection) -> rusqlite::Result<Self> {
        let (fresh, settled) = fresh(connection)?;
        let last = "SELECT value FROM sequences WHERE name = 'messages'";
        Ok(Self {
            slot: connection.prepare(SLOT)?,
            advance: connection.prepare(ADVANCE)?,
            fresh,
            last: connection.query_row(last, [], |row| row.get(0))?,
            settled,
        })
    }

    /// Takes the rows of a transaction's messages, and puts others to their places.
    pub fn add(&mut self, group: &[Numbered<'_>]) -> rusqlite::Result<()> {
        let before = self.fresh.len();
        let step = match before > KEPT {
            true => 2 * group.iter().map(|(_, it)| it.slots.len()).sum::<usize>(),
            false => 0,
        };
        self.settle(step)?;
        for (number, it) in group {
            self.fresh.extend(rows(*number, &it.places));
            self.last = *number;
        }
        Ok(())
    }

    fn settle(&mut self, limit: usize) -> rusqlite::Result<()> {
        if limit == 0 {
            return Ok(());
        }
        let Settled { through, mut target, mut cursor } = self.settled;
        if target == through {
            (target, cursor) = (self.last, BEGINNING);
        }
        let rows = self.fresh.range((Excluded(cursor), Unbounded));
        let rows = rows.filter(|((.., number), _)| *number <= target).take(limit);
        let rows: Vec<_> = rows.map(|(key, part)| (*key, *part)).collect();
        for ((shard, session, number), (start, length)) in &rows {
            self.slot.execute(params![shard, session, number, start, length])?;
            self.fresh.remove(&(*shard, *session, *number));
        }
        self.settled = match rows.last() {
            Some((last, _)) if rows.len() == limit => Settled { through, target, cursor: *last },
            _ => Settled { through: target, target, cursor: BEGINNING },
        };
        let Settled { through, target, cursor: (shard, session, number) } = self.settled;
        self.advance.execute(params![through, target, shard, session, number])?;
        Ok(())
    }
}
