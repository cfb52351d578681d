//! The bytes of one entry of a zip archive, and what is counted of them.

use flate2::{Crc, Decompress, FlushDecompress, Status};
use zeroize::Zeroizing;

use super::super::Unreadable;
use super::PIECE;

/// Checksum and sizes, as header and descriptor have them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) checksum: u32,
    pub(super) packed: u32,
    pub(super) plain: u32,
}

/// An entry that is being read.
pub(super) struct Entry {
    method: Method,
    /// What it has to have in packed bytes, if that is known before its end.
    length: Option<u64>,
    checksum: Crc,
    packed: u64,
    plain: u64,
}

enum Method {
    Stored,
    Deflated(Box<Decompress>),
}

impl Sizes {
    /// How many bytes they take.
    pub(super) const BYTES: usize = 12;

    /// Reads three numbers of four bytes, low byte first.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        let (numbers, []) = bytes.as_chunks::<4>() else { return Err(Unreadable) };
        let [checksum, packed, plain] = numbers else { return Err(Unreadable) };
        let [checksum, packed, plain] = [checksum, packed, plain].map(|n| u32::from_le_bytes(*n));
        // The largest number says that the size is in a field of zip64, which nobody needs here.
        if packed == u32::MAX || plain == u32::MAX {
            return Err(Unreadable);
        }
        Ok(Self { checksum, packed, plain })
    }

    /// Whether what was found is what was promised.
    pub(super) fn confirmed_by(&self, promised: &Self) -> Result<(), Unreadable> {
        if self == promised { Ok(()) } else { Err(Unreadable) }
    }
}

impl Entry {
    /// An entry that is not compressed.
    pub(super) fn stored(length: u32) -> Self {
        Self::new(Method::Stored, Some(length))
    }

    /// A compressed entry, which ends where its own bytes say so: with `length`, if it is given.
    pub(super) fn deflated(length: Option<u32>) -> Self {
        Self::new(Method::Deflated(Box::new(Decompress::new(false))), length)
    }

    fn new(method: Method, length: Option<u32>) -> Self {
        let length = length.map(u64::from);
        Self { method, length, checksum: Crc::new(), packed: 0, plain: 0 }
    }

    /// Reads on until there is nothing more to take, `plain` is full, or the entry ends: then true.
    ///
    /// # Errors
    /// When the bytes are not compressed ones, or go on where they should end.
    pub(super) fn read(
        &mut self,
        archive: &mut &[u8],
        plain: &mut Zeroizing<Vec<u8>>,
    ) -> Result<bool, Unreadable> {
        loop {
            let left = self.length.map_or(u64::MAX, |length| length.saturating_sub(self.packed));
            let within = archive.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let start = plain.len();
            let room = PIECE.saturating_sub(start);
            let (taken, ended) = match &mut self.method {
                Method::Stored => {
                    let taken = within.min(room);
                    plain.extend_from_slice(&archive[..taken]);
                    (taken, left == taken as u64)
                }
                // It may have more to give, but there must be room to see whether it ended.
                Method::Deflated(_) if room == 0 => return Ok(false),
                Method::Deflated(inflater) => inflate(inflater, &archive[..within], plain)?,
            };
            *archive = &archive[taken..];
            self.packed += taken as u64;
            self.plain += (plain.len() - start) as u64;
            self.checksum.update(&plain[start..]);
            if ended {
                return Ok(true);
            }
            if taken == 0 && plain.len() == start {
                // It waits, unless there are bytes that it does not take.
                let stuck = !archive.is_empty() && room > 0;
                return if stuck { Err(Unreadable) } else { Ok(false) };
            }
        }
    }

    /// What was read so far.
    ///
    /// # Errors
    /// When that is more than numbers of 32 bits can say.
    pub(super) fn sizes(&self) -> Result<Sizes, Unreadable> {
        Ok(Sizes {
            checksum: self.checksum.sum(),
            packed: u32::try_from(self.packed).map_err(|_| Unreadable)?,
            plain: u32::try_from(self.plain).map_err(|_| Unreadable)?,
        })
    }
}

/// Decompresses into the room that `plain` has left: how many bytes were taken, and whether the
/// end was reached.
fn inflate(
    inflater: &mut Decompress,
    packed: &[u8],
    plain: &mut Vec<u8>,
) -> Result<(usize, bool), Unreadable> {
    let before = inflater.total_in();
    let status =
        inflater.decompress_vec(packed, plain, FlushDecompress::None).map_err(|_| Unreadable)?;
    let taken = usize::try_from(inflater.total_in() - before).map_err(|_| Unreadable)?;
    Ok((taken, status == Status::StreamEnd))
}
