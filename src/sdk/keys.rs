//! Key pairs: Ed25519 for signatures, its X25519 form for agreement.
//!
//! One seed makes both. The Ed25519 public key is registered and verifies tokens; the X25519
//! (Montgomery) form of the same point is what the gateway publishes and what an envelope is
//! sealed to. Mixin's encrypted-messages document calls both "public key"; here they are two types.

mod agreement;

use std::fmt;
use std::hash::{Hash, Hasher};

use curve25519_dalek::edwards::CompressedEdwardsY;
use ed25519_dalek::Signer;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::base64url::{self, Base64Error};
use crate::hex;

pub use agreement::{AgreementKey, AgreementSecret, SharedSecret};

/// Why a key or a signature was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A key has 32 bytes.
    #[error("a key has 32 bytes, this one has {length}")]
    Length {
        /// Number of bytes found.
        length: usize,
    },
    /// The text is not hexadecimal of 32 bytes.
    #[error("a key in hexadecimal has 64 digits")]
    Hex,
    /// The text is not base64.
    #[error("malformed key text")]
    Base64(#[from] Base64Error),
    /// The bytes are no point of the curve.
    #[error("the key is no point of the curve")]
    NotOnCurve,
    /// The bytes are a point, but not in its one canonical encoding.
    #[error("the key is not in its canonical encoding")]
    NotCanonical,
    /// The point has small order: anyone could agree on the same secret or forge a signature.
    #[error("the key has small order")]
    SmallOrder,
    /// The point has a component of small order beside its main one.
    #[error("the key has mixed order")]
    MixedOrder,
    /// The signature was not made over this message by this key.
    #[error("the signature does not match")]
    Signature,
}

/// An Ed25519 key pair, wiped from memory on drop.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// Makes the pair that belongs to a seed.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// Makes a new pair.
    pub fn generate(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut_slice());
        Self::from_seed(&seed)
    }

    /// The seed, to be stored in a keystore.
    #[must_use]
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public half.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey(self.0.verifying_key())
    }

    /// The X25519 form: the clamped first half of SHA-512 of the seed.
    #[must_use]
    pub fn agreement_secret(&self) -> AgreementSecret {
        AgreementSecret::from_bytes(*Zeroizing::new(self.0.to_scalar_bytes()))
    }

    /// Signs a message (RFC 8032, pure Ed25519).
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SigningKey(..)")
    }
}

/// An Ed25519 public key that is safe to rely on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VerifyingKey(ed25519_dalek::VerifyingKey);

impl VerifyingKey {
    /// Checks a key that comes from somebody else.
    ///
    /// # Errors
    /// When the bytes are no point, not its canonical encoding, or a point outside the group of
    /// prime order. This costs a scalar multiplication; use [`Self::from_stored_bytes`] for keys
    /// that passed it before.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let point = CompressedEdwardsY(*bytes).decompress().ok_or(KeyError::NotOnCurve)?;
        if point.compress().as_bytes() != bytes {
            return Err(KeyError::NotCanonical);
        }
        if point.is_small_order() {
            return Err(KeyError::SmallOrder);
        }
        if !point.is_torsion_free() {
            return Err(KeyError::MixedOrder);
        }
        Self::from_stored_bytes(bytes)
    }

    /// Reads a key that [`Self::from_bytes`] accepted when it was stored.
    ///
    /// # Errors
    /// When the bytes are no point of the curve.
    pub fn from_stored_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let key = ed25519_dalek::VerifyingKey::from_bytes(bytes);
        key.map(Self).map_err(|_| KeyError::NotOnCurve)
    }

    /// Reads base64 in any form and checks the key.
    ///
    /// # Errors
    /// When the text is no base64 of 32 bytes, and as [`Self::from_bytes`].
    pub fn from_base64(text: &str) -> Result<Self, KeyError> {
        Self::from_bytes(&decode_key(text)?)
    }

    /// Reads 64 hexadecimal digits, the form of keystores, and checks the key.
    ///
    /// # Errors
    /// When the text is no hexadecimal of 32 bytes, and as [`Self::from_bytes`].
    pub fn from_hex(text: &str) -> Result<Self, KeyError> {
        Self::from_bytes(&hex::decode(text).ok_or(KeyError::Hex)?)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The 32 bytes as base64url without padding.
    #[must_use]
    pub fn to_base64(&self) -> String {
        base64url::encode(self.0.as_bytes())
    }

    /// The 32 bytes as 64 lower-case hexadecimal digits, the form of keystores.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex::encode(self.0.as_bytes())
    }

    /// The X25519 (Montgomery) form. It costs a field inversion: keep the result.
    #[must_use]
    pub fn agreement_key(&self) -> AgreementKey {
        AgreementKey::from_bytes(self.0.to_montgomery().to_bytes())
    }

    /// Checks a signature by the strict rules: canonical, and no point of small order.
    ///
    /// # Errors
    /// When the signature was not made over this message by this key.
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> Result<(), KeyError> {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        self.0.verify_strict(message, &signature).map_err(|_| KeyError::Signature)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "VerifyingKey({})", self.to_base64())
    }
}

impl Hash for VerifyingKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_bytes().hash(state);
    }
}

