//! Attachments that are known by a number, in protocols that have numbers where others have UUIDs.

use super::{Attachment, Files};
use crate::domain::error::Fault;
use crate::domain::ids::{AccountNumber, AttachmentId};

/// A number of 63 random bits, which stands for an attachment: its id is eight bytes of zero and
/// the number. No random UUID looks like that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttachmentNumber(u64);

const LARGEST: u64 = u64::MAX >> 1;

impl AttachmentNumber {
    /// Reads a number in decimal, as it is written: without a sign and without zeroes before it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let number: u64 = text.parse().ok().filter(|number| *number <= LARGEST)?;
        (number.to_string() == text).then_some(Self(number))
    }

    /// The number that an id is made of, if it is.
    #[must_use]
    pub fn of(id: AttachmentId) -> Option<Self> {
        let bytes = u128::from_be_bytes(*id.as_bytes());
        u64::try_from(bytes).ok().filter(|number| *number <= LARGEST).map(Self)
    }

    /// The id that it stands for.
    #[must_use]
    pub fn id(self) -> AttachmentId {
        AttachmentId::from_bytes(u128::from(self.0).to_be_bytes())
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
}

impl Files {
    /// Opens an attachment that is known by a number.
    ///
    /// # Errors
    /// As [`Files::open`].
    pub async fn open_numbered(
        &self,
        owner: AccountNumber,
    ) -> Result<(AttachmentNumber, Attachment), Fault> {
        let mut bytes = [0; 8];
        self.gateway.entropy.fill(&mut bytes);
        let number = AttachmentNumber(u64::from_be_bytes(bytes) & LARGEST);
        Ok((number, self.open_as(number.id(), owner).await?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stands_for_an_id() {
        let number = AttachmentNumber::parse("9223372036854775807").unwrap();
        assert_eq!(number.get(), LARGEST);
        assert_eq!(number.id().to_string(), "00000000-0000-0000-7fff-ffffffffffff");
        assert_eq!(AttachmentNumber::of(number.id()), Some(number));
        assert_eq!(AttachmentNumber::of(AttachmentId::from_bytes([1; 16])), None);
    }

    #[test]
    fn anything_else_is_no_number() {
        for bad in ["", "x", "-1", "+1", "01", "1.5", "9223372036854775808"] {
            assert_eq!(AttachmentNumber::parse(bad), None, "{bad}");
        }
    }
}
