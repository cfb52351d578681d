//! Files, encrypted and decrypted as they pass by. However large a file is, some buffers of at most
//! 64 KiB are all that is in memory.
//!
//! ```text
//! file → zip archive with one entry → base64 → UTF-16 behind FF FE → AES-256-CBC with a PassKey
//! ```
//!
//! What is stored are the bytes of that cipher; `MessageData` in the original is their base64,
//! which [`Base64Encoder`](super::Base64Encoder) makes as they pass by.

mod code_page;
mod entry;
mod opener;
mod sealer;
#[cfg(test)]
mod tests;
mod text;
mod zip_reader;
mod zip_writer;

pub use self::opener::FileOpener;
pub use self::sealer::{FileSealError, FileSealer};

/// How much is worked on at once.
const PIECE: usize = 64 * 1024;
