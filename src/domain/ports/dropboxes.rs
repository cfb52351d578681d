//! What drop boxes need from outside: a store, and somebody who sends mail.

use async_trait::async_trait;

use crate::domain::clock::Timestamp;
use crate::domain::dropbox::file::NewDropFile;
use crate::domain::dropbox::letter::TakeLetter;
use crate::domain::dropbox::{
    BoxNumber, BoxToken, CreatedBox, DropBox, DropId, DropMessage, DropPage, Letter, Mail,
    NewDropBox, Put, PutOutcome, ReadDrop,
};
use crate::domain::error::Fault;
use crate::domain::ids::AttachmentId;

/// Drop boxes, the messages in them, letters, and the files of both.
#[async_trait]
pub trait DropBoxes: Send + Sync {
    /// Makes a box, unless there is one under its token, over or not.
    async fn create_drop_box(&self, new: NewDropBox) -> Result<CreatedBox, Fault>;

    /// The box with this token, over or not.
    async fn drop_box(&self, token: &BoxToken) -> Result<Option<DropBox>, Fault>;

    /// Leaves messages in a box, durably before it returns, all of them or none, at the end of
    /// those that are there. Numbers rise in the order of commits. From then on their files are
    /// kept for as long as they are; one whose file is gone by now cannot be left.
    ///
    /// # Errors
    /// [`Fault::NotFound`] (`file`) when a file is gone.
    async fn put_drop_messages(&self, put: Put) -> Result<PutOutcome, Fault>;

    /// Reads messages, oldest first. In the same transaction it takes them out and ends the box, if
    /// it is asked to: what is taken is handed out once, however many read at the same time, and
    /// nothing comes into a box between the last look into it and its end.
    async fn drop_messages(&self, read: ReadDrop) -> Result<DropPage, Fault>;

    /// One message of a box, over or not.
    async fn drop_message(&self, of: BoxNumber, id: DropId) -> Result<Option<DropMessage>, Fault>;

    /// Deletes the message of a box with this number; its file is over from `now` on. Returns
    /// whether there was one.
    async fn delete_drop_message(
        &self,
        of: BoxNumber,
        number: i64,
        now: Timestamp,
    ) -> Result<bool, Fault>;

    /// Lets the message of a box with this number end at that moment, unless it ends earlier. Its file
    /// goes with it.
    async fn end_drop_message(
        &self,
        of: BoxNumber,
        number: i64,
        ends_at: Timestamp,
    ) -> Result<(), Fault>;

    /// Deletes a box; returns whether there was one. From now on it is over for everybody. If there
    /// is not much in it, it is gone and its token is free; otherwise [`Self::forget_drops`] goes
    /// on. Its files are over from `now` on, or when they are forgotten with it.
    async fn delete_drop_box(&self, number: BoxNumber, now: Timestamp) -> Result<bool, Fault>;

    /// Keeps a letter; its file is kept for as long.
    ///
    /// # Errors
    /// [`Fault::NotFound`] (`file`) when its file is gone.
    async fn keep_letter(&self, letter: Letter) -> Result<(), Fault>;

    /// Takes a letter out for whoever shows its secret; however many ask at the same time, one of
    /// them gets it. Nothing happens without the right secret, or when it is over.
    async fn take_letter(&self, take: TakeLetter) -> Result<Option<Letter>, Fault>;

    /// Notes a file before its bytes come.
    async fn open_drop_file(&self, file: NewDropFile) -> Result<(), Fault>;

    /// From now on that file is over, unless a message or a letter ever kept it.
    async fn end_drop_file(&self, id: AttachmentId) -> Result<(), Fault>;

    /// At most `limit` files that are over: nothing can keep them any more.
    async fn over_drop_files(&self, now: Timestamp, limit: u32)
    -> Result<Vec<AttachmentId>, Fault>;

    /// Forgets those of these files that are over.
    async fn forget_drop_files(&self, ids: Vec<AttachmentId>) -> Result<(), Fault>;

    /// Those of `ids` that are on file, over or not.
    async fn drop_files_among(&self, ids: &[AttachmentId]) -> Result<Vec<AttachmentId>, Fault>;

    /// Forgets at most `limit` messages, letters and empty boxes that are over, with what is in
    /// such boxes; returns how many rows went. Their files are over from `now` on.
    async fn forget_drops(&self, now: Timestamp, limit: u32) -> Result<u64, Fault>;

    /// About how many bytes all boxes and letters hold, with 1 KiB for each of them. It looks at
    /// each, so it is not for every request.
    async fn drop_bytes(&self) -> Result<u64, Fault>;
}

/// Sends mail.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Sends a mail.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when nobody took it.
    async fn send(&self, mail: &Mail) -> Result<(), Fault>;
}
