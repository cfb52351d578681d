//! From configuration to a store.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::cached::{CacheConfig, CachedStore};
use super::error::StoreError;
use super::postgres::{PostgresConfig, PostgresStore};
use super::sqlite::SqliteStore;
use crate::domain::ports::Store;

/// Which database.
#[derive(Clone, Debug)]
pub enum Database {
    /// A file that this program works on itself.
    Sqlite(StorageConfig),
    /// A server.
    Postgres(PostgresConfig),
}

impl From<StorageConfig> for Database {
    fn from(config: StorageConfig) -> Self {
        Self::Sqlite(config)
    }
}

impl From<PostgresConfig> for Database {
    fn from(config: PostgresConfig) -> Self {
        Self::Postgres(config)
    }
}

/// Where the database file is and how much it may use.
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
    /// How many requests may share a commit; benchmarks compare with 1.
    pub group_jobs: usize,
    /// So many rows of inboxes stay in memory before they are put into their table, many at a time.
    pub fresh_rows: usize,
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
            group_jobs: 1024,
            fresh_rows: 131_072,
            cache: CacheConfig::default(),
        }
    }
}

/// How far a database's tables have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Migrations that it has run.
    pub done: usize,
    /// Migrations that it will run when it is opened for work.
    pub missing: usize,
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
    /// The URL of the database is none.
    #[error("database.url is no URL of a database")]
    Url {
        /// What is wrong with it.
        #[source]
        source: sqlx::Error,
    },
    /// The server is too old.
    #[error("the server of the database {place} is PostgreSQL {found}; sealpost needs 15 or later")]
    Server {
        /// Which database, without its password.
        place: String,
        /// The server's version.
        found: i64,
    },
    /// The server says that something is kept before it is wherever it should be.
    #[error(
        "a commit in the database {place} {} (synchronous_commit is {found} for this role and \
         this database), and what sealpost has answered could get lost; set it to on: ALTER ROLE … \
         SET synchronous_commit = on",
        not_waited_for(found)
    )]
    NotDurable {
        /// Which database, without its password.
        place: String,
        /// The setting that was found.
        found: String,
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
    /// What to do about it, where the message does not say so itself.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Url { .. } => Some("it begins like postgres://USER:PASSWORD@HOST:5432/DATABASE"),
            Self::Server { .. } => {
                Some("name a newer server in database.url, or leave that out for a file")
            }
            Self::Database { source, .. } => source
                .advice()
                .or(Some("`sealpost doctor` looks at it; restore a backup if it is damaged")),
            Self::Changed { .. } => {
                Some("start the build that made it, or name another directory with --data")
            }
            Self::Migration { .. } => Some(
                "nothing was changed: see to the cause and run `sealpost migrate`, or go back to \
                 the version before",
            ),
            Self::File { .. } | Self::NotDurable { .. } | Self::Newer { .. } => None,
        }
    }
}

/// What a commit does with this value of `synchronous_commit`.
fn not_waited_for(found: &str) -> &'static str {
    match found {
        "local" => "waits for the disk of its server and for none of its standbys",
        _ => "does not wait until anything is on its disk",
    }
}

/// Opens the store that the configuration describes, and brings its tables up to date.
///
/// # Errors
/// When the file cannot be opened or the server cannot be reached, is none that can be used, or
/// belongs to another version of this program.
pub async fn open(database: &Database) -> Result<Arc<dyn Store>, OpenError> {
    let (store, cache): (Arc<dyn Store>, _) = match database {
        Database::Sqlite(config) => (Arc::new(SqliteStore::open(config).await?), &config.cache),
        Database::Postgres(config) => (Arc::new(PostgresStore::open(config).await?), &config.cache),
    };
    Ok(Arc::new(CachedStore::new(store, cache)))
}

/// Opens an existing database to look at it, and changes nothing. Whatever would change something
/// is refused by the store, and reading may fail while migrations are missing.
///
/// # Errors
/// As those of [`open`].
pub async fn look_at(database: &Database) -> Result<(Arc<dyn Store>, Progress), OpenError> {
    Ok(match database {
        Database::Sqlite(config) => {
            let (store, progress) = SqliteStore::look_at(config).await?;
            (Arc::new(store), progress)
        }
        Database::Postgres(config) => {
            let (store, progress) = PostgresStore::look_at(config).await?;
            (Arc::new(store), progress)
        }
    })
}
