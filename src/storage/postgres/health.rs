//! What the database says about itself.

use std::time::{Duration, Instant};

use sqlx::query;

use super::PostgresStore;
use super::link::{Link, begin};
use super::rows::{count, value};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ports::{Backlog, MOST_COUNTED, Soundness, Statistics};
use crate::storage::error::{StoreError, during};

/// The newest message is the newest of all shards, each found at the end of its range.
const NUMBERS: &str = "
    SELECT pg_database_size(current_database()) AS bytes,
        (SELECT max(newest.accepted_at)
            FROM generate_series(0, 1023) AS shards (shard)
            CROSS JOIN LATERAL (
                SELECT accepted_at FROM payloads
                WHERE payloads.shard = shards.shard AND number > 0
                ORDER BY number DESC LIMIT 1
            ) AS newest) AS newest,
        (SELECT count(*) FROM (
            SELECT 1 FROM inbox WHERE set_aside_at IS NOT NULL LIMIT $1
        ) AS set_aside) AS set_aside";

/// The oldest message is the oldest of all shards, each found at the beginning of its range.
const BACKLOG: &str = "
    SELECT
        (SELECT count(*) FROM (
            SELECT 1 FROM inbox WHERE set_aside_at IS NULL LIMIT $1
        ) AS waiting) AS waiting,
        (SELECT min(oldest.accepted_at)
            FROM generate_series(0, 1023) AS shards (shard)
            CROSS JOIN LATERAL (
                SELECT accepted_at FROM payloads
                WHERE payloads.shard = shards.shard AND number > 0
                ORDER BY number LIMIT 1
            ) AS oldest) AS oldest";

/// It waits as short for a lock as for an answer.
const PINGING: &str = concat!(
    begin!("READ COMMITTED"),
    "; SET LOCAL lock_timeout = '2s'; SET LOCAL statement_timeout = '4s'"
);

/// A server that takes longer is not there.
const PATIENCE: Duration = Duration::from_secs(5);

/// A standby answers, too, but takes nothing. And behind a pooler the server may commit otherwise
/// than it did when the store was opened.
const PING: &str = "
    SELECT pg_is_in_recovery() AS is_standby, count(*) AS settings,
        current_setting('synchronous_commit') IN ('off', 'local') AS is_hasty
    FROM settings";

impl PostgresStore {
    pub(super) async fn look_alive(&self) -> Result<(), Fault> {
        let mut link = self.begin(PINGING).await?;
        link.wait_for(PATIENCE);
        let row = query(PING).fetch_one(&mut link).await.map_err(during("reading"))?;
        if value(&row, "is_standby")? {
            return Err(Fault::unavailable("the database is a standby", None));
        }
        match value(&row, "is_hasty")? {
            false => Ok(()),
            true => Err(Fault::unavailable("the database's commits do not wait for disks", None)),
        }
    }

    pub(super) async fn numbers(&self) -> Result<Statistics, StoreError> {
        let numbers = query(NUMBERS).bind(i64::from(MOST_COUNTED));
        let row = numbers.fetch_one(&mut self.reader().await?).await;
        let row = row.map_err(during("reading the size of the database"))?;
        Ok(Statistics {
            commit_groups: self.writer.groups(),
            waiting_writes: self.writer.waiting() as u64,
            database_bytes: count(&row, "bytes")?,
            set_aside: count(&row, "set_aside")?,
            newest_message: value::<Option<i64>>(&row, "newest")?.map(Timestamp::from_micros),
        })
    }

    pub(super) async fn what_waits(&self, most: u32) -> Result<Backlog, StoreError> {
        let row = query(BACKLOG).bind(i64::from(most)).fetch_one(&mut self.reader().await?).await;
        let row = row.map_err(during("counting what waits"))?;
        let oldest = value::<Option<i64>>(&row, "oldest")?.map(Timestamp::from_micros);
        Ok(Backlog { waiting: count(&row, "waiting")?, oldest })
    }

    /// Reads every row of every table, whole, and asks for blocks whose checksum was found wrong.
    /// It sees what cannot be read any more. It does not see a value that is well-formed and wrong,
    /// unless the server keeps checksums, and does not compare the tables with their indexes: the
    /// server's own `pg_amcheck` does.
    pub(super) async fn look_for_damage(
        &self,
        patience: Duration,
    ) -> Result<Soundness, StoreError> {
        let deadline = Instant::now() + patience;
        let mut found = Soundness { complete: true, damage: Vec::new() };
        found.damage.extend(self.wrong_checksums().await?);
        for table in &TABLES {
            if !self.read_through(table, deadline, &mut found).await? {
                found.complete = false;
                break;
            }
        }
        found.damage.truncate(MOST_COMPLAINTS);
        Ok(found)
    }

    async fn wrong_checksums(&self) -> Result<Option<String>, StoreError> {
        let row = query(CHECKSUMS).fetch_one(&mut self.reader().await?).await;
        let wrong = count(&row.map_err(during(CHECKING))?, "wrong")?;
        Ok((wrong > 0).then(|| format!("{wrong} blocks had a wrong checksum when they were read")))
    }

