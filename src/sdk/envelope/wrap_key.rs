//! The key that wraps message keys for one pair of key pairs.

use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit};
use aes::{Aes256Dec, Aes256Enc, Block};
use cbc::{Decryptor, Encryptor};
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, Zeroizing};

use crate::envelope::layout::{IV, MESSAGE_KEY, SLOT};
use crate::ids::SessionId;
use crate::keys::SharedSecret;

/// PKCS#7 padding of a plaintext that fills its last block: one more block of nothing else.
const PADDING: Block = aes::cipher::array::Array([16; 16]);

/// A shared secret as a prepared AES-256 key schedule, which the cipher wipes on drop.
///
/// A kept schedule halves the cost of a wrap, and the secret itself need not be kept.
pub(super) struct WrapKey(Aes256Enc);

impl WrapKey {
    pub(super) fn new(secret: &SharedSecret) -> Self {
        Self(Aes256Enc::new(secret.as_bytes().into()))
    }

    /// Writes a whole slot.
    ///
    /// A message key is exactly one block, so there are always two: the key, then the padding. Both
    /// go through the cipher in one call, because choosing its backend costs as much as a block.
    pub(super) fn wrap(
        &self,
        message_key: &[u8; MESSAGE_KEY],
        session: SessionId,
        iv: &[u8; IV],
        slot: &mut [u8; SLOT],
    ) {
        let mut blocks = [Block::from(*message_key), PADDING];
        Encryptor::inner_iv_init(&self.0, iv.into()).encrypt_blocks(&mut blocks);
        slot[..16].copy_from_slice(session.as_bytes());
        slot[16..32].copy_from_slice(iv);
        slot[32..].copy_from_slice(Block::slice_as_flattened(&blocks));
    }

    /// Reads the message key from a slot and tells whether its padding was right.
    ///
    /// The caller must not let anyone see where it went wrong: it goes on with the key as it is.
    pub(super) fn unwrap(&self, slot: &[u8; SLOT]) -> (Zeroizing<[u8; MESSAGE_KEY]>, Choice) {
        let [mut iv, mut key, mut padding] = [Block::default(); 3];
        iv.copy_from_slice(&slot[16..32]);
        key.copy_from_slice(&slot[32..48]);
        padding.copy_from_slice(&slot[48..]);
        let mut cipher = Decryptor::inner_iv_init(Aes256Dec::from(&self.0), &iv);
        cipher.decrypt_block(&mut key);
        cipher.decrypt_block(&mut padding);
        let message_key = Zeroizing::new(key.into());
        key.zeroize();
        (message_key, padding.as_slice().ct_eq(&PADDING))
    }
}
