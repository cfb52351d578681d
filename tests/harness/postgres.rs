//! Schemas of one's own on the PostgreSQL server that `scripts/test.sh` starts.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use sealpost::config::Config;
use sealpost::storage::PostgresConfig;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, query_scalar, raw_sql};

/// Connections of one gateway: many tests run at the same time.
const CONNECTIONS: u32 = 6;

/// Whether gateways of tests are to keep their data there instead of in a file.
pub fn is_asked_for() -> bool {
    match std::env::var("SEALPOST_TEST_STORE").ok().as_deref() {
        None | Some("" | "sqlite") => false,
        Some("postgres") => true,
        Some(other) => panic!("SEALPOST_TEST_STORE is {other}; it may be sqlite or postgres"),
    }
}

/// The URL of the server.
pub fn server() -> String {
    std::env::var("SEALPOST_TEST_POSTGRES").expect(
        "SEALPOST_TEST_POSTGRES names no PostgreSQL server (postgres://user:password@host/database, \
         where the user may make schemas); scripts/test.sh starts one and runs this test",
    )
}

/// A schema that is dropped with this.
pub struct Schema {
    name: String,
}

impl Schema {
    pub fn create() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        run(format!("DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}"));
        Self { name }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The URL at which this schema is the whole database. Nobody waits long for a lock, so that a
    /// test in which somebody does has an end.
    pub fn url(&self) -> String {
        let server = server();
        let sign = if server.contains('?') { '&' } else { '?' };
        let options = format!("-c%20search_path%3D{}%20-c%20lock_timeout%3D2s", self.name);
        format!("{server}{sign}options={options}")
    }

    /// The settings of a store in it.
    pub fn config(&self) -> PostgresConfig {
        PostgresConfig { connections: CONNECTIONS, ..PostgresConfig::at(self.url()) }
    }

    /// Has a gateway keep its data here.
    pub fn set_in(&self, config: &mut Config) {
        config.database.url = self.url().into();
        config.database.connections = CONNECTIONS;
    }

    /// The same for a command, by its environment.
    pub fn variables(&self) -> [(&'static str, String); 2] {
        [
            ("SEALPOST_DATABASE__URL", self.url()),
            ("SEALPOST_DATABASE__CONNECTIONS", CONNECTIONS.to_string()),
        ]
    }

    /// A connection to it.
    pub async fn connect(&self) -> PgConnection {
        let options: PgConnectOptions = self.url().parse().expect("a URL of a server");
        options.connect().await.expect("the server is there")
    }

    /// A transaction that keeps everybody else from its tables.
    pub async fn lock(&self) -> PgConnection {
        let mut stranger = self.connect().await;
        let tables = query_scalar::<_, String>(
            "SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables WHERE schemaname = $1",
        );
        let tables = tables.bind(&self.name).fetch_one(&mut stranger).await.expect("some tables");
        let lock = format!("BEGIN; LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE");
        raw_sql(AssertSqlSafe(lock))
            .execute(&mut stranger)
            .await
            .expect("nobody has them for long");
        stranger
    }
}

/// How long a test waits for somebody to get stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until somebody waits for a lock of this connection.
pub async fn wait_until_blocked(schema: &Schema, holder: &mut PgConnection) {
    let pid: i32 = query_scalar("SELECT pg_backend_pid()").fetch_one(holder).await.expect("a pid");
    let mut onlooker = schema.connect().await;
    let waiting =
        "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid)))";
    let somebody_waits = async {
        let ask = || query_scalar::<_, bool>(waiting).bind(pid);
        while !ask().fetch_one(&mut onlooker).await.expect("the server answers") {
            tokio::task::yield_now().await;
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, somebody_waits).await;
    in_time.expect("somebody waits for this connection");
}

impl Drop for Schema {
    fn drop(&mut self) {
        if !thread::panicking() {
            // A gateway that went away with its test may have left a transaction open.
            let name = &self.name;
            run(format!(
                "SELECT pg_terminate_backend(locks.pid) FROM pg_locks AS locks
                 JOIN pg_class AS tables ON tables.oid = locks.relation
                 WHERE tables.relnamespace = '{name}'::regnamespace
                     AND locks.pid <> pg_backend_pid();
                 SET lock_timeout = '20s';
                 DROP SCHEMA {name} CASCADE"
            ));
        }
    }
}

/// Runs statements on a connection of their own, also where there is a runtime already.
fn run(statements: String) {
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let options: PgConnectOptions = server().parse().expect("a URL of a server");
            let mut connection = options.connect().await.expect("the server is there");
            let done = raw_sql(AssertSqlSafe(statements)).execute(&mut connection).await;
            done.expect("a schema is made or dropped");
        });
    };
    thread::spawn(run).join().expect("the server does as it is told");
}