fn decode_key(text: &str) -> Result<[u8; 32], KeyError> {
    let bytes = base64url::decode(text)?;
    let length = bytes.len();
    bytes.try_into().map_err(|_| KeyError::Length { length })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
    use proptest::prelude::*;

    use super::*;
    use crate::hex;

    fn key(text: &str) -> [u8; 32] {
        hex::decode(text).unwrap()
    }

    #[test]
    fn the_first_vector_of_rfc_8032_holds() {
        let seed = key("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let signing = SigningKey::from_seed(&seed);
        let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        assert_eq!(signing.verifying_key().to_bytes(), key(public));
        let signature = hex::decode(
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39\
             701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        );
        assert_eq!(signing.sign(b""), signature.unwrap());
    }

    #[test]
    fn the_agreement_vector_of_rfc_7748_holds() {
        let alice = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
        let bob = "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb";
        let [alice, bob] = [alice, bob].map(|secret| AgreementSecret::from_bytes(key(secret)));
        let public = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";
        assert_eq!(alice.public().as_bytes(), &key(public));
        let shared = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
        assert_eq!(bob.shared_secret(&alice.public()).unwrap().as_bytes(), &key(shared));
        assert_eq!(alice.shared_secret(&bob.public()).unwrap().as_bytes(), &key(shared));
    }

    #[test]
    fn both_ways_to_the_agreement_key_meet() {
        for byte in 0..8 {
            let signing = SigningKey::from_seed(&[byte; 32]);
            let public = signing.verifying_key().agreement_key();
            assert_eq!(signing.agreement_secret().public(), public);
        }
    }

    #[test]
    fn points_of_small_order_are_refused() {
        for point in EIGHT_TORSION {
            let bytes = point.compress().to_bytes();
            assert_eq!(VerifyingKey::from_bytes(&bytes), Err(KeyError::SmallOrder));
        }
    }

    #[test]
    fn points_of_mixed_order_are_refused() {
        let [_, torsion, ..] = EIGHT_TORSION;
        let bytes = (ED25519_BASEPOINT_POINT + torsion).compress().to_bytes();
        assert_eq!(VerifyingKey::from_bytes(&bytes), Err(KeyError::MixedOrder));
        assert!(VerifyingKey::from_stored_bytes(&bytes).is_ok());
    }

    #[test]
    fn other_encodings_of_a_point_are_refused() {
        // y = p + 1 and y = 1 with a sign on x = 0: two more ways to write the neutral element.
        let above = key("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f");
        let signed = key("0100000000000000000000000000000000000000000000000000000000000080");
        for bytes in [above, signed] {
            let result = VerifyingKey::from_bytes(&bytes);
            assert!(
                matches!(result, Err(KeyError::NotCanonical | KeyError::NotOnCurve)),
                "{result:?}"
            );
        }
        let nowhere = key("0200000000000000000000000000000000000000000000000000000000000000");
        assert_eq!(VerifyingKey::from_bytes(&nowhere), Err(KeyError::NotOnCurve));
    }

    #[test]
    fn agreement_with_a_small_order_key_is_refused() {
        let secret = AgreementSecret::from_bytes([5; 32]);
        let order_eight = key("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800");
        let one = key("0100000000000000000000000000000000000000000000000000000000000000");
        for bytes in [[0; 32], one, order_eight] {
            let agreed = secret.shared_secret(&AgreementKey::from_bytes(bytes));
            assert_eq!(agreed, Err(KeyError::SmallOrder));
        }
    }

    #[test]
    fn a_signature_holds_for_its_message_and_key_only() {
        let signing = SigningKey::from_seed(&[1; 32]);
        let signature = signing.sign(b"message");
        assert_eq!(signing.verifying_key().verify(b"message", &signature), Ok(()));
        let failed = Err(KeyError::Signature);
        assert_eq!(signing.verifying_key().verify(b"massage", &signature), failed);
        let other = SigningKey::from_seed(&[2; 32]).verifying_key();
        assert_eq!(other.verify(b"message", &signature), failed);
    }

    #[test]
    fn text_forms_survive_and_other_lengths_are_refused() {
        let public = SigningKey::from_seed(&[1; 32]).verifying_key();
        assert_eq!(VerifyingKey::from_base64(&public.to_base64()), Ok(public));
        let agreement = public.agreement_key();
        let json = serde_json::to_string(&agreement).unwrap();
        assert_eq!(serde_json::from_str::<AgreementKey>(&json).unwrap(), agreement);
        assert_eq!(
            AgreementKey::from_base64(&format!("{}=", agreement.to_base64())),
            Ok(agreement)
        );
        assert_eq!(AgreementKey::from_base64("AAAA"), Err(KeyError::Length { length: 3 }));
        assert!(matches!(AgreementKey::from_base64("?"), Err(KeyError::Base64(_))));
    }

    #[test]
    fn debug_shows_no_secret() {
        let signing = SigningKey::from_seed(&[0xab; 32]);
        let agreement = signing.agreement_secret();
        let shared = agreement.shared_secret(&AgreementKey::from_bytes([9; 32])).unwrap();
        let shown = format!("{signing:?} {agreement:?} {shared:?} {signing:#?}");
        let expected = "SigningKey(..) AgreementSecret(..) SharedSecret(..) SigningKey(..)";
        assert_eq!(shown, expected);
    }

    proptest! {
        #[test]
        fn two_pairs_agree(one: [u8; 32], other: [u8; 32]) {
            let [one, other] = [one, other].map(AgreementSecret::from_bytes);
            prop_assert_eq!(one.shared_secret(&other.public()), other.shared_secret(&one.public()));
        }

        #[test]
        fn any_32_bytes_are_a_key_or_an_error(bytes: [u8; 32]) {
            if let Ok(key) = VerifyingKey::from_bytes(&bytes) {
                prop_assert_eq!(key.to_bytes(), bytes);
            }
        }
    }
}
