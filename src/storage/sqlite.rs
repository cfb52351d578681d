//! The store on an embedded SQLite database.
//!
//! One connection writes, in groups ([`super::batch`]); a few others read beside it, which the
//! write-ahead log allows. Whatever can be found out by reading is found out by a reader, so that
//! the writer has little left to do: a lease, for example, is chosen by a reader and taken in memory
//! ([`leases`]); the writer only notes it. What a message adds to inboxes follows from the message
//! itself, so it is remembered in memory ([`fresh`]) and goes to its places later ([`settle`]).
//!
//! `synchronous=FULL`: a commit returns when its log is on the disk. Group commit makes that
//! affordable; nothing is gained by less. The bundled SQLite calls `fsync`; on ext4, `fdatasync` in
//! its place took the same time to within two percent (4 ms each), whether the log grew or was
//! overwritten, so its build stays as it comes.

mod accept;
mod accounts;
mod attachments;
mod browse;
mod changes;
mod chats;
mod claims;
mod clear;
mod codes;
mod connect;
mod connection;
mod conversations;
mod dropboxes;
mod expire;
mod fresh;
mod gaps;
mod groups;
mod health;
mod inbox;
mod inboxes;
mod introductions;
mod invites;
mod known;
mod leases;
mod log;
mod members;
mod migrate;
mod nodes;
mod notices;
mod old;
mod one_time_keys;
mod phones;
#[cfg(test)]
mod plans;
mod portable;
mod prekeys;
mod readers;
mod receipts;
mod relationships;
mod requests;
mod rooms;
mod rosters;
mod rows;
mod seen;
mod sessions;
mod set_aside;
mod settle;
mod sign_in;
mod sign_up;
mod sweep;
mod top_ups;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::SqlitePool;
use sqlx::{SqliteConnection, query};

use super::batch::{Answer, Bounds, Writer};
use super::error::{StoreError, during};
use super::open::{OpenError, Progress, StorageConfig};
use super::pool::connections;
use crate::domain::Fault;
use crate::domain::ports::{Backlog, Load, Soundness, Statistics, Store};
#[doc(hidden)]
pub use connection::WriterConnection;
use fresh::Fresh;
use known::Known;
use leases::Leases;
use log::{Lengths, Log};
pub(super) use portable::SqlitePort;
use readers::Readers;
use rows::value;
pub use seen::SeenIds;
use seen::{Seen, SeenWriter, Sizes};
use writer::{Apply, Fill, FillingStep, Job, SqliteWriter, Step};

/// After so many bytes a group takes no more messages; it keeps a commit, and with it everybody's
/// waiting time, short.
const GROUP_BYTES: usize = 8 * 1024 * 1024;

/// A store on an embedded SQLite database.
pub struct SqliteStore {
    /// For what each message may need.
    direct: Readers,
    /// For everything else that is read.
    readers: SqlitePool,
    writer: Writer<Job>,
    leases: Leases,
    fresh: Arc<Fresh>,
    seen: Arc<Seen>,
}

impl SqliteStore {
    /// Opens the database file, makes it if it does not exist, and brings its tables up to date.
    ///
    /// # Errors
    /// When the file cannot be opened, is no database, or belongs to another version.
    pub async fn open(config: &StorageConfig) -> Result<Self, OpenError> {
        let path = &config.path;
        let unreachable = |source| OpenError::File { path: path.clone(), source };
        connect::create_file(path).map_err(unreachable)?;
        let unusable = |source| OpenError::Database { path: path.clone(), source };
        let options = connect::writer_options(config);
        let mut connection = WriterConnection::open(&options).await.map_err(unusable)?;
        migrate::migrate(&mut connection, path).await?;
        let seen_writer =
            SeenWriter::open(&mut connection, Sizes::STORE).await.map_err(unusable)?;
        let seen = seen_writer.shared();
        let readers = connect::readers(config).await.map_err(unusable)?;
        let bounds = Bounds {
            queue_jobs: config.queue_length.max(1),
            queue_bytes: config.queue_bytes,
            group_jobs: config.group_jobs.max(1),
            group_bytes: GROUP_BYTES,
        };
        let found = settle::load(&mut connection).await.map_err(unusable)?;
        let fresh = Arc::new(Fresh::new(found, config.fresh_rows));
        let copier = connect::copier(config).await.map_err(unusable)?;
        let known = Arc::new(Known::default());
        let log = Log::new(path, copier, Lengths::STORE, Arc::clone(&known));
        let memory = (Arc::clone(&known), Arc::clone(&fresh));
        let writer = SqliteWriter::new(options, connection, memory, seen_writer, log);
        let writer = Writer::start_apart(writer, bounds).map_err(unreachable)?;
        let direct = Readers::start(config, &known).map_err(unreachable)?;
        let leases = Leases::default();
        Ok(Self { direct, readers, writer, leases, fresh, seen })
    }

