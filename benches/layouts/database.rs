//! A file with a writer and a reader, opened as the store opens it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use sealpost::storage::WriterConnection;
use sqlx::query::Query;
use sqlx::sqlite::{
    Sqlite, SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, SqliteConnection, query};

/// A database file.
pub struct Database {
    pub writer: WriterConnection,
    pub reader: SqliteConnection,
    path: PathBuf,
    /// Where in the log the last look found it, and how often it began anew.
    log: LogPlace,
}

#[derive(Default)]
struct LogPlace {
    pages_before: u64,
    salt: [u8; 8],
    pages: u64,
}

/// What is set when a file is made or opened.
#[derive(Clone, Copy)]
pub struct Settings {
    pub name: &'static str,
    pub page_bytes: u32,
    /// The writer's cache.
    pub cache_kib: u32,
    /// After so many MiB the log is copied into the database.
    pub checkpoint_mib: u32,
    /// As much of the file is mapped into memory.
    pub mapped_mib: u32,
}

impl Settings {
    /// Those of the store.
    pub const STORE: Self = Self {
        name: "as the store",
        page_bytes: 4096,
        cache_kib: 16_384,
        checkpoint_mib: 64,
        mapped_mib: 0,
    };
}

impl Database {
    pub async fn open(path: &Path, settings: Settings) -> Result<Self, sqlx::Error> {
        let checkpoint = (settings.checkpoint_mib << 20) / settings.page_bytes;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .page_size(settings.page_bytes)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("wal_autocheckpoint", checkpoint.to_string())
            .pragma("journal_size_limit", "134217728")
            .pragma("cache_size", format!("-{}", settings.cache_kib))
            .pragma("mmap_size", (u64::from(settings.mapped_mib) << 20).to_string())
            .disable_statement_logging();
        let writer = WriterConnection::open(&options)
            .await
            .map_err(|error| sqlx::Error::Configuration(error.into()))?;
        let reader = SqliteConnectOptions::new().filename(path).disable_statement_logging();
        let reader = reader.pragma("query_only", "ON").connect().await?;
        Ok(Self { writer, reader, path: path.to_owned(), log: LogPlace::default() })
    }

    pub async fn close(self) -> Result<(), sqlx::Error> {
        self.reader.close().await?;
        self.writer.close().await
    }

    /// Runs statements that are made once, such as those that make tables.
    pub async fn run(&mut self, statements: &str) -> Result<(), sqlx::Error> {
        (*self.writer).execute(sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))).await?;
        Ok(())
    }

    pub async fn begin(&mut self) -> Result<(), sqlx::Error> {
        query("BEGIN IMMEDIATE").execute(&mut *self.writer).await.map(drop)
    }

    pub async fn commit(&mut self) -> Result<(), sqlx::Error> {
        query("COMMIT").execute(&mut *self.writer).await?;
        // Often enough not to miss that the log began anew.
        self.pages_written();
        Ok(())
    }

    /// How many pages were written to the log so far: its index says how long it is.
    pub fn pages_written(&mut self) -> u64 {
        let index = File::open(self.path.with_extension("db-shm"));
        let mut header = [0; 48];
        if index.and_then(|index| index.read_exact_at(&mut header, 0)).is_err() {
            return self.log.pages_before + self.log.pages;
        }
        // The format of the index: the number of frames at 16, the salt at 32.
        let pages = u64::from(u32::from_ne_bytes([header[16], header[17], header[18], header[19]]));
        let mut salt = [0; 8];
        salt.copy_from_slice(&header[32..40]);
        if salt != self.log.salt || pages < self.log.pages {
            self.log.pages_before += self.log.pages;
            self.log.salt = salt;
        }
        self.log.pages = pages;
        self.log.pages_before + pages
    }

    pub fn bytes(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |file| file.len())
    }
}

/// A statement whose values are being bound.
pub type Binding = Query<'static, Sqlite, SqliteArguments>;

/// Inserts in lists of `VALUES`, like the store: a statement for each power of two.
pub struct Rows(Vec<(usize, &'static str)>);

impl Rows {
    pub fn new(head: &str, columns: usize, largest: u32) -> Self {
        let row = format!("({})", vec!["?"; columns].join(","));
        let statements = (0..=largest).rev().map(|power| {
            let rows = 1_usize << power;
            let text = format!("{head} VALUES {}", vec![row.as_str(); rows].join(","));
            // A few for each candidate, for as long as the program runs.
            (rows, &*Box::leak(text.into_boxed_str()))
        });
        Self(statements.collect())
    }

    pub async fn insert<R>(
        &self,
        connection: &mut SqliteConnection,
        mut rows: &[R],
        bind: impl Fn(Binding, &R) -> Binding,
    ) -> Result<(), sqlx::Error> {
        for (size, statement) in &self.0 {
            while let Some((now, later)) = rows.split_at_checked(*size) {
                let statement = now.iter().fold(query(*statement), &bind);
                statement.execute(&mut *connection).await?;
                rows = later;
            }
        }
        Ok(())
    }
}

/// A list of numbers, or of lists of numbers, as `json_each` takes it.
pub fn json(items: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", items.into_iter().collect::<Vec<_>>().join(","))
}
