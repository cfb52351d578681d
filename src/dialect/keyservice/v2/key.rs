//! What a box is made of: its public key, how its owner's keys follow from a passphrase, and the
//! token that follows from both.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use sealpost_sdk::keys::{AgreementKey, AgreementSecret};
use sha2::{Digest, Sha256};

use crate::domain::dropbox::BoxToken;
use crate::domain::error::Fault;

/// Bytes of a public key: an X25519 key as SPKI (RFC 8410).
pub(super) const PUBLIC_KEY: usize = 44;

/// What stands before the 32 bytes of the key itself.
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x03, 0x21, 0x00];

/// The longest text that says how keys follow from a passphrase, bytes.
const LONGEST_KDF: usize = 128;

/// Refuses what is no public key that a secret can be agreed on with.
///
/// # Errors
/// [`Fault::Invalid`] (`publickey`).
pub(super) fn require_public_key(spki: &[u8; PUBLIC_KEY]) -> Result<(), Fault> {
    let refused = |reason| Fault::invalid("publickey", reason);
    let key = spki.strip_prefix(&SPKI).and_then(|key| <[u8; 32]>::try_from(key).ok());
    let key = key.ok_or_else(|| refused("must be an X25519 key as SPKI"))?;
    // Whichever secret it is, a key of small order makes nothing of it.
    let agreed = AgreementSecret::from_bytes([1; 32]).shared_secret(&AgreementKey::from_bytes(key));
    agreed.map(drop).map_err(|_| refused("has small order"))
}

/// Refuses what does not say exactly how keys follow from a passphrase, and expensively enough:
/// `argon2id:m=65536,t=3,p=1:<salt>` or `pbkdf2-sha256:i=600000:<salt>`, each in one spelling.
///
/// # Errors
/// [`Fault::Invalid`] (`kdf`).
pub(super) fn require_kdf(text: &str) -> Result<(), Fault> {
    if is_kdf(text).unwrap_or(false) {
        return Ok(());
    }
    let reason = "must be argon2id:m=<19456 to 1048576>,t=<1 to 16>,p=<1 to 4>:<salt> or \
                  pbkdf2-sha256:i=<600000 to 10000000>:<salt>, with 16 bytes of salt";
    Err(Fault::invalid("kdf", reason))
}

/// `None` when it is cut off.
fn is_kdf(text: &str) -> Option<bool> {
    let mut parts = text.split(':');
    let (name, cost, salt) = (parts.next()?, parts.next()?, parts.next()?);
    let bounds: &[(&str, u32, u32)] = match name {
        "argon2id" => &[("m=", 19_456, 1_048_576), ("t=", 1, 16), ("p=", 1, 4)],
        "pbkdf2-sha256" => &[("i=", 600_000, 10_000_000)],
        _ => return None,
    };
    let costs: Vec<_> = cost.split(',').collect();
    let is_good = |(cost, (name, least, most)): (&&str, &(&str, u32, u32))| {
        cost.strip_prefix(name).and_then(number).is_some_and(|it| (*least..=*most).contains(&it))
    };
    let is_salt = BASE64.decode(salt).is_ok_and(|salt| salt.len() == 16);
    let is_whole = parts.next().is_none() && text.len() <= LONGEST_KDF;
    Some(
        is_whole && is_salt && costs.len() == bounds.len() && costs.iter().zip(bounds).all(is_good),
    )
}

/// A number in the one spelling that it has.
fn number(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// The token of a box: the first half of
/// `SHA-256("sealpost drop box 2 token\n" ‖ public key ‖ kdf)`. So whoever has it can tell whether
/// public key and kdf are the owner's.
#[must_use]
pub(super) fn token(spki: &[u8; PUBLIC_KEY], kdf: &str) -> BoxToken {
    let digest = Sha256::new().chain_update(b"sealpost drop box 2 token\n");
    let digest = digest.chain_update(spki).chain_update(kdf).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    BoxToken::two(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kdf_has_one_spelling_and_bounds() {
        for good in [
            "argon2id:m=65536,t=3,p=1:AAECAwQFBgcICQoLDA0ODw",
            "argon2id:m=19456,t=1,p=4:AAECAwQFBgcICQoLDA0ODw",
            "pbkdf2-sha256:i=600000:AAECAwQFBgcICQoLDA0ODw",
        ] {
            assert!(require_kdf(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "argon2id",
            "argon2id:m=65536,t=3,p=1",
            "argon2id:m=65536,t=3,p=1:AAECAwQFBgcICQoLDA0ODx",
            "argon2id:m=65536,t=3,p=1:AAECAwQFBgcICQoLDA0O",
            "argon2id:m=65536,t=3,p=1:AAECAwQFBgcICQoLDA0ODw==",
            "argon2id:m=65536,t=3,p=1:AAECAwQFBgcICQoLDA0ODw:",
            "argon2id:m=065536,t=3,p=1:AAECAwQFBgcICQoLDA0ODw",
            "argon2id:m=+65536,t=3,p=1:AAECAwQFBgcICQoLDA0ODw",
            "argon2id:t=3,m=65536,p=1:AAECAwQFBgcICQoLDA0ODw",
            "argon2id:m=65536,t=3:AAECAwQFBgcICQoLDA0ODw",
            "argon2id:m=65536,t=3,p=1,x=1:AAECAwQFBgcICQoLDA0ODw",
            "argon2id:m=19455,t=3,p=1:AAECAwQFBgcICQoLDA0ODw",
            "argon2id:m=65536,t=0,p=1:AAECAwQFBgcICQoLDA0ODw",
            "argon2id:m=65536,t=3,p=5:AAECAwQFBgcICQoLDA0ODw",
            "Argon2id:m=65536,t=3,p=1:AAECAwQFBgcICQoLDA0ODw",
            "argon2id :m=65536,t=3,p=1:AAECAwQFBgcICQoLDA0ODw",
            "pbkdf2-sha256:i=599999:AAECAwQFBgcICQoLDA0ODw",
            "pbkdf2-sha1:i=600000:AAECAwQFBgcICQoLDA0ODw",
        ] {
            assert!(require_kdf(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_public_key_is_one_that_secrets_can_be_agreed_on_with() {
        let with = |key: [u8; 32]| {
            let mut spki = [0; PUBLIC_KEY];
            spki[..12].copy_from_slice(&SPKI);
            spki[12..].copy_from_slice(&key);
            spki
        };
        let mut base = [0; 32];
        base[0] = 9;
        assert!(require_public_key(&with(base)).is_ok());
        let mut one = [0; 32];
        one[0] = 1;
        assert!(require_public_key(&with([0; 32])).is_err());
        assert!(require_public_key(&with(one)).is_err());
        let mut other = with(base);
        other[8] = 0x70;
        assert!(require_public_key(&other).is_err());
    }
}
