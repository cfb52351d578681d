//! Reading the first entry of a zip archive as it passes by (APPNOTE 6.3.10).
//!
//! The original's archives have sizes and checksum in the header in front of the entry, ours in a
//! descriptor behind it. The directory at the end of an archive is not looked at.

use zeroize::Zeroizing;

use super::super::Unreadable;
use super::code_page;
use super::entry::{Entry, Sizes};

/// Of a local header, without name and extra field.
const HEADER: usize = 30;
/// What a name may have in bytes.
const NAME_BYTES: usize = 4096;

const ENCRYPTED: u16 = 1;
const SIZES_FOLLOW: u16 = 1 << 3;
const NAME_IS_UTF8: u16 = 1 << 11;

/// An archive that is being read.
pub(super) struct ZipReader {
    step: Step,
    /// What came of a header or descriptor that is not whole yet.
    gathered: Vec<u8>,
    name: Option<String>,
}

enum Step {
    Header,
    Name(Header),
    Body {
        entry: Entry,
        /// What the header promised, unless a descriptor follows.
        promised: Option<Sizes>,
    },
    Descriptor(Sizes),
    Done,
}

/// What a local header says.
struct Header {
    flags: u16,
    method: u16,
    sizes: Sizes,
    name: usize,
    extra: usize,
}

impl ZipReader {
    pub(super) fn new() -> Self {
        Self { step: Step::Header, gathered: Vec::new(), name: None }
    }

    /// Reads on, taking from the front of `archive` and appending to `plain`, until there is
    /// nothing more to take, or `plain` is full ([`PIECE`](super::PIECE) bytes, for which it must
    /// have room).
    ///
    /// # Errors
    /// When the archive is broken, or one that neither we nor the original make.
    pub(super) fn read(
        &mut self,
        archive: &mut &[u8],
        plain: &mut Zeroizing<Vec<u8>>,
    ) -> Result<(), Unreadable> {
        while let Some(next) = self.next_step(archive, plain)? {
            self.step = next;
        }
        Ok(())
    }

    /// The entry's name, once its header was read.
    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Whether the entry was read to its end, and is what header or descriptor promised.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.step, Step::Done)
    }

    /// What follows upon this step, if it came to its end.
    fn next_step(
        &mut self,
        archive: &mut &[u8],
        plain: &mut Zeroizing<Vec<u8>>,
    ) -> Result<Option<Step>, Unreadable> {
        let gathered = &mut self.gathered;
        match &mut self.step {
            Step::Header => {
                if !gather(gathered, HEADER, archive) {
                    return Ok(None);
                }
                let header = Header::read(gathered)?;
                gathered.clear();
                Ok(Some(Step::Name(header)))
            }
            Step::Name(header) => {
                if !gather(gathered, header.name + header.extra, archive) {
                    return Ok(None);
                }
                self.name = Some(header.name_of(&gathered[..header.name])?);
                gathered.clear();
                header.body().map(Some)
            }
            Step::Body { entry, promised } => {
                if !entry.read(archive, plain)? {
                    return Ok(None);
                }
                let found = entry.sizes()?;
                match promised {
                    None => Ok(Some(Step::Descriptor(found))),
                    Some(promised) => found.confirmed_by(promised).map(|()| Some(Step::Done)),
                }
            }
            Step::Descriptor(found) => {
                if !gather(gathered, Sizes::BYTES, archive) {
                    return Ok(None);
                }
                // The signature in front of it may be left out.
                let signature = if gathered.starts_with(b"PK\x07\x08") { 4 } else { 0 };
                if !gather(gathered, signature + Sizes::BYTES, archive) {
                    return Ok(None);
                }
                found.confirmed_by(&Sizes::read(&gathered[signature..])?)?;
                Ok(Some(Step::Done))
            }
            Step::Done => {
                *archive = &[];
                Ok(None)
            }
        }
    }
}

impl Header {
    /// Reads the fixed part of a local header, which has [`HEADER`] bytes.
    fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        let two = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let header = Self {
            flags: two(6),
            method: two(8),
            sizes: Sizes::read(&bytes[14..26])?,
            name: two(26).into(),
            extra: two(28).into(),
        };
        let readable = bytes.starts_with(b"PK\x03\x04")
            && header.flags & ENCRYPTED == 0
            && (1..=NAME_BYTES).contains(&header.name);
        if readable { Ok(header) } else { Err(Unreadable) }
    }

    fn name_of(&self, bytes: &[u8]) -> Result<String, Unreadable> {
        if self.flags & NAME_IS_UTF8 == 0 {
            return Ok(code_page::decode(bytes));
        }
        String::from_utf8(bytes.to_vec()).map_err(|_| Unreadable)
    }

    fn body(&self) -> Result<Step, Unreadable> {
        let promised = (self.flags & SIZES_FOLLOW == 0).then_some(self.sizes);
        let entry = match (self.method, promised) {
            // Only a size in front of it says where a stored entry ends.
            (0, Some(sizes)) => Entry::stored(sizes.packed),
            (8, sizes) => Entry::deflated(sizes.map(|sizes| sizes.packed)),
            _ => return Err(Unreadable),
        };
        Ok(Step::Body { entry, promised })
    }
}

/// Fills `gathered` up to `needed` bytes from the front of `archive`; whether it has them all.
fn gather(gathered: &mut Vec<u8>, needed: usize, archive: &mut &[u8]) -> bool {
    let missing = needed.saturating_sub(gathered.len());
    let (taken, rest) = archive.split_at(missing.min(archive.len()));
    gathered.extend_from_slice(taken);
    *archive = rest;
    gathered.len() >= needed
}
