//! Attachments pass: they are asked for rarely, and change under their readers' hands.

use async_trait::async_trait;

use super::CachedStore;
use crate::domain::Fault;
use crate::domain::attachment::{Attachment, Finished, Kept, NewAttachment, Upload};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, AttachmentId};
use crate::domain::ports::Attachments;

#[async_trait]
impl Attachments for CachedStore {
    async fn open_attachment(&self, new: NewAttachment, open: u32) -> Result<Attachment, Fault> {
        self.inner.open_attachment(new, open).await
    }

    async fn attachment(&self, id: AttachmentId) -> Result<Option<Attachment>, Fault> {
        self.inner.attachment(id).await
    }

    async fn attachments_kept(&self, owner: AccountNumber, most: u32) -> Result<Kept, Fault> {
        self.inner.attachments_kept(owner, most).await
    }

    async fn finish_attachment(&self, upload: Upload) -> Result<Finished, Fault> {
        self.inner.finish_attachment(upload).await
    }

    async fn end_attachments(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<AttachmentId>, Fault> {
        self.inner.end_attachments(now, limit).await
    }

    async fn forget_attachments(&self, ids: Vec<AttachmentId>) -> Result<(), Fault> {
        self.inner.forget_attachments(ids).await
    }

    async fn attachments_among(&self, ids: &[AttachmentId]) -> Result<Vec<AttachmentId>, Fault> {
        self.inner.attachments_among(ids).await
    }
}
