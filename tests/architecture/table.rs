//! Who may import whom: the table of ARCHITECTURE.md, as data.

/// One line of the table.
pub struct Row {
    /// A folder of `src/`, and the file of the same name.
    pub module: &'static str,
    /// The other modules that it may name.
    pub may_use: &'static [&'static str],
    /// The outside crates that it must not name.
    pub never: &'static [&'static str],
    /// What would be lost.
    pub why: &'static str,
}

/// The crates that decide what a module can do: talk HTTP, talk SQL, run tasks.
const HTTP: &[&str] = &["axum", "hyper", "tower", "tower_http", "reqwest", "prometheus_client"];

/// The same, and those that talk SQL.
const HTTP_AND_SQL: &[&str] =
    &["axum", "hyper", "tower", "tower_http", "reqwest", "sqlx", "rusqlite", "prometheus_client"];

/// The table. A module without a row may be named by nobody and may name nothing.
pub const TABLE: &[Row] = &[
    Row {
        module: "domain",
        may_use: &["sdk"],
        never: &[
            "axum",
            "hyper",
            "tower",
            "tower_http",
            "reqwest",
            "sqlx",
            "rusqlite",
            "tokio",
            "utoipa",
            "prometheus_client",
        ],
        why: "the rules can be read and tested without a server and without a database",
    },
    Row {
        module: "storage",
        may_use: &["domain", "config", "sdk"],
        never: HTTP,
        why: "a store keeps what the domain hands it and knows no protocol",
    },
    Row {
        module: "bus",
        may_use: &["domain", "config"],
        never: HTTP_AND_SQL,
        why: "a hint may be lost, so nothing but the domain's hints may pass here",
    },
    Row {
        module: "delivery",
        may_use: &["domain", "sdk"],
        never: HTTP_AND_SQL,
        why: "waking a reader is the same for every protocol and every database",
    },
    Row {
        module: "http",
        may_use: &["domain"],
        never: &["reqwest", "sqlx", "rusqlite", "prometheus_client"],
        why: "what all protocols share must not lean on one of them",
    },
    Row {
        module: "dialect",
        may_use: &["domain", "sdk", "http", "delivery"],
        never: &["reqwest", "sqlx", "rusqlite", "prometheus_client"],
        why: "a dialect translates, the domain decides, and only the store talks to the database",
    },
    Row {
        module: "outside",
        may_use: &["domain", "config", "sdk"],
        never: &["axum", "hyper", "tower", "tower_http", "sqlx", "rusqlite"],
        why: "whom the gateway asks is decided in one place, and nobody asks the gateway there",
    },
    Row {
        module: "admin",
        may_use: &["domain", "http", "sdk"],
        never: &["sqlx", "rusqlite"],
        why: "operators go through the same rules as everybody else",
    },
    Row {
        module: "console",
        may_use: &["admin", "config", "domain", "http"],
        never: &["reqwest", "sqlx", "rusqlite", "prometheus_client"],
        why: "the console shows and does what the operator's API can, and has no way of its own",
    },
    Row {
        module: "config",
        may_use: &["domain", "sdk"],
        never: &["axum", "hyper", "tower", "tower_http", "reqwest", "sqlx", "rusqlite", "tokio"],
        why: "a setting is a value; each module is handed its own",
    },
    Row {
        module: "telemetry",
        may_use: &["domain", "config"],
        never: &["axum", "hyper", "tower", "tower_http", "reqwest", "sqlx", "rusqlite"],
        why: "logs and metrics must never be the reason that something else is built",
    },
    Row {
        module: "try_it",
        may_use: &["domain", "sdk", "http", "delivery"],
        never: &["reqwest", "sqlx", "rusqlite", "prometheus_client"],
        why: "the page's cryptography runs in browsers; here are its files and the guests' door",
    },
    Row {
        module: "demo",
        may_use: &["sdk", "admin", "app"],
        never: &["axum", "sqlx", "rusqlite"],
        why: "the demo is a client: what it shows, any client can do",
    },
    Row {
        module: "cli",
        may_use: &["sdk", "admin", "app", "config", "domain", "telemetry", "demo"],
        never: &["sqlx", "rusqlite"],
        why: "a command changes data through the admin interface, running gateway or not",
    },
    Row {
        module: "app",
        may_use: &[
            "admin",
            "bus",
            "config",
            "console",
            "delivery",
            "dialect",
            "domain",
            "http",
            "outside",
            "sdk",
            "storage",
            "telemetry",
            "try_it",
        ],
        never: &["sqlx", "rusqlite", "reqwest", "prometheus_client"],
        why: "the composition root knows every type, and still does nothing itself",
    },
    Row {
        module: "main",
        may_use: &["cli"],
        never: &["axum", "sqlx", "rusqlite", "reqwest"],
        why: "the program is its commands",
    },
];

/// Modules that play a client, and so may seal and open envelopes.
pub const CLIENTS: &[&str] = &["cli", "demo"];

/// The names in the SDK that read or write plaintext: whoever cannot name them cannot read a
/// message.
pub const PLAINTEXT: &[(&str, &[&str])] = &[
    ("envelope", &["seal", "seal_keeping_key", "open", "open_cached", "*"]),
    ("attachment", &["encrypt", "Encryptor", "decrypt", "*"]),
    ("sdk", &["client", "*"]),
];

/// The row of a module.
pub fn row(module: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.module == module)
}
