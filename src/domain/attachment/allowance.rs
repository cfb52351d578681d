//! How much of the disk one account may fill with attachments.

use crate::domain::error::Fault;

/// How much an account may keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Files. Each costs the disk more than its bytes, and the store never counts further.
    pub files: u32,
    /// Bytes of all of them; `None` for any number.
    pub bytes: Option<u64>,
}

/// How much an account keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Files, counted no further than [`Allowance::files`].
    pub files: u64,
    /// Bytes of the files that were counted.
    pub bytes: u64,
}

/// What there is too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// In words.
    pub what: &'static str,
    /// How much there would be.
    pub actual: u64,
    /// How much there may be.
    pub limit: u64,
}

impl Allowance {
    /// What speaks against another file of so many bytes, if anything does.
    #[must_use]
    pub fn shortage(&self, kept: Kept, length: u64) -> Option<Shortage> {
        let files = kept.files.saturating_add(1);
        if files > u64::from(self.files) {
            let what = "the number of files that this account keeps";
            return Some(Shortage { what, actual: files, limit: self.files.into() });
        }
        let bytes = kept.bytes.saturating_add(length);
        let limit = self.bytes.filter(|limit| bytes > *limit)?;
        Some(Shortage {
            what: "the size in bytes of what this account keeps",
            actual: bytes,
            limit,
        })
    }
}

impl From<Shortage> for Fault {
    fn from(Shortage { what, actual, limit }: Shortage) -> Self {
        Self::TooLarge { what, actual, limit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_counted_with_what_comes() {
        let short = |bytes, kept, length| {
            let kept = Kept { files: 2, bytes: kept };
            Allowance { files: 3, bytes }.shortage(kept, length).map(|it| (it.actual, it.limit))
        };
        assert_eq!(short(Some(30), 20, 10), None);
        assert_eq!(short(Some(30), 21, 10), Some((31, 30)));
        assert_eq!(short(None, u64::MAX, 10), None);
        let full = Allowance { files: 2, bytes: None };
        let shortage = full.shortage(Kept { files: 2, bytes: 0 }, 0).unwrap();
        assert_eq!((shortage.actual, shortage.limit), (3, 2));
    }
}
