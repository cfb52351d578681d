//! The same cipher piece by piece, for files that are never in memory as a whole.

use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt};
use aes::{Aes256Dec, Aes256Enc, Block};
use zeroize::Zeroizing;

use super::{BLOCK, PassKey, Unreadable};

/// Encrypts bytes that come in pieces.
pub(in super::super) struct CbcSealer {
    cipher: cbc::Encryptor<Aes256Enc>,
    /// What does not fill a block yet.
    rest: Zeroizing<Vec<u8>>,
}

impl CbcSealer {
    pub(in super::super) fn new(key: &PassKey) -> Self {
        Self { cipher: key.encryptor(), rest: Zeroizing::new(Vec::with_capacity(BLOCK)) }
    }

    /// Takes the next bytes and appends what can be written by now.
    pub(in super::super) fn update(&mut self, plain: &[u8], sealed: &mut Vec<u8>) {
        let whole = (self.rest.len() + plain.len()) / BLOCK * BLOCK;
        if whole == 0 {
            self.rest.extend_from_slice(plain);
            return;
        }
        // `rest` is shorter than a block, so at least a block of `whole` is more than it.
        let (taken, rest) = plain.split_at(whole - self.rest.len());
        let start = sealed.len();
        sealed.extend_from_slice(&self.rest);
        sealed.extend_from_slice(taken);
        self.rest.clear();
        self.rest.extend_from_slice(rest);
        self.encrypt(&mut sealed[start..]);
    }

    /// Appends the last block, with the padding.
    pub(in super::super) fn finish(mut self, sealed: &mut Vec<u8>) {
        // PKCS#7: as many bytes as are missing, each with their number; a whole block if none are.
        let padding = BLOCK - self.rest.len() % BLOCK;
        let fill = u8::try_from(padding).unwrap_or_default();
        let start = sealed.len();
        sealed.extend_from_slice(&self.rest);
        sealed.extend(std::iter::repeat_n(fill, padding));
        self.encrypt(&mut sealed[start..]);
    }

    fn encrypt(&mut self, bytes: &mut [u8]) {
        let (blocks, _) = Block::slice_as_chunks_mut(bytes);
        self.cipher.encrypt_blocks(blocks);
    }
}

/// Decrypts bytes that come in pieces.
pub(in super::super) struct CbcOpener {
    cipher: cbc::Decryptor<Aes256Dec>,
    /// The end of what came, always with the last byte: it could be padding.
    held: Vec<u8>,
}

impl CbcOpener {
    pub(in super::super) fn new(key: &PassKey) -> Self {
        Self { cipher: key.decryptor(), held: Vec::with_capacity(BLOCK) }
    }

    /// Takes the next bytes and appends those that can be read by now.
    pub(in super::super) fn update(&mut self, sealed: &[u8], plain: &mut Zeroizing<Vec<u8>>) {
        self.held.extend_from_slice(sealed);
        let ready = self.held.len().saturating_sub(1) / BLOCK * BLOCK;
        let start = plain.len();
        plain.extend(self.held.drain(..ready));
        let (blocks, _) = Block::slice_as_chunks_mut(&mut plain[start..]);
        self.cipher.decrypt_blocks(blocks);
    }

    /// Appends what the last block has in front of its padding.
    ///
    /// # Errors
    /// When there is no last block, or its padding is wrong.
    pub(in super::super) fn finish(
        mut self,
        plain: &mut Zeroizing<Vec<u8>>,
    ) -> Result<(), Unreadable> {
        let last: [u8; BLOCK] = self.held.as_slice().try_into().map_err(|_| Unreadable)?;
        let mut block = Block::from(last);
        self.cipher.decrypt_block(&mut block);
        let block = Zeroizing::new(<[u8; BLOCK]>::from(block));
        let padding = usize::from(block[BLOCK - 1]);
        let kept = BLOCK.checked_sub(padding).filter(|_| padding > 0).ok_or(Unreadable)?;
        let (kept, fill) = block.split_at(kept);
        if fill.iter().any(|byte| usize::from(*byte) != padding) {
            return Err(Unreadable);
        }
        plain.extend_from_slice(kept);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use aes::cipher::block_padding::Pkcs7;
    use proptest::prelude::*;

    use super::*;

    fn sealed(key: &PassKey, pieces: &[Vec<u8>]) -> Vec<u8> {
        let mut sealer = CbcSealer::new(key);
        let mut bytes = Vec::new();
        pieces.iter().for_each(|piece| sealer.update(piece, &mut bytes));
        sealer.finish(&mut bytes);
        bytes
    }

    #[test]
    fn ends_that_are_no_padding_are_refused() {
        let key = PassKey::derive("pw");
        for end in [0, 17, 255] {
            let mut bytes = vec![end; BLOCK];
            let (blocks, _) = Block::slice_as_chunks_mut(&mut bytes);
            key.encryptor().encrypt_blocks(blocks);
            let mut opener = CbcOpener::new(&key);
            let mut plain = Zeroizing::new(Vec::new());
            opener.update(&bytes, &mut plain);
            assert_eq!(opener.finish(&mut plain), Err(Unreadable), "{end}");
        }
        assert!(CbcOpener::new(&key).finish(&mut Zeroizing::new(Vec::new())).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn pieces_give_what_the_whole_gives(pieces: Vec<Vec<u8>>, size in 1..50_usize) {
            let key = PassKey::derive("pw");
            let bytes = sealed(&key, &pieces);
            let whole = pieces.concat();
            let mut buffer = whole.clone();
            buffer.resize(whole.len() + BLOCK, 0);
            let library = key.encryptor().encrypt_padded::<Pkcs7>(&mut buffer, whole.len());
            prop_assert_eq!(&bytes[..], library.unwrap());
            let mut opener = CbcOpener::new(&key);
            let mut plain = Zeroizing::new(Vec::new());
            bytes.chunks(size).for_each(|piece| opener.update(piece, &mut plain));
            opener.finish(&mut plain).unwrap();
            prop_assert_eq!(&*plain, &whole);
        }
    }
}
