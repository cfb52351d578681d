//! Attachments: who may upload one, and what was uploaded.

use async_trait::async_trait;
use sqlx::query;

use super::PostgresStore;
use super::link::Link;
use super::rows::{count, id, id_array, value};
use crate::domain::Fault;
use crate::domain::attachment::{
    Attachment, Content, Finished, Kept, NewAttachment, Upload, too_many_open,
};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, AttachmentId};
use crate::domain::ports::Attachments;
use crate::storage::error::{StoreError, during};
use crate::storage::records;

const BY_ID: &str = "
    SELECT id, owner, created_at, expires_at, length, digest FROM attachments WHERE id = $1";

/// Reads no more of the index than may be kept.
const KEPT: &str = "
    SELECT count(*) AS files, coalesce(sum(length), 0)::bigint AS bytes
    FROM (SELECT length FROM attachments WHERE owner = $1 AND length >= 0 LIMIT $2) AS kept";

const ANY_OVER: &str = "
    SELECT 1 FROM attachments WHERE expires_at <= $1 ORDER BY expires_at LIMIT 1";

const AMONG: &str = "SELECT id FROM attachments WHERE id = ANY($1)";

#[async_trait]
impl Attachments for PostgresStore {
    async fn open_attachment(&self, new: NewAttachment, open: u32) -> Result<Attachment, Fault> {
        self.write((new, open), |input, link| Box::pin(create(input, link))).await
    }

    async fn attachment(&self, id: AttachmentId) -> Result<Option<Attachment>, Fault> {
        let found = query(BY_ID).bind(&id.as_bytes()[..]);
        let found = found.fetch_optional(&mut self.reader().await?).await;
        let row = found.map_err(during("reading an attachment"))?;
        Ok(row.as_ref().map(records::attachment).transpose()?)
    }

    async fn attachments_kept(&self, owner: AccountNumber, most: u32) -> Result<Kept, Fault> {
        Ok(kept(&mut self.reader().await?, owner, most).await?)
    }

    async fn finish_attachment(&self, upload: Upload) -> Result<Finished, Fault> {
        self.write(upload, |upload, link| Box::pin(finish(upload, link))).await
    }

    async fn end_attachments(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<AttachmentId>, Fault> {
        let any = query(ANY_OVER).bind(now.as_micros());
        let any = any.fetch_optional(&mut self.unhurried_reader().await?).await;
        if any.map_err(during("looking for attachments that are over"))?.is_none() {
            return Ok(Vec::new());
        }
        self.tidy((now, limit), |input, link| Box::pin(end(*input, link))).await
    }

    async fn forget_attachments(&self, ids: Vec<AttachmentId>) -> Result<(), Fault> {
        self.tidy(ids, |ids, link| Box::pin(forget(ids, link))).await
    }

    async fn attachments_among(&self, ids: &[AttachmentId]) -> Result<Vec<AttachmentId>, Fault> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = query(AMONG).bind(id_array(ids.iter().copied()));
        let rows = wanted.fetch_all(&mut self.reader().await?).await;
        let rows = rows.map_err(during("looking for attachments"))?;
        Ok(rows.iter().map(|row| id(row, "id")).collect::<Result<_, _>>()?)
    }
}

async fn kept(link: &mut Link<'_>, owner: AccountNumber, most: u32) -> Result<Kept, StoreError> {
    let row = query(KEPT).bind(owner.0).bind(i64::from(most)).fetch_one(link).await;
    let row = row.map_err(during("adding attachments up"))?;
    Ok(Kept { files: count(&row, "files")?, bytes: count(&row, "bytes")? })
}

/// Two uploads of one account are judged one after the other: what the first takes is not there for
/// the second. Its row stands for the account; nobody waits for this lock but who changes it.
const QUEUE: &str = "SELECT number FROM accounts WHERE number = $1 FOR NO KEY UPDATE";

async fn queue(owner: AccountNumber, link: &mut Link<'_>) -> Result<(), StoreError> {
    let queued = query(QUEUE).bind(owner.0).execute(link).await;
    queued.map(drop).map_err(during("waiting for other uploads"))
}

const TO_COME: &str = "
    SELECT count(*) AS uploads FROM attachments WHERE owner = $1 AND length IS NULL";

