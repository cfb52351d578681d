//! What version 1 of the key service computes: its ciphers, keys, messages and files, and nothing
//! else. No HTTP, no store, no clock; randomness is a parameter.
//!
//! The formats are those of the original and cannot be improved without losing its clients:
//! PBKDF2 with SHA-1, 1000 rounds and one salt for all, CBC without a MAC, RSA of 1024 bits. That
//! is why this version is off until an operator switches it on. What could be repaired without
//! changing a format is repaired: a compressed text comes back whole, text outside Latin-1
//! survives ([`TextForm`]), every failure to decrypt is the same [`Unreadable`], and nothing is
//! decompressed without a bound.
//!
//! | what | how it is made |
//! | --- | --- |
//! | `AES(text, pass)` | [`encrypt_text`], [`decrypt_text`]; key and IV: [`PassKey`] |
//! | `Hash(text)` | [`hash`]; what a store keeps of a secret: [`digest_of_secret`], [`same_secret`] |
//! | `PublicKey` | [`PublicKey`], .NET's XML or PEM |
//! | `PrivateKey` at rest | AES(XML, passphrase): [`new_locked_key`], [`unlock`], [`PrivateKey`] |
//! | `PrivateKeyHash` | Hash(XML): [`LockedKey::private_key_hash`], [`UnlockedKey::private_key_hash`] |
//! | `EncryptionKey` | RSA(pass): [`seal_file_key`], [`open_pass`] |
//! | `MessageData` of a text | AES(Gzip(text), pass): [`seal_text`], [`open_text`] |
//! | `MessageData` of a file | AES(base64(zip), pass), in a stream: [`FileSealer`], [`FileOpener`], [`Base64Encoder`] |
//! | a self-destructing text | AES(Gzip(text), word): [`seal_letter`], [`open_letter`], [`self_destruct_word`] |
//! | `KeyToken` | [`key_token`] |
//!
//! # Signatures
//!
//! ```text
//! FillRng::new(fill: &dyn Fn(&mut [u8])) -> FillRng            an rng for every `rng` below
//!
//! PassKey::derive(pass: &str) -> PassKey
//! encrypt_text(text: &str, pass: &str) -> String
//! decrypt_text(data: &str, pass: &str) -> Result<Zeroizing<String>, Unreadable>
//!
//! hash(text: &str) -> String
//! digest_of_secret(private_key_hash: &str) -> [u8; 32]
//! same_secret(left: &[u8; 32], right: &[u8; 32]) -> bool
//!
//! PublicKey::parse(text: &str) -> Result<PublicKey, KeyError>
//! PublicKey::to_xml(&self) -> String
//! PublicKey::bits(&self) -> usize
//! PrivateKey::generate(rng) -> Result<PrivateKey, KeyError>
//! PrivateKey::parse(xml: &str) -> Result<PrivateKey, KeyError>
//! PrivateKey::to_xml(&self) -> Zeroizing<String>
//! PrivateKey::public_key(&self) -> &PublicKey
//! PrivateKey::belongs_to(&self, public: &PublicKey) -> bool
//! new_locked_key(passphrase: &str, rng) -> Result<LockedKey, KeyError>
//! unlock(private_key: &str, passphrase: &str) -> Result<UnlockedKey, Unreadable>
//! unlock_with(private_key: &str, key: &PassKey) -> Result<UnlockedKey, Unreadable>
//!
//! seal_text(text: &str, public_key: &PublicKey, rng) -> Result<SealedText, SealError>
//! open_text(&StoredText, key: &PrivateKey, limit: usize, rng) -> Result<OpenedText, OpenError>
//! seal_letter(text: &str, word: &str) -> SealedLetter
//! open_letter(data: &str, form: TextForm, word: &str, limit: usize)
//!     -> Result<Zeroizing<String>, OpenError>
//!
//! seal_file_key(public_key: &PublicKey, rng) -> Result<FileKey, SealError>
//! new_pass(rng) -> Zeroizing<String>
//! seal_pass(pass: &str, public_key: &PublicKey, rng) -> Result<String, SealError>
//! open_pass(encryption_key: &str, key: &PrivateKey, rng) -> Result<Zeroizing<String>, Unreadable>
//! FileSealer::new(key: &PassKey, name: &str) -> Result<FileSealer, FileSealError>
//! FileSealer::update(&mut self, plain: &[u8], sealed: &mut Vec<u8>) -> Result<(), FileSealError>
//! FileSealer::finish(self, sealed: &mut Vec<u8>) -> Result<(), FileSealError>
//! FileOpener::new(key: &PassKey) -> FileOpener
//! FileOpener::push(&mut self, sealed: Bytes)
//! FileOpener::end(&mut self)
//! FileOpener::next_piece(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, Unreadable>
//! FileOpener::name(&self) -> Option<&str>
//! Base64Encoder::default(), update(&mut self, &[u8], &mut String), finish(self, &mut String)
//! base64_length(bytes: u64) -> u64
//!
//! self_destruct_word(rng) -> Zeroizing<String>
//! key_token(rng) -> String
//! ```
//!
//! `rng` is `&mut (impl rand_core::CryptoRng + ?Sized)`. What derives a key from a pass, and what
//! touches RSA, computes for about a millisecond, making a key for up to a second: that belongs on
//! a thread that may block.

mod aes;
mod base64_text;
mod files;
mod gzip;
mod hash;
mod keys;
mod letter;
mod locked;
mod message;
mod random;
mod rsa;
#[cfg(test)]
mod tests;
mod token;
mod utf16;
mod words;

pub use self::aes::{PassKey, Unreadable, decrypt_text, encrypt_text};
pub use self::base64_text::{Base64Encoder, base64_length};
pub use self::files::{FileOpener, FileSealError, FileSealer};
pub use self::gzip::{OpenError, TextForm};
pub use self::hash::{digest_of_secret, hash, same_secret};
pub use self::keys::{KeyError, PrivateKey, PublicKey};
pub use self::letter::{SealedLetter, open_letter, seal_letter};
pub use self::locked::{LockedKey, UnlockedKey, new_locked_key, unlock, unlock_with};
pub use self::message::{
    FileKey, OpenedText, SealedText, StoredText, new_pass, open_pass, open_text, seal_file_key,
    seal_pass, seal_text,
};
pub use self::random::FillRng;
pub use self::rsa::SealError;
pub use self::token::key_token;
pub use self::words::self_destruct_word;
