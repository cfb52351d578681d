//! Bringing the tables up to date.

use std::path::PathBuf;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, query};

use super::connect::place;
use super::rows::value;
use crate::storage::error::{StoreError, during};
use crate::storage::migrations::{self, migrations};
use crate::storage::open::{OpenError, Progress};

/// Every migration, in order.
pub(super) const MIGRATIONS: &[migrations::Text] = &migrations!("postgres");

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
    let done = migrations::run(&mut *transaction, MIGRATIONS).await;
    done.map_err(|error| migrations::failure(error, MIGRATIONS, path()))?;
    transaction.commit().await.map_err(during(MIGRATING)).map_err(unusable)
}

const MIGRATING: &str = "bringing the tables up to date";

/// The first table of that name where names are looked for, if there is one.
const HAS_HISTORY: &str = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL AS found";

const HISTORY: &str = "SELECT version, checksum FROM _sqlx_migrations ORDER BY version";

/// Reads which migrations a database has run, and runs none.
pub(super) async fn progress(
    connection: &mut PgConnection,
    options: &PgConnectOptions,
) -> Result<Progress, OpenError> {
    let path: PathBuf = place(options).into();
    match history(connection).await {
        Ok(history) => migrations::progress(&history, MIGRATIONS, &path),
        Err(source) => Err(OpenError::Database { path, source }),
    }
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
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_compiled_in() {
        migrations::assert_complete(MIGRATIONS, "postgres");
    }
}
