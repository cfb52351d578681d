//! What a device gets: an envelope in protobuf, encrypted once more on its way.
//!
//! The envelope says who sends what kind of message, and holds the bytes that the sender has
//! encrypted for the device. Whatever carries it, a socket or a push service, gets it under the
//! device's signalling key:
//!
//! | bytes | what |
//! | --- | --- |
//! | 1 | the version, 1 |
//! | 16 | IV |
//! | 16 × n | AES-256-CBC ciphertext of the envelope with PKCS#7 padding |
//! | 10 | the beginning of an HMAC-SHA256 over all before it |
//!
//! The signalling key has 52 bytes: 32 for AES, 20 for the MAC.

use std::fmt;

use aes::{Aes256Enc, Block};
use bytes::Bytes;
use cbc::cipher::{BlockModeEncrypt, KeyIvInit};
use hmac::{Hmac, KeyInit, Mac};
use prost::Message;
use sha2::Sha256;
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const BLOCK: usize = 16;
const CIPHER_KEY: usize = 32;
const MAC: usize = 10;

/// The type of an envelope that tells a sender that a message has arrived.
pub const RECEIPT: i32 = 5;

/// A message as its device gets it. Its debug form shows no number.
#[derive(Clone, PartialEq, Eq, Message)]
#[prost(skip_debug)]
pub struct Envelope {
    /// What kind of message: 1 for a ciphertext, 3 for a first one with a prekey, [`RECEIPT`]. Any
    /// other number passes as it came.
    #[prost(int32, optional, tag = "1")]
    pub kind: Option<i32>,
    /// The number of the phone that sent it.
    #[prost(string, optional, tag = "2")]
    pub source: Option<String>,
    /// The gateway that it came from, unless that is this one.
    #[prost(string, optional, tag = "3")]
    pub relay: Option<String>,
    /// Who else got a message in the same request.
    #[prost(string, repeated, tag = "4")]
    pub destinations: Vec<String>,
    /// When it was sent, in milliseconds since 1970; of a receipt: the time of the message that has
    /// arrived.
    #[prost(uint64, optional, tag = "5")]
    pub timestamp: Option<u64>,
    /// What the sender has encrypted.
    #[prost(bytes = "bytes", optional, tag = "6")]
    pub message: Option<Bytes>,
    /// The number of the device that sent it.
    #[prost(uint32, optional, tag = "7")]
    pub source_device: Option<u32>,
    /// The same as `message`, of later clients.
    #[prost(bytes = "bytes", optional, tag = "8")]
    pub content: Option<Bytes>,
}

impl Envelope {
    /// Whether it tells a sender that a message has arrived.
    #[must_use]
    pub fn is_receipt(&self) -> bool {
        self.kind == Some(RECEIPT)
    }

    /// The envelope on the wire, its fields in ascending order.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        self.encode_to_vec().into()
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.message.as_ref().map_or(0, Bytes::len);
        write!(f, "Envelope(type {:?}, {length} bytes)", self.kind)
    }
}

/// Encrypts an envelope under a device's signalling key. No IV may be used twice.
#[must_use]
pub fn encrypt(signalling_key: &[u8; 52], iv: [u8; BLOCK], envelope: &[u8]) -> Vec<u8> {
    let (cipher_key, mac_key) = split(signalling_key);
    let padding = BLOCK - envelope.len() % BLOCK;
    let mut sealed = Vec::with_capacity(1 + BLOCK + envelope.len() + padding + MAC);
    sealed.push(VERSION);
    sealed.extend_from_slice(&iv);
    sealed.extend_from_slice(envelope);
    // PKCS#7: as many bytes as are missing, each with their number; a whole block if none are.
    let fill = u8::try_from(padding).unwrap_or_default();
    sealed.extend(std::iter::repeat_n(fill, padding));
    let (blocks, _) = Block::slice_as_chunks_mut(&mut sealed[1 + BLOCK..]);
    cbc::Encryptor::<Aes256Enc>::new((&*cipher_key).into(), &iv.into()).encrypt_blocks(blocks);
    let mac = <Hmac<Sha256> as KeyInit>::new((&*mac_key).into()).chain_update(&sealed);
    sealed.extend_from_slice(&mac.finalize().into_bytes()[..MAC]);
    sealed
}

