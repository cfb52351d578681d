//! Opening a file piece by piece.

use std::fmt;

use aes::cipher::KeyInit;
use zeroize::Zeroizing;

use super::file_sealer::{PREFIX, SEALED_CHUNK, chunk_nonce};
use super::keys::BoxKeys;
use super::message::{OpenError, unwrap};
use super::sealed::{self, Cipher, Kind, TAG};

/// A file that is being opened; the reverse of a [`FileSealer`](super::FileSealer).
///
/// Each chunk is checked before it comes out, so what comes out is what the sender wrote, in its
/// place. Only [`finish`](Self::finish) tells that it was all: whoever stops before, or does not
/// look at what it says, may hold the beginning of a file and take it for the whole.
pub struct FileOpener {
    cipher: Cipher,
    associated: String,
    name: String,
    prefix: Option<[u8; PREFIX]>,
    /// What is not opened yet: part of the prefix, or a chunk that may be the last.
    held: Vec<u8>,
    /// Number of the next chunk.
    next: u64,
    /// Why nothing more is opened.
    failed: Option<FileError>,
}

/// Why a file did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// A chunk was changed or moved, or belongs to another file.
    #[error("chunk {number} of the file does not open")]
    Chunk {
        /// Number of the chunk, from 0.
        number: u64,
    },
    /// The end of the file is missing.
    #[error("the file ends before its last chunk")]
    Truncated,
    /// There is something behind the end of the file.
    #[error("the file goes on after its last chunk")]
    AfterEnd,
    /// More than 2³² chunks.
    #[error("the file has more chunks than any file")]
    TooManyChunks,
}

impl FileOpener {
    /// Opens key and name of a file.
    ///
    /// # Errors
    /// When key or name were made for another box, were changed, or do not belong together; or the
    /// name is no text.
    pub fn new(keys: &BoxKeys, encryption_key: &[u8], name: &[u8]) -> Result<Self, OpenError> {
        let key = unwrap(keys, encryption_key)?;
        let of_name = sealed::associated(&keys.token(), Kind::FileName);
        let name = sealed::open(&key, &of_name, name).ok_or(OpenError::Name)?;
        let name = std::str::from_utf8(&name).map_err(|_| OpenError::NotText)?;
        Ok(Self {
            cipher: Cipher::new((&*key).into()),
            associated: sealed::associated(&keys.token(), Kind::File),
            name: name.to_owned(),
            prefix: None,
            held: Vec::new(),
            next: 0,
            failed: None,
        })
    }

    /// What the sender calls the file. Not a path to be written to as it is.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes the next piece and appends to `plain` what is opened by now.
    ///
    /// # Errors
    /// When a chunk does not open, or it was the last and there is more. From then on nothing opens.
    pub fn update(&mut self, sealed: &[u8], plain: &mut Vec<u8>) -> Result<(), FileError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let taken = self.take(sealed, plain);
        self.failed = taken.err();
        taken
    }

    /// Appends the last chunk. Only now is it known that nothing is missing.
    ///
    /// # Errors
    /// When the end is missing or does not open, or an earlier chunk did not.
    pub fn finish(mut self, plain: &mut Vec<u8>) -> Result<(), FileError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.held.len() < TAG {
            return Err(FileError::Truncated);
        }
        self.open(true, plain)
    }

    fn take(&mut self, mut sealed: &[u8], plain: &mut Vec<u8>) -> Result<(), FileError> {
        while !sealed.is_empty() {
            let full = if self.prefix.is_none() { PREFIX } else { SEALED_CHUNK };
            // There is more, so this chunk is not the last.
            if self.held.len() == full {
                self.open(false, plain)?;
            }
            let room = full - self.held.len();
            let (now, later) = sealed.split_at_checked(room).unwrap_or((sealed, &[]));
            self.held.extend_from_slice(now);
            sealed = later;
            if self.prefix.is_none()
                && let Ok(prefix) = self.held.as_slice().try_into()
            {
                self.prefix = Some(prefix);
                self.held.clear();
            }
        }
        Ok(())
    }

    /// Opens the chunk that is held.
    fn open(&mut self, last: bool, plain: &mut Vec<u8>) -> Result<(), FileError> {
        let prefix = self.prefix.ok_or(FileError::Truncated)?;
        let number = self.next;
        let nonce = |last| chunk_nonce(&prefix, number, last).ok_or(FileError::TooManyChunks);
        let opened = |nonce, plain: &mut Vec<u8>| {
            sealed::append_opened(&self.cipher, &nonce, &self.associated, &self.held, plain)
        };
        if opened(nonce(last)?, plain).is_none() {
            // It is refused either way. This only tells a file that was cut from one that was
            // changed, which everybody on the way could tell from its length.
            let otherwise = opened(nonce(!last)?, &mut Zeroizing::new(Vec::new()));
            return Err(match (otherwise, last) {
                (Some(()), true) => FileError::Truncated,
                (Some(()), false) => FileError::AfterEnd,
                (None, _) => FileError::Chunk { number },
            });
        }
        self.next += 1;
        self.held.clear();
        Ok(())
    }
}

impl fmt::Debug for FileOpener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("FileOpener").field("chunks", &self.next).finish_non_exhaustive()
    }
}
