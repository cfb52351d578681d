//! The whole gateway on a real database, with a clock and a randomness that the test holds.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use http_body_util::BodyExt;
use sealpost::app::directory::DataDirectory;
use sealpost::app::{App, AppError, Bound};
use sealpost::config::Config;
use sealpost::config::dialects::TextSecure;
use sealpost::domain::account::AccountKind;
use sealpost::domain::attachment::Files;
use sealpost::domain::clock::{TestClock, Timestamp};
use sealpost::domain::gateway::Gateway;
use sealpost::domain::ids::{SessionId, UserId};
use sealpost::domain::limits::Networks;
use sealpost::domain::phone::Switchboard;
use sealpost::domain::ports::Store;
use sealpost::http::server;
use sealpost::sdk::keys::SigningKey;
use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, PgConnection, SqliteConnection};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use tower::ServiceExt;

use super::actor::{Actor, Person};
use super::contract;
use super::entropy::TestEntropy;
use super::postgres::{self, Schema};

/// 2026-01-02T03:04:05Z.
const START: Timestamp = Timestamp::from_micros(1_767_323_045_000_000);

pub struct TestApp {
    app: Option<App>,
    /// One router for as long as the gateway runs, as when it serves: what it remembers counts.
    router: Router,
    pub clock: Arc<TestClock>,
    _directory: TempDir,
    /// Where the data is when it is on a server; dropped after the gateway.
    schema: Option<Schema>,
    config: Config,
    keys: AtomicU64,
    /// Of the randomness that the gateway has at present.
    seed: u64,
    /// Where sockets are served, once there was one.
    sockets: OnceCell<String>,
}

/// Somebody else at the database.
pub enum Stranger {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Stranger {
    /// Lets everybody in again.
    pub async fn let_go(self) {
        match self {
            Self::Sqlite(mut stranger) => {
                sqlx::query("ROLLBACK").execute(&mut stranger).await.unwrap();
            }
            Self::Postgres(mut stranger) => {
                sqlx::query("ROLLBACK").execute(&mut stranger).await.unwrap();
            }
        }
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub json: Value,
}

impl TestApp {
    pub async fn start() -> Self {
        Self::start_with(|_| ()).await
    }

    /// A gateway for phones, which tells everybody the codes of all numbers.
    pub async fn start_for_phones() -> Self {
        Self::start_for_phones_with(|_| ()).await
    }

    pub async fn start_for_phones_with(change: impl FnOnce(&mut TextSecure)) -> Self {
        let change = |config: &mut Config| {
            config.dialects.textsecure.enabled = true;
            config.dialects.textsecure.codes.dev_transport = true;
            change(&mut config.dialects.textsecure);
        };
        Self::start_with(change).await
    }

    pub async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.storage.data = directory.path().join("data");
        change(&mut config);
        // A test may have a server of its own in mind.
        let is_wanted = postgres::is_asked_for() && !config.database.is_server();
        let schema = is_wanted.then(Schema::create);
        if let Some(schema) = &schema {
            schema.set_in(&mut config);
        }
        let clock = Arc::new(TestClock::at(START));
        let seed = 1;
        let app = open(&config, &clock, seed).await;
        let (router, keys) = (app.router(), AtomicU64::new(1));
        let sockets = OnceCell::new();
        Self {
            app: Some(app),
            router,
            clock,
            _directory: directory,
            schema,
            config,
            keys,
            sockets,
            seed,
        }
    }

    /// Stops the gateway and starts it again on the same data with other settings.
    pub async fn restart_with(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.config);
        self.restart().await;
    }

    /// Stops the gateway and starts it again on the same data.
    pub async fn restart(&mut self) {
        if let Some(app) = self.app.take() {
            app.close().await;
        }
        // What was drawn before must not be drawn again.
        self.seed += 1;
        let app = open(&self.config, &self.clock, self.seed).await;
        self.go_on_with(app);
    }

