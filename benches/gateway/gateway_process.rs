//! The gateway as a process of its own: the program as it is, and the same with a commit for each
//! request.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sealpost::admin::client::AdminClient;
use sealpost::admin::types::{Status, StorageStatus};
use sealpost::app::App;
use sealpost::app::directory::{DataDirectory, read_holder};
use sealpost::app::entropy::SystemEntropy;
use sealpost::config::{Config, Environment, Flags};
use sealpost::domain::clock::SystemClock;
use sealpost::domain::ports::Store;
use sealpost::storage::{self, Database, PostgresConfig, StorageConfig};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use super::process::{Process, READY};
use super::store::Copy;

/// The first argument of a process of this program that plays [`serve_alone`].
pub const ALONE: &str = "commit-each-request";

/// The program that is measured, when it is not the one that was built with this one.
pub static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// A gateway that is measured.
pub struct Gateway {
    pub process: Process,
    operator: AdminClient,
}

impl Gateway {
    /// `sealpost serve`.
    pub fn serve(copy: &Copy) -> Self {
        Self::serve_with(copy, &[])
    }

    /// The same with further settings.
    pub fn serve_with(copy: &Copy, settings: &[(&str, &str)]) -> Self {
        let program =
            PROGRAM.get().map_or(env!("CARGO_BIN_EXE_sealpost").as_ref(), PathBuf::as_path);
        let mut command = Command::new(program);
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        command.envs(settings.iter().copied());
        Self::start(command, copy)
    }

    /// The same front on the same store, where no two requests share a commit.
    pub fn serve_alone(copy: &Copy) -> Self {
        Self::serve_alone_with(copy, &[])
    }

    /// The same with further settings.
    pub fn serve_alone_with(copy: &Copy, settings: &[(&str, &str)]) -> Self {
        let this = std::env::current_exe().expect("a program has a path");
        let mut command = Command::new(this);
        command.arg(ALONE);
        command.envs(settings.iter().copied());
        Self::start(command, copy)
    }

    fn start(mut command: Command, copy: &Copy) -> Self {
        copy.prepare(&mut command);
        let process = Process::start(command, &copy.log());
        let socket = read_holder(&copy.data()).admin_socket.expect("a gateway that takes orders");
        Self { process, operator: AdminClient::Socket(socket) }
    }

    /// Waits until the gateway has tidied up for the first time, five seconds after its start.
    pub async fn tidied(&self) {
        sleep(Duration::from_secs(6)).await;
        loop {
            let before = self.status().await.commit_groups;
            sleep(Duration::from_secs(1)).await;
            if self.status().await.commit_groups == before {
                return;
            }
        }
    }

    /// What the store says about itself.
    pub async fn status(&self) -> StorageStatus {
        let status = self.operator.get::<Status>("/admin/v1/status").await;
        status.ok().and_then(|status| status.storage).expect("the gateway knows its store")
    }
}

/// The other end of [`Gateway::serve_alone`].
pub async fn serve_alone() {
    let config = Config::load(&Flags::default(), &Environment::of_process());
    let config = config.expect("settings of the benchmark's own");
    let directory = DataDirectory::open(&config.storage.data).expect("a free data directory");
    let store = store(&config, &directory).await;
    let entropy = Arc::new(SystemEntropy::new().expect("randomness"));
    let app = App::around(store, directory, &config, Arc::new(SystemClock), entropy).await;
    let mut app = app.expect("a gateway on a store that is open");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let bound = app.bind(listener).expect("a free socket");
    println!("{READY}{}", bound.address());
    let mut end = signal(SignalKind::terminate()).expect("signals can be watched");
    app.run(bound, async move {
        end.recv().await;
    })
    .await;
    app.close().await;
}

/// A server groups commits of different connections by itself, so it gets as many as it likes.
const WRITERS: u32 = 32;

async fn store(config: &Config, directory: &DataDirectory) -> Arc<dyn Store> {
    let file = || StorageConfig { group_jobs: 1, ..StorageConfig::at(directory.database()) };
    let server = |url| PostgresConfig {
        group_jobs: 1,
        writers: WRITERS,
        connections: WRITERS * 2,
        ..PostgresConfig::at(url)
    };
    let database: Database = match config.database.is_server() {
        true => server(config.database.url.reveal()).into(),
        false => file().into(),
    };
    storage::open(&database).await.expect("a database")
}
