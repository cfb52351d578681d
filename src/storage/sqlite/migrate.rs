//! Bringing a database file up to date.

use std::path::Path;

use sqlx::{SqliteConnection, SqlitePool, query};

use super::super::error::{StoreError, during};
use super::super::migrations::{self, migrations};
use super::super::open::{OpenError, Progress};
use super::rows::value;

/// Every migration, in order.
const MIGRATIONS: &[migrations::Text] = &migrations!("sqlite");

/// Runs what is missing.
pub(super) async fn migrate(
    connection: &mut SqliteConnection,
    path: &Path,
) -> Result<(), OpenError> {
    let done = migrations::run(connection, MIGRATIONS).await;
    done.map_err(|error| migrations::failure(error, MIGRATIONS, path.to_owned()))
}

const HAS_HISTORY: &str = "
    SELECT name FROM sqlite_schema WHERE type = 'table' AND name = '_sqlx_migrations'";

const HISTORY: &str = "SELECT version, checksum FROM _sqlx_migrations ORDER BY version";

/// Reads which migrations a database has run, and runs none.
pub(super) async fn progress(readers: &SqlitePool, path: &Path) -> Result<Progress, OpenError> {
    let history = history(readers).await;
    let history =
        history.map_err(|source| OpenError::Database { path: path.to_owned(), source })?;
    migrations::progress(&history, MIGRATIONS, path)
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
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_compiled_in() {
        migrations::assert_complete(MIGRATIONS, "sqlite");
    }
}