/// The key for AES, and that for the MAC as a block of its hash: HMAC fills a short key up with
/// zeroes (RFC 2104).
fn split(signalling_key: &[u8; 52]) -> (Zeroizing<[u8; CIPHER_KEY]>, Zeroizing<[u8; 64]>) {
    let (mut cipher, mut mac) = (Zeroizing::new([0; CIPHER_KEY]), Zeroizing::new([0; 64]));
    cipher.copy_from_slice(&signalling_key[..CIPHER_KEY]);
    mac[..signalling_key.len() - CIPHER_KEY].copy_from_slice(&signalling_key[CIPHER_KEY..]);
    (cipher, mac)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    /// Vectors that the first Android client of this protocol has decrypted.
    const FIRST: &str = "AaChoqOkpaanqKmqq6ytrq8sz0cixAQbAHStsOTXjR2HcXzqjA1c4FdurHcRtbTA+vh0XfDTCPadEbLMrNMFKii4+dhstf6LWq4C";
    const PREKEY: &str = "AaChoqOkpaanqKmqq6ytrq8AZrAlfj8un6yhh1iQMC75QX4nYolqnCU+Uq8Dor6AFxgwW+cD/PB7OWSm087+1DmXxWayKIfoqiJtujLKdDrm5jHmHiiovicMsA==";
    const WITHOUT_DEVICE: &str =
        "AaChoqOkpaanqKmqq6ytrq8sz0cixAQbAHStsOTXjR2HVqsHb97mwFMscM0niQZVjb/gBFH6m2qiaRg=";

    fn key() -> [u8; 52] {
        std::array::from_fn(|place| u8::try_from(place).unwrap())
    }

    fn iv() -> [u8; 16] {
        std::array::from_fn(|place| 0xa0 + u8::try_from(place).unwrap())
    }

    fn hello() -> Envelope {
        Envelope {
            kind: Some(1),
            source: Some("+14152222222".to_owned()),
            timestamp: Some(1_393_000_000_000),
            message: Some(Bytes::from_static(b"hello")),
            source_device: Some(1),
            ..Envelope::default()
        }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn encrypted(envelope: &Envelope) -> String {
        STANDARD.encode(encrypt(&key(), iv(), &envelope.to_bytes()))
    }

    #[test]
    fn a_message_is_that_of_the_vector() {
        let expected = "0801120c2b31343135323232323232322880d494aac528320568656c6c6f3801";
        assert_eq!(hex(&hello().to_bytes()), expected);
        assert_eq!(encrypted(&hello()), FIRST);
    }

    #[test]
    fn a_first_message_from_another_gateway_is_that_of_the_vector() {
        let envelope = Envelope {
            kind: Some(3),
            relay: Some("example-relay".to_owned()),
            timestamp: Some(1_393_000_000_001),
            message: Some((0..=0x13).collect()),
            source_device: Some(2),
            ..hello()
        };
        let expected = "0803120c2b31343135323232323232321a0d6578616d706c652d72656c61792881d494aa\
                        c5283214000102030405060708090a0b0c0d0e0f101112133802";
        assert_eq!(hex(&envelope.to_bytes()), expected);
        assert_eq!(encrypted(&envelope), PREKEY);
    }

    #[test]
    fn a_message_without_a_device_is_that_of_the_vector() {
        let envelope =
            Envelope { timestamp: Some(1_386_500_000_000), source_device: None, ..hello() };
        let expected = "0801120c2b3134313532323232323232288092dc8ead28320568656c6c6f";
        assert_eq!(hex(&envelope.to_bytes()), expected);
        assert_eq!(encrypted(&envelope), WITHOUT_DEVICE);
    }

    #[test]
    fn every_length_is_padded_to_whole_blocks() {
        for (length, padded) in [(0, 16), (15, 16), (16, 32), (17, 32)] {
            let sealed = encrypt(&key(), iv(), &vec![7; length]);
            assert_eq!(sealed.len(), 1 + 16 + padded + 10);
        }
    }

    #[test]
    fn an_envelope_survives_the_wire_and_its_debug_form_shows_no_number() {
        let envelope = Envelope { kind: Some(0), destinations: vec!["+1".to_owned()], ..hello() };
        assert_eq!(Envelope::decode(envelope.to_bytes()).unwrap(), envelope);
        assert_eq!(format!("{envelope:?}"), "Envelope(type Some(0), 5 bytes)");
    }
}
