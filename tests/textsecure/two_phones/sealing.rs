//! What two phones do to bytes that are for nobody else: a simple encryption from end to end, but a
//! real one, and what stands inside.

use aes::{Aes256Dec, Aes256Enc, Block};
use bytes::Bytes;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use hmac::{Hmac, KeyInit, Mac};
use prost::Message;
use sha2::Sha256;
use x25519_dalek::{PublicKey, StaticSecret};

const BLOCK: usize = 16;
const TAG: usize = 32;

/// What a message says to a person.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct PushMessageContent {
    #[prost(string, optional, tag = "1")]
    pub body: Option<String>,
    #[prost(message, repeated, tag = "2")]
    pub attachments: Vec<AttachmentPointer>,
}

/// Where a file is, and what opens it.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct AttachmentPointer {
    #[prost(fixed64, optional, tag = "1")]
    pub id: Option<u64>,
    #[prost(string, optional, tag = "2")]
    pub content_type: Option<String>,
    /// 32 bytes for AES and 32 for the MAC.
    #[prost(bytes = "bytes", optional, tag = "3")]
    pub key: Option<Bytes>,
}

/// The first messages of a session: what its reader needs to agree on the same keys.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct PrekeyMessage {
    /// The sender's installation.
    #[prost(uint32, tag = "1")]
    pub registration: u32,
    /// Which prekey of the reader's is meant.
    #[prost(uint64, tag = "2")]
    pub prekey: u64,
    /// Made for this session.
    #[prost(bytes = "vec", tag = "3")]
    pub base: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub identity: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    pub sealed: Vec<u8>,
}

/// Keys of a session, or of a file.
#[derive(Clone)]
pub struct Keys {
    pub cipher: [u8; 32],
    pub mac: [u8; 32],
}

impl Keys {
    /// As an [`AttachmentPointer`] has them.
    pub fn of_file(bytes: &[u8]) -> Self {
        let (cipher, mac) = bytes.split_at(32);
        Self { cipher: cipher.try_into().unwrap(), mac: mac.try_into().unwrap() }
    }

    pub fn to_bytes(&self) -> Bytes {
        [self.cipher, self.mac].concat().into()
    }

    /// What both ends get from the secrets that they share, said in the same order.
    pub fn agreed(pairs: [(&StaticSecret, &PublicKey); 3]) -> Self {
        let shared = pairs.map(|(ours, theirs)| *ours.diffie_hellman(theirs).as_bytes()).concat();
        let derive = |what: &[u8]| mac(&shared, &[what]);
        Self { cipher: derive(b"cipher"), mac: derive(b"mac") }
    }

    /// IV, ciphertext, and an HMAC over both.
    pub fn seal(&self, iv: [u8; BLOCK], plain: &[u8]) -> Vec<u8> {
        let padding = BLOCK - plain.len() % BLOCK;
        let mut padded = plain.to_vec();
        padded.extend(vec![u8::try_from(padding).unwrap(); padding]);
        let (blocks, _) = Block::slice_as_chunks_mut(&mut padded);
        cbc::Encryptor::<Aes256Enc>::new(&self.cipher.into(), &iv.into()).encrypt_blocks(blocks);
        let tag = mac(&self.mac, &[&iv, &padded]);
        [&iv[..], &padded, &tag].concat()
    }

    /// The reverse; panics about what was not sealed under these keys.
    pub fn open(&self, sealed: &[u8]) -> Vec<u8> {
        let (signed, tag) = sealed.split_at(sealed.len() - TAG);
        assert_eq!(mac(&self.mac, &[signed]), tag, "the MAC is right");
        let (iv, ciphertext) = signed.split_at(BLOCK);
        let (iv, mut plain): ([u8; BLOCK], _) = (iv.try_into().unwrap(), ciphertext.to_vec());
        let (blocks, rest) = Block::slice_as_chunks_mut(&mut plain);
        assert!(rest.is_empty(), "whole blocks");
        cbc::Decryptor::<Aes256Dec>::new(&self.cipher.into(), &iv.into()).decrypt_blocks(blocks);
        let padding = usize::from(*plain.last().unwrap());
        plain.truncate(plain.len() - padding);
        plain
    }
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; TAG] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// Keys are written with a byte before them that says of which kind they are.
pub fn written(key: &StaticSecret) -> Vec<u8> {
    [&[5], &PublicKey::from(key).as_bytes()[..]].concat()
}

pub fn read(bytes: &[u8]) -> PublicKey {
    assert_eq!((bytes[0], bytes.len()), (5, 33), "a public key");
    <[u8; 32]>::try_from(&bytes[1..]).unwrap().into()
}