    /// Opens an existing database to look at it: nothing is made, brought up to date or changed,
    /// and all that would change something answers that the store is closed.
    ///
    /// # Errors
    /// When the file cannot be opened, is no database, or belongs to a newer or another program.
    pub async fn look_at(config: &StorageConfig) -> Result<(Self, Progress), OpenError> {
        let path = &config.path;
        let readers = connect::onlookers(config).await;
        let readers =
            readers.map_err(|source| OpenError::Database { path: path.clone(), source })?;
        let progress = migrate::progress(&readers, path).await?;
        let (writer, leases) = (Writer::closed(), Leases::default());
        let (fresh, seen) = (Arc::default(), Arc::default());
        let direct = Readers::onlookers(config);
        let direct = direct.map_err(|source| OpenError::File { path: path.clone(), source })?;
        Ok((Self { direct, readers, writer, leases, fresh, seen }, progress))
    }

    /// Queues a job and waits until it is on disk.
    async fn write(&self, job: Job) -> Result<(), Fault> {
        self.writer.submit::<SqliteWriter>(job).await.map_err(Fault::from)
    }

    /// Queues a job that leaves an answer, and waits until it is on disk.
    async fn ask<T>(&self, job: impl FnOnce(Answer<T>) -> Job) -> Result<T, Fault> {
        let answer = Answer::default();
        self.write(job(answer.clone())).await?;
        answer.take().ok_or_else(|| Fault::internal("reading the writer's answer", NO_ANSWER))
    }

    /// Queues a step that needs no company, and waits until it is on disk.
    async fn change<I, T>(&self, input: I, apply: Apply<I, T>) -> Result<T, Fault>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
    {
        self.ask(|answer| Job::Change(Box::new(Step { input, apply, answer }))).await?
    }

    /// The same for a step that puts rows into inboxes, and takes about so many bytes.
    async fn fill<I, T>(&self, input: I, cost: usize, apply: Fill<I, T>) -> Result<T, Fault>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
    {
        let job = |answer| Job::Change(Box::new(FillingStep { input, cost, apply, answer }));
        self.ask(job).await?
    }
}

const NO_ANSWER: &str = "the job left none";

const PING: &str = "SELECT count(*) FROM settings";

const READ_SETTING: &str = "SELECT value FROM settings WHERE name = ?1";

const KEEP_SETTING: &str = "
    INSERT INTO settings (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING";

#[async_trait]
impl Store for SqliteStore {
    async fn ping(&self) -> Result<(), Fault> {
        query(PING).execute(&self.readers).await.map_err(during("reading"))?;
        // An empty transaction: it takes the lock that a write needs, and costs no trip to the disk.
        self.change((), |(), _| Box::pin(async { Ok(Ok(())) })).await
    }

    async fn setting_or(&self, name: &'static str, fresh: Vec<u8>) -> Result<Vec<u8>, Fault> {
        let kept = query(READ_SETTING).bind(name).fetch_optional(&self.readers).await;
        if let Some(row) = kept.map_err(during("reading a setting"))? {
            return Ok(value(&row, "value")?);
        }
        self.change((name, fresh), |input, connection| Box::pin(keep_setting(input, connection)))
            .await
    }

    async fn statistics(&self) -> Result<Statistics, Fault> {
        Ok(self.numbers().await?)
    }

    async fn backlog(&self, most: u32) -> Result<Backlog, Fault> {
        Ok(self.what_waits(most).await?)
    }

    fn load(&self) -> Load {
        Load { connections: connections(&self.readers), ..self.writer.load() }
    }

    async fn check(&self, patience: Duration) -> Result<Soundness, Fault> {
        Ok(self.look_for_damage(patience).await?)
    }

    async fn close(&self) {
        self.direct.close().await;
        self.readers.close().await;
        self.writer.close().await;
    }
}

async fn keep_setting(
    (name, fresh): &(&'static str, Vec<u8>),
    connection: &mut SqliteConnection,
) -> Result<Result<Vec<u8>, Fault>, StoreError> {
    let doing = "keeping a setting";
    let insert = query(KEEP_SETTING).bind(*name).bind(fresh.as_slice());
    insert.execute(&mut *connection).await.map_err(during(doing))?;
    let row = query(READ_SETTING).bind(*name).fetch_one(connection).await;
    Ok(Ok(value(&row.map_err(during(doing))?, "value")?))
}
