//! Passwords: kept as salted hashes (Argon2id, RFC 9106) that take their time and memory.
//!
//! Hashing one costs some ten milliseconds and 19 MiB, so whoever serves requests runs it away from
//! them, a few at a time, and remembers what was found right.

use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc};
use argon2::{Algorithm, Argon2, Params, Version};

use super::error::Fault;
use super::phone::PasswordHash;
use super::ports::Entropy;

const SALT_BYTES: usize = 16;

/// What OWASP's cheat sheet recommends at least: 19 MiB, two passes, one lane.
fn hasher() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT)
}

/// The hash of a password under a fresh salt, in the PHC string format.
///
/// # Errors
/// [`Fault::Internal`] when there is no memory for it.
pub fn hash(entropy: &dyn Entropy, password: &[u8]) -> Result<PasswordHash, Fault> {
    let mut salt = [0; SALT_BYTES];
    entropy.fill(&mut salt);
    let hash = hasher().hash_password_with_salt(password, &salt);
    let hash = hash.map_err(|error| Fault::internal("hashing a password", error))?;
    Ok(PasswordHash(hash.to_string()))
}

/// Whether this is the password; compared in constant time. Without a hash to compare with it takes
/// as long, and it is not.
#[must_use]
pub fn verify(kept: Option<&PasswordHash>, password: &[u8]) -> bool {
    let parsed = kept.and_then(|kept| phc::PasswordHash::new(&kept.0).ok());
    if let Some(parsed) = parsed {
        return hasher().verify_password(password, &parsed).is_ok();
    }
    // Whoever asks for nobody must not learn it from the time that it takes.
    let _ = std::hint::black_box(hasher().hash_password_with_salt(password, &[0; SALT_BYTES]));
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u8);

    impl Entropy for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn only_the_password_itself_is_right() {
        let kept = hash(&Fixed(1), b"correct horse").unwrap();
        assert!(kept.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", kept.0);
        assert!(verify(Some(&kept), b"correct horse"));
        assert!(!verify(Some(&kept), b"correct hors"));
        assert!(!verify(None, b"correct horse"));
        assert!(!verify(Some(&PasswordHash("no hash".to_owned())), b"correct horse"));
    }

    #[test]
    fn a_password_has_another_hash_each_time() {
        assert_ne!(hash(&Fixed(1), b"p").unwrap(), hash(&Fixed(2), b"p").unwrap());
    }
}
