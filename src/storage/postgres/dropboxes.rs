//! Drop boxes. What is in them is in [`messages`]; what is around them in [`letters`] and [`files`].
//!
//! Whoever puts messages into a box, takes them out or removes it, locks the box's row first and
//! holds it until the commit. So the numbers of messages rise in the order of commits, what is taken
//! is taken once, and what the row counts is right, with no more than committed rows to read. Files
//! come last. Nobody waits for a second box: the sweep passes over those that are locked.

mod files;
mod forget;
mod letters;
mod messages;

use async_trait::async_trait;
use sqlx::query;

use super::PostgresStore;
use super::link::Link;
use super::rows::{count, value};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::dropbox::file::NewDropFile;
use crate::domain::dropbox::letter::TakeLetter;
use crate::domain::dropbox::{
    BoxNumber, BoxToken, CreatedBox, DropBox, DropId, DropMessage, DropPage, EmailAddress, Letter,
    NewDropBox, Put, PutOutcome, ReadDrop, Taking,
};
use crate::domain::ids::AttachmentId;
use crate::domain::ports::DropBoxes;
use crate::storage::error::{StoreError, during};
use crate::storage::records;

#[cfg(test)]
pub(super) use {
    files::STATEMENTS as OF_FILES, forget::STATEMENTS as OF_SWEEPS,
    letters::STATEMENTS as OF_LETTERS, messages::STATEMENTS as OF_MESSAGES,
};

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[BY_TOKEN, CLOSE, DROP_SOME, DROP];

/// How many messages go with a box in the transaction that deletes it: others wait for it.
const STEP: i64 = 20;

#[async_trait]
impl DropBoxes for PostgresStore {
    async fn create_drop_box(&self, new: NewDropBox) -> Result<CreatedBox, Fault> {
        self.write(new, |new, link| Box::pin(create(new, link))).await
    }

    async fn drop_box(&self, token: &BoxToken) -> Result<Option<DropBox>, Fault> {
        let row =
            query(BY_TOKEN).bind(token.as_bytes()).fetch_optional(&mut self.reader().await?).await;
        let row = row.map_err(during("reading a drop box"))?;
        Ok(row.as_ref().map(records::drop_box).transpose()?)
    }

    async fn put_drop_messages(&self, put: Put) -> Result<PutOutcome, Fault> {
        self.write(put, |put, link| Box::pin(messages::put(put, link))).await
    }

    async fn drop_messages(&self, read: ReadDrop) -> Result<DropPage, Fault> {
        if read.taking == Taking::Nothing && read.ending.is_none() {
            return Ok(messages::page(read, &mut self.reader().await?).await?.0);
        }
        self.write(read, |read, link| Box::pin(messages::take(*read, link))).await
    }

    async fn drop_message(&self, of: BoxNumber, id: DropId) -> Result<Option<DropMessage>, Fault> {
        Ok(messages::by_id(of, id, &mut self.reader().await?).await?)
    }

    async fn delete_drop_message(
        &self,
        of: BoxNumber,
        number: i64,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let input = (of, number, now);
        self.write(input, |input, link| Box::pin(messages::delete(*input, link))).await
    }

    async fn end_drop_message(
        &self,
        of: BoxNumber,
        number: i64,
        ends_at: Timestamp,
    ) -> Result<(), Fault> {
        let input = (of, number, ends_at);
        self.write(input, |input, link| Box::pin(messages::end_one(*input, link))).await
    }

    /// A box may hold more than one transaction should delete. So it is over at once, and what does
    /// not go with it is left to the sweep.
    async fn delete_drop_box(&self, number: BoxNumber, now: Timestamp) -> Result<bool, Fault> {
        self.write((number, now), |input, link| Box::pin(delete(*input, link))).await
    }

    async fn keep_letter(&self, letter: Letter) -> Result<(), Fault> {
        self.write(letter, |letter, link| Box::pin(letters::keep(letter, link))).await
    }

    async fn take_letter(&self, take: TakeLetter) -> Result<Option<Letter>, Fault> {
        self.write(take, |take, link| Box::pin(letters::take(*take, link))).await
    }

    async fn open_drop_file(&self, file: NewDropFile) -> Result<(), Fault> {
        self.write(file, |file, link| Box::pin(files::open(*file, link))).await
    }

    async fn end_drop_file(&self, id: AttachmentId) -> Result<(), Fault> {
        self.write(id, |id, link| Box::pin(files::end_loose(*id, link))).await
    }

    async fn over_drop_files(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<AttachmentId>, Fault> {
        // Nearly always there is nothing to do, and a reader finds that out.
        if !files::are_over(now, &mut self.unhurried_reader().await?).await? {
            return Ok(Vec::new());
        }
        self.tidy((now, limit), |input, link| Box::pin(files::over(*input, link))).await
    }

    async fn forget_drop_files(&self, ids: Vec<AttachmentId>) -> Result<(), Fault> {
        self.tidy(ids, |ids, link| Box::pin(files::forget(ids, link))).await
    }

    async fn drop_files_among(&self, ids: &[AttachmentId]) -> Result<Vec<AttachmentId>, Fault> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        Ok(files::among(ids, &mut self.reader().await?).await?)
    }

