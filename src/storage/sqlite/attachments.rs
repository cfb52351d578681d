//! Attachments: who may upload one, and what was uploaded.

use async_trait::async_trait;
use sqlx::{SqliteConnection, SqliteExecutor, query};

use super::SqliteStore;
use super::rows::{count, id, id_list};
use crate::domain::Fault;
use crate::domain::attachment::{
    Attachment, Content, Finished, Kept, NewAttachment, Upload, too_many_open,
};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, AttachmentId};
use crate::domain::ports::Attachments;
use crate::storage::error::{StoreError, during};
use crate::storage::records;

pub(super) const BY_ID: &str = "
    SELECT id, owner, created_at, expires_at, length, digest FROM attachments WHERE id = ?1";

/// Reads no more of the index than may be kept.
pub(super) const KEPT: &str = "
    SELECT count(*) AS files, coalesce(sum(length), 0) AS bytes
    FROM (SELECT length FROM attachments WHERE owner = ?1 AND length >= 0 LIMIT ?2)";

pub(super) const ANY_OVER: &str = "SELECT 1 FROM attachments WHERE expires_at <= ?1 LIMIT 1";

pub(super) const AMONG: &str = "
    SELECT attachments.id
    FROM json_each(?1) AS wanted CROSS JOIN attachments ON attachments.id = unhex(wanted.value)";

#[async_trait]
impl Attachments for SqliteStore {
    async fn open_attachment(&self, new: NewAttachment, open: u32) -> Result<Attachment, Fault> {
        self.change((new, open), |input, connection| Box::pin(create(input, connection))).await
    }

    async fn attachment(&self, id: AttachmentId) -> Result<Option<Attachment>, Fault> {
        let found = query(BY_ID).bind(&id.as_bytes()[..]).fetch_optional(&self.readers).await;
        let row = found.map_err(during("reading an attachment"))?;
        Ok(row.as_ref().map(records::attachment).transpose()?)
    }

    async fn attachments_kept(&self, owner: AccountNumber, most: u32) -> Result<Kept, Fault> {
        Ok(kept(&self.readers, owner, most).await?)
    }

    async fn finish_attachment(&self, upload: Upload) -> Result<Finished, Fault> {
        self.change(upload, |upload, connection| Box::pin(finish(upload, connection))).await
    }

    async fn end_attachments(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<AttachmentId>, Fault> {
        let any = query(ANY_OVER).bind(now.as_micros()).fetch_optional(&self.readers).await;
        if any.map_err(during("looking for attachments that are over"))?.is_none() {
            return Ok(Vec::new());
        }
        self.change((now, limit), |input, connection| Box::pin(end(*input, connection))).await
    }

    async fn forget_attachments(&self, ids: Vec<AttachmentId>) -> Result<(), Fault> {
        self.change(ids, |ids, connection| Box::pin(forget(ids, connection))).await
    }

    async fn attachments_among(&self, ids: &[AttachmentId]) -> Result<Vec<AttachmentId>, Fault> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let list = id_list(ids.iter().copied());
        let rows = query(AMONG).bind(list).fetch_all(&self.readers).await;
        let rows = rows.map_err(during("looking for attachments"))?;
        Ok(rows.iter().map(|row| id(row, "id")).collect::<Result<_, _>>()?)
    }
}

async fn kept(
    executor: impl SqliteExecutor<'_>,
    owner: AccountNumber,
    most: u32,
) -> Result<Kept, StoreError> {
    let row = query(KEPT).bind(owner.0).bind(most).fetch_one(executor).await;
    let row = row.map_err(during("adding attachments up"))?;
    Ok(Kept { files: count(&row, "files")?, bytes: count(&row, "bytes")? })
}

pub(super) const TO_COME: &str = "
    SELECT count(*) AS uploads FROM attachments WHERE owner = ?1 AND length IS NULL";

const OPEN: &str = "
    INSERT INTO attachments (id, owner, created_at, expires_at) VALUES (?1, ?2, ?3, ?4)";

async fn create(
    (new, open): &(NewAttachment, u32),
    connection: &mut SqliteConnection,
) -> Result<Result<Attachment, Fault>, StoreError> {
    let doing = "keeping an attachment";
    let row = query(TO_COME).bind(new.owner.0).fetch_one(&mut *connection).await;
    if count(&row.map_err(during(doing))?, "uploads")? >= u64::from(*open) {
        return Ok(Err(too_many_open(*open)));
    }
    query(OPEN)
        .bind(&new.id.as_bytes()[..])
        .bind(new.owner.0)
        .bind(new.created_at.as_micros())
        .bind(new.expires_at.as_micros())
        .execute(connection)
        .await
        .map_err(during(doing))?;
    Ok(Ok(Attachment::of(new)))
}

pub(super) const FINISH: &str = "
    UPDATE attachments SET length = ?2, digest = ?3, expires_at = ?4 WHERE id = ?1";

pub(super) const REFUSE: &str = "UPDATE attachments SET expires_at = 0 WHERE id = ?1";

async fn finish(
    upload: &Upload,
    connection: &mut SqliteConnection,
) -> Result<Result<Finished, Fault>, StoreError> {
    let doing = "noting an upload";
    let id = &upload.id.as_bytes()[..];
    let found = query(BY_ID).bind(id).fetch_optional(&mut *connection).await;
    let found = found.map_err(during(doing))?.as_ref().map(records::attachment).transpose()?;
    let Some(found) = found.filter(|one| one.expires_at > upload.now) else {
        return Ok(Err(Fault::NotFound { what: "attachment" }));
    };
    if found.content.is_some() {
        return Ok(Ok(Finished::Kept(found)));
    }
    let kept = kept(&mut *connection, found.owner, upload.allowance.files).await?;
    if let Some(shortage) = upload.shortage(kept) {
        query(REFUSE).bind(id).execute(connection).await.map_err(during(doing))?;
        return Ok(Ok(Finished::NoRoom(shortage)));
    }
    let Content { length, digest } = upload.content;
    query(FINISH)
        .bind(id)
        .bind(length.cast_signed())
        .bind(&digest[..])
        .bind(upload.expires_at.as_micros())
        .execute(connection)
        .await
        .map_err(during(doing))?;
    let content = Some(upload.content);
    Ok(Ok(Finished::Kept(Attachment { content, expires_at: upload.expires_at, ..found })))
}

pub(super) const END: &str = "
    UPDATE attachments SET expires_at = 0
    WHERE id IN (SELECT id FROM attachments WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)
    RETURNING id";

async fn end(
    (now, limit): (Timestamp, u32),
    connection: &mut SqliteConnection,
) -> Result<Result<Vec<AttachmentId>, Fault>, StoreError> {
    let ended = query(END).bind(now.as_micros()).bind(limit).fetch_all(connection).await;
    let ended = ended.map_err(during("ending attachments"))?;
    Ok(Ok(ended.iter().map(|row| id(row, "id")).collect::<Result<_, _>>()?))
}

pub(super) const FORGET: &str = "
    DELETE FROM attachments
    WHERE id IN (SELECT unhex(value) FROM json_each(?1)) AND expires_at = 0";

async fn forget(
    ids: &[AttachmentId],
    connection: &mut SqliteConnection,
) -> Result<Result<(), Fault>, StoreError> {
    let list = id_list(ids.iter().copied());
    let forgotten = query(FORGET).bind(list).execute(connection).await;
    forgotten.map_err(during("forgetting attachments"))?;
    Ok(Ok(()))
}
