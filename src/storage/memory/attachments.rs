//! Attachments in memory.

use async_trait::async_trait;

use super::{FREE, MemoryStore, State};
use crate::domain::Fault;
use crate::domain::attachment::{Attachment, Finished, Kept, NewAttachment, Upload, too_many_open};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, AttachmentId};
use crate::domain::ports::Attachments;

#[async_trait]
impl Attachments for MemoryStore {
    async fn open_attachment(&self, new: NewAttachment, open: u32) -> Result<Attachment, Fault> {
        let mut state = self.change();
        let waiting = state.attachments.values().filter(|one| one.owner == new.owner);
        if waiting.filter(|one| one.content.is_none()).count() >= open as usize {
            return Err(too_many_open(open));
        }
        let attachment = Attachment::of(&new);
        state.attachments.insert(new.id, attachment);
        Ok(attachment)
    }

    async fn attachment(&self, id: AttachmentId) -> Result<Option<Attachment>, Fault> {
        Ok(self.state().attachments.get(&id).copied())
    }

    async fn attachments_kept(&self, owner: AccountNumber, most: u32) -> Result<Kept, Fault> {
        Ok(self.state().attachments_kept(owner, most))
    }

    async fn finish_attachment(&self, upload: Upload) -> Result<Finished, Fault> {
        let mut state = self.change();
        let found = state.attachments.get(&upload.id).copied();
        let Some(found) = found.filter(|one| one.expires_at > upload.now) else {
            return Err(Fault::NotFound { what: "attachment" });
        };
        if found.content.is_some() {
            return Ok(Finished::Kept(found));
        }
        let kept = state.attachments_kept(found.owner, upload.allowance.files);
        let entry = state.attachments.entry(upload.id).or_insert(found);
        if let Some(shortage) = upload.shortage(kept) {
            entry.expires_at = FREE;
            return Ok(Finished::NoRoom(shortage));
        }
        entry.content = Some(upload.content);
        entry.expires_at = upload.expires_at;
        Ok(Finished::Kept(*entry))
    }

    async fn end_attachments(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<AttachmentId>, Fault> {
        let mut state = self.change();
        let over = state.attachments.values_mut().filter(|one| one.expires_at <= now);
        let ended = over.take(limit as usize).map(|one| {
            one.expires_at = FREE;
            one.id
        });
        Ok(ended.collect())
    }

    async fn forget_attachments(&self, ids: Vec<AttachmentId>) -> Result<(), Fault> {
        let mut state = self.change();
        state.attachments.retain(|id, one| one.expires_at > FREE || !ids.contains(id));
        Ok(())
    }

    async fn attachments_among(&self, ids: &[AttachmentId]) -> Result<Vec<AttachmentId>, Fault> {
        let state = self.state();
        Ok(ids.iter().copied().filter(|id| state.attachments.contains_key(id)).collect())
    }
}

impl State {
    fn attachments_kept(&self, owner: AccountNumber, most: u32) -> Kept {
        let own = self.attachments.values().filter(|one| one.owner == owner);
        let lengths = own.filter_map(|one| Some(one.content?.length)).take(most as usize);
        lengths.fold(Kept::default(), |kept, length| Kept {
            files: kept.files + 1,
            bytes: kept.bytes.saturating_add(length),
        })
    }
}
