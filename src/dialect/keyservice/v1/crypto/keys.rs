//! RSA keys as the original's clients write and read them.
//!
//! | form | who writes it |
//! | --- | --- |
//! | `<RSAKeyValue>…` | .NET's `ToXmlString`: the original, and all answers |
//! | `&lt;RSAKeyValue&gt;…` | the Windows app, which encodes what it sends for HTML |
//! | `-----BEGIN PUBLIC KEY-----` | everybody else (RFC 5280's SubjectPublicKeyInfo) |
//! | `-----BEGIN RSA PUBLIC KEY-----` | the same key without its frame (RFC 8017, A.1.1) |

mod der;
mod pem;
mod xml;

use std::fmt;

use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::rsa::Decryptor;

/// What a public key may have in letters; one of 2048 bits in PEM has about 450.
const PUBLIC_LETTERS: usize = 4096;
/// What a private key may have in letters; one of 2048 bits has about 1700, and three
/// times as many at most when it is encoded for HTML.
const PRIVATE_LETTERS: usize = 8192;
/// The original knows 1024 alone. The time of a decryption grows with the third power.
const BITS: std::ops::RangeInclusive<usize> = 1024..=2048;
/// Larger exponents make every encryption slow, and are made by nobody.
const EXPONENT_BYTES: usize = 4;

/// Why a text is not a key for this service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text is longer than any key.
    #[error("the key has {letters} letters, at most {limit} are accepted")]
    TooLong {
        /// Bytes of the text.
        letters: usize,
        /// What is accepted.
        limit: usize,
    },
    /// The text is neither .NET's XML nor, for a public key, PEM.
    #[error("the key is neither .NET's RSAKeyValue nor a public key in PEM")]
    Malformed,
    /// The modulus is too short or too long.
    #[error("the modulus has {bits} bits, 1024 to 2048 are accepted")]
    Size {
        /// Bits of the modulus.
        bits: usize,
    },
    /// The modulus is even.
    #[error("the modulus is even")]
    Even,
    /// The public exponent is even, below 3 or longer than four bytes.
    #[error("the public exponent is not an odd number from 3 to 4294967295")]
    Exponent,
    /// The numbers of a private key do not fit each other.
    #[error("the numbers of the private key do not fit each other")]
    Inconsistent,
    /// No key could be made.
    #[error("no RSA key could be made")]
    Generation,
}

/// A public key with a modulus of 1024 to 2048 bits.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// Highest byte first and not zero.
    modulus: Vec<u8>,
    /// Highest byte first and not zero.
    exponent: Vec<u8>,
}

/// The numbers that only the owner has, highest byte first and without zeroes in front.
#[derive(Clone, PartialEq, Zeroize, ZeroizeOnDrop)]
pub(super) struct PrivateNumbers {
    pub(super) p: Vec<u8>,
    pub(super) q: Vec<u8>,
    pub(super) dp: Vec<u8>,
    pub(super) dq: Vec<u8>,
    pub(super) inverse_q: Vec<u8>,
    pub(super) d: Vec<u8>,
}

/// A private key whose numbers fit each other, wiped from memory on drop.
#[derive(Clone)]
pub struct PrivateKey {
    public: PublicKey,
    numbers: PrivateNumbers,
    decryptor: Decryptor,
}

impl PublicKey {
    /// Reads a public key in any of the forms that this module's table has.
    ///
    /// A private key is [`Malformed`](KeyError::Malformed) here, so that nobody gives one away.
    ///
    /// # Errors
    /// [`KeyError`], with what is wrong.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        bounded(text, PUBLIC_LETTERS)?;
        if text.trim_start().starts_with("-----") {
            let (modulus, exponent) = pem::parse(text).ok_or(KeyError::Malformed)?;
            return Self::from_numbers(&modulus, &exponent);
        }
        let fields = xml::parse(text).ok_or(KeyError::Malformed)?;
        let [Some(modulus), Some(exponent), None, None, None, None, None, None] = &*fields else {
            return Err(KeyError::Malformed);
        };
        Self::from_numbers(modulus, exponent)
    }

    pub(super) fn from_numbers(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyError> {
        let modulus = trimmed(modulus);
        let exponent = trimmed(exponent);
        let key = Self { modulus: modulus.to_vec(), exponent: exponent.to_vec() };
        if !BITS.contains(&key.bits()) {
            return Err(KeyError::Size { bits: key.bits() });
        }
        if modulus.last().is_none_or(|byte| byte % 2 == 0) {
            return Err(KeyError::Even);
        }
        let odd = exponent.last().is_some_and(|byte| byte % 2 == 1);
        if !odd || exponent == [1] || exponent.len() > EXPONENT_BYTES {
            return Err(KeyError::Exponent);
        }
        Ok(key)
    }

    /// The key as .NET writes it.
    #[must_use]
    pub fn to_xml(&self) -> String {
        let fields = [("Modulus", &*self.modulus, 0), ("Exponent", &*self.exponent, 0)];
        String::clone(&xml::write(&fields))
    }

    /// Bits of the modulus.
    #[must_use]
    pub fn bits(&self) -> usize {
        let zeroes = self.modulus.first().map_or(0, |byte| byte.leading_zeros());
        // At most seven, so it fits.
        self.modulus.len() * 8 - zeroes as usize
    }

    /// Bytes of the modulus, which are those of a ciphertext.
    pub(super) fn size(&self) -> usize {
        self.modulus.len()
    }

    pub(super) fn modulus(&self) -> &[u8] {
        &self.modulus
    }

    pub(super) fn exponent(&self) -> &[u8] {
        &self.exponent
    }
}

