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
//! | `Hash(text)` | [`hash`] |
//! | `PublicKey` | [`PublicKey`], .NET's XML or PEM |
//! | `PrivateKey` at rest | AES(XML, passphrase): [`new_locked_key`], [`unlock`], [`PrivateKey`] |
//! | `PrivateKeyHash` | Hash(XML): [`LockedKey::private_key_hash`], [`UnlockedKey::private_key_hash`] |
//! | `EncryptionKey` | RSA(pass): [`seal_pass`], [`open_pass`] |
//! | `MessageData` of a text | AES(Gzip(text), pass): [`seal_text`], [`open_text`] |
//! | `MessageData` of a file | AES(base64(zip), pass), in a stream: [`FileSealer`], [`FileOpener`], [`Base64Encoder`] |
//! | a self-destructing text | AES(Gzip(text), word): [`seal_letter`], [`open_letter`], [`self_destruct_word`] |
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
mod utf16;
mod words;

pub use self::aes::{PassKey, Unreadable, decrypt_text, encrypt_text};
pub use self::base64_text::{Base64Encoder, base64_length, decode_base64};
pub use self::files::{FileOpener, FileSealError, FileSealer};
pub use self::gzip::{OpenError, TextForm};
pub use self::hash::hash;
pub use self::keys::{KeyError, PrivateKey, PublicKey};
pub use self::letter::{SealedLetter, open_letter, seal_letter};
pub use self::locked::{LockedKey, UnlockedKey, new_locked_key, unlock};
pub use self::message::{
    OpenedText, SealedText, StoredText, new_pass, open_pass, open_text, seal_pass, seal_text,
};
pub use self::random::FillRng;
pub use self::rsa::SealError;
pub use self::words::self_destruct_word;