    /// Stops the gateway and starts it again on the same data, which somebody has opened.
    pub async fn restart_on(&mut self, store: Arc<dyn Store>) {
        self.app.take().unwrap().close().await;
        self.seed += 1;
        let directory = DataDirectory::open(self.data()).unwrap();
        let entropy = Arc::new(TestEntropy::new(self.seed));
        let app = App::around(store, directory, &self.config, self.clock.clone(), entropy).await;
        self.go_on_with(app.unwrap());
    }

    fn go_on_with(&mut self, app: App) {
        self.router = app.router();
        self.app = Some(app);
        self.sockets = OnceCell::new();
    }

    /// Stops the gateway and opens one on a copy of its data directory that lacks a file.
    pub async fn move_without(&mut self, lacks: &str, to: &Path) -> Result<App, AppError> {
        self.app.take().unwrap().close().await;
        self.seed += 1;
        let mut config = self.config.clone();
        config.storage.data = to.join("data");
        fs::create_dir(&config.storage.data).unwrap();
        fs::set_permissions(&config.storage.data, Permissions::from_mode(0o700)).unwrap();
        for entry in fs::read_dir(self.data()).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() && entry.file_name() != lacks {
                fs::copy(entry.path(), config.storage.data.join(entry.file_name())).unwrap();
            }
        }
        let entropy = Arc::new(TestEntropy::new(self.seed));
        App::open(&config, self.clock.clone(), entropy).await
    }

    pub fn router(&self) -> Router {
        self.router.clone()
    }

    pub fn admin_router(&self) -> Router {
        self.app.as_ref().unwrap().admin_router()
    }

    pub fn gateway(&self) -> Arc<Gateway> {
        self.app.as_ref().unwrap().gateway().clone()
    }

    /// The gateway itself.
    pub fn app(&self) -> &App {
        self.app.as_ref().unwrap()
    }

    /// The rules of phones.
    pub fn switchboard(&self) -> Arc<Switchboard> {
        self.app.as_ref().unwrap().switchboard().unwrap().clone()
    }

    /// Serves on loopback for as long as the runtime of the test lives; returns `127.0.0.1:port`.
    pub async fn listen(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = self.router();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        address.to_string()
    }

    /// Where sockets are served, as the command serves them, for as long as the runtime of the test
    /// lives.
    pub async fn socket_address(&self) -> String {
        let listen = || async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap().to_string();
            self.serve(listener);
            address
        };
        self.sockets.get_or_init(listen).await.clone()
    }

    /// Serves everything there, and has the sockets of this test go there.
    pub fn serve_at(&self, listener: tokio::net::TcpListener) {
        self.serve_sockets_at(listener.local_addr().unwrap());
        self.serve(listener);
    }

    fn serve(&self, listener: tokio::net::TcpListener) {
        let settings = server::Settings {
            connections: 1000,
            address_connections: 0,
            proxies: Networks::default(),
            head_timeout: Duration::from_secs(60),
            stop_timeout: Duration::ZERO,
            tls: None,
            traffic: self.app().traffic().clone(),
        };
        let never = std::future::pending();
        tokio::spawn(server::serve(listener, self.router(), settings, never));
    }

    /// Sends the sockets of this test to a listener of its own.
    pub fn serve_sockets_at(&self, address: SocketAddr) {
        self.sockets.set(address.to_string()).unwrap();
    }

    /// Takes a free port and the admin socket, for [`Self::run`].
    pub async fn bind(&mut self) -> Bound {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        self.app.as_mut().unwrap().bind(listener).unwrap()
    }

    /// Serves as the command does, until `stop` is over.
    pub async fn run(&self, bound: Bound, stop: impl Future<Output = ()>) {
        self.app.as_ref().unwrap().run(bound, stop).await;
    }

    /// A stranger who keeps everybody from the database: on disk from changing it, on a server from
    /// reading as well.
    pub async fn lock_database(&self) -> Stranger {
        if let Some(schema) = &self.schema {
            return Stranger::Postgres(schema.lock().await);
        }
        let options = SqliteConnectOptions::new().filename(self.data().join("sealpost.db"));
        let mut stranger = options.busy_timeout(Duration::ZERO).connect().await.unwrap();
        sqlx::query("BEGIN IMMEDIATE").execute(&mut stranger).await.unwrap();
        Stranger::Sqlite(stranger)
    }

    /// How many sessions somebody listens for.
    pub fn hub_sessions(&self) -> usize {
        self.app.as_ref().unwrap().hub().sessions()
    }

    /// How many members somebody listens to.
    pub fn hub_members(&self) -> usize {
        self.app.as_ref().unwrap().hub().members()
    }

    /// Attachments, for their upkeep.
    pub fn files(&self) -> Arc<Files> {
        self.app.as_ref().unwrap().files().clone()
    }

    /// The data directory.
    pub fn data(&self) -> &Path {
        &self.config.storage.data
    }

    pub async fn bot(&self, name: &str) -> Actor {
        let person = self.account(AccountKind::Bot, name, 1).await;
        person.devices.into_iter().next().unwrap()
    }

    pub async fn person(&self, name: &str, devices: usize) -> Person {
        self.account(AccountKind::User, name, devices).await
    }

    /// Signs another device of `user` in; in the place of `replaces` if given.
    pub async fn sign_in(&self, user: UserId, replaces: Option<SessionId>) -> Actor {
        let key = self.fresh_key();
        let session = self
            .gateway()
            .add_device_as_operator(user, key.verifying_key(), "Test".into(), replaces)
            .await
            .unwrap();
        Actor::new(user, session.id, key, self.clock.clone())
    }

    pub fn fresh_key(&self) -> SigningKey {
        let number = self.keys.fetch_add(1, Ordering::SeqCst);
        let mut seed = [7; 32];
        seed[..8].copy_from_slice(&number.to_le_bytes());
        SigningKey::from_seed(&seed)
    }

    pub async fn call(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().clone(), request.uri().to_string());
        let answer = self.answer(request).await;
        let prefix = &self.config.dialects.mixin.path_prefix;
        contract::check(&method, path.strip_prefix(prefix).unwrap_or(&path), &answer);
        answer
    }

    /// The answer to a request that the document does not know.
    pub async fn answer(&self, request: Request<Body>) -> Answer {
        let response = self.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let json = match serde_json::from_slice(&bytes) {
            Ok(json) => json,
            Err(_) => Value::String(String::from_utf8_lossy(&bytes).into_owned()),
        };
        Answer { status: parts.status.as_u16(), headers: parts.headers, json }
    }

    async fn account(&self, kind: AccountKind, name: &str, devices: usize) -> Person {
        let account = self.gateway().create_account(kind, name).await.unwrap();
        let mut signed_in = Vec::new();
        for _ in 0..devices {
            signed_in.push(self.sign_in(account.id, None).await);
        }
        Person { user: account.id, devices: signed_in }
    }
}

