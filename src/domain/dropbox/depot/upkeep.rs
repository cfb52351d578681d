//! What is over goes.

use std::sync::atomic::Ordering;

use super::Depot;
use crate::domain::error::Fault;
use crate::domain::ids::AttachmentId;
use crate::domain::ports::BLOB_PARTS;

/// Messages, letters and boxes that go in one transaction: each may have as many bytes as a message
/// may have, and others wait for it.
const STEP: u32 = 20;

/// Files that are looked for beyond those that could not be removed the last time, so that these
/// never stand in the way of others; at most so many.
const STUCK: u32 = 10_000;

impl Depot {
    /// Removes those bytes in one part of the store of bytes that no file of a drop box is made of;
    /// returns how many files they were. Only crashes leave any.
    ///
    /// # Errors
    /// When the store or the files cannot be reached.
    pub async fn remove_strays(&self, part: u16) -> Result<usize, Fault> {
        let mut stored = self.blobs.stored(part % BLOB_PARTS).await?;
        let known = self.gateway.store.drop_files_among(&stored).await?;
        stored.retain(|id| !known.contains(id));
        let (removed, fault) = self.remove(stored).await;
        fault.map_or(Ok(removed.len()), Err)
    }

    /// Removes at most `limit` of each sort of what is over: files, then messages, letters and boxes.
    /// Returns whether there may be more. Now and then it counts how much is kept.
    ///
    /// # Errors
    /// When the store or the files cannot be reached; the next call goes on. All that can be done
    /// was done even so, and the fault is the first of all.
    pub async fn sweep(&self, limit: u32) -> Result<bool, Fault> {
        let files = self.sweep_files(limit).await;
        let rows = self.sweep_rows(limit).await;
        let counted = self.count().await;
        let are_more = files? | rows?;
        counted?;
        Ok(are_more)
    }

    async fn sweep_files(&self, limit: u32) -> Result<bool, Fault> {
        let stuck = self.stuck.load(Ordering::Relaxed).min(STUCK);
        let sought = limit.saturating_add(stuck);
        let over = self.gateway.store.over_drop_files(self.now(), sought).await?;
        if over.is_empty() {
            self.stuck.store(0, Ordering::Relaxed);
            return Ok(false);
        }
        let found = over.len();
        let (removed, fault) = self.remove(over).await;
        let left = u32::try_from(found - removed.len()).unwrap_or(u32::MAX);
        self.stuck.store(left, Ordering::Relaxed);
        self.gateway.store.forget_drop_files(removed).await?;
        let are_more = u32::try_from(found).is_ok_and(|found| found >= sought);
        fault.map_or(Ok(are_more), Err)
    }

    /// Removes bytes; returns those that are gone, and why others are not.
    async fn remove(&self, ids: Vec<AttachmentId>) -> (Vec<AttachmentId>, Option<Fault>) {
        if ids.is_empty() || self.blobs.remove(&ids).await.is_ok() {
            return (ids, None);
        }
        let (mut removed, mut first) = (Vec::new(), None);
        for id in ids {
            match self.blobs.remove(&[id]).await {
                Ok(()) => removed.push(id),
                Err(fault) => first = first.or(Some(fault)),
            }
        }
        (removed, first)
    }

    async fn sweep_rows(&self, limit: u32) -> Result<bool, Fault> {
        let mut left = limit;
        while left > 0 {
            let step = left.min(STEP);
            let forgotten = self.gateway.store.forget_drops(self.now(), step).await?;
            if forgotten < u64::from(step) {
                return Ok(false);
            }
            left -= step;
        }
        Ok(true)
    }

    async fn count(&self) -> Result<(), Fault> {
        if self.stock.is_due(self.now()) {
            let added = self.stock.added();
            let stored = self.gateway.store.drop_bytes().await?;
            self.stock.counted(stored, added, self.now());
        }
        Ok(())
    }
}
