//! How accepted ids are remembered.

use sealpost::domain::clock::Timestamp;
use sealpost::storage::{SeenIds, StoreError};
use sqlx::query;

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
    /// As the store has it, and with the store's own code: appended at first and looked up in
    /// memory, moved in sorted runs with filters, which are merged.
    Runs,
}

/// A way at work.
pub struct Seen {
    kind: Duplicates,
    rows: Rows,
    runs: Option<SeenIds>,
}

/// How many of the newest ids become a run: a sixteenth of what the store takes, so that runs are
/// written in every round, and merged in some.
const NEWEST: usize = 4096;

/// Ids in a transaction while a file is filled.
const AT_ONCE: i64 = 500;

/// The store's tables, from its own file.
fn tables_of_runs() -> String {
    let file = include_str!("../../migrations/sqlite/0004_inbox.sql");
    let begin = file.find("-- What places ids in their order").expect("the tables of ids");
    let settings = "CREATE TABLE settings (name TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL)";
    format!("{settings} STRICT, WITHOUT ROWID; {}", &file[begin..])
}

fn failed(error: StoreError) -> sqlx::Error {
    sqlx::Error::AnyDriverError(error.into())
}

impl Duplicates {
    pub fn name(self) -> &'static str {
        match self {
            Self::Unchecked => "unchecked",
            Self::Tree => "a tree by sender and id",
            Self::NarrowTree => "a narrow tree by day",
            Self::Runs => "sorted runs, as the store",
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
            Self::Runs => {
                database.run(&tables_of_runs()).await?;
                return self.fill_runs(database, ids).await;
            }
        };
        database.run(&text).await
    }

    async fn fill_runs(self, database: &mut Database, ids: i64) -> Result<(), sqlx::Error> {
        let mut seen = self.start(database).await?;
        for first in (0..ids).step_by(usize::try_from(AT_ONCE).unwrap_or(1)) {
            let messages: Vec<Message> =
                (first..ids.min(first + AT_ONCE)).map(Message::old).collect();
            let numbered: Vec<(i64, &Message)> = (first + 1..).zip(&messages).collect();
            database.begin().await?;
            seen.look(database, &[]).await?;
            seen.remember(database, &numbered).await?;
            database.commit().await?;
            seen.committed();
        }
        if let Some(runs) = &seen.runs {
            println!("{ids} ids are in runs of these numbers: {:?}", runs.runs());
        }
        Ok(())
    }

    pub async fn start(self, database: &mut Database) -> Result<Seen, sqlx::Error> {
        let head = match self {
            Self::Tree => "INSERT INTO seen (shard, sender, id, digest, accepted_at)",
            _ => "INSERT INTO seen (day, id, digest)",
        };
        let columns = if self == Self::Tree { 5 } else { 3 };
        let runs = match self {
            Self::Runs => Some(SeenIds::open(&mut database.writer, NEWEST).await.map_err(failed)?),
            _ => None,
        };
        Ok(Seen { kind: self, rows: Rows::new(head, columns, 8), runs })
    }
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
        &mut self,
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
                let Some(runs) = &mut self.runs else { return Ok(0) };
                runs.begin(&mut database.writer).await.map_err(failed)?;
                let ids = messages.iter().map(|it| (it.sender, it.id));
                return runs.look(&database.writer, ids).map_err(failed);
            }
        };
        let found = query(statement).bind(list).bind(ids).fetch_all(&mut *database.writer).await?;
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
        if let (Some(runs), Some((first, _))) = (&mut self.runs, messages.first()) {
            let ids = messages.iter().map(|(_, it)| (it.sender, it.id, sixteen(&it.digest)));
            let at = Timestamp::from_micros(*first);
            return runs.remember(&database.writer, *first, at, ids).map_err(failed);
        }
        let mut messages = messages.to_vec();
        match kind {
            Duplicates::Tree => {
                messages.sort_unstable_by_key(|(_, it)| (it.sender % 1024, it.sender, it.id));
            }
            _ => messages.sort_unstable_by_key(|(_, it)| it.id),
        }
        self.rows
            .insert(&mut database.writer, &messages, |row, (number, it)| match kind {
                Duplicates::Tree => row
                    .bind(it.sender % 1024)
                    .bind(it.sender)
                    .bind(it.id.to_vec())
                    .bind(it.digest.to_vec())
                    .bind(*number),
                _ => row.bind(6).bind(it.id.to_vec()).bind(it.digest[..16].to_vec()),
            })
            .await
    }

    /// The transaction was committed.
    pub fn committed(&mut self) {
        if let Some(runs) = &mut self.runs {
            runs.committed();
        }
    }
}

fn sixteen(bytes: &[u8]) -> [u8; 16] {
    bytes.first_chunk().copied().unwrap_or_default()
}
