//! The key of the vault: a file of its own, so that a copy of the database opens no secret.
//!
//! It is made when phones are served for the first time. Something that was sealed under it then
//! stays in the database, and tells that key and database belong together.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::directory::DataDirectory;
use crate::config::Config;
use crate::domain::ports::Entropy;
use crate::domain::vault::{Sealed, Vault};
use crate::domain::{Fault, Gateway};

const KEY_BYTES: usize = 32;

/// The setting under which the store keeps what only the right key opens.
const CHECK: &str = "vault_check";

const CHECK_CONTEXT: &str = "vault check";

/// Why there is no vault.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The file cannot be made or read.
    #[error("cannot use the vault's key {}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Other users of the machine may read it.
    #[error("the vault's key {} is open to others (mode {mode:o}); run: chmod 600 {}",
        path.display(), path.display())]
    Open {
        /// Which one.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// What is in the file is no key.
    #[error("the vault's key {} has not {KEY_BYTES} bytes", path.display())]
    Length {
        /// Which one.
        path: PathBuf,
    },
    /// The database was used with a key, and its file is not there.
    #[error("the vault's key {} is missing: the database has secrets that only the key opens with \
        which they were sealed; put that file there", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The database was used with another key.
    #[error("the vault's key {} is not the one with which the database's secrets were sealed; put \
        that one there", path.display())]
    Other {
        /// Which one.
        path: PathBuf,
    },
    /// The database cannot be asked.
    #[error("cannot find out whether the vault's key is the database's")]
    Check(#[source] Fault),
}

/// The vault of the settings.
///
/// # Errors
/// When the file cannot be used, or is not there and was before, or is not the database's.
pub(super) async fn open(
    config: &Config,
    directory: &DataDirectory,
    gateway: &Gateway,
) -> Result<Vault, VaultError> {
    let path = match config.storage.vault_key_file.as_os_str().is_empty() {
        true => directory.vault_key(),
        false => config.storage.vault_key_file.clone(),
    };
    let failed = |source| VaultError::File { path: path.clone(), source };
    let is_new = make(&path, &*gateway.entropy).map_err(failed)?;
    let vault = Vault::derive(&*read(&path)?);
    if is_the_databases(&vault, gateway).await? {
        return Ok(vault);
    }
    if !is_new {
        return Err(VaultError::Other { path });
    }
    // Whoever looks for the right one must not find one that opens nothing.
    fs::remove_file(&path).map_err(failed)?;
    Err(VaultError::Missing { path })
}

/// Whether a vault opens what the first one left in the database; it is the first if there is
/// nothing.
async fn is_the_databases(vault: &Vault, gateway: &Gateway) -> Result<bool, VaultError> {
    let ours = vault.seal(&*gateway.entropy, CHECK_CONTEXT, b"");
    let kept = gateway.store.setting_or(CHECK, ours.0).await.map_err(VaultError::Check)?;
    Ok(vault.open(CHECK_CONTEXT, &Sealed(kept)).is_ok())
}

/// Puts a fresh key there, whole and on disk, unless there is one; returns whether there was none.
fn make(path: &Path, entropy: &dyn Entropy) -> io::Result<bool> {
    if path.try_exists()? {
        return Ok(false);
    }
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    entropy.fill(key.as_mut_slice());
    // Another node may be about to do the same.
    let mut mark = [0; 8];
    entropy.fill(&mut mark);
    let unfinished = path.with_extension(format!("{:016x}", u64::from_le_bytes(mark)));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    let written = file.write_all(key.as_slice()).and_then(|()| file.sync_all());
    // It is never put over another one.
    let linked = written.and_then(|()| fs::hard_link(&unfinished, path));
    fs::remove_file(&unfinished)?;
    match linked {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(error),
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(true)
}

fn read(path: &Path) -> Result<Zeroizing<[u8; KEY_BYTES]>, VaultError> {
    let failed = |source| VaultError::File { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.mode() & 0o777;
    // A group may be meant to share it, as it may share the data directory.
    if mode & 0o007 != 0 {
        return Err(VaultError::Open { path: path.to_owned(), mode });
    }
    // One more than a key has, so that a longer file is noticed.
    let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_BYTES + 1));
    let most = KEY_BYTES as u64 + 1;
    file.take(most).read_to_end(&mut bytes).map_err(failed)?;
    let key = <[u8; KEY_BYTES]>::try_from(bytes.as_slice()).map(Zeroizing::new);
    key.map_err(|_| VaultError::Length { path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;

    use tempfile::TempDir;

    use super::*;
    use crate::app::entropy::SystemEntropy;
    use crate::bus::LocalBus;
    use crate::domain::Limits;
    use crate::domain::clock::{TestClock, Timestamp};
    use crate::domain::measures::Measures;
    use crate::storage::MemoryStore;

    /// A database, and the folder beside it.
    struct Scene {
        gateway: Gateway,
        config: Config,
        parent: TempDir,
    }

    impl Scene {
        fn new() -> Self {
            let mut config = Config::default();
            config.dialects.textsecure.enabled = true;
            let gateway = Gateway {
                store: Arc::new(MemoryStore::new()),
                bus: Arc::new(LocalBus::new()),
                clock: Arc::new(TestClock::at(Timestamp::from_micros(0))),
                entropy: Arc::new(SystemEntropy::new().unwrap()),
                limits: Limits::default(),
                measures: Measures::default(),
            };
            Self { gateway, config, parent: tempfile::tempdir().unwrap() }
        }

        /// With the database and this data directory.
        async fn open(&self, folder: &str) -> Result<Vault, VaultError> {
            let directory = DataDirectory::open(&self.parent.path().join(folder)).unwrap();
            open(&self.config, &directory, &self.gateway).await
        }

        fn file(&self, path: &str) -> PathBuf {
            self.parent.path().canonicalize().unwrap().join(path)
        }
    }

    #[tokio::test]
    async fn the_key_is_made_once_and_for_its_owner_alone() {
        let scene = Scene::new();
        let sealed = scene.open("a").await.unwrap().seal(&*scene.gateway.entropy, "", b"secret");
        let again = scene.open("a").await.unwrap();
        assert_eq!(again.open("", &sealed).unwrap().as_slice(), b"secret");
        let made: Vec<_> = fs::read_dir(scene.file("a")).unwrap().map(Result::unwrap).collect();
        let made: Vec<_> = made.iter().map(|it| it.file_name().into_string().unwrap()).collect();
        assert!(made.iter().all(|name| ["gateway.lock", "vault.key"].contains(&name.as_str())));
        let mode = fs::metadata(scene.file("a/vault.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_database_without_its_key_opens_nothing() {
        let scene = Scene::new();
        scene.open("a").await.unwrap();
        let path = scene.file("b/vault.key");
        for _ in 0..2 {
            let refused = scene.open("b").await.unwrap_err();
            assert!(matches!(refused, VaultError::Missing { .. }), "{refused}");
            assert!(refused.to_string().contains(path.to_str().unwrap()), "{refused}");
            assert!(!path.exists());
        }
        fs::write(&path, [7; KEY_BYTES]).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let refused = scene.open("b").await.unwrap_err();
        assert!(matches!(refused, VaultError::Other { .. }), "{refused}");
        fs::copy(scene.file("a/vault.key"), &path).unwrap();
        scene.open("b").await.unwrap();
    }

    #[tokio::test]
    async fn several_nodes_have_one_file() {
        let mut scene = Scene::new();
        scene.config.storage.vault_key_file = scene.file("shared.key");
        let sealed = scene.open("a").await.unwrap().seal(&*scene.gateway.entropy, "", b"secret");
        assert!(scene.open("b").await.unwrap().open("", &sealed).is_ok());
        assert!(!scene.file("a/vault.key").exists());
    }

    #[tokio::test]
    async fn a_file_that_is_no_key_or_open_to_others_is_refused() {
        let scene = Scene::new();
        scene.open("a").await.unwrap();
        let path = scene.file("a/vault.key");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
        let refused = scene.open("a").await.unwrap_err();
        assert!(matches!(refused, VaultError::Open { mode: 0o604, .. }), "{refused}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for length in [0, KEY_BYTES - 1, KEY_BYTES + 1] {
            fs::write(&path, vec![7; length]).unwrap();
            let refused = scene.open("a").await.unwrap_err();
            assert!(matches!(refused, VaultError::Length { .. }), "{refused}");
        }
    }
}
