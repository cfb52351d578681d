//! The section `[storage]`: the data directory and the database in it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{ConfigError, within};

/// The data directory and the database in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// The directory that holds the database, the lock and the admin socket; a relative path
    /// starts at the working directory.
    pub data: PathBuf,
    /// Connections that read beside the one that writes.
    pub readers: u32,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            data: PathBuf::from("./sealpost-data"),
            readers: 4,
        }
    }
}

impl Storage {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.data.as_os_str().is_empty() {
            let reason = "is empty; it must name a directory".to_owned();
            return Err(ConfigError::Value {
                key: "storage.data",
                reason,
            });
        }
        within("storage.readers", self.readers.into(), 1, 64)
    }
}
