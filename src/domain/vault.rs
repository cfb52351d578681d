//! Secrets at rest: what a dialect has to keep and nobody else should read in the database.
//!
//! AES-256-GCM under a key that follows from a secret which is not in the database. A sealed value
//! is a format byte (1), a fresh nonce of 12 bytes, and the ciphertext with its tag of 16 bytes; what
//! it is and whose is authenticated with it, so that it opens nowhere else.

use std::fmt;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::error::Fault;
use super::ports::Entropy;

const FORMAT: u8 = 1;
const NONCE_BYTES: usize = 12;

/// A secret as it is kept: bytes that only a [`Vault`] reads.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Sealed(pub Vec<u8>);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// Seals and opens secrets.
pub struct Vault {
    cipher: Aes256Gcm,
}

impl Vault {
    /// The vault whose key follows from a secret. Nothing of one can be told from the other, and no
    /// other use of the secret gives the same key.
    #[must_use]
    pub fn derive(secret: &[u8; 32]) -> Self {
        // HMAC fills a short key up to the hash's block with zeroes (RFC 2104).
        let mut block = Zeroizing::new([0; 64]);
        block[..32].copy_from_slice(secret);
        let mac = <Hmac<Sha256> as KeyInit>::new((&*block).into());
        let key: [u8; 32] = mac.chain_update("sealpost vault 1").finalize().into_bytes().into();
        let key = Zeroizing::new(key);
        Self { cipher: Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key)) }
    }

    /// Seals a secret. It opens under the same `context` only: what it is and whose.
    #[must_use]
    pub fn seal(&self, entropy: &dyn Entropy, context: &str, secret: &[u8]) -> Sealed {
        let mut nonce = [0; NONCE_BYTES];
        entropy.fill(&mut nonce);
        let payload = Payload { msg: secret, aad: context.as_bytes() };
        let sealed = self.cipher.encrypt(&Nonce::from(nonce), payload);
        // Only a secret of more than 64 GiB cannot be encrypted.
        let sealed = sealed.expect("secrets are short");
        Sealed([&[FORMAT][..], &nonce, &sealed].concat())
    }

    /// Opens what was sealed under the same context.
    ///
    /// # Errors
    /// [`Fault::Internal`] when it was not, or was changed since.
    pub fn open(&self, context: &str, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, Fault> {
        self.try_open(context, &sealed.0)
            .ok_or_else(|| Fault::internal("opening a secret", "it was not sealed by this gateway"))
    }

    fn try_open(&self, context: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (format, rest) = sealed.split_first()?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_BYTES>()?;
        if *format != FORMAT {
            return None;
        }
        let payload = Payload { msg: ciphertext, aad: context.as_bytes() };
        let opened = self.cipher.decrypt(&Nonce::from(*nonce), payload).ok()?;
        Some(Zeroizing::new(opened))
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting;

    impl Entropy for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            (0..).zip(bytes).for_each(|(count, byte)| *byte = count);
        }
    }

    #[test]
    fn a_secret_opens_under_its_own_context_and_key_alone() {
        let vault = Vault::derive(&[7; 32]);
        let sealed = vault.seal(&Counting, "device 1", b"secret");
        assert_eq!(sealed.0.len(), 1 + 12 + 6 + 16);
        assert_eq!(vault.open("device 1", &sealed).unwrap().as_slice(), b"secret");
        assert!(vault.open("device 2", &sealed).is_err());
        assert!(Vault::derive(&[8; 32]).open("device 1", &sealed).is_err());
    }

    #[test]
    fn what_was_changed_or_cut_short_does_not_open() {
        let vault = Vault::derive(&[7; 32]);
        let sealed = vault.seal(&Counting, "", b"secret");
        for place in 0..sealed.0.len() {
            let mut changed = sealed.clone();
            changed.0[place] ^= 1;
            assert!(vault.open("", &changed).is_err(), "byte {place}");
            assert!(vault.open("", &Sealed(sealed.0[..place].to_vec())).is_err(), "{place} bytes");
        }
    }

    #[test]
    fn a_debug_print_shows_no_secret() {
        let sealed = Vault::derive(&[7; 32]).seal(&Counting, "", b"secret");
        assert_eq!(format!("{sealed:?}"), "Sealed(35 bytes)");
    }
}
