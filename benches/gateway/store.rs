//! Which database, where it is, and what the measured programs find in it.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use sealpost::app::App;
use sealpost::config::{Config, Environment, Flags};
use sqlx::{AssertSqlSafe, Executor as _};

use super::pace::Arrivals;
use super::requests::FloorMessage;
use super::scene::Scene;
use super::{postgres_floor, sqlite_floor, sqlite_used};

/// What a floor came to.
pub struct Floor {
    pub seconds: f64,
    pub transactions: usize,
    /// What each transaction took; where requests came at a rate, what each of them took since it
    /// was due.
    pub times: Vec<Duration>,
    pub messages: usize,
    /// Seconds of processor time of this process.
    pub cpu: f64,
    /// Those of the database's server meanwhile, where that was asked for.
    pub server_cpu: f64,
}

/// What is in the tables, to see that a floor wrote what the gateway writes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stored {
    pub payloads: i64,
    pub slots: i64,
    pub claims: i64,
    pub body_bytes: f64,
    pub slot_bytes: f64,
    pub waiting_bytes: f64,
    pub digest_bytes: f64,
    /// Sums of the numbers of who sent, and of the inboxes.
    pub senders: f64,
    pub inboxes: f64,
}

/// A PostgreSQL server that belongs to the benchmark: its databases come and go as they like.
#[derive(Clone)]
pub struct Server {
    /// `postgres://user:password@host:port`, without a database.
    url: String,
    /// The process whose children are the server.
    process: u32,
}

/// A database with everybody in it, that is copied for each measurement.
pub struct Template {
    folder: PathBuf,
    server: Option<Server>,
    pub scene: Scene,
}

/// A copy of its own for one measurement; its files are removed when it is dropped.
pub struct Copy {
    folder: tempfile::TempDir,
    server: Option<Server>,
    /// What the server calls it.
    name: &'static str,
}

const TEMPLATE: &str = "sealpost_bench";
const COPY: &str = "sealpost_bench_copy";
const OTHER_COPIES: [&str; 2] = ["sealpost_bench_other", "sealpost_bench_third"];

/// Settings of every gateway that is measured: limits that the load does not meet. They are
/// counted all the same.
const SETTINGS: [(&str, &str); 10] = [
    ("SEALPOST_LIMITS__SESSIONS_PER_ACCOUNT", "510"),
    ("SEALPOST_LIMITS__INBOX_MESSAGES", "10000000"),
    ("SEALPOST_LIMITS__RATE__ACCOUNT_REQUESTS", "1000000000000"),
    ("SEALPOST_LIMITS__RATE__ACCOUNT_MESSAGES", "1000000000000"),
    ("SEALPOST_LIMITS__RATE__ACCOUNT_BYTES", "100000000000000"),
    ("SEALPOST_LIMITS__RATE__ADDRESS_REQUESTS", "1000000000000"),
    ("SEALPOST_LIMITS__RATE__ADDRESS_MESSAGES", "1000000000000"),
    ("SEALPOST_LIMITS__RATE__ADDRESS_BYTES", "100000000000000"),
    ("SEALPOST_LIMITS__RATE__ACCOUNT_SOCKETS", "1000000000"),
    ("SEALPOST_TELEMETRY__LOG_LEVEL", "warn"),
];

impl Server {
    /// The server of a database.
    pub fn of(url: &str, process: u32) -> Self {
        let url = url.rsplit_once('/').map_or(url, |(server, _)| server);
        Self { url: url.to_owned(), process }
    }

    fn database(&self, name: &str) -> String {
        format!("{}/{name}", self.url)
    }

    async fn run(&self, statements: &[String]) {
        let mut connection = postgres_floor::open(&self.database("postgres")).await;
        for statement in statements {
            let done = connection.execute(AssertSqlSafe(statement.as_str())).await;
            done.unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }
}

impl Template {
    /// Makes a database with everybody in it: a file, or a database on a server.
    pub async fn make(folder: &Path, server: Option<Server>) -> Self {
        let name = if server.is_some() { "postgres" } else { "sqlite" };
        let data = folder.join(name);
        if let Some(server) = &server {
            let drop = |name| format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
            let statements = [
                drop(COPY),
                drop(OTHER_COPIES[0]),
                drop(OTHER_COPIES[1]),
                drop(TEMPLATE),
                format!("CREATE DATABASE {TEMPLATE}"),
            ];
            server.run(&statements).await;
        }
        let url = server.as_ref().map(|server| server.database(TEMPLATE));
        let config = config(&data, url);
        let app = App::open_here(&config).await.expect("a gateway in a new folder");
        let scene = Scene::make(&app).await;
        app.close().await;
        Self { folder: data, server, scene }
    }

    /// Copies it. On a server this takes the place of the copy before.
    pub async fn copy(&self) -> Copy {
        self.copy_as(COPY).await
    }

    /// Copies it, and leaves in the copy what a gateway has that has worked for a while: on SQLite as
    /// many rows and ids as stay in memory, so that from the first request on others are moved to
    /// their places. A server keeps nothing back.
    pub async fn used_copy(&self) -> Copy {
        let copy = self.copy().await;
        if copy.server.is_none() {
            sqlite_used::fill(&copy.database(), &self.scene);
        }
        copy
    }

