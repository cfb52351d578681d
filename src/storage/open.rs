//! From configuration to a store.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::cached::{CacheConfig, CachedStore};
use super::error::StoreError;
use super::sqlite::SqliteStore;
use crate::domain::ports::Store;

/// Where the database is and how much it may use.
#[derive(Clone, Debug)]
pub struct StorageConfig {
    /// The database file; made, readable by its owner alone, when it does not exist. Its folder
    /// must exist, and no other process may use the file at the same time.
    pub path: PathBuf,
    /// Connections that read, beside the one that writes.
    pub readers: u32,
    /// How long to wait when another program holds the database.
    pub busy_timeout: Duration,
    /// The largest size of the database file in bytes; `None` for as much as the disk has.
    pub max_size: Option<u64>,
    /// How many requests may wait for the writer.
    pub queue_length: usize,
    /// How many bytes these requests may hold together.
    pub queue_bytes: usize,
    /// What is remembered between requests.
    pub cache: CacheConfig,
}

impl StorageConfig {
    /// The usual settings for a database at `path`.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            readers: 4,
            busy_timeout: Duration::from_secs(2),
            max_size: None,
            queue_length: 1024,
            queue_bytes: 256 * 1024 * 1024,
            cache: CacheConfig::default(),
        }
    }
}

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be made or reached.
    #[error("the database file {} cannot be opened", path.display())]
    File {
        /// Where it should be.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The database does not answer as one should.
    #[error("the database {} cannot be used", path.display())]
    Database {
        /// Where it is.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: StoreError,
    },
    /// A newer program has changed the database.
    #[error(
        "the database {} was used by a newer sealpost (it has migration {found}, this program \
         knows up to {known}); start that version again, or restore a backup",
        path.display()
    )]
    Newer {
        /// Where it is.
        path: PathBuf,
        /// The migration that this program does not know.
        found: i64,
        /// The last one that it knows.
        known: i64,
    },
    /// A migration that the database has run has another text now.
    #[error(
        "migration {number} has changed since the database {} ran it; this database belongs to \
         another build of sealpost",
        path.display()
    )]
    Changed {
        /// Where it is.
        path: PathBuf,
        /// The migration.
        number: i64,
    },
    /// A migration failed; the database is as it was.
    #[error("the database {} could not be brought up to date", path.display())]
    Migration {
        /// Where it is.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: sqlx::migrate::MigrateError,
    },
}

impl OpenError {
    /// The file that could not be opened.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::File { path, .. }
            | Self::Database { path, .. }
            | Self::Newer { path, .. }
            | Self::Changed { path, .. }
            | Self::Migration { path, .. } => path,
        }
    }
}

/// Opens the store that the configuration describes, and brings its tables up to date.
///
/// # Errors
/// When the file cannot be opened, is no database, or belongs to another version of this program.
pub async fn open(config: &StorageConfig) -> Result<Arc<dyn Store>, OpenError> {
    let database = SqliteStore::open(config).await?;
    Ok(Arc::new(CachedStore::new(Arc::new(database), &config.cache)))
}
