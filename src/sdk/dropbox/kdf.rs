//! How a passphrase becomes a key, as a text that both sides agree on byte for byte.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use rand_core::CryptoRng;

use crate::base64url;

/// The longest text of a kdf, in bytes.
const LONGEST: usize = 128;
const ARGON2ID: &str = "argon2id:";
const PBKDF2: &str = "pbkdf2-sha256:";
const MEMORY: RangeInclusive<u32> = 19_456..=1_048_576;
const PASSES: RangeInclusive<u32> = 1..=16;
const LANES: RangeInclusive<u32> = 1..=4;
const ITERATIONS: RangeInclusive<u32> = 600_000..=10_000_000;

/// How a passphrase becomes a key, with its salt.
///
/// As a text it is one of
///
/// - `argon2id:m=65536,t=3,p=1:<salt>`: Argon2id (RFC 9106) version 0x13; memory in KiB (19,456 to
///   1,048,576), passes (1 to 16) and lanes (1 to 4);
/// - `pbkdf2-sha256:i=600000:<salt>`: PBKDF2 (RFC 8018), 600,000 to 10,000,000 iterations, for
///   browsers and machines with little memory;
///
/// with 16 bytes of salt as base64url without padding, and exactly in this spelling: the token of a
/// box is computed over it.
///
/// ```
/// use sealpost_sdk::dropbox::{Kdf, KdfError};
///
/// let text = "pbkdf2-sha256:i=600000:AAAAAAAAAAAAAAAAAAAAAA";
/// assert_eq!(Kdf::parse(text)?.to_string(), text);
/// assert!(Kdf::parse("pbkdf2-sha256:i=1000:AAAAAAAAAAAAAAAAAAAAAA").is_err());
/// # Ok::<(), KdfError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kdf {
    pub(super) function: Function,
    pub(super) salt: [u8; 16],
}

/// The function behind a [`Kdf`], its costs within bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Argon2id(Argon2Cost),
    Pbkdf2 { iterations: u32 },
}

/// What Argon2id costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argon2Cost {
    /// Memory in KiB; 19,456 to 1,048,576.
    pub memory: u32,
    /// How often the memory is gone through; 1 to 16.
    pub passes: u32,
    /// How many parts the memory has; 1 to 4.
    pub lanes: u32,
}

/// Why a text is no kdf, or none that is strong enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KdfError {
    /// The text is longer than any kdf.
    #[error("a kdf has at most {LONGEST} bytes, this one has {length}")]
    TooLong {
        /// Length of the text in bytes.
        length: usize,
    },
    /// The function is neither `argon2id` nor `pbkdf2-sha256`.
    #[error("the kdf is neither argon2id nor pbkdf2-sha256")]
    Unknown,
    /// The costs are not spelled as they must be.
    #[error("malformed costs of the kdf")]
    Form,
    /// A cost is too small to protect a passphrase, or too large for anybody to pay.
    #[error("the kdf's {cost} must be {least} to {most}, not {found}")]
    OutOfBounds {
        /// Name of the cost, as in the text.
        cost: &'static str,
        /// The value found.
        found: u32,
        /// The smallest value allowed.
        least: u32,
        /// The largest value allowed.
        most: u32,
    },
    /// The salt is not 16 bytes as base64url without padding.
    #[error("the salt of a kdf is 16 bytes as base64url without padding")]
    Salt,
}

impl Kdf {
    /// Argon2id at its usual cost (64 MiB, three passes, one lane) with a new salt.
    pub fn random(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        Self { function: Function::Argon2id(Argon2Cost::default()), salt: salt(rng) }
    }

    /// PBKDF2 at its usual cost (600,000 iterations) with a new salt.
    pub fn random_pbkdf2(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        Self { function: Function::Pbkdf2 { iterations: *ITERATIONS.start() }, salt: salt(rng) }
    }