async fn open(config: &Config, clock: &Arc<TestClock>, seed: u64) -> App {
    App::open(config, clock.clone(), Arc::new(TestEntropy::new(seed))).await.unwrap()
}

impl Answer {
    /// The members of the one receipt, or of the one item of a list.
    pub fn only(&self) -> &Value {
        let list = self.json["data"].as_array().unwrap_or_else(|| panic!("no list: {self:?}"));
        assert_eq!(list.len(), 1, "{self:?}");
        &list[0]
    }

    /// The items of a list, bare or as `data`.
    pub fn list(&self) -> &[Value] {
        let list = self.json.as_array().or_else(|| self.json["data"].as_array());
        list.unwrap_or_else(|| panic!("no list: {self:?}"))
    }

    /// The items of a list that is a member.
    pub fn list_of(&self, name: &str) -> &[Value] {
        self.json[name].as_array().unwrap_or_else(|| panic!("no {name}: {self:?}"))
    }

    /// `field` and `reason` of an error of the whole request.
    pub fn complaint(&self) -> (u64, &str, &str) {
        complaint(&self.json["error"])
    }
}

/// `status`, `field` and `reason` of an error object.
pub fn complaint(error: &Value) -> (u64, &str, &str) {
    let extra = |name: &str| error["extra"][name].as_str().unwrap_or("");
    let status = error["status"].as_u64().unwrap_or_else(|| panic!("no error: {error}"));
    (status, extra("field"), extra("reason"))
}
