//! How accepted ids are remembered.

use std::collections::BTreeMap;

use sqlx::{Row, query};

use super::database::{Database, Rows, json};
use super::traffic::Message;

/// A way to remember them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Duplicates {
    /// Not at all, to see what the others cost.
    Unchecked,
    /// A tree that the shard, the sender and the id lead.
    Tree,
    /// A tree that the day leads, with short rows, looked through for seven days.
    NarrowTree,
    /// Appended at first and looked up in memory; moved in sorted runs, each with a filter.
    Runs,
}

/// A way at work.
pub struct Seen {
    kind: Duplicates,
    rows: Rows,
    /// What is not in a run yet.
    recent: BTreeMap<[u8; 16], [u8; 16]>,
    filters: Vec<Filter>,
    last_number: i64,
}

/// How many ids a run has.
const RUN: usize = 131_072;
const RUN_ROWS: i64 = 131_072;

/// A Bloom filter of 16 bits and 6 looks for each id: it is wrong once in a thousand.
struct Filter(Vec<u64>);

impl Filter {
    fn of<'a>(keys: impl Iterator<Item = &'a [u8]>, ids: usize) -> Self {
        let mut filter = Self(vec![0; (ids / 4).next_power_of_two().max(64)]);
        for key in keys {
            for bit in filter.bits(key) {
                filter.0[bit / 64] |= 1 << (bit % 64);
            }
        }
        filter
    }

    fn bits(&self, key: &[u8]) -> [usize; 6] {
        let half =
            |at: usize| key[at..at + 8].iter().fold(0_usize, |all, it| all << 8 | usize::from(*it));
        let (one, other) = (half(0), half(8) | 1);
        std::array::from_fn(|n| one.wrapping_add(other.wrapping_mul(n)) % (self.0.len() * 64))
    }

    fn may_have(&self, key: &[u8]) -> bool {
        self.bits(key).iter().all(|bit| self.0[bit / 64] >> (bit % 64) & 1 == 1)
    }
}

impl Duplicates {
    pub fn name(self) -> &'static str {
        match self {
            Self::Unchecked => "unchecked",
            Self::Tree => "a tree by sender and id",
            Self::NarrowTree => "a narrow tree by day",
            Self::Runs => "appended, then sorted runs",
        }
    }

    /// Makes the tables, with as many ids as there are messages.
    pub async fn fill(self, database: &mut Database, ids: i64) -> Result<(), sqlx::Error> {
        let list = format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ids})"
        );
        let text = match self {
            Self::Unchecked => return Ok(()),
            Self::Tree => format!(
                "CREATE TABLE seen (shard INTEGER NOT NULL, sender INTEGER NOT NULL,
                    id BLOB NOT NULL, digest BLOB NOT NULL, accepted_at INTEGER NOT NULL,
                    PRIMARY KEY (shard, sender, id)) STRICT, WITHOUT ROWID;
                 INSERT INTO seen {list} SELECT (1 + i % 1000) % 1024, 1 + i % 1000,
                    randomblob(16), randomblob(32), i FROM n ORDER BY 1, 2, 3"
            ),
            Self::NarrowTree => format!(
                "CREATE TABLE seen (day INTEGER NOT NULL, id BLOB NOT NULL, digest BLOB NOT NULL,
                    PRIMARY KEY (day, id)) STRICT, WITHOUT ROWID;
                 INSERT INTO seen {list} SELECT i * 7 / {ids}, randomblob(16), randomblob(16)
                    FROM n ORDER BY 1, 2"
            ),
            Self::Runs => format!(
                "CREATE TABLE seen_log (number INTEGER NOT NULL PRIMARY KEY, id BLOB NOT NULL,
                    digest BLOB NOT NULL) STRICT;
                 CREATE TABLE seen (run INTEGER NOT NULL, id BLOB NOT NULL, digest BLOB NOT NULL,
                    PRIMARY KEY (run, id)) STRICT, WITHOUT ROWID;
                 INSERT INTO seen {list} SELECT i / {RUN_ROWS}, randomblob(16), randomblob(16)
                    FROM n ORDER BY 1, 2"
            ),
        };
        database.run(&text).await
    }

    pub async fn start(self, database: &mut Database) -> Result<Seen, sqlx::Error> {
        let head = match self {
            Self::Tree => "INSERT INTO seen (shard, sender, id, digest, accepted_at)",
            Self::NarrowTree => "INSERT INTO seen (day, id, digest)",
            _ => "INSERT INTO seen_log (number, id, digest)",
        };
        let columns = if self == Self::Tree { 5 } else { 3 };
        let mut seen = Seen {
            kind: self,
            rows: Rows::new(head, columns, 8),
            recent: BTreeMap::new(),
            filters: Vec::new(),
            last_number: 0,
        };
        if self == Self::Runs {
            // In the real thing filters are kept; here the file is made by one statement.
            let rows = query("SELECT run, id FROM seen ORDER BY run, id");
            let mut runs: BTreeMap<i64, Vec<Vec<u8>>> = BTreeMap::new();
            for row in rows.fetch_all(&mut database.reader).await? {
                runs.entry(row.get(0)).or_default().push(row.get(1));
            }
            let filter = |ids: &Vec<Vec<u8>>| Filter::of(ids.iter().map(Vec::as_slice), ids.len());
            seen.filters = runs.values().map(filter).collect();
            for row in
                query("SELECT id, digest FROM seen_log").fetch_all(&mut database.reader).await?
            {
                seen.recent.insert(sixteen(row.get(0)), sixteen(row.get(1)));
            }
        }
        Ok(seen)
    }
}

