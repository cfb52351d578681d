//! The store on a PostgreSQL server, version 15 or later.
//!
//! What is frequent (messages, acknowledgements) goes through the writers, who share commits among
//! requests ([`super::batch`]); everything rare is a serialisable transaction of its own
//! ([`change`]), repeated when the server says that it met another one. The frequent transactions
//! read committed rows: each is built so that this is enough, and says why.
//!
//! Other programs may work on the same database at the same time, so whatever decides about a
//! message is decided in the database, leases included ([`lease`]); what is remembered here is an upper
//! bound ([`rooms`]), or checked by the statement that relies on it ([`seen`]).

mod accept;
mod accounts;
mod attachments;
mod browse;
mod change;
mod changes;
mod chats;
mod claims;
mod clear;
mod codes;
mod columns;
mod connect;
mod conversations;
mod dropboxes;
mod expire;
mod forget;
mod fronts;
mod gaps;
mod groups;
mod handed_out;
mod health;
mod inbox;
mod introductions;
mod invites;
mod lease;
mod link;
mod look;
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
mod receipts;
mod relationships;
mod requests;
mod rooms;
mod rosters;
mod rows;
mod seen;
mod sessions;
mod set_aside;
mod settings;
mod sign_in;
mod sign_up;
mod silence;
mod successors;
mod sweep;
mod top_ups;
mod writer;

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::PgPool;
use tokio::time::timeout;

use super::batch::{Bounds, Writer};
use super::cached::CacheConfig;
use super::open::OpenError;
use super::pool::connections;
use crate::domain::Fault;
use crate::domain::ports::{Backlog, Load, Soundness, Statistics, Store};
use forget::SeenKey;
use fronts::Fronts;
use handed_out::HandedOut;
use link::Statements;
pub(super) use portable::PostgresPort;
use writer::{Job, Memory, PgWriter};

/// After so many bytes a group takes no more messages: the other writers may have the rest.
const GROUP_BYTES: usize = 1024 * 1024;

/// How long to wait at the end for statements that are still under way.
const CLOSING: Duration = Duration::from_secs(15);

/// Which server, and how much of it.
#[derive(Clone)]
pub struct PostgresConfig {
    /// `postgres://user:password@host:port/database?…`, as libpq understands it.
    pub url: String,
    /// Connections at most, those of the writers included.
    pub connections: u32,
    /// How many of them write messages at the same time.
    pub writers: u32,
    /// Whether a pooler stands between that gives a connection away after each transaction:
    /// prepared statements are not kept then, and every statement is part of a transaction.
    pub pooler: bool,
    /// How long to wait for a free connection, or for the server to take one.
    pub patience: Duration,
    /// How many requests may wait for the writers.
    pub queue_length: usize,
    /// How many bytes these requests may hold together.
    pub queue_bytes: usize,
    /// How many requests may share a commit; benchmarks compare with 1.
    pub group_jobs: usize,
    /// How many message ids an era takes before the next one begins; tests turn eras sooner.
    pub era_ids: u64,
    /// What is remembered between requests.
    pub cache: CacheConfig,
}

impl PostgresConfig {
    /// The usual settings for a database at `url`.
    #[must_use]
    pub fn at(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            connections: 16,
            writers: 2,
            pooler: false,
            patience: Duration::from_secs(5),
            queue_length: 1024,
            queue_bytes: 256 * 1024 * 1024,
            group_jobs: 1024,
            era_ids: 1_000_000,
            cache: CacheConfig::default(),
        }
    }
}

impl fmt::Debug for PostgresConfig {
    /// Everything but the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresConfig")
            .field("connections", &self.connections)
            .field("writers", &self.writers)
            .field("pooler", &self.pooler)
            .field("patience", &self.patience)
            .field("queue_length", &self.queue_length)
            .field("queue_bytes", &self.queue_bytes)
            .field("group_jobs", &self.group_jobs)
            .field("era_ids", &self.era_ids)
            .field("cache", &self.cache)
            .finish_non_exhaustive()
    }
}

/// A store on a PostgreSQL server.
pub struct PostgresStore {
    pool: PgPool,
    statements: Statements,
    fronts: Fronts,
    handed_out: HandedOut,
    writer: Writer<Job>,
    /// What the writers know.
    memory: Arc<Memory>,
    /// How many ids an era takes.
    era_ids: u64,
    /// How far the search for message ids to forget has come.
    forgotten: Mutex<Option<SeenKey>>,
}

impl PostgresStore {
    /// Connects to the server and brings the tables up to date.
    ///
    /// # Errors
    /// When the server cannot be reached, is too old, or its tables belong to another version.
    pub async fn open(config: &PostgresConfig) -> Result<Self, OpenError> {
        let options = connect::options(config)?;
        let (mut connection, server) = connect::connect(&options, config.patience).await?;
        migrate::migrate(&mut connection, &options).await?;
        let options = connect::pinned(config, options, &server);
        let pool = connect::pool(config, options.clone());
        let statements = if config.pooler { Statements::Unnamed } else { Statements::Kept };
        let memory = Arc::new(Memory::default());
        let bounds = Bounds {
            queue_jobs: config.queue_length.max(1),
            queue_bytes: config.queue_bytes,
            group_jobs: config.group_jobs.max(1),
            group_bytes: GROUP_BYTES,
        };
        let writers = (0..config.writers.max(1)).map(|_| {
            let (options, memory) = (connect::writing(config, &options), Arc::clone(&memory));
            PgWriter::new(options, statements, config.patience, memory)
        });
        let writer = Writer::start_all(writers, bounds);
        let (fronts, handed_out) = (Fronts::default(), HandedOut::default());
        let forgotten = Mutex::default();
        let era_ids = config.era_ids.max(1);
        let store =
            Self { pool, statements, fronts, handed_out, writer, memory, era_ids, forgotten };
        let known = store.learn_eras().await;
        known.map_err(|source| OpenError::Database {
            path: connect::place(&options).into(),
            source,
        })?;
        Ok(store)
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn ping(&self) -> Result<(), Fault> {
        self.look_alive().await
    }

    async fn setting_or(&self, name: &'static str, fresh: Vec<u8>) -> Result<Vec<u8>, Fault> {
        self.kept_or(name, fresh).await
    }

    async fn statistics(&self) -> Result<Statistics, Fault> {
        Ok(self.numbers().await?)
    }

    async fn backlog(&self, most: u32) -> Result<Backlog, Fault> {
        Ok(self.what_waits(most).await?)
    }

    fn load(&self) -> Load {
        Load { connections: connections(&self.pool), ..self.writer.load() }
    }

    async fn check(&self, patience: Duration) -> Result<Soundness, Fault> {
        Ok(self.look_for_damage(patience).await?)
    }

    async fn close(&self) {
        self.writer.close().await;
        // Whoever still has a connection gives it back, unless the server says nothing any more.
        let _ = timeout(CLOSING, self.pool.close()).await;
    }
}
