//! Decrypting a file.

use std::collections::VecDeque;
use std::fmt;

use bytes::{Buf, Bytes};
use zeroize::Zeroizing;

use super::super::{PassKey, Unreadable};
use super::PIECE;
use super::text::TextOpener;
use super::zip_reader::ZipReader;

/// How many stored bytes are decrypted at once; the archive in them has three of eight.
const STORED: usize = 16 * 1024;

/// A file that is being decrypted, in any number of pieces.
///
/// [`push`](Self::push) what is stored, take what [`next_piece`](Self::next_piece) gives until it
/// gives nothing, and so on; after the last push, [`end`](Self::end).
///
/// Nothing authenticates the stored bytes. Padding and checksum are compared at the end, so a piece
/// may be wrong until `next_piece` gave nothing after `end`.
pub struct FileOpener {
    stored: VecDeque<Bytes>,
    state: State,
    /// What is decrypted of the archive, and where its reader is.
    archive: Zeroizing<Vec<u8>>,
    place: usize,
    reader: ZipReader,
}

enum State {
    /// More is going to come.
    Open(TextOpener),
    /// Nothing more is going to come.
    Ending(TextOpener),
    /// Everything is decrypted.
    Ended,
    /// Something was wrong, and stays it.
    Failed,
}

impl FileOpener {
    /// Begins a file.
    #[must_use]
    pub fn new(key: &PassKey) -> Self {
        Self {
            stored: VecDeque::new(),
            state: State::Open(TextOpener::new(key)),
            archive: Zeroizing::new(Vec::with_capacity(STORED)),
            place: 0,
            reader: ZipReader::new(),
        }
    }

    /// Takes the next stored bytes. They wait until they are needed, so push some and then take all
    /// pieces, or they all wait here. What comes after [`end`](Self::end) is not looked at.
    pub fn push(&mut self, sealed: Bytes) {
        if matches!(self.state, State::Open(_)) {
            self.stored.push_back(sealed);
        }
    }

    /// Says that there are no more stored bytes.
    pub fn end(&mut self) {
        if let State::Open(_) = self.state
            && let State::Open(text) = std::mem::replace(&mut self.state, State::Failed)
        {
            self.state = State::Ending(text);
        }
    }

    /// The next bytes of the file, at most 65536 of them. Nothing means that more has to be pushed,
    /// or, after [`end`](Self::end), that the whole file was given and its checksum is right.
    ///
    /// # Errors
    /// When the key is wrong, or the stored bytes are no such file; which one is not told. From
    /// then on it is always this.
    pub fn next_piece(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, Unreadable> {
        let outcome = self.read();
        if outcome.is_err() {
            self.state = State::Failed;
        }
        let plain = outcome?;
        Ok(if plain.is_empty() { None } else { Some(plain) })
    }

    /// The file's name, known before the first piece comes. It is what the sender chose: it may
    /// have path separators and control characters.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.reader.name()
    }

    fn read(&mut self) -> Result<Zeroizing<Vec<u8>>, Unreadable> {
        let mut plain = Zeroizing::new(Vec::with_capacity(PIECE));
        loop {
            let mut rest = self.archive.get(self.place..).unwrap_or_default();
            self.reader.read(&mut rest, &mut plain)?;
            self.place = self.archive.len() - rest.len();
            // Only a full piece leaves something of the archive.
            if plain.len() >= PIECE || !self.refill()? {
                return Ok(plain);
            }
        }
    }

    /// Decrypts the next bytes of the archive; whether there were any to decrypt.
    fn refill(&mut self) -> Result<bool, Unreadable> {
        self.archive.clear();
        self.place = 0;
        if let State::Open(text) | State::Ending(text) = &mut self.state
            && let Some(front) = self.stored.front_mut()
        {
            let piece = front.split_to(front.len().min(STORED));
            if !front.has_remaining() {
                self.stored.pop_front();
            }
            text.update(&piece, &mut self.archive)?;
            return Ok(true);
        }
        match std::mem::replace(&mut self.state, State::Failed) {
            State::Ending(text) => {
                text.finish(&mut self.archive)?;
                self.state = State::Ended;
                Ok(true)
            }
            State::Ended if self.reader.is_done() => {
                self.state = State::Ended;
                Ok(false)
            }
            State::Open(text) => {
                self.state = State::Open(text);
                Ok(false)
            }
            State::Ended | State::Failed => Err(Unreadable),
        }
    }
}

impl fmt::Debug for FileOpener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FileOpener(..)")
    }
}
