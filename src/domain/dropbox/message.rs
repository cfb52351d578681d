//! Messages in a drop box.

use std::fmt;

use super::BoxNumber;
use super::file::StoredFile;
use crate::domain::clock::Timestamp;

/// The public id of a message or a letter: 16 random bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DropId(pub [u8; 16]);

impl DropId {
    /// The id with this text, 32 lower-case hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_one = text.len() == 32 && text.bytes().all(is_lower);
        let value = is_one.then(|| u128::from_str_radix(text, 16).ok()).flatten()?;
        Some(Self(value.to_be_bytes()))
    }
}

impl fmt::Display for DropId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for DropId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a message is made of; the store keeps the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Version 1: text that the gateway encrypted, one byte for each character.
    Latin = 0,
    /// Version 1: text that the gateway encrypted as UTF-8.
    Utf8 = 1,
    /// As its sender encrypted it.
    Sealed = 2,
    /// A file.
    File = 3,
}

impl Form {
    /// The form with this number.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        [Self::Latin, Self::Utf8, Self::Sealed, Self::File]
            .into_iter()
            .find(|form| *form as i64 == number)
    }
}

/// A message that is to be left.
#[derive(Clone, PartialEq, Eq)]
pub struct NewDropMessage {
    /// Its public id.
    pub id: DropId,
    /// What it is made of.
    pub form: Form,
    /// The encrypted key, as its version writes it.
    pub encryption_key: Vec<u8>,
    /// The encrypted message, as its version writes it; empty for a file.
    pub data: Vec<u8>,
    /// Version 1: the hash that the original keeps of a message that it encrypts.
    pub hash: Option<String>,
    /// Version 2: the encrypted name of a file; empty otherwise.
    pub name: Vec<u8>,
    /// The bytes of a file.
    pub file: Option<StoredFile>,
    /// The present moment.
    pub created_at: Timestamp,
    /// From then on it is over.
    pub ends_at: Timestamp,
}

impl NewDropMessage {
    /// The bytes of its key, text and name: all that the store itself has of it.
    #[must_use]
    pub fn small_bytes(&self) -> u64 {
        (self.encryption_key.len() + self.data.len() + self.name.len()) as u64
    }

    /// The bytes that count against what its box may hold: with those of its file.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.small_bytes().saturating_add(self.file.map_or(0, |file| file.length))
    }
}

/// A message on file.
#[derive(Clone, PartialEq, Eq)]
pub struct DropMessage {
    /// Its place in its box, from 1 on, in the order in which messages came.
    pub number: i64,
    /// All else.
    pub content: NewDropMessage,
}

/// What a box may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Messages.
    pub messages: u64,
    /// Bytes of keys, texts, names and files.
    pub bytes: u64,
}

/// Messages that come to one box, all of them or none.
#[derive(Clone, PartialEq, Eq)]
pub struct Put {
    /// The box.
    pub to: BoxNumber,
    /// The messages, in order; at least one.
    pub messages: Vec<NewDropMessage>,
    /// The present moment.
    pub now: Timestamp,
    /// What the box may hold.
    pub room: Room,
}

/// What became of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOutcome {
    /// They are kept; the number of the first one.
    Stored(i64),
    /// The box is gone.
    Gone,
    /// The box takes no messages any more.
    Locked,
    /// The box holds as many messages as it may.
    FullOfMessages,
    /// The box holds as many bytes as it may.
    FullOfBytes,
}

/// What is counted when a box is full of messages, for [`Fault::TooLarge`](crate::domain::Fault).
pub const FULL_OF_MESSAGES: &str = "this drop box is full: the number of messages in it";

/// The same for a box that is full of bytes.
pub const FULL_OF_BYTES: &str = "this drop box is full: the number of bytes in it";

/// What goes of the messages that are read, in the transaction that reads them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taking {
    /// Nothing.
    Nothing,
    /// All but files.
    Texts,
    /// All; bytes of files are kept until then.
    All {
        /// Until when.
        files_until: Timestamp,
    },
}

/// What becomes of a box in the transaction that reads the end of it. From then on nothing comes
/// into it, so nothing was left in it that its reader did not see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It is gone for everybody at once, unless a message is left in it.
    Now,
    /// It is over then, or earlier if it would be anyway.
    At(Timestamp),
}

/// A look into a box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadDrop {
    /// The box.
    pub from: BoxNumber,
    /// Messages after that number alone; 0 for all.
    pub after: i64,
    /// The present moment: what is over is left out.
    pub now: Timestamp,
    /// At most so many messages.
    pub limit: u32,
    /// No further message once so many bytes of keys, texts and names are read; one message always
    /// comes.
    pub bytes: u64,
    /// What goes.
    pub taking: Taking,
    /// What becomes of the box if this comes to its end: nothing is left behind the page, and the
    /// page holds a message or goes on after one of the box. An empty box is not ended.
    pub ending: Option<Ending>,
}

/// A part of a box, oldest first.
#[derive(Clone, PartialEq, Eq)]
pub struct DropPage {
    /// The messages.
    pub messages: Vec<DropMessage>,
    /// Whether there are more after them.
    pub more: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_thirty_two_digits() {
        let id = DropId::parse("0123456789abcdef0123456789abcdef").unwrap();
        assert_eq!(id.to_string(), "0123456789abcdef0123456789abcdef");
        assert!(DropId::parse("0123456789ABCDEF0123456789abcdef").is_none());
        assert!(DropId::parse("").is_none());
    }

    #[test]
    fn a_form_has_a_number() {
        for form in [Form::Latin, Form::Utf8, Form::Sealed, Form::File] {
            assert_eq!(Form::from_number(form as i64), Some(form));
        }
        assert!(Form::from_number(4).is_none());
    }
}
