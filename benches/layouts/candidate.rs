//! One layout with one way to remember ids, on a file of its own.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::database::{Database, Settings};
use super::duplicates::{Duplicates, Seen};
use super::inboxes::{Inboxes, Layout};
use super::traffic::{Message, Scale};

/// A candidate at work.
pub struct Candidate {
    database: Database,
    path: PathBuf,
    inboxes: Inboxes,
    seen: Seen,
    settings: Settings,
    next_number: i64,
}

/// What is compared.
pub type Plan = (Layout, Duplicates, Settings);

const SEQUENCE: &str = "
    CREATE TABLE sequences (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL)
        STRICT, WITHOUT ROWID;
    INSERT INTO sequences VALUES ('messages', 0);";

impl Candidate {
    /// Makes the file with what waits already, and what was seen.
    pub async fn fill(
        folder: &Path,
        (layout, duplicates, settings): Plan,
        scale: &Scale,
    ) -> Result<Self, sqlx::Error> {
        let path =
            folder.join(format!("{}-{}-{}.db", layout.name(), duplicates.name(), settings.name));
        let mut database = Database::open(&path, settings).await?;
        database.run(SEQUENCE).await?;
        database.run("PRAGMA synchronous = OFF; PRAGMA cache_size = -262144").await?;
        let messages = (scale.rows / 4).max(1);
        layout.fill(&mut database, messages, scale.accounts).await?;
        duplicates.fill(&mut database, messages).await?;
        database.run("PRAGMA wal_checkpoint(TRUNCATE)").await?;
        database.close().await?;
        let mut database = Database::open(&path, settings).await?;
        let inboxes = layout.start(&mut database).await?;
        let seen = duplicates.start(&mut database).await?;
        Ok(Self { database, path, inboxes, seen, settings, next_number: messages + 1 })
    }

    pub fn name(&self) -> String {
        format!("{}, {}, {}", self.inboxes.layout().name(), self.seen.name(), self.settings.name)
    }

    pub fn pages_written(&mut self) -> u64 {
        self.database.pages_written()
    }

    /// A transaction of group commit.
    pub async fn store(&mut self, messages: &[Message]) -> Result<(), sqlx::Error> {
        self.database.begin().await?;
        let found = self.seen.look(&mut self.database, messages).await?;
        assert_eq!(found, 0, "ids are random");
        sqlx::query(
            "UPDATE sequences SET value = value + ?1 WHERE name = 'messages' RETURNING value",
        )
        .bind(i64::try_from(messages.len()).unwrap_or(0))
        .fetch_one(&mut *self.database.writer)
        .await?;
        let numbered: Vec<(i64, &Message)> = (self.next_number..).zip(messages).collect();
        self.inboxes.store(&mut self.database, &numbered).await?;
        self.seen.remember(&mut self.database, &numbered).await?;
        self.database.commit().await?;
        self.next_number += i64::try_from(messages.len()).unwrap_or(0);
        self.seen.committed();
        Ok(())
    }

    pub async fn fetch(&mut self, session: i64) -> Result<Vec<i64>, sqlx::Error> {
        self.inboxes.fetch(&mut self.database, session).await
    }

    pub async fn claim(&mut self, pages: &[(i64, Vec<i64>)]) -> Result<(), sqlx::Error> {
        self.database.begin().await?;
        self.inboxes.claim(&mut self.database, pages).await?;
        self.database.commit().await
    }

    pub async fn acknowledge(&mut self, pages: &[(i64, Vec<i64>)]) -> Result<(), sqlx::Error> {
        self.database.begin().await?;
        self.inboxes.acknowledge(&mut self.database, pages).await?;
        self.database.commit().await
    }

    /// How long a start takes until the first message could be read, and the size of the file.
    pub async fn restart(self) -> Result<(Duration, u64), sqlx::Error> {
        let (layout, duplicates) = (self.inboxes.layout(), self.seen.kind());
        self.database.close().await?;
        let began = Instant::now();
        let mut database = Database::open(&self.path, self.settings).await?;
        let mut inboxes = layout.start(&mut database).await?;
        let seen = duplicates.start(&mut database).await?;
        inboxes.fetch(&mut database, 1).await?;
        let took = began.elapsed();
        drop(seen);
        let bytes = database.bytes();
        database.close().await?;
        Ok((took, bytes))
    }
}
