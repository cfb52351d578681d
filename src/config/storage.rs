//! The section `[storage]`: the data directory and the SQLite database in it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::database::refuse_changed;
use super::{ConfigError, within};

/// The data directory and the database in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// The directory that holds the database (unless a server has it), attachments, the lock and
    /// the admin socket; a relative path starts at the working directory.
    pub data: PathBuf,
    /// The file with the key under which secrets of phones are sealed in the database; nodes with one
    /// database share it. Empty for `vault.key` in the data directory.
    pub vault_key_file: PathBuf,
    /// SQLite: connections that read beside the one that writes.
    pub readers: u32,
    /// SQLite: the largest size of the database in bytes; 0 for as much as the disk has.
    pub max_bytes: u64,
    /// SQLite: how long to wait when another program holds the database.
    pub busy_seconds: u64,
    /// SQLite: so many rows of inboxes stay in memory before they are put into their table, many at
    /// a time.
    pub fresh_rows: u32,
    /// Rosters, sessions, accounts and the like that are remembered, of each at most this many.
    pub cache_entries: u32,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            data: PathBuf::from("./sealpost-data"),
            vault_key_file: PathBuf::new(),
            readers: 4,
            max_bytes: 0,
            busy_seconds: 2,
            fresh_rows: 131_072,
            cache_entries: 100_000,
        }
    }
}

impl Storage {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.data.as_os_str().is_empty() {
            let reason = "is empty; it must name a directory".to_owned();
            return Err(ConfigError::Value { key: "storage.data", reason });
        }
        within("storage.readers", self.readers.into(), 1, 64)?;
        if self.max_bytes > 0 {
            within("storage.max_bytes", self.max_bytes, 1 << 20, 1 << 46)?;
        }
        within("storage.busy_seconds", self.busy_seconds, 0, 60)?;
        within("storage.fresh_rows", self.fresh_rows.into(), 0, 10_000_000)?;
        within("storage.cache_entries", self.cache_entries.into(), 0, 10_000_000)
    }
    /// A setting that nobody reads is a mistake: refuses those of the SQLite file.
    pub(super) fn is_for_a_server(&self) -> Result<(), ConfigError> {
        let usual = Self::default();
        let changed = [
            ("storage.readers", self.readers != usual.readers),
            ("storage.max_bytes", self.max_bytes != usual.max_bytes),
            ("storage.busy_seconds", self.busy_seconds != usual.busy_seconds),
            ("storage.fresh_rows", self.fresh_rows != usual.fresh_rows),
        ];
        refuse_changed(
            &changed,
            "is set, and is for the SQLite file in the data directory; `database.url` names a \
             PostgreSQL server, which has settings of its own",
        )
    }
}
