//! What the app does to bytes that are for nobody else: an agreement of X25519 keys, a chain of keys
//! in each direction, and AES-256-GCM. The gateway sees nothing of it but public keys.

use std::collections::BTreeMap;

use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sealpost::domain::ports::Entropy as _;
use sha2::Sha256;
use x25519_dalek::{PublicKey, StaticSecret};

use crate::harness::entropy::TestEntropy;

const NONCE: usize = 12;

/// The secrets whose public halves the gateway hands out.
pub struct Own {
    /// Stands for the device in agreements: the Ed25519 key only signs.
    pub prekey: StaticSecret,
    pub signed: StaticSecret,
    pub one_time: Vec<StaticSecret>,
}

/// The public keys of another device; no one-time prekey when it has none left.
pub struct Theirs {
    pub prekey: PublicKey,
    pub signed: PublicKey,
    pub one_time: Option<PublicKey>,
}

impl Own {
    pub fn new(entropy: &TestEntropy, one_time: usize) -> Self {
        let one_time = (0..one_time).map(|_| secret(entropy)).collect();
        Self { prekey: secret(entropy), signed: secret(entropy), one_time }
    }

    /// What the one who begins agrees on.
    pub fn begin(&self, ephemeral: &StaticSecret, theirs: &Theirs) -> Root {
        let one_time = theirs.one_time.as_ref().map(|key| (ephemeral, key));
        Root::of([
            Some((&self.prekey, &theirs.signed)),
            Some((ephemeral, &theirs.prekey)),
            Some((ephemeral, &theirs.signed)),
            one_time,
        ])
    }

    /// The same at the other end. A one-time prekey is gone with its use.
    pub fn follow(&mut self, prekey: &PublicKey, ephemeral: &PublicKey, one_time: &str) -> Root {
        let used = (!one_time.is_empty()).then(|| {
            let found = self.one_time.iter().position(|secret| public(secret) == one_time);
            self.one_time.swap_remove(found.expect("one of the device's own prekeys"))
        });
        Root::of([
            Some((&self.signed, prekey)),
            Some((&self.prekey, ephemeral)),
            Some((&self.signed, ephemeral)),
            used.as_ref().map(|secret| (secret, ephemeral)),
        ])
    }
}

/// What both ends know.
pub struct Root([u8; 32]);

impl Root {
    fn of(pairs: [Option<(&StaticSecret, &PublicKey)>; 4]) -> Self {
        let shared = pairs.into_iter().flatten();
        let shared = shared.map(|(ours, theirs)| *ours.diffie_hellman(theirs).as_bytes());
        let shared: Vec<_> = shared.collect();
        Self(derive(b"HushNet-Salt", &shared.concat(), b"X3DH Root Key"))
    }

    /// The chains of the one who began: to the other, and from there.
    pub fn chains(&self) -> (Chain, Chain) {
        let chain = |info: &[u8]| Chain::new(derive(b"HushNet-Salt", &self.0, info));
        (chain(b"HushNet-Send-Chain"), chain(b"HushNet-Recv-Chain"))
    }

    /// What an introduction carries, so that the other end knows that both have the same.
    pub fn seal(&self, entropy: &TestEntropy, text: &str) -> String {
        seal(&self.0, entropy, text)
    }

    pub fn open(&self, sealed: &str) -> Option<String> {
        open(&self.0, sealed)
    }
}

/// The keys of one direction: one for each message, in order.
pub struct Chain {
    key: [u8; 32],
    next: u64,
    /// Those of messages that were overtaken.
    overtaken: BTreeMap<u64, [u8; 32]>,
}

impl Chain {
    fn new(key: [u8; 32]) -> Self {
        Self { key, next: 1, overtaken: BTreeMap::new() }
    }

    fn step(&mut self) -> (u64, [u8; 32]) {
        let taken = (self.next, self.key);
        self.key = derive(b"HushNet-Ratchet-Nonce", &self.key, b"Next-Chain-Key");
        self.next += 1;
        taken
    }

    /// Seals the next message; its number goes with it.
    pub fn seal(&mut self, entropy: &TestEntropy, text: &str) -> (u64, String) {
        let (number, key) = self.step();
        (number, seal(&key, entropy, text))
    }

    /// Opens the message of that number; none when its key is gone, as it is when it comes again.
    pub fn open(&mut self, number: u64, sealed: &str) -> Option<String> {
        while self.next <= number {
            let (number, key) = self.step();
            self.overtaken.insert(number, key);
        }
        let opened = open(self.overtaken.get(&number)?, sealed)?;
        self.overtaken.remove(&number);
        Some(opened)
    }
}

pub fn secret(entropy: &TestEntropy) -> StaticSecret {
    let mut bytes = [0; 32];
    entropy.fill(&mut bytes);
    bytes.into()
}

/// The public half of a secret, base64.
pub fn public(secret: &StaticSecret) -> String {
    STANDARD.encode(PublicKey::from(secret).as_bytes())
}

/// A public key as it comes from the gateway.
pub fn key(text: &str) -> PublicKey {
    let bytes = STANDARD.decode(text).expect("base64");
    <[u8; 32]>::try_from(bytes).expect("32 bytes").into()
}

fn seal(key: &[u8; 32], entropy: &TestEntropy, text: &str) -> String {
    let mut nonce = [0; NONCE];
    entropy.fill(&mut nonce);
    let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key));
    let sealed = cipher.encrypt(&Nonce::from(nonce), text.as_bytes()).unwrap();
    STANDARD.encode([&nonce[..], &sealed].concat())
}

fn open(key: &[u8; 32], sealed: &str) -> Option<String> {
    let sealed = STANDARD.decode(sealed).ok()?;
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
    let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key));
    String::from_utf8(cipher.decrypt(&Nonce::from(*nonce), sealed).ok()?).ok()
}

/// HKDF with SHA-256 (RFC 5869), 32 bytes.
fn derive(salt: &[u8], secret: &[u8], info: &[u8]) -> [u8; 32] {
    mac(&mac(salt, &[secret]), &[info, &[1]])
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).unwrap();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

#[test]
fn keys_are_derived_as_rfc_5869_says() {
    let bytes = |text: &str| -> Vec<u8> {
        (0..text.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
            .collect()
    };
    let (salt, info) = (bytes("000102030405060708090a0b0c"), bytes("f0f1f2f3f4f5f6f7f8f9"));
    let expected = bytes("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf");
    assert_eq!(derive(&salt, &[0x0b; 22], &info)[..], expected);
}
