//! Opening the file and its connections.

use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, SqliteConnection};

use super::super::error::{StoreError, during};
use super::super::open::StorageConfig;
use super::connection::keep_plans_of;
use super::log;

/// Size of a page; SQLite's own default, written down because the size limit is counted in pages.
const PAGE_BYTES: u64 = 4096;

/// The log file is cut back to this size (128 MiB) after it had to grow beyond.
const LOG_BYTES: &str = "134217728";

/// The writer's page cache, in KiB when negative: as many pages as a round of rows goes to when it is
/// for ten thousand sessions among many more ([`super::settle`]). Small databases never fill it.
const WRITER_CACHE: &str = "-65536";

/// A reader's page cache, in KiB when negative. The upper pages of all trees on the way to a device
/// among a million fit, so that such a look-up reads leaves alone; with SQLite's own 2 MiB they drive
/// each other out. Small databases never fill it.
pub(super) const READER_CACHE: &str = "-8192";

/// How long a request waits for a free reader.
pub(super) const READER_TIMEOUT: Duration = Duration::from_secs(5);

/// Makes the file if it does not exist, for its owner's eyes only. SQLite gives the files that it
/// puts beside it the same permissions.
pub(super) fn create_file(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

pub(super) const OPENING_WRITER: &str = "opening the writer's connection";

fn options(config: &StorageConfig) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(&config.path)
        .busy_timeout(config.busy_timeout)
        .foreign_keys(true)
        .disable_statement_logging()
}

/// How the one connection that writes is opened.
pub(super) fn writer_options(config: &StorageConfig) -> SqliteConnectOptions {
    let options = options(config)
        .page_size(4096)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", log::LONGEST)
        .pragma("journal_size_limit", LOG_BYTES)
        .pragma("cache_size", WRITER_CACHE);
    match config.max_size {
        Some(bytes) => options.pragma("max_page_count", (bytes / PAGE_BYTES).max(1).to_string()),
        None => options,
    }
}

/// Opens a connection that writes.
pub(super) async fn writer(options: &SqliteConnectOptions) -> Result<SqliteConnection, StoreError> {
    options.connect().await.map_err(during(OPENING_WRITER))
}

/// Opens the connection that copies the log into the database.
pub(super) async fn copier(config: &StorageConfig) -> Result<SqliteConnection, StoreError> {
    let options = options(config).synchronous(SqliteSynchronous::Full);
    options.connect().await.map_err(during("opening the connection that copies the log"))
}

/// Opens the connections that read.
pub(super) async fn readers(config: &StorageConfig) -> Result<SqlitePool, StoreError> {
    pool(config, options(config)).await
}

/// Opens connections that cannot change an existing file.
pub(super) async fn onlookers(config: &StorageConfig) -> Result<SqlitePool, StoreError> {
    pool(config, options(config).read_only(true)).await
}

async fn pool(
    config: &StorageConfig,
    options: SqliteConnectOptions,
) -> Result<SqlitePool, StoreError> {
    SqlitePoolOptions::new()
        .max_connections(config.readers.max(1))
        .acquire_timeout(READER_TIMEOUT)
        .test_before_acquire(false)
        .after_connect(|connection, _| Box::pin(keep_plans_of(connection)))
        .connect_with(options.pragma("query_only", "ON").pragma("cache_size", READER_CACHE))
        .await
        .map_err(during("opening the readers' connections"))
}