    /// Makes another copy, beside those that are in use: two of them have a place.
    pub async fn other_copy(&self, place: usize) -> Copy {
        self.copy_as(OTHER_COPIES[place]).await
    }

    async fn copy_as(&self, name: &'static str) -> Copy {
        let beside = self.folder.parent().expect("a folder inside another");
        let folder = tempfile::tempdir_in(beside).expect("a folder");
        let copy = Copy { folder, server: self.server.clone(), name };
        let made = fs::DirBuilder::new().mode(0o700).create(copy.data());
        made.expect("a folder");
        for entry in fs::read_dir(&self.folder).expect("the template's folder") {
            let entry = entry.expect("a file of the template");
            if entry.file_name().to_string_lossy().starts_with("sealpost.db") {
                fs::copy(entry.path(), copy.data().join(entry.file_name())).expect("a copy");
            }
        }
        if let Some(server) = &self.server {
            let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
            let create = format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}");
            server.run(&[drop, create, "CHECKPOINT".to_owned()]).await;
        }
        // What is still on its way to the disk would slow down whoever comes first.
        rustix::fs::sync();
        copy
    }
}

impl Copy {
    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Where programs put what they complain about.
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// The database file, unless a server has it.
    pub fn database(&self) -> PathBuf {
        self.data().join("sealpost.db")
    }

    /// The database's URL, if a server has it.
    pub fn url(&self) -> Option<String> {
        self.server.as_ref().map(|server| server.database(self.name))
    }

    /// Seconds of processor time that the database's own processes have taken.
    pub fn server_cpu(&self) -> f64 {
        self.server.as_ref().map_or(0.0, |server| super::process::cpu_of_family(server.process))
    }

    /// The first of the database's own processes, if it has any.
    pub fn server_process(&self) -> Option<u32> {
        self.server.as_ref().map(|server| server.process)
    }

    /// The settings of a gateway here, or of somebody who opens its store.
    pub fn config(&self) -> Config {
        config(&self.data(), self.url())
    }

    /// Gives a program what it needs to work here.
    pub fn prepare(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("SEALPOST_") {
                command.env_remove(name);
            }
        }
        command.envs(SETTINGS).env("SEALPOST_STORAGE__DATA", self.data());
        if let Some(url) = self.url() {
            command.env("SEALPOST_DATABASE__URL", url);
        }
    }

    /// Writes rows by hand, so many messages in a transaction; a server gets no more transactions
    /// at a time than somebody with so many connections could have.
    pub async fn floor(
        &self,
        messages: &Arc<Vec<FloorMessage>>,
        group: usize,
        connections: usize,
    ) -> Floor {
        match self.url() {
            Some(url) => {
                let server_cpu = || self.server_cpu();
                postgres_floor::write(&url, messages, (group, connections), server_cpu).await
            }
            None => {
                self.in_file(messages, move |file, messages| {
                    sqlite_floor::write(file, messages, group)
                })
                .await
            }
        }
    }

    /// Writes rows by hand that come at a rate.
    pub async fn floor_at(&self, messages: &Arc<Vec<FloorMessage>>, arrivals: Arrivals) -> Floor {
        match self.url() {
            Some(url) => postgres_floor::write_at(&url, messages, arrivals).await,
            None => {
                self.in_file(messages, move |file, messages| {
                    sqlite_floor::write_at(file, messages, arrivals)
                })
                .await
            }
        }
    }

    async fn in_file(
        &self,
        messages: &Arc<Vec<FloorMessage>>,
        write: impl FnOnce(&Path, &[FloorMessage]) -> Floor + Send + 'static,
    ) -> Floor {
        let (database, messages) = (self.database(), messages.clone());
        let write = tokio::task::spawn_blocking(move || write(&database, &messages));
        write.await.expect("the floor does not panic")
    }

    /// What is in the tables.
    pub async fn stored(&self) -> Stored {
        match self.url() {
            Some(url) => postgres_floor::stored(&url).await,
            None => sqlite_floor::stored(&self.database()),
        }
    }

    /// Whether no more dead rows are left than the database tolerates.
    pub async fn is_vacuumed(&self) -> bool {
        match self.url() {
            Some(url) => postgres_floor::is_vacuumed(&url).await,
            None => true,
        }
    }

    /// The ids of all messages that are kept.
    pub async fn message_ids(&self) -> Vec<[u8; 16]> {
        match self.url() {
            Some(url) => postgres_floor::message_ids(&url).await,
            None => sqlite_floor::message_ids(&self.database()),
        }
    }
}

/// The settings of a gateway in this process.
fn config(data: &Path, url: Option<String>) -> Config {
    let settings = SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let url = url.map(|url| ("SEALPOST_DATABASE__URL".to_owned(), url));
    let flags = Flags { data: Some(data.to_owned()), ..Flags::default() };
    Config::load(&flags, &Environment::of(settings.into_iter().chain(url))).expect("sound settings")
}
