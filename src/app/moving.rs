//! Everything of one database into a file, and from there into another one.

use std::io::{BufRead, Write};
use std::path::PathBuf;

use super::directory::{DataDirectory, DirectoryError};
use super::{Config, settings};
use crate::storage::portable;

pub use crate::storage::portable::{Moved, PortableError, Watcher};

/// Why a database was not written into a file, or not filled from one.
#[derive(Debug, thiserror::Error)]
pub enum MovingError {
    /// The data directory cannot be opened, or a gateway runs there.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// There is nothing to export.
    #[error("there is no database at {}", path.display())]
    Nothing {
        /// Where it would be.
        path: PathBuf,
    },
    /// The database or the file cannot be used.
    #[error(transparent)]
    Portable(#[from] PortableError),
}

/// Writes everything that the database of these settings has into a file. No gateway may run on the
/// data directory meanwhile.
///
/// # Errors
/// When the directory is in use or has no database, and as those of [`portable::export`].
pub async fn export(
    config: &Config,
    to: impl Write + Send,
    watcher: &mut dyn Watcher,
) -> Result<Moved, MovingError> {
    // Held until all is written.
    let directory = DataDirectory::open(&config.storage.data)?;
    let path = directory.database();
    if !config.database.is_server() && !path.exists() {
        return Err(MovingError::Nothing { path });
    }
    let database = settings::database(config, path);
    Ok(portable::export(&database, to, watcher).await?)
}

/// Fills the database of these settings, which has to be empty. No gateway may run on the data
/// directory meanwhile.
///
/// # Errors
/// When the directory is in use, and as those of [`portable::import`].
pub async fn import(
    config: &Config,
    from: impl BufRead + Send,
    watcher: &mut dyn Watcher,
) -> Result<Moved, MovingError> {
    // Held until all is written.
    let directory = DataDirectory::open(&config.storage.data)?;
    let database = settings::database(config, directory.database());
    Ok(portable::import(&database, from, watcher).await?)
}
