//! Writing a zip archive with one entry whose length nobody knows yet (APPNOTE 6.3.10).
//!
//! ```text
//! local header, sizes 0 | name | deflated bytes | descriptor | directory entry | name | its end
//! ```
//!
//! The time in it is always 1980-01-01, the first that the format has: the archive says nothing
//! that the message does not say.

use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use zeroize::Zeroizing;

use super::PIECE;

/// 2.0: deflate.
const VERSION: u16 = 20;
/// Sizes follow the entry (bit 3), its name is UTF-8 (bit 11).
const FLAGS: u16 = 1 << 3 | 1 << 11;
const DEFLATED: u16 = 8;
const MIDNIGHT: u16 = 0;
const FIRST_DAY: u16 = 1 << 5 | 1;
/// Of a local header, without the name.
const HEADER: u64 = 30;
/// Larger numbers would need zip64; the largest of 32 bits says that they are elsewhere.
pub(super) const LIMIT: u64 = 0xffff_fffe;

/// An archive that is being written.
pub(super) struct ZipWriter {
    name: String,
    compressor: Compress,
    checksum: Crc,
    plain: u64,
    packed: u64,
    buffer: Zeroizing<Vec<u8>>,
}

/// The archive would need numbers of more than 32 bits.
pub(super) struct TooLarge;

impl ZipWriter {
    /// Begins an archive. The name has at most 65535 bytes.
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            compressor: Compress::new(Compression::default(), false),
            checksum: Crc::new(),
            plain: 0,
            packed: 0,
            buffer: Zeroizing::new(Vec::with_capacity(PIECE)),
        }
    }

    /// What stands in front of the entry.
    pub(super) fn header(&self) -> Vec<u8> {
        let mut bytes = b"PK\x03\x04".to_vec();
        self.shared_fields(&mut bytes, [0; 3]);
        bytes.extend_from_slice(self.name.as_bytes());
        bytes
    }

    /// Compresses the next bytes of the entry, the last ones if `last`, and hands on what can be
    /// written by now. The same cuts between calls give the same archive; other cuts may not.
    ///
    /// # Errors
    /// [`TooLarge`].
    pub(super) fn write(
        &mut self,
        mut plain: &[u8],
        last: bool,
        hand_on: &mut dyn FnMut(&[u8]),
    ) -> Result<(), TooLarge> {
        self.plain += plain.len() as u64;
        if self.plain > LIMIT {
            return Err(TooLarge);
        }
        self.checksum.update(plain);
        let flush = if last { FlushCompress::Finish } else { FlushCompress::None };
        loop {
            self.buffer.clear();
            let before = self.compressor.total_in();
            let outcome = self.compressor.compress_vec(plain, &mut self.buffer, flush);
            // It fails only when it is called in a wrong order, which ends in an archive that is
            // never finished.
            let status = outcome.map_err(|_| TooLarge)?;
            let taken = usize::try_from(self.compressor.total_in() - before).unwrap_or_default();
            plain = plain.get(taken..).unwrap_or_default();
            self.packed += self.buffer.len() as u64;
            hand_on(&self.buffer);
            let full = self.buffer.len() == self.buffer.capacity();
            let done = if last { status == Status::StreamEnd } else { plain.is_empty() && !full };
            if done {
                return Ok(());
            }
        }
    }

    /// What stands behind the entry.
    ///
    /// # Errors
    /// [`TooLarge`].
    pub(super) fn trailer(&self) -> Result<Vec<u8>, TooLarge> {
        let small = |number: u64| u32::try_from(number).ok().filter(|_| number <= LIMIT);
        let name = self.name.len() as u64;
        let directory = small(HEADER + name + self.packed + 16).ok_or(TooLarge)?;
        let packed = small(self.packed).ok_or(TooLarge)?;
        let plain = small(self.plain).ok_or(TooLarge)?;
        let sizes = [self.checksum.sum(), packed, plain];

        let mut bytes = b"PK\x07\x08".to_vec();
        sizes.iter().for_each(|size| bytes.extend(size.to_le_bytes()));

        bytes.extend_from_slice(b"PK\x01\x02");
        bytes.extend(VERSION.to_le_bytes());
        self.shared_fields(&mut bytes, sizes);
        // No comment, disk 0, no attributes, the entry at 0.
        bytes.extend([0; 2 + 2 + 2 + 4 + 4]);
        bytes.extend_from_slice(self.name.as_bytes());

        bytes.extend_from_slice(b"PK\x05\x06");
        bytes.extend([0, 0, 0, 0, 1, 0, 1, 0]);
        // 46 bytes of the directory's entry besides its name, which fits with the entry itself.
        bytes.extend(small(46 + name).ok_or(TooLarge)?.to_le_bytes());
        bytes.extend(directory.to_le_bytes());
        bytes.extend([0, 0]);
        Ok(bytes)
    }

    /// What header and directory have in common, up to the length of the extra field.
    fn shared_fields(&self, bytes: &mut Vec<u8>, sizes: [u32; 3]) {
        for field in [VERSION, FLAGS, DEFLATED, MIDNIGHT, FIRST_DAY] {
            bytes.extend(field.to_le_bytes());
        }
        sizes.iter().for_each(|size| bytes.extend(size.to_le_bytes()));
        // The sealer accepts only names that fit.
        let name = u16::try_from(self.name.len()).unwrap_or(u16::MAX);
        bytes.extend(name.to_le_bytes());
        bytes.extend([0, 0]);
    }
}