fn sixteen(bytes: &[u8]) -> [u8; 16] {
    bytes.first_chunk().copied().unwrap_or_default()
}

impl Seen {
    pub fn kind(&self) -> Duplicates {
        self.kind
    }

    pub fn name(&self) -> &'static str {
        self.kind.name()
    }

    /// How many of these ids were seen before.
    pub async fn look(
        &self,
        database: &mut Database,
        messages: &[Message],
    ) -> Result<usize, sqlx::Error> {
        let ids: Vec<u8> = messages.iter().flat_map(|message| message.id).collect();
        let (statement, list) = match self.kind {
            Duplicates::Unchecked => return Ok(0),
            Duplicates::Tree => (
                "SELECT wanted.key, seen.digest FROM json_each(?1) AS wanted
                 CROSS JOIN seen ON seen.shard = wanted.value % 1024
                    AND seen.sender = wanted.value AND seen.id = substr(?2, wanted.key * 16 + 1, 16)",
                json(messages.iter().map(|message| message.sender.to_string())),
            ),
            Duplicates::NarrowTree => (
                "SELECT wanted.key, seen.digest FROM json_each(?1) AS wanted
                 CROSS JOIN json_each('[0,1,2,3,4,5,6]') AS days
                 CROSS JOIN seen ON seen.day = days.value
                    AND seen.id = substr(?2, wanted.value * 16 + 1, 16)",
                json((0..messages.len()).map(|place| place.to_string())),
            ),
            Duplicates::Runs => {
                let known = messages.iter().filter(|it| self.recent.contains_key(&it.id)).count();
                let maybe = messages.iter().enumerate().flat_map(|(place, message)| {
                    let runs = self.filters.iter().enumerate();
                    let runs = runs.filter(|(_, filter)| filter.may_have(&message.id));
                    runs.map(move |(run, _)| format!("[{place},{run}]"))
                });
                let maybe: Vec<String> = maybe.collect();
                if maybe.is_empty() {
                    return Ok(known);
                }
                (
                    "SELECT wanted.key, seen.digest FROM json_each(?1) AS wanted
                     CROSS JOIN seen ON seen.run = wanted.value ->> 1
                        AND seen.id = substr(?2, (wanted.value ->> 0) * 16 + 1, 16)",
                    json(maybe),
                )
            }
        };
        let found = query(statement).bind(list).bind(ids).fetch_all(&mut database.writer).await?;
        Ok(found.len())
    }

    pub async fn remember(
        &mut self,
        database: &mut Database,
        messages: &[(i64, &Message)],
    ) -> Result<(), sqlx::Error> {
        let kind = self.kind;
        if kind == Duplicates::Unchecked {
            return Ok(());
        }
        let mut messages = messages.to_vec();
        match kind {
            Duplicates::Tree => {
                messages.sort_unstable_by_key(|(_, it)| (it.sender % 1024, it.sender, it.id));
            }
            Duplicates::NarrowTree => messages.sort_unstable_by_key(|(_, it)| it.id),
            _ => {
                let recent = messages.iter().map(|(_, it)| (it.id, sixteen(&it.digest)));
                self.recent.extend(recent);
                self.last_number = messages.last().map_or(0, |(number, _)| *number);
            }
        }
        self.rows
            .insert(&mut database.writer, &messages, |row, (number, it)| match kind {
                Duplicates::Tree => row
                    .bind(it.sender % 1024)
                    .bind(it.sender)
                    .bind(it.id.to_vec())
                    .bind(it.digest.to_vec())
                    .bind(*number),
                Duplicates::NarrowTree => {
                    row.bind(6).bind(it.id.to_vec()).bind(it.digest[..16].to_vec())
                }
                _ => row.bind(*number).bind(it.id.to_vec()).bind(it.digest[..16].to_vec()),
            })
            .await
    }

    /// Moves what has gathered into a run, in steps.
    pub async fn fold(&mut self, database: &mut Database) -> Result<(), sqlx::Error> {
        if self.recent.len() < RUN {
            return Ok(());
        }
        let run = i64::try_from(self.filters.len()).unwrap_or(0);
        let ids: Vec<_> = std::mem::take(&mut self.recent).into_iter().collect();
        let rows = Rows::new("INSERT INTO seen (run, id, digest)", 3, 9);
        for step in ids.chunks(4096) {
            database.begin().await?;
            rows.insert(&mut database.writer, step, |row, (id, digest)| {
                row.bind(run).bind(id.to_vec()).bind(digest.to_vec())
            })
            .await?;
            database.commit().await?;
        }
        query("DELETE FROM seen_log WHERE number <= ?1")
            .bind(self.last_number)
            .execute(&mut database.writer)
            .await?;
        self.filters.push(Filter::of(ids.iter().map(|(id, _)| &id[..]), ids.len()));
        Ok(())
    }
}