    /// Argon2id at another cost.
    ///
    /// # Errors
    /// When a cost is out of bounds.
    pub fn argon2id(cost: Argon2Cost, salt: [u8; 16]) -> Result<Self, KdfError> {
        bounded("m", cost.memory, &MEMORY)?;
        bounded("t", cost.passes, &PASSES)?;
        bounded("p", cost.lanes, &LANES)?;
        Ok(Self { function: Function::Argon2id(cost), salt })
    }

    /// PBKDF2 with this many iterations.
    ///
    /// # Errors
    /// When the number is out of bounds.
    pub fn pbkdf2(iterations: u32, salt: [u8; 16]) -> Result<Self, KdfError> {
        bounded("i", iterations, &ITERATIONS)?;
        Ok(Self { function: Function::Pbkdf2 { iterations }, salt })
    }

    /// Reads the text.
    ///
    /// # Errors
    /// When it is spelled in any other way, or a cost is out of bounds.
    pub fn parse(text: &str) -> Result<Self, KdfError> {
        if text.len() > LONGEST {
            return Err(KdfError::TooLong { length: text.len() });
        }
        if let Some(rest) = text.strip_prefix(ARGON2ID) {
            let (costs, salt) = rest.split_once(':').ok_or(KdfError::Form)?;
            let [memory, passes, lanes] = numbers(costs, ["m=", "t=", "p="])?;
            return Self::argon2id(Argon2Cost { memory, passes, lanes }, parse_salt(salt)?);
        }
        let rest = text.strip_prefix(PBKDF2).ok_or(KdfError::Unknown)?;
        let (cost, salt) = rest.split_once(':').ok_or(KdfError::Form)?;
        let [iterations] = numbers(cost, ["i="])?;
        Self::pbkdf2(iterations, parse_salt(salt)?)
    }
}

fn salt(rng: &mut (impl CryptoRng + ?Sized)) -> [u8; 16] {
    let mut salt = [0; 16];
    rng.fill_bytes(&mut salt);
    salt
}

fn bounded(cost: &'static str, found: u32, allowed: &RangeInclusive<u32>) -> Result<(), KdfError> {
    if allowed.contains(&found) {
        return Ok(());
    }
    Err(KdfError::OutOfBounds { cost, found, least: *allowed.start(), most: *allowed.end() })
}

/// Reads `name=number` for each name, in this order and with nothing else.
fn numbers<const N: usize>(text: &str, names: [&str; N]) -> Result<[u32; N], KdfError> {
    let mut parts = text.split(',');
    let mut numbers = [0; N];
    for (number, name) in numbers.iter_mut().zip(names) {
        let digits = parts.next().and_then(|part| part.strip_prefix(name));
        *number = digits.and_then(decimal).ok_or(KdfError::Form)?;
    }
    if parts.next().is_some() { Err(KdfError::Form) } else { Ok(numbers) }
}

/// Reads a number without sign and without leading zeros.
fn decimal(digits: &str) -> Option<u32> {
    let number: u32 = digits.parse().ok()?;
    (number.to_string() == digits).then_some(number)
}

fn parse_salt(text: &str) -> Result<[u8; 16], KdfError> {
    let salt = base64url::decode_strict(text).map_err(|_| KdfError::Salt)?;
    salt.try_into().map_err(|_| KdfError::Salt)
}

impl fmt::Display for Kdf {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let salt = base64url::encode(&self.salt);
        match self.function {
            Function::Argon2id(Argon2Cost { memory, passes, lanes }) => {
                write!(formatter, "{ARGON2ID}m={memory},t={passes},p={lanes}:{salt}")
            }
            Function::Pbkdf2 { iterations } => write!(formatter, "{PBKDF2}i={iterations}:{salt}"),
        }
    }
}