impl PrivateKey {
    /// A new key of 1024 bits with the exponent 65537, as the original makes them: its clients know
    /// no other size. It takes up to a second.
    ///
    /// # Errors
    /// [`KeyError::Generation`] when no primes are found, which does not happen with good
    /// randomness.
    pub fn generate(rng: &mut (impl CryptoRng + ?Sized)) -> Result<Self, KeyError> {
        let (public, numbers, decryptor) = Decryptor::generate(rng)?;
        Ok(Self { public, numbers, decryptor })
    }

    /// Reads a private key in .NET's XML, plain or encoded for HTML.
    ///
    /// # Errors
    /// [`KeyError`], with what is wrong; [`Malformed`](KeyError::Malformed) for a public key too.
    pub fn parse(xml: &str) -> Result<Self, KeyError> {
        bounded(xml, PRIVATE_LETTERS)?;
        let fields = xml::parse(xml).ok_or(KeyError::Malformed)?;
        let [
            Some(modulus),
            Some(exponent),
            Some(p),
            Some(q),
            Some(dp),
            Some(dq),
            Some(inverse_q),
            Some(d),
        ] = &*fields
        else {
            return Err(KeyError::Malformed);
        };
        let public = PublicKey::from_numbers(modulus, exponent)?;
        let numbers = PrivateNumbers {
            p: trimmed(p).to_vec(),
            q: trimmed(q).to_vec(),
            dp: trimmed(dp).to_vec(),
            dq: trimmed(dq).to_vec(),
            inverse_q: trimmed(inverse_q).to_vec(),
            d: trimmed(d).to_vec(),
        };
        let decryptor = Decryptor::new(&public, &numbers)?;
        Ok(Self { public, numbers, decryptor })
    }

    /// The key as .NET writes it: this is what is encrypted and hashed.
    #[must_use]
    pub fn to_xml(&self) -> Zeroizing<String> {
        let whole = self.public.size();
        let half = whole.div_ceil(2);
        xml::write(&[
            ("Modulus", &self.public.modulus, 0),
            ("Exponent", &self.public.exponent, 0),
            ("P", &self.numbers.p, half),
            ("Q", &self.numbers.q, half),
            ("DP", &self.numbers.dp, half),
            ("DQ", &self.numbers.dq, half),
            ("InverseQ", &self.numbers.inverse_q, half),
            ("D", &self.numbers.d, whole),
        ])
    }

    /// Its public half.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Whether this is the private half of `public`: whether their moduli are equal.
    #[must_use]
    pub fn belongs_to(&self, public: &PublicKey) -> bool {
        self.public.modulus.ct_eq(&public.modulus).into()
    }

    pub(super) fn decryptor(&self) -> &Decryptor {
        &self.decryptor
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PublicKey").field("bits", &self.bits()).finish_non_exhaustive()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PrivateKey(..)")
    }
}

fn bounded(text: &str, limit: usize) -> Result<(), KeyError> {
    let letters = text.len();
    if letters > limit { Err(KeyError::TooLong { letters, limit }) } else { Ok(()) }
}