const OPEN: &str = "
    INSERT INTO attachments (id, owner, created_at, expires_at) VALUES ($1, $2, $3, $4)";

async fn create(
    (new, open): &(NewAttachment, u32),
    link: &mut Link<'_>,
) -> Result<Result<Attachment, Fault>, StoreError> {
    let doing = "keeping an attachment";
    queue(new.owner, link).await?;
    let row = query(TO_COME).bind(new.owner.0).fetch_one(&mut *link).await;
    if count(&row.map_err(during(doing))?, "uploads")? >= u64::from(*open) {
        return Ok(Err(too_many_open(*open)));
    }
    query(OPEN)
        .bind(&new.id.as_bytes()[..])
        .bind(new.owner.0)
        .bind(new.created_at.as_micros())
        .bind(new.expires_at.as_micros())
        .execute(link)
        .await
        .map_err(during(doing))?;
    Ok(Ok(Attachment::of(new)))
}

const OWNER: &str = "SELECT owner FROM attachments WHERE id = $1";

/// Held, so that it does not end while it is judged.
const BY_ID_HELD: &str = "
    SELECT id, owner, created_at, expires_at, length, digest FROM attachments WHERE id = $1
    FOR NO KEY UPDATE";

const FINISH: &str = "
    UPDATE attachments SET length = $2, digest = $3, expires_at = $4 WHERE id = $1";

const REFUSE: &str = "UPDATE attachments SET expires_at = 0 WHERE id = $1";

async fn finish(
    upload: &Upload,
    link: &mut Link<'_>,
) -> Result<Result<Finished, Fault>, StoreError> {
    let doing = "noting an upload";
    let id = &upload.id.as_bytes()[..];
    let owner = query(OWNER).bind(id).fetch_optional(&mut *link).await;
    if let Some(row) = owner.map_err(during(doing))? {
        queue(AccountNumber(value(&row, "owner")?), link).await?;
    }
    let found = query(BY_ID_HELD).bind(id).fetch_optional(&mut *link).await;
    let found = found.map_err(during(doing))?.as_ref().map(records::attachment).transpose()?;
    let Some(found) = found.filter(|one| one.expires_at > upload.now) else {
        return Ok(Err(Fault::NotFound { what: "attachment" }));
    };
    if found.content.is_some() {
        return Ok(Ok(Finished::Kept(found)));
    }
    let kept = kept(link, found.owner, upload.allowance.files).await?;
    if let Some(shortage) = upload.shortage(kept) {
        query(REFUSE).bind(id).execute(link).await.map_err(during(doing))?;
        return Ok(Ok(Finished::NoRoom(shortage)));
    }
    let Content { length, digest } = upload.content;
    query(FINISH)
        .bind(id)
        .bind(length.cast_signed())
        .bind(&digest[..])
        .bind(upload.expires_at.as_micros())
        .execute(link)
        .await
        .map_err(during(doing))?;
    let content = Some(upload.content);
    Ok(Ok(Finished::Kept(Attachment { content, expires_at: upload.expires_at, ..found })))
}

const END: &str = "
    WITH over AS MATERIALIZED (
        SELECT id FROM attachments WHERE expires_at <= $1
        ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
    )
    UPDATE attachments SET expires_at = 0 FROM over WHERE attachments.id = over.id
    RETURNING attachments.id";

async fn end(
    (now, limit): (Timestamp, u32),
    link: &mut Link<'_>,
) -> Result<Result<Vec<AttachmentId>, Fault>, StoreError> {
    let ended = query(END).bind(now.as_micros()).bind(i64::from(limit)).fetch_all(link).await;
    let ended = ended.map_err(during("ending attachments"))?;
    Ok(Ok(ended.iter().map(|row| id(row, "id")).collect::<Result<_, _>>()?))
}

const FORGET: &str = "
    DELETE FROM attachments WHERE id = ANY($1) AND expires_at = 0";

async fn forget(
    ids: &[AttachmentId],
    link: &mut Link<'_>,
) -> Result<Result<(), Fault>, StoreError> {
    let forgotten = query(FORGET).bind(id_array(ids.iter().copied())).execute(link).await;
    forgotten.map_err(during("forgetting attachments"))?;
    Ok(Ok(()))
}
