//! Drop boxes: whether messages fit in, how many come on a page, and what goes of them; decided here
//! for every store.

use std::collections::BTreeMap;

use crate::domain::clock::Timestamp;
use crate::domain::dropbox::message::NewDropMessage;
use crate::domain::dropbox::{
    BoxNumber, DropMessage, DropPage, Ending, Put, PutOutcome, ReadDrop, Taking,
};
use crate::domain::ids::AttachmentId;

/// What a box's row says of the room in it.
#[derive(Clone, Copy)]
pub(super) struct Standing {
    /// From then on nothing can be left.
    pub lock_at: Timestamp,
    /// From then on it is over.
    pub ends_at: Timestamp,
    /// Whether its end was read.
    pub is_closed: bool,
    /// How many messages are in it.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Standing {
    /// What speaks against leaving messages in it, if anything does.
    pub(super) fn refusal(self, put: &Put) -> Option<PutOutcome> {
        if self.ends_at <= put.now {
            return Some(PutOutcome::Gone);
        }
        if self.is_closed || self.lock_at <= put.now {
            return Some(PutOutcome::Locked);
        }
        let messages = self.messages.saturating_add(put.messages.len() as u64);
        let bytes = self.bytes.saturating_add(put_bytes(put));
        if messages > put.room.messages {
            return Some(PutOutcome::FullOfMessages);
        }
        (bytes > put.room.bytes).then_some(PutOutcome::FullOfBytes)
    }
}

/// The bytes of messages that count against what their box may hold.
pub(super) fn put_bytes(put: &Put) -> u64 {
    let bytes = put.messages.iter().map(NewDropMessage::bytes);
    bytes.fold(0, u64::saturating_add)
}

/// The bytes that a put hands to the store: files are elsewhere by then.
pub(super) fn put_cost(put: &Put) -> usize {
    let bytes = put.messages.iter().map(NewDropMessage::small_bytes);
    usize::try_from(bytes.fold(0, u64::saturating_add)).unwrap_or(usize::MAX)
}

/// A number as a database takes it.
pub(super) fn column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A page that is being filled with the messages of a box, in their order.
pub(super) struct Filling {
    read: ReadDrop,
    bytes: u64,
    page: DropPage,
}

impl Filling {
    /// An empty one.
    pub(super) fn new(read: ReadDrop) -> Self {
        Self { read, bytes: 0, page: DropPage { messages: Vec::new(), more: false } }
    }

    /// How many messages say all about the page: those that may come on it, and one more.
    pub(super) fn most_rows(&self) -> i64 {
        i64::from(self.read.limit) + 1
    }

    /// Adds the next message; `false` when there is no room for it, nor for any later one.
    pub(super) fn add(&mut self, message: DropMessage) -> bool {
        let is_first = self.page.messages.is_empty();
        let is_full = self.page.messages.len() >= self.read.limit as usize;
        if is_full || (!is_first && self.bytes >= self.read.bytes) {
            self.page.more = true;
            return false;
        }
        self.bytes = self.bytes.saturating_add(message.content.small_bytes());
        self.page.messages.push(message);
        true
    }

    /// The page, and what goes of it.
    pub(super) fn finish(self) -> (DropPage, Gone) {
        let mut gone = Gone::default();
        let going = self.page.messages.iter().filter(|message| match self.read.taking {
            Taking::Nothing => false,
            Taking::Texts => message.content.file.is_none(),
            Taking::All { .. } => true,
        });
        for message in going {
            let file = message.content.file.map(|file| file.id);
            gone.add(self.read.from, column(message.content.bytes()), file);
        }
        (self.page, gone)
    }
}

/// What becomes of the box that was read, as far as the page can tell: a store still has to see
/// whether there ever was a message with the number after which the page begins.
pub(super) fn ending(read: &ReadDrop, page: &DropPage) -> Option<Ending> {
    let is_end = !page.more && (!page.messages.is_empty() || read.after > 0);
    read.ending.filter(|_| is_end)
}

/// Messages that went.
#[derive(Default)]
pub(super) struct Gone {
    /// How many of which box, and their bytes.
    pub boxes: BTreeMap<BoxNumber, (i64, i64)>,
    /// Their files.
    pub files: Vec<AttachmentId>,
}

impl Gone {
    /// Counts another one.
    pub(super) fn add(&mut self, of: BoxNumber, bytes: i64, file: Option<AttachmentId>) {
        let (messages, sum) = self.boxes.entry(of).or_default();
        (*messages, *sum) = (*messages + 1, sum.saturating_add(bytes));
        self.files.extend(file);
    }

    /// How many there are.
    pub(super) fn messages(&self) -> u64 {
        self.boxes.values().map(|(messages, _)| messages.unsigned_abs()).sum()
    }
}
