//! Connections to the server.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool, query};
use tokio::time::timeout;

use super::PostgresConfig;
use super::rows::value;
use super::silence::silence;
use crate::storage::error::{StoreError, during};
use crate::storage::open::OpenError;

/// The first version that has all that is used here.
const OLDEST: i64 = 15 * MAJOR;

/// A version is told as one number, with the minor one at its end.
const MAJOR: i64 = 10_000;

/// How many statements a connection remembers; there are fewer than that.
const STATEMENTS: usize = 512;

/// What a connection of ours relies on, whatever is set for the role or the database. Behind a pooler
/// nothing can be set for a connection: there each transaction begins with it.
const SETTINGS: [(&str, &str); 3] = [
    ("default_transaction_isolation", "read committed"),
    ("statement_timeout", "10s"),
    ("idle_in_transaction_session_timeout", "10s"),
];

/// A group of messages may take longer, but it waits no longer for a lock: others are in it.
const WRITING: [(&str, &str); 2] = [("statement_timeout", "20s"), ("lock_timeout", "2s")];

/// The limit of a statement of such a group.
pub(super) const LONGEST_STATEMENT: Duration = Duration::from_secs(20);

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

/// A connection is looked at when it is given back. One that was used so short ago is taken for good
/// without another look, which would cost each statement a second trip to the server.
const FRESH: Duration = Duration::from_secs(1);

/// A connection that does not answer such a look so soon is dead, and the next one is taken.
const LOOK: Duration = Duration::from_secs(1);

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
        false => options.statement_cache_capacity(STATEMENTS).options(SETTINGS).options(PLANNER),
    })
}

/// For the connections of the writers.
pub(super) fn writing(config: &PostgresConfig, options: &PgConnectOptions) -> PgConnectOptions {
    match config.pooler {
        true => options.clone(),
        false => options.clone().options(WRITING),
    }
}

/// Options that hold on to what was found when the store was opened, should somebody change it.
pub(super) fn pinned(
    config: &PostgresConfig,
    options: PgConnectOptions,
    server: &Server,
) -> PgConnectOptions {
    match config.pooler {
        true => options,
        false => options.options([("synchronous_commit", &server.synchronous_commit)]),
    }
}

/// Where the database is, without the password.
pub(super) fn place(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    match options.get_socket() {
        Some(socket) => format!("{database} at the socket {}", socket.display()),
        None => format!("{database} on {}:{}", options.get_host(), options.get_port()),
    }
}

/// What a server says about itself.
pub(super) struct Server {
    version: i64,
    /// What a commit waits for, as it is set for this role and this database.
    synchronous_commit: String,
}

impl Server {
    /// Looks whether it can be relied upon.
    ///
    /// # Errors
    /// When it is too old, or does not wait for every disk at a commit.
    fn check(&self, place: String) -> Result<(), OpenError> {
        if self.version < OLDEST {
            return Err(OpenError::Server { place, found: self.version / MAJOR });
        }
        if ["off", "local"].contains(&self.synchronous_commit.as_str()) {
            return Err(OpenError::NotDurable { place, found: self.synchronous_commit.clone() });
        }
        Ok(())
    }
}

/// The first connection, on which the server is asked what it is.
///
/// # Errors
/// When the server cannot be reached in time, is too old, or does not wait for every disk at a commit.
pub(super) async fn connect(
    options: &PgConnectOptions,
    patience: Duration,
) -> Result<(PgConnection, Server), OpenError> {
    let unusable = |source| OpenError::Database { path: place(options).into(), source };
    let connected = timeout(patience, options.connect()).await;
    let connected = connected.unwrap_or(Err(sqlx::Error::PoolTimedOut));
    let mut connection = connected.map_err(during("connecting to the server")).map_err(unusable)?;
    let asked = timeout(patience, ask(&mut connection)).await;
    let asked = asked.unwrap_or_else(|_| Err(during(ASKING)(silence())));
    let server = asked.map_err(unusable)?;
    server.check(place(options))?;
    Ok((connection, server))
}

async fn ask(connection: &mut PgConnection) -> Result<Server, StoreError> {
    let mut transaction = connection.begin().await.map_err(during(ASKING))?;
    let row = query(SERVER).persistent(false).fetch_one(&mut *transaction).await;
    let row = row.map_err(during(ASKING))?;
    Ok(Server {
        version: value(&row, "version")?,
        synchronous_commit: value(&row, "synchronous_commit")?,
    })
}

/// Not the setting of the moment: behind a pooler somebody else may have left that.
const SERVER: &str = "
    SELECT current_setting('server_version_num')::bigint AS version,
        reset_val AS synchronous_commit
    FROM pg_settings WHERE name = 'synchronous_commit'";

const ASKING: &str = "asking the server what it is";

/// The connections of everybody but the writers. They are opened when they are needed.
pub(super) fn pool(config: &PostgresConfig, options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(config.connections.saturating_sub(config.writers).max(2))
        .acquire_timeout(config.patience)
        .test_before_acquire(false)
        .before_acquire(|connection, found| {
            Box::pin(async move {
                if found.idle_for > FRESH {
                    let alive = timeout(LOOK, connection.ping()).await;
                    alive.unwrap_or_else(|_| Err(silence()))?;
                }
                Ok(true)
            })
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_a_writers_statement_is_what_others_count_on() {
        let seconds = format!("{}s", LONGEST_STATEMENT.as_secs());
        assert!(WRITING.contains(&("statement_timeout", &seconds)));
    }

    fn check(version: i64) -> Result<(), OpenError> {
        let server = Server { version, synchronous_commit: "on".to_owned() };
        server.check("mail on db:5432".to_owned())
    }

    #[test]
    fn a_server_that_is_too_old_is_told_from_others() {
        for version in [OLDEST, 15_00_14, 18_00_01] {
            assert!(check(version).is_ok(), "{version}");
        }
        for (version, found) in [(14_00_23, 14), (OLDEST - 1, 14), (9_06_24, 9)] {
            let refused = check(version).unwrap_err().to_string();
            let sentence = format!(
                "the server of the database mail on db:5432 is PostgreSQL {found}; sealpost needs {} \
                 or later",
                OLDEST / MAJOR
            );
            assert_eq!(refused, sentence);
        }
    }
}
