//! EdDSA for the `jsonwebtoken` crate, by the same Ed25519 as everywhere else here.

use ed25519_dalek::Signer as _;
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{Error as SignatureError, Signer, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, EncodingKey};
use zeroize::Zeroizing;

use crate::keys::SigningKey;

/// PKCS#8 version 1 around an Ed25519 seed (RFC 8410), all that comes before the seed.
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    key_utils: KeyUtils {
        rsa_pub_components_from_private_key: |_| unsupported(),
        rsa_pub_components_from_public_key: |_| unsupported(),
        ec_pub_components_from_private_key: |_, _| unsupported(),
        ed_pub_components_from_private_key: |_, _| unsupported(),
        compute_digest: |_, _| unsupported(),
    },
};

/// Makes sure that the process has a provider. One that is already there stays.
pub(super) fn install() {
    let _earlier_one_stays = PROVIDER.install_default();
}

/// The key in the one form that every provider reads.
pub(super) fn encoding_key(key: &SigningKey) -> EncodingKey {
    let der = Zeroizing::new([&PKCS8_PREFIX, key.seed().as_slice()].concat());
    EncodingKey::from_ed_der(der.as_slice())
}

struct Ed25519Signer(ed25519_dalek::SigningKey);

struct Ed25519Verifier(ed25519_dalek::VerifyingKey);

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    if *algorithm != Algorithm::EdDSA || key.family() != AlgorithmFamily::Ed {
        return unsupported();
    }
    let seed = key.as_bytes().strip_prefix(&PKCS8_PREFIX).and_then(|seed| seed.first_chunk());
    let seed = seed.ok_or(ErrorKind::InvalidEddsaKey)?;
    Ok(Box::new(Ed25519Signer(ed25519_dalek::SigningKey::from_bytes(seed))))
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    if *algorithm != Algorithm::EdDSA || key.family() != AlgorithmFamily::Ed {
        return unsupported();
    }
    let bytes = <&[u8; 32]>::try_from(key.try_get_as_bytes()?);
    let key = ed25519_dalek::VerifyingKey::from_bytes(bytes.map_err(|_| invalid_key())?);
    Ok(Box::new(Ed25519Verifier(key.map_err(|_| invalid_key())?)))
}

impl Signer<Vec<u8>> for Ed25519Signer {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        Ok(self.0.sign(message).to_bytes().to_vec())
    }
}

impl JwtSigner for Ed25519Signer {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

impl Verifier<Vec<u8>> for Ed25519Verifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        let signature = ed25519_dalek::Signature::from_slice(signature);
        let signature = signature.map_err(|_| SignatureError::new())?;
        self.0.verify_strict(message, &signature).map_err(|_| SignatureError::new())
    }
}

impl JwtVerifier for Ed25519Verifier {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

fn invalid_key() -> Error {
    ErrorKind::InvalidEddsaKey.into()
}

fn unsupported<T>() -> Result<T, Error> {
    Err(ErrorKind::UnsupportedAlgorithm.into())
}