/// A number without zeroes in front.
pub(super) fn trimmed(number: &[u8]) -> &[u8] {
    let zeroes = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeroes..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{recorded, rng};
    use super::*;

    fn encoded_for_html(xml: &str) -> String {
        xml.replace('<', "&lt;").replace('>', "&gt;")
    }

    #[test]
    fn the_originals_keys_are_read_and_written_letter_by_letter() {
        let public = PublicKey::parse(&recorded("public_key_xml")).unwrap();
        let private = PrivateKey::parse(&recorded("private_key_xml")).unwrap();
        assert_eq!(public.to_xml(), recorded("public_key_xml"));
        assert_eq!(*private.to_xml(), recorded("private_key_xml"));
        assert_eq!(private.public_key(), &public);
        assert!(private.belongs_to(&public));
        assert_eq!(public.bits(), 1024);
    }

    #[test]
    fn xml_encoded_for_html_is_the_same_key() {
        for member in ["public_key_xml", "private_key_xml"] {
            let xml = recorded(member);
            let encoded = encoded_for_html(&xml);
            match member {
                "public_key_xml" => assert_eq!(PublicKey::parse(&encoded).unwrap().to_xml(), xml),
                _ => assert_eq!(*PrivateKey::parse(&encoded).unwrap().to_xml(), xml),
            }
        }
    }

    #[test]
    fn a_private_key_is_no_public_key_and_the_other_way_round() {
        let malformed = Err(KeyError::Malformed);
        assert_eq!(PublicKey::parse(&recorded("private_key_xml")), malformed);
        let private = PrivateKey::parse(&recorded("public_key_xml")).map(|_| ());
        assert_eq!(private, Err(KeyError::Malformed));
    }

    #[test]
    fn a_new_key_has_1024_bits_and_comes_back_from_its_xml() {
        let key = PrivateKey::generate(&mut rng()).unwrap();
        assert_eq!(key.public_key().bits(), 1024);
        assert_eq!(key.public_key().exponent(), [1, 0, 1]);
        let again = PrivateKey::parse(&key.to_xml()).unwrap();
        assert!(again.belongs_to(key.public_key()));
        assert_eq!(again.to_xml(), key.to_xml());
        assert_eq!(key.to_xml().len(), recorded("private_key_xml").len());
        assert!(!again.belongs_to(&PublicKey::parse(&recorded("public_key_xml")).unwrap()));
    }

    #[test]
    fn moduli_and_exponents_that_no_client_makes_are_refused() {
        let odd = |bytes: usize| [vec![0x80; bytes - 1], vec![1]].concat();
        let refusal = |modulus: &[u8], exponent: &[u8]| {
            PublicKey::from_numbers(modulus, exponent).map(|_| ()).unwrap_err()
        };
        let mut short = odd(128);
        short[0] = 0x7f;
        assert_eq!(refusal(&short, &[3]), KeyError::Size { bits: 1023 });
        assert_eq!(refusal(&[], &[3]), KeyError::Size { bits: 0 });
        assert_eq!(refusal(&odd(257), &[3]), KeyError::Size { bits: 2056 });
        assert_eq!(refusal(&[0x80; 128], &[3]), KeyError::Even);
        for exponent in [&[][..], &[0], &[1], &[2], &[0, 0, 1], &[1, 0, 0], &[1, 0, 0, 0, 1]] {
            assert_eq!(refusal(&odd(128), exponent), KeyError::Exponent, "{exponent:?}");
        }
        assert!(PublicKey::from_numbers(&odd(256), &[0, 3]).is_ok());
    }

    #[test]
    fn numbers_that_do_not_fit_each_other_are_refused() {
        let xml = recorded("private_key_xml");
        for member in ["P", "Q", "DP", "DQ", "InverseQ", "D"] {
            let start = xml.find(&format!("<{member}>")).unwrap() + member.len() + 2;
            let mut changed = xml.clone();
            let other = if changed[start..].starts_with('A') { "B" } else { "A" };
            changed.replace_range(start..=start, other);
            let outcome = PrivateKey::parse(&changed).map(|_| ());
            assert_eq!(outcome, Err(KeyError::Inconsistent), "{member}");
        }
    }

    #[test]
    fn what_is_longer_than_any_key_is_not_read() {
        let text = " ".repeat(PUBLIC_LETTERS + 1);
        let refusal = KeyError::TooLong { letters: 4097, limit: 4096 };
        assert_eq!(PublicKey::parse(&text), Err(refusal));
    }

    #[test]
    fn a_private_key_shows_nothing() {
        let key = PrivateKey::parse(&recorded("private_key_xml")).unwrap();
        assert_eq!(format!("{key:?}"), "PrivateKey(..)");
    }
}
