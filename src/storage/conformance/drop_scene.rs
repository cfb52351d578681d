//! Drop boxes of the stories, and what is left in them.

use super::scene::{START, Scene, at};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::dropbox::file::NewDropFile;
use crate::domain::dropbox::message::NewDropMessage;
use crate::domain::dropbox::{
    AfterReading, BoxNumber, BoxToken, CreatedBox, DropBox, DropId, DropPage, Form, NewDropBox,
    Put, PutOutcome, ReadDrop, Room, SecretDigest, StoredFile, Taking,
};
use crate::domain::ids::AttachmentId;

/// What a box may hold.
pub(super) const ROOM: Room = Room { messages: 1000, bytes: 10_000 };

/// The bytes of a file.
const FILE_BYTES: u64 = 100;

/// A box that is locked at 1000 seconds and over at 2000.
pub(super) fn new_box(n: u8) -> NewDropBox {
    NewDropBox {
        token: BoxToken::two([n; 16]),
        public_key: vec![n; 44],
        private_key: Some(vec![n; 76]),
        kdf: Some("kdf".to_owned()),
        secret: Some(SecretDigest::of(&[n])),
        created_at: START,
        release_at: None,
        lock_at: at(1000),
        ends_at: at(2000),
        after_reading: AfterReading::default(),
        notify: None,
    }
}

/// A text of ten bytes with its key, over at 500 seconds.
pub(super) fn text(n: u8) -> NewDropMessage {
    NewDropMessage {
        id: DropId([n; 16]),
        form: Form::Sealed,
        encryption_key: vec![n; 4],
        data: vec![n; 6],
        hash: None,
        name: Vec::new(),
        file: None,
        created_at: START,
        ends_at: at(500),
    }
}

pub(super) fn file_id(n: u8) -> AttachmentId {
    AttachmentId::from_bytes([n.wrapping_mul(179); 16])
}

pub(super) fn stored(n: u8) -> StoredFile {
    StoredFile { id: file_id(n), length: FILE_BYTES }
}

/// A file of a hundred bytes, whose key and name have ten, over at 500 seconds.
pub(super) fn file(n: u8) -> NewDropMessage {
    let (name, file) = (vec![n; 6], Some(stored(n)));
    NewDropMessage { form: Form::File, data: Vec::new(), name, file, ..text(n) }
}

/// All of a box at the beginning.
pub(super) fn all_of(from: BoxNumber) -> ReadDrop {
    let taking = Taking::Nothing;
    ReadDrop { from, after: 0, now: START, limit: 100, bytes: 1 << 20, taking, ending: None }
}

/// The numbers of the messages on a page.
pub(super) fn numbers(page: &DropPage) -> Vec<i64> {
    page.messages.iter().map(|message| message.number).collect()
}

impl Scene {
    pub(super) async fn make_box(&self, new: NewDropBox) -> DropBox {
        let CreatedBox::New(made) = self.store.create_drop_box(new).await.unwrap() else {
            panic!("the token is taken")
        };
        made
    }

    pub(super) async fn drop_box(&self, n: u8) -> BoxNumber {
        self.make_box(new_box(n)).await.number
    }

    /// Opens a file whose bytes have to come within 100 seconds.
    pub(super) async fn open_file(&self, n: u8) {
        let new = NewDropFile { id: file_id(n), ends_at: at(100) };
        self.store.open_drop_file(new).await.unwrap();
    }

    pub(super) async fn try_to_leave(
        &self,
        to: BoxNumber,
        messages: Vec<NewDropMessage>,
    ) -> Result<PutOutcome, Fault> {
        self.store.put_drop_messages(Put { to, messages, now: START, room: ROOM }).await
    }

    /// Leaves messages that nothing speaks against; returns the number of the first.
    pub(super) async fn leave(&self, to: BoxNumber, messages: Vec<NewDropMessage>) -> i64 {
        match self.try_to_leave(to, messages).await.unwrap() {
            PutOutcome::Stored(first) => first,
            refused => panic!("{refused:?}"),
        }
    }

    pub(super) async fn read_box(&self, read: ReadDrop) -> DropPage {
        self.store.drop_messages(read).await.unwrap()
    }

    /// The numbers of all that is in a box.
    pub(super) async fn numbers_in(&self, number: BoxNumber) -> Vec<i64> {
        numbers(&self.read_box(all_of(number)).await)
    }

    /// Files that are over then, which they are for good from now on.
    pub(super) async fn files_over(&self, now: Timestamp) -> Vec<AttachmentId> {
        let mut over = self.store.over_drop_files(now, 1000).await.unwrap();
        over.sort_unstable();
        over
    }
}
