//! Decrypting piece by piece. Only for inside this crate: what comes out before the end is not
//! authenticated, and nobody may see it before the end has been reached.

use aes::cipher::{BlockModeDecrypt, KeyIvInit};
use aes::{Aes256Dec, Block};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{AttachmentError, AttachmentKey, BLOCK, MAC};

/// What is always held back: the last block, with the padding, and the MAC.
const TAIL: usize = BLOCK + MAC;

/// An attachment that is being decrypted.
pub(crate) struct Decryptor {
    key: AttachmentKey,
    /// Made when the IV is there.
    cipher: Option<cbc::Decryptor<Aes256Dec>>,
    mac: Hmac<Sha256>,
    digest: Sha256,
    held: Vec<u8>,
}

impl Decryptor {
    pub(crate) fn new(key: &AttachmentKey) -> Self {
        let mac = key.mac(&[]);
        Self { key: key.clone(), cipher: None, mac, digest: Sha256::new(), held: Vec::new() }
    }

    /// Takes the next piece and appends to `plaintext` what nobody may see yet.
    pub(crate) fn update(&mut self, encrypted: &[u8], plaintext: &mut Vec<u8>) {
        Digest::update(&mut self.digest, encrypted);
        self.held.extend_from_slice(encrypted);
        if self.cipher.is_none()
            && let Some((iv, rest)) = self.held.split_first_chunk::<BLOCK>()
        {
            self.cipher = Some(cbc::Decryptor::new((&self.key.cipher).into(), iv.into()));
            self.mac.update(iv);
            self.held = rest.to_vec();
        }
        let Some(cipher) = &mut self.cipher else { return };
        let ready = self.held.len().saturating_sub(TAIL) / BLOCK * BLOCK;
        let Some((body, rest)) = self.held.split_at_checked(ready) else { return };
        self.mac.update(body);
        let start = plaintext.len();
        plaintext.extend_from_slice(body);
        let (blocks, _) =
            Block::slice_as_chunks_mut(plaintext.get_mut(start..).unwrap_or_default());
        cipher.decrypt_blocks(blocks);
        self.held = rest.to_vec();
    }

    /// Checks everything, and appends what was held back. Only now may anybody see it.
    pub(crate) fn finish(
        mut self,
        digest: &[u8; 32],
        plaintext: &mut Vec<u8>,
    ) -> Result<(), AttachmentError> {
        let (last, mac) = self.held.split_last_chunk::<MAC>().ok_or(AttachmentError)?;
        let last: [u8; BLOCK] = last.try_into().map_err(|_| AttachmentError)?;
        self.mac.update(&last);
        self.mac.verify(mac.into()).map_err(|_| AttachmentError)?;
        if !bool::from(self.digest.finalize().as_slice().ct_eq(digest)) {
            return Err(AttachmentError);
        }
        let mut block = Block::from(last);
        self.cipher.ok_or(AttachmentError)?.decrypt_block(&mut block);
        let block = Zeroizing::new(<[u8; BLOCK]>::from(block));
        let padding = usize::from(*block.last().ok_or(AttachmentError)?);
        let kept = BLOCK.checked_sub(padding).filter(|_| padding > 0).ok_or(AttachmentError)?;
        let (kept, fill) = block.split_at_checked(kept).ok_or(AttachmentError)?;
        // The MAC was right, so a wrong padding is the sender's and tells nobody anything.
        if fill.iter().any(|byte| usize::from(*byte) != padding) {
            return Err(AttachmentError);
        }
        plaintext.extend_from_slice(kept);
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::super::{decrypt, encrypt};
    use super::*;

    fn in_pieces(
        bytes: &[u8],
        piece: usize,
        key: &AttachmentKey,
        digest: &[u8; 32],
    ) -> Result<Vec<u8>, AttachmentError> {
        let mut decryptor = Decryptor::new(key);
        let mut plaintext = Vec::new();
        bytes.chunks(piece.max(1)).for_each(|piece| decryptor.update(piece, &mut plaintext));
        decryptor.finish(digest, &mut plaintext).map(|()| plaintext)
    }

    #[test]
    fn no_changed_byte_and_no_missing_byte_goes_unnoticed() {
        let sealed = encrypt(b"a picture of a cat", &mut ChaCha20Rng::from_seed([3; 32]));
        for index in 0..sealed.bytes.len() {
            let mut changed = sealed.bytes.clone();
            changed[index] ^= 1;
            for bytes in [&changed[..], &sealed.bytes[..index]] {
                assert!(in_pieces(bytes, 7, &sealed.key, &sealed.digest).is_err());
            }
        }
        assert!(in_pieces(&sealed.bytes, 7, &sealed.key, &[0; 32]).is_err());
    }

    proptest! {
        #[test]
        fn pieces_give_what_the_whole_gives(plaintext: Vec<u8>, piece in 1..100_usize, seed: [u8; 32]) {
            let sealed = encrypt(&plaintext, &mut ChaCha20Rng::from_seed(seed));
            let whole = decrypt(&sealed.bytes, &sealed.key, &sealed.digest).unwrap();
            prop_assert_eq!(&whole, &plaintext);
            prop_assert_eq!(in_pieces(&sealed.bytes, piece, &sealed.key, &sealed.digest), Ok(whole));
        }

        #[test]
        fn hostile_bytes_never_panic(bytes: Vec<u8>, piece in 1..100_usize, digest: [u8; 32]) {
            let key = AttachmentKey { cipher: [1; 32], mac: [2; 32] };
            prop_assert_eq!(in_pieces(&bytes, piece, &key, &digest), Err(AttachmentError));
        }
    }
}
