//! The data directory: one process has it open at a time.
//!
//! `gateway.lock` is held with an exclusive lock by whoever has the directory open; the system
//! lets go of it when that process ends, however it ends. Inside stands who it is, so that a
//! command can talk to it.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A data directory that this process has open.
#[derive(Debug)]
pub struct DataDirectory {
    path: PathBuf,
    lock: File,
}

/// Who has a data directory open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process.
    pub pid: u32,
    /// Where it takes orders; `None` for a command that will be done soon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin_socket: Option<PathBuf>,
    /// Where it serves clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<SocketAddr>,
    /// Where it serves phones, if that is an address of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phones_address: Option<SocketAddr>,
    /// Where it serves HushNet's clients, if that is an address of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hushnet_address: Option<SocketAddr>,
    /// Where it serves drop boxes, if that is an address of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyservice_address: Option<SocketAddr>,
    /// Where it serves metrics, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics_address: Option<SocketAddr>,
}

/// Why a data directory cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// It cannot be made.
    #[error("cannot create the data directory {}", path.display())]
    Create {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Other users of the machine may look into it.
    #[error("the data directory {} is open to others (mode {mode:o}); run: chmod 700 {}",
        path.display(), path.display())]
    Open {
        /// Which one.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The lock file cannot be opened, locked or written.
    #[error("cannot use {}", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another process has it open.
    #[error("the data directory {} is in use by process {}", path.display(), holder.pid)]
    Held {
        /// Which one.
        path: PathBuf,
        /// Who has it open; the process is 0 while that one has not said it yet.
        holder: Box<Holder>,
    },
}

impl DataDirectory {
    /// Makes the directory if there is none (mode 0700) and takes its lock.
    ///
    /// # Errors
    /// When it cannot be made or is open to others, and [`DirectoryError::Held`] when another
    /// process has it open.
    pub fn open(path: &Path) -> Result<Self, DirectoryError> {
        make_private(path)?;
        // Commands may run in another working directory than the gateway that they talk to.
        let path = path.canonicalize().map_err(|source| create_error(path, source))?;
        let lock_path = lock_path(&path);
        let lock_error = |source| DirectoryError::Lock { path: lock_path.clone(), source };
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let lock = options.open(&lock_path).map_err(lock_error)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = Box::new(read_holder(&path));
                return Err(DirectoryError::Held { holder, path });
            }
            Err(TryLockError::Error(source)) => return Err(lock_error(source)),
        }
        let mut directory = Self { path, lock };
        directory.announce(&Holder { pid: std::process::id(), ..Holder::default() })?;
        Ok(directory)
    }

    /// Writes into the lock file who has the directory open.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn announce(&mut self, holder: &Holder) -> Result<(), DirectoryError> {
        let text = serde_json::to_string(holder).map_err(io::Error::other);
        let written = text.and_then(|text| {
            self.lock.set_len(0)?;
            self.lock.rewind()?;
            self.lock.write_all(text.as_bytes())
        });
        written.map_err(|source| DirectoryError::Lock { path: lock_path(&self.path), source })
    }

    /// The directory itself, as an absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.path.join("sealpost.db")
    }

    /// The key of the vault.
    #[must_use]
    pub fn vault_key(&self) -> PathBuf {
        self.path.join("vault.key")
    }

    /// The folder of attachments.
    #[must_use]
    pub fn blobs(&self) -> PathBuf {
        self.path.join("blobs")
    }

    /// The folder of files in drop boxes.
    #[must_use]
    pub fn drop_box_files(&self) -> PathBuf {
        self.path.join("dropbox-files")
    }

    /// Where a running gateway takes orders.
    #[must_use]
    pub fn admin_socket(&self) -> PathBuf {
        self.path.join("admin.sock")
    }
}

impl Drop for DataDirectory {
    fn drop(&mut self) {
        // The next one to open it must not find our address; should this fail, it will find out
        // that nobody answers there.
        let _ = self.lock.set_len(0);
    }
}

/// Who has the directory open, as far as the lock file says; empty when it says nothing readable.
#[must_use]
pub fn read_holder(directory: &Path) -> Holder {
    let mut text = String::new();
    let read = File::open(lock_path(directory)).and_then(|mut file| file.read_to_string(&mut text));
    read.ok().and_then(|_| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// Whether some process has the directory open.
#[must_use]
pub fn is_held(directory: &Path) -> bool {
    // Only a lock that somebody else holds is refused; a missing file is held by nobody.
    File::open(lock_path(directory))
        .is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

fn lock_path(directory: &Path) -> PathBuf {
    directory.join("gateway.lock")
}

fn create_error(path: &Path, source: io::Error) -> DirectoryError {
    DirectoryError::Create { path: path.to_owned(), source }
}

fn make_private(path: &Path) -> Result<(), DirectoryError> {
    let created = DirBuilder::new().recursive(true).mode(0o700).create(path);
    created.map_err(|source| create_error(path, source))?;
    let metadata = fs::metadata(path).map_err(|source| create_error(path, source))?;
    let mode = metadata.permissions().mode() & 0o777;
    // A group may be meant to share it: some orchestrators hand volumes over that way.
    if mode & 0o007 == 0 {
        return Ok(());
    }
    let is_empty = fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
    // An empty directory (a fresh volume, `mktemp`) has nothing to hide yet: close it.
    if is_empty && fs::set_permissions(path, Permissions::from_mode(0o700)).is_ok() {
        return Ok(());
    }
    Err(DirectoryError::Open { path: path.to_owned(), mode })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn a_new_directory_is_closed_to_others() -> Outcome {
        let parent = tempfile::tempdir()?;
        let directory = DataDirectory::open(&parent.path().join("a/b"))?;
        let mode = fs::metadata(directory.path())?.permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let mode = fs::metadata(directory.path().join("gateway.lock"))?.permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        Ok(())
    }

    #[test]
    fn a_directory_with_something_in_it_that_others_may_read_is_refused() -> Outcome {
        let parent = tempfile::tempdir()?;
        fs::write(parent.path().join("sealpost.db"), "")?;
        fs::set_permissions(parent.path(), Permissions::from_mode(0o755))?;
        let error = DataDirectory::open(parent.path());
        assert!(matches!(error, Err(DirectoryError::Open { mode: 0o755, .. })), "{error:?}");
        Ok(())
    }

    #[test]
    fn only_one_holds_the_lock_and_the_other_learns_who_it_is() -> Outcome {
        let parent = tempfile::tempdir()?;
        let mut first = DataDirectory::open(parent.path())?;
        let holder = Holder {
            pid: 7,
            admin_socket: Some(first.admin_socket()),
            address: Some(SocketAddr::from(([127, 0, 0, 1], 8080))),
            phones_address: None,
            hushnet_address: None,
            keyservice_address: None,
            metrics_address: None,
        };
        first.announce(&holder)?;
        assert!(is_held(parent.path()));
        let Err(DirectoryError::Held { holder: found, .. }) = DataDirectory::open(parent.path())
        else {
            return Err("the lock was given twice".into());
        };
        assert_eq!(*found, holder);
        Ok(())
    }

    #[test]
    fn a_lock_that_was_let_go_says_nothing() -> Outcome {
        let parent = tempfile::tempdir()?;
        drop(DataDirectory::open(parent.path())?);
        assert!(!is_held(parent.path()));
        assert_eq!(read_holder(parent.path()), Holder::default());
        assert!(DataDirectory::open(parent.path()).is_ok());
        Ok(())
    }
}
