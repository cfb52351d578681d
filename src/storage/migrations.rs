//! What both databases have in common of bringing their tables up to date: which migrations there are,
//! running those that are missing, and comparing what was run with what there is.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator};
use sqlx::{Acquire, SqlSafeStr};

use super::open::{OpenError, Progress};

/// Number, name and text of a migration.
pub(super) type Text = (i64, &'static str, &'static str);

/// All migrations in a folder of `migrations`, in order, for a module in a folder of `storage`: what
/// is included is looked for from there.
macro_rules! migrations {
    ($folder:literal) => {
        $crate::storage::migrations::migrations!($folder:
            1 "accounts" "0001_accounts.sql",
            2 "sessions" "0002_sessions.sql",
            3 "conversations" "0003_conversations.sql",
            4 "inbox" "0004_inbox.sql",
            5 "relationships" "0005_relationships.sql",
            6 "requests" "0006_requests.sql",
            7 "sign_up" "0007_sign_up.sql",
            8 "attachments" "0008_attachments.sql",
            9 "phones" "0009_phones.sql",
            10 "members" "0010_members.sql",
            11 "nodes" "0011_nodes.sql",
            12 "drop_boxes" "0012_drop_boxes.sql",
        )
    };
    ($folder:literal: $($number:literal $name:literal $file:literal,)+) => {
        [$(($number, $name, include_str!(concat!("../../../migrations/", $folder, "/", $file)))),+]
    };
}
pub(super) use migrations;

const HISTORY_TABLE: &str = "_sqlx_migrations";

/// Runs those that are missing, one after the other, and tells of each. Whoever else could do so at
/// the same time has to be kept out by the caller.
pub(super) async fn run<C>(connection: &mut C, all: &[Text]) -> Result<(), MigrateError>
where
    C: Migrate,
    for<'c> &'c mut C: Acquire<'c, Connection = &'c mut C>,
{
    connection.ensure_migrations_table(HISTORY_TABLE).await?;
    let done = connection.list_applied_migrations(HISTORY_TABLE).await?;
    let steps = steps(all);
    let mut migrator = Migrator::with_migrations(steps.clone());
    migrator.set_locking(false);
    for step in &steps {
        if done.iter().any(|one| one.version == step.version) {
            continue;
        }
        let begun = Instant::now();
        migrator.run_to(step.version, &mut *connection).await?;
        tell(step, last(all), begun.elapsed());
    }
    // Looks once more whether all that the database has run is known, and unchanged.
    migrator.run(connection).await
}

/// Long ones deserve a line each.
fn tell(step: &Migration, last: i64, took: Duration) {
    let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    tracing::info!(
        number = step.version,
        of = last,
        name = &*step.description,
        milliseconds,
        "migrated"
    );
}

/// What it means for the database at `path` that [`run`] failed.
pub(super) fn failure(error: MigrateError, all: &[Text], path: PathBuf) -> OpenError {
    match error {
        MigrateError::VersionMissing(found) => OpenError::Newer { path, found, known: last(all) },
        MigrateError::VersionMismatch(number) => OpenError::Changed { path, number },
        source => OpenError::Migration { path, source },
    }
}

/// How far the database at `path` has come, which has run these, each with its checksum.
pub(super) fn progress(
    history: &[(i64, Vec<u8>)],
    all: &[Text],
    path: &Path,
) -> Result<Progress, OpenError> {
    let steps = steps(all);
    for (number, checksum) in history {
        let path = path.to_owned();
        match steps.iter().find(|step| step.version == *number) {
            None => return Err(OpenError::Newer { path, found: *number, known: last(all) }),
            Some(step) if step.checksum[..] != checksum[..] => {
                return Err(OpenError::Changed { path, number: *number });
            }
            Some(_) => {}
        }
    }
    Ok(Progress { done: history.len(), missing: steps.len() - history.len() })
}

fn steps(all: &[Text]) -> Vec<Migration> {
    let step = |(number, name, text): &Text| {
        let (kind, text) = (MigrationType::Simple, text.into_sql_str());
        Migration::new(*number, (*name).into(), kind, text, false)
    };
    all.iter().map(step).collect()
}

/// The last migration that this program knows.
fn last(all: &[Text]) -> i64 {
    all.last().map_or(0, |(number, ..)| *number)
}

/// The folder of `migrations` has no other files than these.
#[cfg(test)]
pub(super) fn assert_complete(all: &[Text], folder: &str) {
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
    let files: std::collections::BTreeSet<String> = std::fs::read_dir(files)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let list = all.iter().map(|(number, name, _)| format!("{number:04}_{name}.sql"));
    assert_eq!(files, list.collect());
}