    /// Returns whether there was time for the whole table.
    async fn read_through(
        &self,
        table: &Table,
        deadline: Instant,
        found: &mut Soundness,
    ) -> Result<bool, StoreError> {
        let row = query(BLOCKS).bind(table.name).fetch_one(&mut self.reader().await?).await;
        let blocks: i64 = value(&row.map_err(during(CHECKING))?, "blocks")?;
        let mut from = 0;
        while from < blocks && found.damage.len() < MOST_COMPLAINTS {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                return Ok(false);
            };
            match self.read_blocks(table, from, left).await {
                Ok(()) => {}
                Err(error) => match complaint(&error) {
                    Complaint::OutOfTime => return Ok(false),
                    Complaint::Damage(words) => found.damage.push(words),
                    Complaint::None => return Err(error),
                },
            }
            from += STEP;
        }
        Ok(true)
    }

    async fn read_blocks(
        &self,
        table: &Table,
        from: i64,
        left: Duration,
    ) -> Result<(), StoreError> {
        let mut link = self.begin(begin!("READ COMMITTED READ ONLY")).await?;
        limit(&mut link, left).await?;
        link.wait_for(left + PATIENCE);
        query(table.read)
            .bind(format!("({from},0)"))
            .bind(format!("({},0)", from + STEP))
            .execute(&mut link)
            .await
            .map_err(during(CHECKING))?;
        Ok(())
    }
}

const CHECKING: &str = "looking for damage";

/// More is not said.
const MOST_COMPLAINTS: usize = 10;

/// Blocks that are read in one statement: 8 MiB, or so much of each partition.
const STEP: i64 = 1024;

const CHECKSUMS: &str = "
    SELECT coalesce(sum(checksum_failures), 0)::bigint AS wrong
    FROM pg_stat_database WHERE datname = current_database()";

/// Of the largest partition, if there are any: a stretch is one of each of them.
const BLOCKS: &str = "
    SELECT coalesce(max(pg_relation_size(relid)), pg_relation_size($1::text::regclass))
        / current_setting('block_size')::bigint AS blocks
    FROM pg_partition_tree($1::text::regclass)";

const LIMIT: &str = "SELECT set_config('statement_timeout', $1, true)";

async fn limit(link: &mut Link<'_>, left: Duration) -> Result<(), StoreError> {
    let milliseconds = left.as_millis().clamp(1, 600_000).to_string();
    query(LIMIT).bind(milliseconds).execute(link).await.map_err(during(CHECKING))?;
    Ok(())
}

/// A table, and the statement that reads a stretch of its blocks. The hash is made of all columns,
/// so those that are stored apart are fetched, too.
struct Table {
    name: &'static str,
    read: &'static str,
}

macro_rules! tables {
    ($($name:literal),+) => {
        [$(Table {
            name: $name,
            read: concat!(
                "SELECT count(hash_record_extended(it, 0)) FROM ", $name, " AS it
                WHERE it.ctid >= $1::text::tid AND it.ctid < $2::text::tid"
            ),
        }),+]
    };
}

const TABLES: [Table; 43] = tables![
    "accounts",
    "api_tokens",
    "attachments",
    "chats",
    "codes",
    "conversations",
    "devices",
    "direct_chats",
    "drop_boxes",
    "drop_files",
    "drop_letters",
    "drop_messages",
    "ended_inboxes",
    "inbox",
    "introductions",
    "invites",
    "member_devices",
    "members",
    "node_guests",
    "node_letters",
    "node_lines",
    "node_nonces",
    "nodes",
    "pairs",
    "participants",
    "payloads",
    "phones",
    "prekeys",
    "receipts",
    "relationships",
    "relay_contacts",
    "request_totals",
    "requests",
    "seen_eras",
    "seen_messages",
    "sequences",
    "sessions",
    "settings",
    "taken_keys",
    "top_ups",
    "used_enrolments",
    "used_tokens",
    "_sqlx_migrations"
];

enum Complaint {
    OutOfTime,
    Damage(String),
    None,
}

fn complaint(error: &StoreError) -> Complaint {
    let StoreError::Database { source: sqlx::Error::Database(error), .. } = error else {
        return Complaint::None;
    };
    match error.code().as_deref() {
        // Query canceled: by the time limit.
        Some("57014") => Complaint::OutOfTime,
        // Data corrupted, index corrupted; and input or output that failed, which is not worded
        // apart from a disk that is broken.
        Some("XX001" | "XX002" | "58030") => Complaint::Damage(error.message().to_owned()),
        _ => Complaint::None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::migrate::MIGRATIONS;
    use super::*;

    #[test]
    fn every_table_is_read() {
        let texts = MIGRATIONS.iter().flat_map(|(.., text)| text.split("CREATE TABLE ").skip(1));
        let made = texts.filter_map(|text| text.split([' ', '(']).next());
        let made: BTreeSet<&str> = made.chain(["_sqlx_migrations"]).collect();
        let read: BTreeSet<&str> = TABLES.iter().map(|table| table.name).collect();
        assert_eq!(read, made);
    }
}
