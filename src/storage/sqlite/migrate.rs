//! Bringing a database file up to date.

use std::path::Path;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{SqlSafeStr, SqliteConnection};

use super::super::open::OpenError;

macro_rules! migration {
    ($number:literal, $name:literal, $file:literal) => {
        ($number, $name, include_str!(concat!("../../../migrations/sqlite/", $file)))
    };
}

/// Number, name and text of every migration, in order.
const MIGRATIONS: [(i64, &str, &str); 4] = [
    migration!(1, "accounts", "0001_accounts.sql"),
    migration!(2, "sessions", "0002_sessions.sql"),
    migration!(3, "conversations", "0003_conversations.sql"),
    migration!(4, "inbox", "0004_inbox.sql"),
];

/// Runs what is missing.
pub(super) async fn migrate(
    connection: &mut SqliteConnection,
    path: &Path,
) -> Result<(), OpenError> {
    let steps = MIGRATIONS.map(|(number, name, text)| {
        Migration::new(number, name.into(), MigrationType::Simple, text.into_sql_str(), false)
    });
    let known = MIGRATIONS[MIGRATIONS.len() - 1].0;
    let outcome = Migrator::with_migrations(steps.into()).run(connection).await;
    let path = path.to_owned();
    outcome.map_err(|error| match error {
        MigrateError::VersionMissing(found) => OpenError::Newer { path, found, known },
        MigrateError::VersionMismatch(number) => OpenError::Changed { path, number },
        source => OpenError::Migration { path, source },
    })
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
