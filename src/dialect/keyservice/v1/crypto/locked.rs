//! A key pair whose private half is locked with its owner's passphrase.

use std::fmt;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::aes::decrypt_text_with;
use super::{KeyError, PassKey, PrivateKey, Unreadable, encrypt_text, hash};

/// A new key pair, in the form in which it is stored and answered.
pub struct LockedKey {
    /// `PublicKey`: .NET's XML.
    pub public_key: String,
    /// `PrivateKey`: AES(XML, passphrase), in base64.
    pub private_key: String,
    /// `PrivateKeyHash`: Hash(XML). It proves the owner as the passphrase does, so only a digest of
    /// it may be kept.
    pub private_key_hash: Zeroizing<String>,
}

/// A private key that its owner's passphrase opened.
pub struct UnlockedKey {
    /// The key.
    pub key: PrivateKey,
    /// `PrivateKeyHash` of the XML that was locked.
    pub private_key_hash: Zeroizing<String>,
}

/// Makes a key pair and locks it. It takes up to a second.
///
/// # Errors
/// [`KeyError::Generation`] when no key is found, which does not happen with good randomness.
pub fn new_locked_key(
    passphrase: &str,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<LockedKey, KeyError> {
    let key = PrivateKey::generate(rng)?;
    let xml = key.to_xml();
    Ok(LockedKey {
        public_key: key.public_key().to_xml(),
        private_key: encrypt_text(&xml, passphrase),
        private_key_hash: Zeroizing::new(hash(&xml)),
    })
}

/// Opens a private key that [`new_locked_key`], the original or a client locked, with what follows
/// from a passphrase, which is what takes long and needs no private key.
///
/// Compare the digest of [`UnlockedKey::private_key_hash`] with the one that is kept, or the key with
/// the public one: only that proves the passphrase. The original took a padding that looked right for
/// a proof, which one wrong passphrase in about 250 has.
///
/// # Errors
/// When the passphrase is wrong, or what it opens is not a private key; which one is not told.
pub fn unlock(private_key: &str, key: &PassKey) -> Result<UnlockedKey, Unreadable> {
    let xml = decrypt_text_with(private_key, key)?;
    let key = PrivateKey::parse(&xml).map_err(|_| Unreadable)?;
    Ok(UnlockedKey { key, private_key_hash: Zeroizing::new(hash(&xml)) })
}

impl fmt::Debug for LockedKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LockedKey(..)")
    }
}

impl fmt::Debug for UnlockedKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("UnlockedKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::super::PublicKey;
    use super::super::tests::{recorded, rng};
    use super::*;

    #[test]
    fn the_originals_key_unlocks_with_its_hash() {
        let unlocked =
            unlock(&recorded("private_key_encrypted"), &PassKey::derive(&recorded("passphrase")))
                .unwrap();
        assert_eq!(*unlocked.private_key_hash, recorded("private_key_hash"));
        let public = PublicKey::parse(&recorded("public_key_xml")).unwrap();
        assert!(unlocked.key.belongs_to(&public));
        let xml = recorded("private_key_xml");
        assert_eq!(encrypt_text(&xml, "password"), recorded("private_key_encrypted"));
    }

    #[test]
    fn a_new_key_unlocks_with_its_passphrase_only() {
        let locked = new_locked_key("pässphrase", &mut rng()).unwrap();
        let unlocked = unlock(&locked.private_key, &PassKey::derive("pässphrase")).unwrap();
        assert_eq!(unlocked.private_key_hash, locked.private_key_hash);
        assert_eq!(unlocked.key.public_key().to_xml(), locked.public_key);
        for wrong in ["", "passphrase", "pässphrase "] {
            assert_eq!(
                unlock(&locked.private_key, &PassKey::derive(wrong)).map(|_| ()),
                Err(Unreadable)
            );
        }
    }

    #[test]
    fn keys_show_nothing() {
        let locked = new_locked_key("passphrase", &mut rng()).unwrap();
        let unlocked = unlock(&locked.private_key, &PassKey::derive("passphrase")).unwrap();
        assert_eq!(format!("{locked:?} {unlocked:?}"), "LockedKey(..) UnlockedKey(..)");
    }
}
