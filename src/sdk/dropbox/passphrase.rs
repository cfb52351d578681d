//! From a passphrase to the two keys of an owner.

use std::fmt;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::Zeroizing;

use super::auth::AuthKey;
use super::derive::{Key, hkdf, pbkdf2};
use super::kdf::{Argon2Cost, Function, Kdf};

/// What a passphrase is good for: the key that seals the private key of a box, and the one that
/// proves to the gateway who asks. Wiped from memory on drop.
#[derive(Clone)]
pub struct PassphraseKeys {
    pub(super) seal_key: Key,
    auth_key: AuthKey,
}

/// Why a passphrase gives no keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeriveError {
    /// An empty passphrase protects nothing.
    #[error("the passphrase is empty")]
    Empty,
    /// A passphrase of 4 GiB or more.
    #[error("the passphrase is too long")]
    TooLong,
    /// The machine has not as much memory as the kdf takes.
    #[error("the kdf takes {kibibytes} KiB of memory, which is more than there is")]
    Memory {
        /// What the kdf takes.
        kibibytes: u32,
    },
}

impl PassphraseKeys {
    /// Derives the keys, which takes a second or so and much memory by design. In asynchronous
    /// programs it belongs on a thread that may block.
    ///
    /// The passphrase is taken as its UTF-8 bytes, without any normalisation.
    ///
    /// # Errors
    /// When the passphrase is empty or longer than Argon2 takes, or memory is short.
    pub fn derive(passphrase: &str, kdf: &Kdf) -> Result<Self, DeriveError> {
        if passphrase.is_empty() {
            return Err(DeriveError::Empty);
        }
        let passphrase = passphrase.as_bytes();
        let master = match kdf.function {
            Function::Argon2id(cost) => argon2id(passphrase, &kdf.salt, cost)?,
            Function::Pbkdf2 { iterations } => pbkdf2(passphrase, &kdf.salt, iterations),
        };
        let derived = |info| hkdf(master.as_slice(), &[], info);
        Ok(Self {
            seal_key: derived("sealpost drop box 2 private key"),
            auth_key: AuthKey::new(derived("sealpost drop box 2 authentication")),
        })
    }

    /// What proves to the gateway that this is the owner.
    #[must_use]
    pub const fn auth_key(&self) -> &AuthKey {
        &self.auth_key
    }
}

fn argon2id(passphrase: &[u8], salt: &[u8; 16], cost: Argon2Cost) -> Result<Key, DeriveError> {
    let Argon2Cost { memory: kibibytes, passes, lanes } = cost;
    let short = DeriveError::Memory { kibibytes };
    let mut key = Zeroizing::new([0; 32]);
    let params = Params::new(kibibytes, passes, lanes, Some(key.len())).map_err(|_| short)?;
    // Of our own, so that it is wiped.
    let mut memory = Zeroizing::new(Vec::new());
    memory.try_reserve_exact(params.block_count()).map_err(|_| short)?;
    memory.resize(params.block_count(), Block::default());
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(passphrase, salt, key.as_mut_slice(), memory.as_mut_slice())
        .map_err(|_| DeriveError::TooLong)?;
    Ok(key)
}

impl fmt::Debug for PassphraseKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PassphraseKeys(..)")
    }
}
