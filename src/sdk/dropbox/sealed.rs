//! A nonce and AES-256-GCM, bound to a box and to what the plaintext is.

use aes::Aes256Enc;
use aes::cipher::KeyInit;
use aes_gcm::AesGcm;
use aes_gcm::aead::AeadInOut;
use aes_gcm::aead::consts::U12;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::token::BoxToken;

pub(super) const NONCE: usize = 12;
pub(super) const TAG: usize = 16;
/// How many bytes longer the sealed form is.
pub(super) const OVERHEAD: usize = NONCE + TAG;

/// AES-256-GCM that only ever runs its cipher forwards, so half a key schedule will do.
pub(super) type Cipher = AesGcm<Aes256Enc, U12>;

/// What a plaintext is, so that nothing opens as something else.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    PrivateKey,
    MessageKey,
    Message,
    FileName,
    File,
}

/// The associated data of everything in a box.
pub(super) fn associated(token: &BoxToken, kind: Kind) -> String {
    let kind = match kind {
        Kind::PrivateKey => "private key",
        Kind::MessageKey => "message key",
        Kind::Message => "message",
        Kind::FileName => "file name",
        Kind::File => "file",
    };
    format!("sealpost drop box 2\n{token}\n{kind}")
}

/// Nonce, ciphertext, tag. `None` when there is more than AES-GCM takes (64 GiB).
pub(super) fn seal(
    key: &[u8; 32],
    associated: &str,
    plaintext: &[u8],
    rng: &mut (impl CryptoRng + ?Sized),
) -> Option<Vec<u8>> {
    let mut nonce = [0; NONCE];
    rng.fill_bytes(&mut nonce);
    let mut sealed = Vec::with_capacity(plaintext.len() + OVERHEAD);
    sealed.extend_from_slice(&nonce);
    append(&Cipher::new(key.into()), &nonce, associated, plaintext, &mut sealed)?;
    Some(sealed)
}

/// Reverses [`seal`]; `None` for anything that it did not make.
pub(super) fn open(key: &[u8; 32], associated: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, rest) = sealed.split_first_chunk::<NONCE>()?;
    let mut plaintext = Zeroizing::new(Vec::with_capacity(rest.len()));
    append_opened(&Cipher::new(key.into()), nonce, associated, rest, &mut plaintext)?;
    Some(plaintext)
}

/// Appends ciphertext and tag. Appends nothing when it fails.
pub(super) fn append(
    cipher: &Cipher,
    nonce: &[u8; NONCE],
    associated: &str,
    plaintext: &[u8],
    sealed: &mut Vec<u8>,
) -> Option<()> {
    let start = sealed.len();
    sealed.extend_from_slice(plaintext);
    let body = sealed.get_mut(start..)?;
    match cipher.encrypt_inout_detached(nonce.into(), associated.as_bytes(), body.into()) {
        Ok(tag) => sealed.extend_from_slice(&tag),
        Err(_) => {
            sealed.truncate(start);
            return None;
        }
    }
    Some(())
}

/// Appends the plaintext of ciphertext and tag. Appends nothing when it fails.
pub(super) fn append_opened(
    cipher: &Cipher,
    nonce: &[u8; NONCE],
    associated: &str,
    sealed: &[u8],
    plaintext: &mut Vec<u8>,
) -> Option<()> {
    let (body, tag) = sealed.split_last_chunk::<TAG>()?;
    let start = plaintext.len();
    plaintext.extend_from_slice(body);
    let opened = plaintext.get_mut(start..)?;
    let associated = associated.as_bytes();
    if cipher.decrypt_inout_detached(nonce.into(), associated, opened.into(), tag.into()).is_err() {
        plaintext.truncate(start);
        return None;
    }
    Some(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn no_changed_byte_and_no_missing_byte_goes_unnoticed() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let sealed = seal(&[7; 32], "for this", b"hello", &mut rng).unwrap();
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert_eq!(open(&[7; 32], "for this", &changed), None);
            assert_eq!(open(&[7; 32], "for this", &sealed[..index]), None);
        }
        assert_eq!(open(&[7; 32], "for that", &sealed), None);
        assert_eq!(open(&[8; 32], "for this", &sealed), None);
    }

    proptest! {
        #[test]
        fn every_plaintext_survives(plaintext: Vec<u8>, key: [u8; 32], seed: [u8; 32]) {
            let sealed = seal(&key, "a", &plaintext, &mut ChaCha20Rng::from_seed(seed)).unwrap();
            prop_assert_eq!(sealed.len(), plaintext.len() + OVERHEAD);
            prop_assert_eq!(&*open(&key, "a", &sealed).unwrap(), &plaintext);
        }

        #[test]
        fn hostile_bytes_never_panic(bytes: Vec<u8>, key: [u8; 32]) {
            prop_assert_eq!(open(&key, "a", &bytes), None);
        }
    }
}
