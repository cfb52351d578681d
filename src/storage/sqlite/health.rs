//! What the database says about itself.

use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use sqlx::{Connection, SqliteConnection, query};

use super::SqliteStore;
use super::rows::{count, value};
use crate::domain::clock::Timestamp;
use crate::domain::ports::{Backlog, MOST_COUNTED, Soundness, Statistics};
use crate::storage::error::{StoreError, during};

const NUMBERS: &str = "
    SELECT pages.page_count * sizes.page_size AS bytes,
        (SELECT accepted_at FROM payloads WHERE number > 0 ORDER BY number DESC LIMIT 1) AS newest,
        (SELECT count(*) FROM (
            SELECT 1 FROM inbox WHERE set_aside_at IS NOT NULL LIMIT ?1
        )) AS set_aside
    FROM pragma_page_count AS pages, pragma_page_size AS sizes";

/// Pages and rows alone, not what indexes say about them; and no more than so many complaints.
const CHECK: &str = "PRAGMA quick_check(10)";

/// After so many steps of the database's machine it is asked whether to go on.
const STEPS: i32 = 10_000;

// SQLite's codes for a statement that was told to stop, and for damage that stops one.
const INTERRUPTED: &str = "9";
const CORRUPT: &str = "11";
const NO_DATABASE: &str = "26";

impl SqliteStore {
    pub(super) async fn numbers(&self) -> Result<Statistics, StoreError> {
        let row = query(NUMBERS).bind(MOST_COUNTED).fetch_one(&self.readers).await;
        let row = row.map_err(during("reading the size of the database"))?;
        Ok(Statistics {
            commit_groups: self.writer.groups(),
            waiting_writes: self.writer.waiting() as u64,
            database_bytes: count(&row, "bytes")?,
            set_aside: count(&row, "set_aside")?,
            newest_message: value::<Option<i64>>(&row, "newest")?.map(Timestamp::from_micros),
        })
    }

    pub(super) async fn look_for_damage(
        &self,
        patience: Duration,
    ) -> Result<Soundness, StoreError> {
        let connection = self.readers.acquire().await.map_err(during(CHECKING))?;
        // No longer one of the readers: whatever becomes of this call, its time limit stays here.
        let mut connection = connection.detach();
        let outcome = check(&mut connection, patience).await;
        // It has only read: there is nothing that closing could lose.
        let _ = connection.close().await;
        outcome
    }
}

const BACKLOG: &str = "
    SELECT
        (SELECT count(*) FROM (
            SELECT 1 FROM inbox WHERE set_aside_at IS NULL LIMIT ?1
        )) AS waiting,
        (SELECT accepted_at FROM payloads WHERE number > 0 ORDER BY number LIMIT 1) AS oldest";

impl SqliteStore {
    /// Rows that are in their table, and those that are in memory.
    pub(super) async fn what_waits(&self, most: u32) -> Result<Backlog, StoreError> {
        let fresh = self.fresh.rows() as u64;
        let row = query(BACKLOG).bind(most).fetch_one(&self.readers).await;
        let row = row.map_err(during("counting what waits"))?;
        let waiting = count(&row, "waiting")?.saturating_add(fresh);
        let oldest = value::<Option<i64>>(&row, "oldest")?.map(Timestamp::from_micros);
        Ok(Backlog { waiting: waiting.min(most.into()), oldest })
    }
}

const CHECKING: &str = "looking for damage";

async fn check(
    connection: &mut SqliteConnection,
    patience: Duration,
) -> Result<Soundness, StoreError> {
    let deadline = Instant::now() + patience;
    let mut handle = connection.lock_handle().await.map_err(during(CHECKING))?;
    handle.set_progress_handler(STEPS, move || Instant::now() < deadline);
    drop(handle);
    let mut damage: Vec<String> = Vec::new();
    let mut words = query(CHECK).fetch(connection);
    loop {
        match words.try_next().await {
            Ok(Some(row)) => damage.push(value(&row, "quick_check")?),
            Ok(None) => break,
            Err(sqlx::Error::Database(error)) => match error.code().as_deref() {
                Some(INTERRUPTED) => return Ok(Soundness { complete: false, damage }),
                Some(CORRUPT | NO_DATABASE) => {
                    damage.push(error.message().to_owned());
                    break;
                }
                _ => return Err(during(CHECKING)(sqlx::Error::Database(error))),
            },
            Err(error) => return Err(during(CHECKING)(error)),
        }
    }
    damage.retain(|word| word != "ok");
    Ok(Soundness { complete: true, damage })
}
