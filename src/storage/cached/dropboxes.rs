//! Drop boxes pass: nobody asks for one often enough that it were worth remembering.

use async_trait::async_trait;

use super::CachedStore;
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::dropbox::file::NewDropFile;
use crate::domain::dropbox::letter::TakeLetter;
use crate::domain::dropbox::{
    BoxNumber, BoxToken, CreatedBox, DropBox, DropId, DropMessage, DropPage, Letter, NewDropBox,
    Put, PutOutcome, ReadDrop,
};
use crate::domain::ids::AttachmentId;
use crate::domain::ports::DropBoxes;

#[async_trait]
impl DropBoxes for CachedStore {
    async fn create_drop_box(&self, new: NewDropBox) -> Result<CreatedBox, Fault> {
        self.inner.create_drop_box(new).await
    }

    async fn drop_box(&self, token: &BoxToken) -> Result<Option<DropBox>, Fault> {
        self.inner.drop_box(token).await
    }

    async fn put_drop_messages(&self, put: Put) -> Result<PutOutcome, Fault> {
        self.inner.put_drop_messages(put).await
    }

    async fn drop_messages(&self, read: ReadDrop) -> Result<DropPage, Fault> {
        self.inner.drop_messages(read).await
    }

    async fn drop_message(&self, of: BoxNumber, id: DropId) -> Result<Option<DropMessage>, Fault> {
        self.inner.drop_message(of, id).await
    }

    async fn delete_drop_message(
        &self,
        of: BoxNumber,
        number: i64,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        self.inner.delete_drop_message(of, number, now).await
    }

    async fn end_drop_message(
        &self,
        of: BoxNumber,
        number: i64,
        ends_at: Timestamp,
    ) -> Result<(), Fault> {
        self.inner.end_drop_message(of, number, ends_at).await
    }

    async fn delete_drop_box(&self, number: BoxNumber, now: Timestamp) -> Result<bool, Fault> {
        self.inner.delete_drop_box(number, now).await
    }

    async fn keep_letter(&self, letter: Letter) -> Result<(), Fault> {
        self.inner.keep_letter(letter).await
    }

    async fn take_letter(&self, take: TakeLetter) -> Result<Option<Letter>, Fault> {
        self.inner.take_letter(take).await
    }

    async fn open_drop_file(&self, file: NewDropFile) -> Result<(), Fault> {
        self.inner.open_drop_file(file).await
    }

    async fn end_drop_file(&self, id: AttachmentId) -> Result<(), Fault> {
        self.inner.end_drop_file(id).await
    }

    async fn over_drop_files(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<AttachmentId>, Fault> {
        self.inner.over_drop_files(now, limit).await
    }

    async fn forget_drop_files(&self, ids: Vec<AttachmentId>) -> Result<(), Fault> {
        self.inner.forget_drop_files(ids).await
    }

    async fn drop_files_among(&self, ids: &[AttachmentId]) -> Result<Vec<AttachmentId>, Fault> {
        self.inner.drop_files_among(ids).await
    }

    async fn forget_drops(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        self.inner.forget_drops(now, limit).await
    }

    async fn drop_bytes(&self) -> Result<u64, Fault> {
        self.inner.drop_bytes().await
    }
}
