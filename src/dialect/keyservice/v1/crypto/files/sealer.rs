//! Encrypting a file.

use std::fmt;

use zeroize::Zeroizing;

use super::super::PassKey;
use super::PIECE;
use super::text::TextSealer;
use super::zip_writer::{LIMIT, TooLarge, ZipWriter};

/// What a name may have in bytes.
const NAME_BYTES: usize = 1024;

/// Why a file cannot be encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FileSealError {
    /// The name is empty or too long.
    #[error("the file's name has {length} bytes, 1 to 1024 are accepted")]
    Name {
        /// Bytes of the name.
        length: usize,
    },
    /// An archive without zip64 has no room for it.
    #[error("the file is longer than {limit} bytes")]
    TooLarge {
        /// Bytes of file, or of what it became.
        limit: u64,
    },
}

/// A file that is being encrypted, in any number of pieces; how it is cut makes no difference to
/// what comes out.
///
/// After an error it is of no use any more.
pub struct FileSealer {
    archive: ZipWriter,
    text: TextSealer,
    /// Plain bytes that wait until there are enough: the compressor always gets as many at once.
    rest: Zeroizing<Vec<u8>>,
    begun: bool,
}

impl FileSealer {
    /// Begins a file.
    ///
    /// # Errors
    /// [`FileSealError::Name`].
    pub fn new(key: &PassKey, name: &str) -> Result<Self, FileSealError> {
        if !(1..=NAME_BYTES).contains(&name.len()) {
            return Err(FileSealError::Name { length: name.len() });
        }
        Ok(Self {
            archive: ZipWriter::new(name),
            text: TextSealer::new(key),
            rest: Zeroizing::new(Vec::with_capacity(PIECE)),
            begun: false,
        })
    }

    /// Takes the next bytes of the file and appends what can be written by now: at most about
    /// three times the bytes that were taken, plus 200 KiB.
    ///
    /// # Errors
    /// [`FileSealError::TooLarge`] when the file has more than 4,294,967,294 bytes.
    pub fn update(&mut self, mut plain: &[u8], sealed: &mut Vec<u8>) -> Result<(), FileSealError> {
        self.begin(sealed);
        while !plain.is_empty() {
            let (taken, after) = plain.split_at(plain.len().min(PIECE - self.rest.len()));
            self.rest.extend_from_slice(taken);
            plain = after;
            if self.rest.len() == PIECE {
                self.write_rest(false, sealed)?;
            }
        }
        Ok(())
    }

    /// Appends the end.
    ///
    /// # Errors
    /// [`FileSealError::TooLarge`] when what the file became has no room in its archive.
    pub fn finish(mut self, sealed: &mut Vec<u8>) -> Result<(), FileSealError> {
        self.begin(sealed);
        self.write_rest(true, sealed)?;
        let trailer = self.archive.trailer().map_err(too_large)?;
        self.text.update(&trailer, sealed);
        self.text.finish(sealed);
        Ok(())
    }

    /// Writes the header if that has not happened yet.
    fn begin(&mut self, sealed: &mut Vec<u8>) {
        if !self.begun {
            self.begun = true;
            self.text.update(&self.archive.header(), sealed);
        }
    }

    fn write_rest(&mut self, last: bool, sealed: &mut Vec<u8>) -> Result<(), FileSealError> {
        let text = &mut self.text;
        self.archive
            .write(&self.rest, last, &mut |packed| text.update(packed, sealed))
            .map_err(too_large)?;
        self.rest.clear();
        Ok(())
    }
}

impl fmt::Debug for FileSealer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FileSealer(..)")
    }
}

fn too_large(_: TooLarge) -> FileSealError {
    FileSealError::TooLarge { limit: LIMIT }
}
