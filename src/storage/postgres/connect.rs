//! Connections to the server.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool, query};
use tokio::time::timeout;

use super::PostgresConfig;
use super::rows::value;
use crate::storage::error::{StoreError, during};
use crate::storage::open::OpenError;

/// The first version that has all that is used here.
const OLDEST: i64 = 15_00_00;

/// How many statements a connection remembers; there are fewer than that.
const STATEMENTS: usize = 512;

/// Every statement finds its rows by a key. A plan that is kept from a time when a table was short
/// must not be one that reads all of it, so no such plan is made; and compiling a plan takes longer
/// than any of them runs. Behind a pooler nothing can be set for a connection, but plans are not
/// kept there either.
const PLANNER: [(&str, &str); 4] = [
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("jit", "off"),
];

/// What the program is called among the server's connections.
const NAME: &str = "sealpost";

/// Reads the URL.
///
/// # Errors
/// When it is none that the driver understands.
pub(super) fn options(config: &PostgresConfig) -> Result<PgConnectOptions, OpenError> {
    let parsed: Result<PgConnectOptions, _> = config.url.parse();
    let options = parsed.map_err(|source| OpenError::Url { source })?;
    let options = options.application_name(NAME).disable_statement_logging();
    Ok(match config.pooler {
        true => options.statement_cache_capacity(0),
        false => options.statement_cache_capacity(STATEMENTS).options(PLANNER),
    })
}

/// Where the database is, without the password.
pub(super) fn place(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    match options.get_socket() {
        Some(socket) => format!("{database} at the socket {}", socket.display()),
        None => format!("{database} on {}:{}", options.get_host(), options.get_port()),
    }
}

/// The first connection, on which the server's version is looked at.
///
/// # Errors
/// When the server cannot be reached in time, or is too old.
pub(super) async fn connect(
    options: &PgConnectOptions,
    patience: Duration,
) -> Result<PgConnection, OpenError> {
    let unusable = |source| OpenError::Database { path: place(options).into(), source };
    let connected = timeout(patience, options.connect()).await;
    let connected = connected.unwrap_or(Err(sqlx::Error::PoolTimedOut));
    let mut connection = connected.map_err(during("connecting to the server")).map_err(unusable)?;
    let found = version(&mut connection).await.map_err(unusable)?;
    if found < OLDEST {
        return Err(OpenError::Server { place: place(options), found: found / 10_000 });
    }
    Ok(connection)
}

async fn version(connection: &mut PgConnection) -> Result<i64, StoreError> {
    let mut transaction = connection.begin().await.map_err(during(ASKING))?;
    let row = query("SELECT current_setting('server_version_num')::bigint AS version")
        .persistent(false)
        .fetch_one(&mut *transaction)
        .await
        .map_err(during(ASKING))?;
    value(&row, "version")
}

const ASKING: &str = "asking the server for its version";

/// The connections of everybody but the writers. They are opened when they are needed.
pub(super) fn pool(config: &PostgresConfig, options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(config.connections.saturating_sub(config.writers).max(2))
        .acquire_timeout(config.patience)
        .connect_lazy_with(options)
}

/// Connections on which nothing can be changed. A pooler has a word to say about settings of a
/// connection, so behind one this rests upon a store whose writers take nothing.
pub(super) fn onlookers(config: &PostgresConfig, options: &PgConnectOptions) -> PgPool {
    let options = options.clone();
    pool(
        config,
        match config.pooler {
            true => options,
            false => options.options([("default_transaction_read_only", "on")]),
        },
    )
}