impl FromStr for Kdf {
    type Err = KdfError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl Default for Argon2Cost {
    /// 64 MiB, three passes, one lane: the second choice of RFC 9106, section 4, with one lane in
    /// place of four, since a browser has one.
    fn default() -> Self {
        Self { memory: 65_536, passes: 3, lanes: 1 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SALT: &str = "AAECAwQFBgcICQoLDA0ODw";

    #[test]
    fn costs_outside_the_bounds_are_refused_by_name() {
        for (costs, cost) in [
            ("argon2id:m=19455,t=3,p=1", "m"),
            ("argon2id:m=1048577,t=3,p=1", "m"),
            ("argon2id:m=65536,t=0,p=1", "t"),
            ("argon2id:m=65536,t=17,p=1", "t"),
            ("argon2id:m=65536,t=3,p=0", "p"),
            ("argon2id:m=65536,t=3,p=5", "p"),
            ("pbkdf2-sha256:i=599999", "i"),
            ("pbkdf2-sha256:i=10000001", "i"),
        ] {
            let found = Kdf::parse(&format!("{costs}:{SALT}"));
            let name = match found {
                Err(KdfError::OutOfBounds { cost, .. }) => cost,
                _ => "",
            };
            assert_eq!(name, cost, "{costs}: {found:?}");
        }
    }

    #[test]
    fn there_is_one_spelling() {
        for (text, error) in [
            (format!("argon2i:m=65536,t=3,p=1:{SALT}"), KdfError::Unknown),
            (format!("Argon2id:m=65536,t=3,p=1:{SALT}"), KdfError::Unknown),
            (format!("argon2id:t=3,m=65536,p=1:{SALT}"), KdfError::Form),
            (format!("argon2id:m=065536,t=3,p=1:{SALT}"), KdfError::Form),
            (format!("argon2id:m=+65536,t=3,p=1:{SALT}"), KdfError::Form),
            (format!("argon2id:m=65536,t=3,p=1,x=1:{SALT}"), KdfError::Form),
            (format!("argon2id:m=65536,t=3:{SALT}"), KdfError::Form),
            (format!("pbkdf2-sha256:i=6000000000:{SALT}"), KdfError::Form),
            (format!("pbkdf2-sha256:i=600000:{SALT}=="), KdfError::Salt),
            (format!("pbkdf2-sha256:i=600000:{SALT}:"), KdfError::Salt),
            ("pbkdf2-sha256:i=600000:AAECAwQFBgcICQoLDA0ODx".to_owned(), KdfError::Salt),
            ("pbkdf2-sha256:i=600000:AAECAwQFBgcICQoLDA0O".to_owned(), KdfError::Salt),
            ("pbkdf2-sha256:i=600000".to_owned(), KdfError::Form),
            ("x".repeat(129), KdfError::TooLong { length: 129 }),
        ] {
            assert_eq!(Kdf::parse(&text), Err(error), "{text}");
        }
    }

    fn any_kdf() -> impl Strategy<Value = Kdf> {
        let argon2id = (MEMORY, PASSES, LANES).prop_map(|(memory, passes, lanes)| {
            Function::Argon2id(Argon2Cost { memory, passes, lanes })
        });
        let pbkdf2 = ITERATIONS.prop_map(|iterations| Function::Pbkdf2 { iterations });
        (prop_oneof![argon2id, pbkdf2], any::<[u8; 16]>())
            .prop_map(|(function, salt)| Kdf { function, salt })
    }

    proptest! {
        #[test]
        fn every_kdf_survives_being_written(kdf in any_kdf()) {
            prop_assert_eq!(kdf.to_string().parse(), Ok(kdf));
        }

        #[test]
        fn what_parses_is_written_the_same(
            text in "(argon2id:m=[0-9]{5,6},t=[0-9]{1,2},p=[0-9]|pbkdf2-sha256:i=[0-9]{6,8}):[A-Za-z0-9_-]{21,23}"
        ) {
            if let Ok(kdf) = Kdf::parse(&text) {
                prop_assert_eq!(kdf.to_string(), text);
            }
        }

        #[test]
        fn any_text_parses_or_is_refused(text: String) {
            prop_assert!(Kdf::parse(&text).is_err());
        }
    }
}
