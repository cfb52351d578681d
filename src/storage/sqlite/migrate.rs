//! Bringing a database file up to date.

use std::path::Path;
use std::time::Instant;

use sqlx::migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator};
use sqlx::{SqlSafeStr, SqliteConnection, SqlitePool, query};

use super::super::error::{StoreError, during};
use super::super::migrations;
use super::super::open::{OpenError, Progress};
use super::rows::value;

macro_rules! migration {
    ($number:literal, $name:literal, $file:literal) => {
        ($number, $name, include_str!(concat!("../../../migrations/sqlite/", $file)))
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

/// Runs what is missing.
pub(super) async fn migrate(
    connection: &mut SqliteConnection,
    path: &Path,
) -> Result<(), OpenError> {
    let known = KNOWN;
    let path = path.to_owned();
    run(connection).await.map_err(|error| match error {
        MigrateError::VersionMissing(found) => OpenError::Newer { path, found, known },
        MigrateError::VersionMismatch(number) => OpenError::Changed { path, number },
        source => OpenError::Migration { path, source },
    })
}

/// One after the other, and tells of each.
async fn run(connection: &mut SqliteConnection) -> Result<(), MigrateError> {
    connection.ensure_migrations_table(HISTORY_TABLE).await?;
    let done = connection.list_applied_migrations(HISTORY_TABLE).await?;
    let migrator = Migrator::with_migrations(steps().to_vec());
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

const HAS_HISTORY: &str = "
    SELECT name FROM sqlite_schema WHERE type = 'table' AND name = '_sqlx_migrations'";

const HISTORY: &str = "SELECT version, checksum FROM _sqlx_migrations ORDER BY version";

/// Reads which migrations a database has run, and runs none.
pub(super) async fn progress(readers: &SqlitePool, path: &Path) -> Result<Progress, OpenError> {
    let history = history(readers).await;
    let history =
        history.map_err(|source| OpenError::Database { path: path.to_owned(), source })?;
    let steps = steps();
    for (number, checksum) in &history {
        match steps.iter().find(|step| step.version == *number) {
            None => {
                let (path, found) = (path.to_owned(), *number);
                return Err(OpenError::Newer { path, found, known: KNOWN });
            }
            Some(step) if step.checksum[..] != checksum[..] => {
                return Err(OpenError::Changed { path: path.to_owned(), number: *number });
            }
            Some(_) => {}
        }
    }
    Ok(Progress { done: history.len(), missing: steps.len() - history.len() })
}

async fn history(readers: &SqlitePool) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
    let doing = "reading which migrations were run";
    let table = query(HAS_HISTORY).fetch_optional(readers).await.map_err(during(doing))?;
    if table.is_none() {
        return Ok(Vec::new());
    }
    let rows = query(HISTORY).fetch_all(readers).await.map_err(during(doing))?;
    rows.iter().map(|row| Ok((value(row, "version")?, value(row, "checksum")?))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_file_of_the_folder_is_compiled_in() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
        let files: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let list = MIGRATIONS.iter().map(|(number, name, _)| format!("{number:04}_{name}.sql"));
        assert_eq!(files, list.collect());
    }
}
