//! The section `[database]`: which database, when it is not the file in the data directory.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ConfigError, Secret, Storage, within};

/// A PostgreSQL server and how much of it is used. Without a URL there is none of this: the
/// database is the SQLite file in the data directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// `postgres://user:password@host:port/database?sslmode=…`; empty for the SQLite file.
    pub url: Secret,
    /// Connections to the server at most, those of the writers included.
    pub connections: u32,
    /// How many of them store messages at the same time.
    pub writers: u32,
    /// Whether a pooler stands between that gives a connection away after each transaction.
    pub pooler: bool,
    /// How long to wait for the server, and for a free connection to it.
    pub patience_seconds: u64,
}

impl Default for Database {
    fn default() -> Self {
        Self {
            url: Secret::default(),
            connections: 16,
            writers: 2,
            pooler: false,
            patience_seconds: 5,
        }
    }
}

/// How the URL of a PostgreSQL server begins.
const BEGINNINGS: [&str; 2] = ["postgres://", "postgresql://"];

/// What may follow the question mark of a URL. The driver would log any other name together with
/// its value, which may be a password below a misspelt name.
const PARAMETERS: [&str; 17] = [
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "application_name",
    "options",
];

impl Database {
    /// Whether this section names a server.
    #[must_use]
    pub fn is_server(&self) -> bool {
        !self.url.is_empty()
    }

    /// How long to wait for the server.
    #[must_use]
    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.patience_seconds)
    }

    pub(super) fn validate(&self, storage: &Storage) -> Result<(), ConfigError> {
        within("database.connections", self.connections.into(), 3, 1000)?;
        within("database.writers", self.writers.into(), 1, 64)?;
        within("database.patience_seconds", self.patience_seconds, 1, 300)?;
        if self.writers + 2 > self.connections {
            let reason = format!(
                "is {}; with {} connections (database.connections) it may be {} at most, so that \
                 readers have some too",
                self.writers,
                self.connections,
                self.connections - 2
            );
            return Err(ConfigError::Value { key: "database.writers", reason });
        }
        if self.is_server() {
            check_url(self.url.reveal())?;
            storage.is_for_a_server()
        } else {
            self.is_for_the_file()
        }
    }

    /// A setting that nobody reads is a mistake: refuses those of a server when there is none.
    fn is_for_the_file(&self) -> Result<(), ConfigError> {
        let usual = Self::default();
        let changed = [
            ("database.connections", self.connections != usual.connections),
            ("database.writers", self.writers != usual.writers),
            ("database.pooler", self.pooler != usual.pooler),
            ("database.patience_seconds", self.patience_seconds != usual.patience_seconds),
        ];
        refuse_changed(
            &changed,
            "is set, and is for a PostgreSQL server; without `database.url` the database is the \
             SQLite file in the data directory, which does not have it",
        )
    }
}

/// Refuses the first of these settings that has been changed.
pub(super) fn refuse_changed(
    changed: &[(&'static str, bool)],
    reason: &str,
) -> Result<(), ConfigError> {
    match changed.iter().find(|(_, changed)| *changed) {
        Some((key, _)) => Err(ConfigError::Value { key, reason: reason.to_owned() }),
        None => Ok(()),
    }
}

/// Checks what can be seen without a driver. No error shows a part of the URL but the names of its
/// parameters.
fn check_url(url: &str) -> Result<(), ConfigError> {
    let refused = |reason: String| Err(ConfigError::Value { key: "database.url", reason });
    if !BEGINNINGS.iter().any(|beginning| url.starts_with(beginning)) {
        return refused(
            "does not begin with `postgres://`; it is the URL of a PostgreSQL server, or empty for \
             the SQLite file in the data directory"
                .to_owned(),
        );
    }
    let parameters = url.split_once('?').map_or("", |(_, parameters)| parameters);
    let names = parameters.split('&').filter_map(|pair| pair.split('=').next());
    for name in names.filter(|name| !name.is_empty()) {
        if !PARAMETERS.contains(&name) {
            // A password with a question mark in it would end up here, and the host behind it.
            let name = if parameters.contains('@') || name.contains(['/', ':']) {
                "one".to_owned()
            } else {
                format!("`{name}`")
            };
            return refused(format!(
                "has a parameter that is not known here: {name}. Characters such as ? & @ in a \
                 password are written as % and two digits"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "postgres://gateway:hunter2@db.example/sealpost";

    fn at(url: &str) -> Database {
        Database { url: Secret::from(url.to_owned()), ..Database::default() }
    }

    fn refusal(database: &Database, storage: &Storage) -> String {
        database.validate(storage).unwrap_err().to_string()
    }

    #[test]
    fn a_servers_url_and_none_at_all_are_good() {
        let tls = format!("{URL}?sslmode=verify-full&sslrootcert=/etc/ca.pem");
        for url in ["", URL, &URL.replace("postgres", "postgresql"), &tls] {
            assert!(at(url).validate(&Storage::default()).is_ok(), "{url}");
        }
    }

    #[test]
    fn another_url_is_refused_and_not_shown() {
        for url in [
            "mysql://gateway:hunter2@db.example/sealpost",
            "gateway:hunter2@db.example",
            "POSTGRES:hunter2",
            "postgres://gateway:hunter2@db.example/sealpost?pasword=hunter2",
            "postgres://gateway:a?hunter2@db.example/sealpost",
            "postgres://gateway:a?hunter2&x@db.example/sealpost",
            "postgres://gateway:a?hunter2=x@db.example/sealpost",
        ] {
            let message = refusal(&at(url), &Storage::default());
            assert!(message.contains("`database.url`"), "{message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn a_password_is_not_in_the_debug_output() {
        let shown = format!("{:?}", at(URL));
        assert!(shown.contains("(not shown)") && !shown.contains("hunter2"), "{shown}");
        assert!(format!("{:?}", Database::default()).contains("url: \"\""));
    }

    #[test]
    fn settings_of_the_other_database_are_refused() {
        let storage = Storage { max_bytes: 1 << 30, ..Storage::default() };
        let message = refusal(&at(URL), &storage);
        assert!(message.contains("`storage.max_bytes`") && message.contains("SQLite"), "{message}");
        let database = Database { pooler: true, ..Database::default() };
        let message = refusal(&database, &Storage::default());
        assert!(message.contains("`database.pooler`"), "{message}");
    }

    #[test]
    fn writers_leave_connections_to_readers() {
        let database = Database { writers: 15, ..at(URL) };
        let message = refusal(&database, &Storage::default());
        assert!(message.contains("14 at most"), "{message}");
    }
}
