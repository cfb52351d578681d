//! The keys of a box, as only its owner has them.

use std::fmt;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::auth::AuthKey;
use super::der;
use super::derive::Key;
use super::kdf::Kdf;
use super::passphrase::{DeriveError, PassphraseKeys};
use super::sealed::{self, Kind, OVERHEAD};
use super::shared::SharedBox;
use super::token::BoxToken;
use crate::keys::AgreementSecret;

/// Length of a sealed private key.
const SEALED: usize = der::PKCS8 + OVERHEAD;

/// Everything that the owner of a box has: its key pair, and what the passphrase gave. Wiped from
/// memory on drop.
#[derive(Clone)]
pub struct BoxKeys {
    shared: SharedBox,
    passphrase: PassphraseKeys,
    /// The secret as its container has it: before clamping.
    secret: Key,
    pub(super) agreement: AgreementSecret,
}

/// Why there are no keys of a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// The passphrase gives no keys.
    #[error("failed to derive keys from the passphrase")]
    Derive(#[from] DeriveError),
    /// A sealed private key has another length.
    #[error("a sealed private key has {SEALED} bytes, this one has {length}")]
    Length {
        /// Number of bytes found.
        length: usize,
    },
    /// The passphrase is not that of the box, or the sealed private key was changed.
    #[error("the private key of the box does not open with this passphrase")]
    Sealed,
    /// What opened is no X25519 private key (RFC 8410).
    #[error("the private key of the box is malformed")]
    Malformed,
    /// What opened belongs to another public key.
    #[error("private and public key of the box do not belong together")]
    Mismatch,
}

impl BoxKeys {
    /// Makes a new box. Deriving takes a second or so, see [`PassphraseKeys::derive`].
    ///
    /// # Errors
    /// When the passphrase gives no keys.
    pub fn create(
        passphrase: &str,
        kdf: Kdf,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Self, DeriveError> {
        let passphrase = PassphraseKeys::derive(passphrase, &kdf)?;
        let mut secret = Zeroizing::new([0; 32]);
        rng.fill_bytes(secret.as_mut_slice());
        let agreement = AgreementSecret::from_bytes(*secret);
        let shared = SharedBox::of(agreement.public(), kdf);
        Ok(Self { shared, passphrase, secret, agreement })
    }

    /// Opens the private key that the gateway keeps for the owner.
    ///
    /// # Errors
    /// When the passphrase is not that of the box, or the gateway's copy is not what the owner made.
    pub fn open(
        passphrase: PassphraseKeys,
        shared: &SharedBox,
        private_key: &[u8],
    ) -> Result<Self, KeysError> {
        if private_key.len() != SEALED {
            return Err(KeysError::Length { length: private_key.len() });
        }
        let associated = sealed::associated(&shared.token(), Kind::PrivateKey);
        let der = sealed::open(&passphrase.seal_key, &associated, private_key);
        let secret = der::from_pkcs8(&der.ok_or(KeysError::Sealed)?).ok_or(KeysError::Malformed)?;
        let agreement = AgreementSecret::from_bytes(*secret);
        if agreement.public() != shared.key {
            return Err(KeysError::Mismatch);
        }
        Ok(Self { shared: shared.clone(), passphrase, secret, agreement })
    }

    /// The private key, sealed under the passphrase: 76 bytes for the gateway to keep.
    ///
    /// # Errors
    /// Never in practice: AES-GCM takes 48 bytes.
    pub fn seal_private_key(
        &self,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Vec<u8>, KeysError> {
        let associated = sealed::associated(&self.token(), Kind::PrivateKey);
        let der = der::pkcs8(&self.secret);
        sealed::seal(&self.passphrase.seal_key, &associated, der.as_slice(), rng)
            .ok_or(KeysError::Sealed)
    }

    /// What everybody may know of the box.
    #[must_use]
    pub const fn shared(&self) -> &SharedBox {
        &self.shared
    }

    /// The address of the box.
    #[must_use]
    pub const fn token(&self) -> BoxToken {
        self.shared.token()
    }

    /// The public key as SPKI (RFC 8410).
    #[must_use]
    pub fn public_key(&self) -> [u8; 44] {
        self.shared.public_key()
    }

    /// How the passphrase becomes a key.
    #[must_use]
    pub const fn kdf(&self) -> &Kdf {
        self.shared.kdf()
    }

    /// What proves to the gateway that this is the owner.
    #[must_use]
    pub const fn auth_key(&self) -> &AuthKey {
        self.passphrase.auth_key()
    }

    /// What the gateway keeps of that proof.
    #[must_use]
    pub fn auth_digest(&self) -> [u8; 32] {
        self.auth_key().digest()
    }
}

impl fmt::Debug for BoxKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("BoxKeys(..)")
    }
}