    /// Each kind in a transaction of its own, so that boxes are locked for a short time.
    async fn forget_drops(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        // Nearly always there is nothing to do, and a reader finds that out.
        if !forget::are_over(now, &mut self.unhurried_reader().await?).await? {
            return Ok(0);
        }
        let mut left = i64::from(limit);
        left -=
            self.tidy((now, left), |input, link| Box::pin(forget::messages(*input, link))).await?;
        left -=
            self.tidy((now, left), |input, link| Box::pin(forget::letters(*input, link))).await?;
        left -= self.tidy((now, left), |input, link| Box::pin(forget::boxes(*input, link))).await?;
        Ok((i64::from(limit) - left).unsigned_abs())
    }

    async fn drop_bytes(&self) -> Result<u64, Fault> {
        Ok(bytes(&mut self.unhurried_reader().await?).await?)
    }
}

const CREATE: &str = "
    INSERT INTO drop_boxes (token, public_key, private_key, kdf, secret, created_at, release_at,
        lock_at, ends_at, messages_go, box_goes, notify)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    ON CONFLICT (token) DO NOTHING RETURNING number";

const BY_TOKEN: &str =
    concat!("SELECT ", records::drop_box_columns!(), " FROM drop_boxes WHERE token = $1");

async fn create(
    new: &NewDropBox,
    link: &mut Link<'_>,
) -> Result<Result<CreatedBox, Fault>, StoreError> {
    let doing = "making a drop box";
    let row = query(CREATE)
        .bind(new.token.as_bytes())
        .bind(new.public_key.as_slice())
        .bind(new.private_key.as_deref())
        .bind(new.kdf.as_deref())
        .bind(new.secret.as_ref().map(|secret| secret.as_bytes().as_slice()))
        .bind(new.created_at.as_micros())
        .bind(new.release_at.map(Timestamp::as_micros))
        .bind(new.lock_at.as_micros())
        .bind(new.ends_at.as_micros())
        .bind(i64::from(new.after_reading.messages_go))
        .bind(i64::from(new.after_reading.box_goes))
        .bind(new.notify.as_ref().map(EmailAddress::as_str))
        .fetch_optional(&mut *link)
        .await
        .map_err(during(doing))?;
    if let Some(row) = row {
        let number = BoxNumber(value(&row, "number")?);
        return Ok(Ok(CreatedBox::New(DropBox { number, content: new.clone() })));
    }
    let taken = query(BY_TOKEN).bind(new.token.as_bytes()).fetch_optional(link).await;
    // It may have gone meanwhile; then the token is free.
    let taken = taken.map_err(during(doing))?.ok_or(StoreError::MetAnother { doing })?;
    Ok(Ok(CreatedBox::Taken(records::drop_box(&taken)?)))
}

const CLOSE: &str = "UPDATE drop_boxes SET ends_at = 0 WHERE number = $1 AND ends_at + 0 > 0";

const DROP_SOME: &str = concat!(
    "
    DELETE FROM drop_messages WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM drop_messages WHERE box = $1 ORDER BY number LIMIT $2
    )) RETURNING ",
    records::gone_columns!()
);

const DROP: &str = "DELETE FROM drop_boxes WHERE number = $1";

/// From now on nothing comes into the box; removes some of what is in it, and the box itself if that
/// was all. Returns whether nobody has closed it before.
async fn delete(
    (number, now): (BoxNumber, Timestamp),
    link: &mut Link<'_>,
) -> Result<Result<bool, Fault>, StoreError> {
    let doing = "deleting a drop box";
    let closed = query(CLOSE).bind(number.0).execute(&mut *link).await;
    if closed.map_err(during(doing))?.rows_affected() == 0 {
        return Ok(Ok(false));
    }
    let rows = query(DROP_SOME).bind(number.0).bind(STEP).fetch_all(&mut *link).await;
    let rows = rows.map_err(during(doing))?;
    let gone = records::gone(&rows)?;
    if (rows.len() as i64) < STEP {
        query(DROP).bind(number.0).execute(&mut *link).await.map_err(during(doing))?;
    } else {
        messages::shrink(&gone, link).await?;
    }
    files::end(gone.files, now, link).await?;
    Ok(Ok(true))
}

/// Walks along all boxes and letters; no text is read.
const BYTES: &str = "
    SELECT CAST((SELECT coalesce(sum(kept_bytes + 1024), 0) FROM drop_boxes)
        + (SELECT coalesce(sum(octet_length(data) + coalesce(file_length, 0) + 1024), 0)
            FROM drop_letters) AS BIGINT) AS bytes";

async fn bytes(link: &mut Link<'_>) -> Result<u64, StoreError> {
    let row = query(BYTES).fetch_one(link).await;
    count(&row.map_err(during("counting the bytes of drop boxes"))?, "bytes")
}
