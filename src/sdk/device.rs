//! Adding a device: what the new device and the one that adds it sign.
//!
//! Both sign the same three facts: which account, which session adds, which key is added. The new
//! key's signature shows that its owner takes part; the adder's is kept by the gateway and handed
//! on as `attestation`, so that others can check that a device was added by a device and not by
//! the gateway.
//!
//! | bytes | what |
//! | --- | --- |
//! | 32 | a text that says whose signature this is, filled up with zeroes |
//! | 16 | account |
//! | 16 | session that adds |
//! | 32 | Ed25519 public key that is added |
//!
//! The text differs between the two, so that neither signature can stand in for the other.

use crate::ids::{SessionId, UserId};
use crate::keys::{KeyError, SigningKey, VerifyingKey};

const TAG: usize = 32;
const LENGTH: usize = TAG + 16 + 16 + 32;
const NEW: &[u8; TAG] = b"sealpost session v1 new key\0\0\0\0\0";
const ADDER: &[u8; TAG] = b"sealpost session v1 adding key\0\0";

/// The facts about a device that is being added.
///
/// ```
/// use sealpost_sdk::device::SessionStatement;
/// use sealpost_sdk::ids::{SessionId, UserId};
/// use sealpost_sdk::keys::SigningKey;
///
/// let (phone, laptop) = (SigningKey::from_seed(&[1; 32]), SigningKey::from_seed(&[2; 32]));
/// let statement = SessionStatement {
///     user: UserId::parse("00000000-0000-4000-8000-000000000001")?,
///     added_by: SessionId::parse("00000000-0000-4000-8000-000000000002")?,
///     public_key: laptop.verifying_key(),
/// };
/// let attestation = statement.sign_as_adder(&phone);
/// assert!(statement.verify_adder(&phone.verifying_key(), &attestation).is_ok());
/// assert!(statement.verify_new(&statement.sign_as_new(&laptop)).is_ok());
/// # Ok::<(), sealpost_sdk::ids::IdError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionStatement {
    /// The account that gets a device.
    pub user: UserId,
    /// The live session that adds it.
    pub added_by: SessionId,
    /// The new device's key.
    pub public_key: VerifyingKey,
}

impl SessionStatement {
    /// What the new key signs.
    #[must_use]
    pub fn bytes_to_sign_by_new_key(&self) -> [u8; LENGTH] {
        self.bytes(NEW)
    }

    /// What the adding session's key signs.
    #[must_use]
    pub fn bytes_to_sign_by_adder(&self) -> [u8; LENGTH] {
        self.bytes(ADDER)
    }

    /// Signs as the device that is being added.
    #[must_use]
    pub fn sign_as_new(&self, key: &SigningKey) -> [u8; 64] {
        key.sign(&self.bytes_to_sign_by_new_key())
    }

    /// Signs as the device that adds.
    #[must_use]
    pub fn sign_as_adder(&self, key: &SigningKey) -> [u8; 64] {
        key.sign(&self.bytes_to_sign_by_adder())
    }

    /// Checks the new key's own signature.
    ///
    /// # Errors
    /// When the signature was not made over this statement by the key that it names.
    pub fn verify_new(&self, signature: &[u8; 64]) -> Result<(), KeyError> {
        self.public_key.verify(&self.bytes_to_sign_by_new_key(), signature)
    }

    /// Checks the adding session's signature, given that session's key.
    ///
    /// # Errors
    /// When the signature was not made over this statement by `adder`.
    pub fn verify_adder(&self, adder: &VerifyingKey, signature: &[u8; 64]) -> Result<(), KeyError> {
        adder.verify(&self.bytes_to_sign_by_adder(), signature)
    }

    fn bytes(&self, tag: &[u8; TAG]) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[..32].copy_from_slice(tag);
        bytes[32..48].copy_from_slice(self.user.as_bytes());
        bytes[48..64].copy_from_slice(self.added_by.as_bytes());
        bytes[64..].copy_from_slice(&self.public_key.to_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement() -> SessionStatement {
        SessionStatement {
            user: UserId::from_bytes([1; 16]),
            added_by: SessionId::from_bytes([2; 16]),
            public_key: SigningKey::from_seed(&[3; 32]).verifying_key(),
        }
    }

    #[test]
    fn neither_signature_stands_in_for_the_other() {
        let key = SigningKey::from_seed(&[3; 32]);
        let (new, adder) = (statement().sign_as_new(&key), statement().sign_as_adder(&key));
        assert_eq!(statement().verify_new(&adder), Err(KeyError::Signature));
        let verified = statement().verify_adder(&key.verifying_key(), &new);
        assert_eq!(verified, Err(KeyError::Signature));
    }

    #[test]
    fn every_fact_is_signed() {
        let signature = statement().sign_as_new(&SigningKey::from_seed(&[3; 32]));
        assert_eq!(statement().verify_new(&signature), Ok(()));
        let user = UserId::from_bytes([9; 16]);
        let added_by = SessionId::from_bytes([9; 16]);
        let public_key = SigningKey::from_seed(&[9; 32]).verifying_key();
        for changed in [
            SessionStatement { user, ..statement() },
            SessionStatement { added_by, ..statement() },
            SessionStatement { public_key, ..statement() },
        ] {
            assert_eq!(changed.verify_new(&signature), Err(KeyError::Signature));
        }
    }

    #[test]
    fn only_the_named_adder_attests() {
        let adder = SigningKey::from_seed(&[4; 32]);
        let attestation = statement().sign_as_adder(&adder);
        assert_eq!(statement().verify_adder(&adder.verifying_key(), &attestation), Ok(()));
        let other = SigningKey::from_seed(&[5; 32]).verifying_key();
        assert_eq!(statement().verify_adder(&other, &attestation), Err(KeyError::Signature));
    }
}
