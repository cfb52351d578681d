//! Bringing the tables up to date.

use std::time::Instant;

use sqlx::migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, SqlSafeStr, query};

use super::connect::place;
use super::rows::value;
use crate::storage::error::{StoreError, during};
use crate::storage::migrations;
use crate::storage::open::{OpenError, Progress};

macro_rules! migration {
    ($number:literal, $name:literal, $file:literal) => {
        ($number, $name, include_str!(concat!("../../../migrations/postgres/", $file)))
    };
}

/// Number, name and text of every migration, in order.
const MIGRATIONS: [(i64, &str, &str); 12] = [
    migration!(1, "accounts", "0001_accounts.sql"),
    migration!(2, "sessions", "0002_sessions.sql"),
    migration!(3, "conversations", "0003_conversations.sql"),
    migration!(4, "inbox", "0004_inbox.sql"),
    migration!(5, "relationships", "0005_relationships.sql"),
    migration!(6, "requests", "0006_requests.sql"),
    migration!(7, "sign_up", "0007_sign_up.sql"),
    migration!(8, "attachments", "0008_attachments.sql"),
    migration!(9, "phones", "0009_phones.sql"),
    migration!(10, "members", "0010_members.sql"),
    migration!(11, "nodes", "0011_nodes.sql"),
    migration!(12, "drop_boxes", "0012_drop_boxes.sql"),
];

fn steps() -> [Migration; MIGRATIONS.len()] {
    MIGRATIONS.map(|(number, name, text)| {
        Migration::new(number, name.into(), MigrationType::Simple, text.into_sql_str(), false)
    })
}

/// The last migration that this program knows.
const KNOWN: i64 = MIGRATIONS[MIGRATIONS.len() - 1].0;

/// Only one program at a time brings the tables up to date; any number does, as long as nobody else
/// uses it. A lock that ends with its transaction, because behind a pooler nothing else ends surely.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7310033447)";

/// Migrations of a large database take their time, and whoever waits for them has to.
const WAIT: &str = "
    SELECT set_config('lock_timeout', '0', true), set_config('statement_timeout', '0', true),
        set_config('idle_in_transaction_session_timeout', '0', true)";

/// Runs what is missing: all of it or nothing.
pub(super) async fn migrate(
    connection: &mut PgConnection,
    options: &PgConnectOptions,
) -> Result<(), OpenError> {
    let path = || place(options).into();
    let unusable = |source| OpenError::Database { path: path(), source };
    let begin = connection.begin().await;
    let mut transaction = begin.map_err(during(MIGRATING)).map_err(unusable)?;
    let waiting = query(WAIT).persistent(false).execute(&mut *transaction).await;
    waiting.map_err(during(MIGRATING)).map_err(unusable)?;
    let locked = query(LOCK).persistent(false).execute(&mut *transaction).await;
    locked.map_err(during(MIGRATING)).map_err(unusable)?;
    run(&mut transaction).await.map_err(|error| match error {
        MigrateError::VersionMissing(found) => {
            OpenError::Newer { path: path(), found, known: KNOWN }
        }
        MigrateError::VersionMismatch(number) => OpenError::Changed { path: path(), number },
        source => OpenError::Migration { path: path(), source },
    })?;
    transaction.commit().await.map_err(during(MIGRATING)).map_err(unusable)
}

/// One after the other, and tells of each.
async fn run(connection: &mut PgConnection) -> Result<(), MigrateError> {
    connection.ensure_migrations_table(HISTORY_TABLE).await?;
    let done = connection.list_applied_migrations(HISTORY_TABLE).await?;
    let mut migrator = Migrator::with_migrations(steps().to_vec());
    migrator.set_locking(false);
    for step in steps() {
        if done.iter().any(|one| one.version == step.version) {
            continue;
        }
        let begun = Instant::now();
        migrator.run_to(step.version, &mut *connection).await?;
        migrations::tell(step.version, KNOWN, &step.description, begun.elapsed());
    }
    // Looks once more whether all that the database has run is known, and unchanged.
    migrator.run(connection).await
}

const HISTORY_TABLE: &str = "_sqlx_migrations";

const MIGRATING: &str = "bringing the tables up to date";

/// The first table of that name where names are looked for, if there is one.
const HAS_HISTORY: &str = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL AS found";

const HISTORY: &str = "SELECT version, checksum FROM _sqlx_migrations ORDER BY version";

/// Reads which migrations a database has run, and runs none.
pub(super) async fn progress(
    connection: &mut PgConnection,
    options: &PgConnectOptions,
) -> Result<Progress, OpenError> {
    let path = || place(options).into();
    let history = history(connection).await;
    let history = history.map_err(|source| OpenError::Database { path: path(), source })?;
    let steps = steps();
    for (number, checksum) in &history {
        match steps.iter().find(|step| step.version == *number) {
            None => {
                return Err(OpenError::Newer { path: path(), found: *number, known: KNOWN });
            }
            Some(step) if step.checksum[..] != checksum[..] => {
                return Err(OpenError::Changed { path: path(), number: *number });
            }
            Some(_) => {}
        }
    }
    Ok(Progress { done: history.len(), missing: steps.len() - history.len() })
}

async fn history(connection: &mut PgConnection) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
    let doing = "reading which migrations were run";
    let begun = connection.begin_with("BEGIN READ ONLY").await;
    let mut transaction = begun.map_err(during(doing))?;
    let asked = query(HAS_HISTORY).persistent(false).fetch_one(&mut *transaction).await;
    if !value::<bool>(&asked.map_err(during(doing))?, "found")? {
        return Ok(Vec::new());
    }
    let read = query(HISTORY).persistent(false).fetch_all(&mut *transaction).await;
    let rows = read.map_err(during(doing))?;
    rows.iter().map(|row| Ok((value(row, "version")?, value(row, "checksum")?))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_of_the_folder_is_compiled_in() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/postgres");
        let files: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let list = MIGRATIONS.iter().map(|(number, name, _)| format!("{number:04}_{name}.sql"));
        assert_eq!(files, list.collect());
    }
}
