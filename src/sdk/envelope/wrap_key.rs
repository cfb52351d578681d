//! The key that wraps message keys for one pair of key pairs.

use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use aes::{Aes256Dec, Aes256Enc, Block};
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use crate::envelope::layout::{IV, MESSAGE_KEY, SLOT};
use crate::ids::SessionId;
use crate::keys::SharedSecret;

/// PKCS#7 padding of a plaintext that fills its last block: one more block of nothing else.
const PADDING: u128 = u128::from_ne_bytes([16; 16]);

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
    /// A message key is exactly one block, so CBC comes down to two: the key, then the padding.
    pub(super) fn wrap(
        &self,
        message_key: &[u8; MESSAGE_KEY],
        session: SessionId,
        iv: &[u8; IV],
        slot: &mut [u8; SLOT],
    ) {
        let first = self.encrypt(u128::from_ne_bytes(*message_key) ^ u128::from_ne_bytes(*iv));
        let second = self.encrypt(first ^ PADDING);
        slot[..16].copy_from_slice(session.as_bytes());
        slot[16..32].copy_from_slice(iv);
        slot[32..48].copy_from_slice(&first.to_ne_bytes());
        slot[48..].copy_from_slice(&second.to_ne_bytes());
    }

    /// Reads the message key from a slot and tells whether its padding was right.
    ///
    /// The caller must not let anyone see where it went wrong: it goes on with the key as it is.
    pub(super) fn unwrap(&self, slot: &[u8; SLOT]) -> (Zeroizing<[u8; MESSAGE_KEY]>, Choice) {
        let cipher = Aes256Dec::from(&self.0);
        let [iv, first, second] = [block(slot, 16), block(slot, 32), block(slot, 48)];
        let message_key = decrypt(&cipher, first) ^ iv;
        let padding = decrypt(&cipher, second) ^ first;
        (
            Zeroizing::new(message_key.to_ne_bytes()),
            padding.ct_eq(&PADDING),
        )
    }

    fn encrypt(&self, block: u128) -> u128 {
        let mut block = Block::from(block.to_ne_bytes());
        self.0.encrypt_block(&mut block);
        u128::from_ne_bytes(block.into())
    }
}

fn decrypt(cipher: &Aes256Dec, block: u128) -> u128 {
    let mut block = Block::from(block.to_ne_bytes());
    cipher.decrypt_block(&mut block);
    u128::from_ne_bytes(block.into())
}

fn block(slot: &[u8; SLOT], offset: usize) -> u128 {
    let bytes = slot.get(offset..).and_then(|rest| rest.first_chunk());
    u128::from_ne_bytes(bytes.copied().unwrap_or_default())
}
