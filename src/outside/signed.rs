//! Signed tokens (JSON Web Tokens, RFC 7519) for those who want to know who asks, and the keys
//! under which they are signed.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use ring::rand::SystemRandom;
use ring::rsa;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;
use zeroize::Zeroizing;

/// A key on the curve P-256, which signs as `ES256`.
pub struct EcKey {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

/// An RSA key, which signs as `RS256`.
pub struct RsaKey {
    pair: rsa::KeyPair,
    random: SystemRandom,
}

/// Why a key cannot be used. None of it shows the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is no text in PEM that holds a private key in PKCS #8.
    #[error("it is no private key in PEM (`BEGIN PRIVATE KEY`)")]
    Pem,
    /// It is another kind of key, or damaged.
    #[error("it is no key of the kind that is needed, {0}")]
    Kind(&'static str),
    /// The system has no randomness.
    #[error("the system has no randomness for a signature or a key")]
    Random,
}

const P256: KeyError = KeyError::Kind("one on the curve P-256");
const RSA: KeyError = KeyError::Kind("an RSA key of 2048 to 4096 bits");

impl EcKey {
    /// A fresh key, as [`Self::from_pkcs8`] reads it.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn generate() -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
        key.map(|key| Zeroizing::new(key.as_ref().to_vec())).map_err(|_| KeyError::Random)
    }

    /// A key from its bytes.
    ///
    /// # Errors
    /// When it is no such key.
    pub fn from_pkcs8(bytes: &[u8]) -> Result<Self, KeyError> {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, bytes, &random);
        Ok(Self { pair: pair.map_err(|_| P256)?, random })
    }

    /// A key from its text.
    ///
    /// # Errors
    /// When it is no such key.
    pub fn from_pem(text: &[u8]) -> Result<Self, KeyError> {
        Self::from_pkcs8(pkcs8(text)?.secret_pkcs8_der())
    }

    /// Its public part, an uncompressed point of 65 bytes.
    #[must_use]
    pub fn public(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// A token that says this.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn token(&self, header: &Value, claims: &Value) -> Result<Zeroizing<String>, KeyError> {
        let signed = statement(header, claims);
        let signature = self.pair.sign(&self.random, signed.as_bytes());
        let signature = signature.map_err(|_| KeyError::Random)?;
        Ok(together(&signed, signature.as_ref()))
    }
}

impl RsaKey {
    /// A key from its text.
    ///
    /// # Errors
    /// When it is no such key.
    pub fn from_pem(text: &[u8]) -> Result<Self, KeyError> {
        let pair = rsa::KeyPair::from_pkcs8(pkcs8(text)?.secret_pkcs8_der()).map_err(|_| RSA)?;
        Ok(Self { pair, random: SystemRandom::new() })
    }

    /// A token that says this.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn token(&self, header: &Value, claims: &Value) -> Result<Zeroizing<String>, KeyError> {
        let signed = statement(header, claims);
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &self.random, signed.as_bytes(), &mut signature)
            .map_err(|_| KeyError::Random)?;
        Ok(together(&signed, &signature))
    }
}

fn pkcs8(text: &[u8]) -> Result<PrivatePkcs8KeyDer<'static>, KeyError> {
    PrivatePkcs8KeyDer::from_pem_slice(text).map_err(|_| KeyError::Pem)
}

/// What is signed: header and claims, with a full stop between them.
fn statement(header: &Value, claims: &Value) -> String {
    [header, claims].map(|part| BASE64.encode(part.to_string())).join(".")
}

fn together(signed: &str, signature: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(format!("{signed}.{}", BASE64.encode(signature)))
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_is_signed_over_header_and_claims() {
        let key = EcKey::from_pkcs8(&EcKey::generate().unwrap()).unwrap();
        let token = key.token(&json!({"alg": "ES256"}), &json!({"iss": "me"})).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        assert_eq!(signed, "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJtZSJ9");
        let verifier = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.public());
        verifier.verify(signed.as_bytes(), &BASE64.decode(signature).unwrap()).unwrap();
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_shown() {
        assert_eq!(EcKey::from_pem(b"7734").err(), Some(KeyError::Pem));
        let other = b"-----BEGIN PRIVATE KEY-----\nNzczNA==\n-----END PRIVATE KEY-----\n";
        assert_eq!(EcKey::from_pem(other).err(), Some(P256));
        assert_eq!(RsaKey::from_pem(other).err(), Some(RSA));
    }
}
