//! Drop boxes. What is in them is in [`messages`]; what is around them in [`letters`] and [`files`].

mod files;
mod forget;
mod letters;
mod messages;

use async_trait::async_trait;
use sqlx::sqlite::SqliteExecutor;
use sqlx::{SqliteConnection, query};

use super::SqliteStore;
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
use crate::storage::dropping::put_cost;
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
const STEP: u32 = 20;

#[async_trait]
impl DropBoxes for SqliteStore {
    async fn create_drop_box(&self, new: NewDropBox) -> Result<CreatedBox, Fault> {
        self.change(new, |new, connection| Box::pin(create(new, connection))).await
    }

    async fn drop_box(&self, token: &BoxToken) -> Result<Option<DropBox>, Fault> {
        let row = query(BY_TOKEN).bind(token.as_bytes()).fetch_optional(&self.readers).await;
        let row = row.map_err(during("reading a drop box"))?;
        Ok(row.as_ref().map(records::drop_box).transpose()?)
    }

    async fn put_drop_messages(&self, put: Put) -> Result<PutOutcome, Fault> {
        let cost = put_cost(&put);
        self.fill(put, cost, |put, connection, _inboxes| Box::pin(messages::put(put, connection)))
            .await
    }

    async fn drop_messages(&self, read: ReadDrop) -> Result<DropPage, Fault> {
        if read.taking == Taking::Nothing && read.ending.is_none() {
            return Ok(messages::page(read, &self.readers).await?.0);
        }
        self.change(read, |read, connection| Box::pin(messages::take(*read, connection))).await
    }

    async fn drop_message(&self, of: BoxNumber, id: DropId) -> Result<Option<DropMessage>, Fault> {
        Ok(messages::by_id(of, id, &self.readers).await?)
    }

    async fn delete_drop_message(
        &self,
        of: BoxNumber,
        number: i64,
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let input = (of, number, now);
        self.change(input, |input, connection| Box::pin(messages::delete(*input, connection))).await
    }

    async fn end_drop_message(
        &self,
        of: BoxNumber,
        number: i64,
        ends_at: Timestamp,
    ) -> Result<(), Fault> {
        let input = (of, number, ends_at);
        self.change(input, |input, connection| Box::pin(messages::end_one(*input, connection)))
            .await
    }

    /// A box may hold more than one transaction should delete. So it is over at once, and what does
    /// not go with it is left to the sweep.
    async fn delete_drop_box(&self, number: BoxNumber, now: Timestamp) -> Result<bool, Fault> {
        self.change((number, now), |input, connection| Box::pin(delete(*input, connection))).await
    }

    async fn keep_letter(&self, letter: Letter) -> Result<(), Fault> {
        let cost = letter.data.len();
        self.fill(letter, cost, |letter, connection, _inboxes| {
            Box::pin(letters::keep(letter, connection))
        })
        .await
    }

    async fn take_letter(&self, take: TakeLetter) -> Result<Option<Letter>, Fault> {
        // Anybody may guess, and only whoever is right asks the writer.
        if !letters::is_there(take, &self.readers).await? {
            return Ok(None);
        }
        self.change(take, |take, connection| Box::pin(letters::take(*take, connection))).await
    }

    async fn open_drop_file(&self, file: NewDropFile) -> Result<(), Fault> {
        self.change(file, |file, connection| Box::pin(files::open(*file, connection))).await
    }

    async fn end_drop_file(&self, id: AttachmentId) -> Result<(), Fault> {
        self.change(id, |id, connection| Box::pin(files::end_loose(*id, connection))).await
    }

    async fn over_drop_files(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<AttachmentId>, Fault> {
        // Nearly always there is nothing to do, and a reader finds that out.
        if !files::are_over(now, &self.readers).await? {
            return Ok(Vec::new());
        }
        self.change((now, limit), |input, connection| Box::pin(files::over(*input, connection)))
            .await
    }

    async fn forget_drop_files(&self, ids: Vec<AttachmentId>) -> Result<(), Fault> {
        self.change(ids, |ids, connection| Box::pin(files::forget(ids, connection))).await
    }

    async fn drop_files_among(&self, ids: &[AttachmentId]) -> Result<Vec<AttachmentId>, Fault> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        Ok(files::among(ids, &self.readers).await?)
    }

    async fn forget_drops(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        // Nearly always there is nothing to do, and a reader finds that out.
        if !forget::are_over(now, &self.readers).await? {
            return Ok(0);
        }
        self.change((now, limit), |input, connection| Box::pin(forget::forget(*input, connection)))
            .await
    }

    async fn drop_bytes(&self) -> Result<u64, Fault> {
        Ok(bytes(&self.readers).await?)
    }
}

const CREATE: &str = "
    INSERT INTO drop_boxes (token, public_key, private_key, kdf, secret, created_at, release_at,
        lock_at, ends_at, messages_go, box_goes, notify)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
    ON CONFLICT (token) DO NOTHING RETURNING number";

const BY_TOKEN: &str =
    concat!("SELECT ", records::drop_box_columns!(), " FROM drop_boxes WHERE token = ?1");

async fn create(
    new: &NewDropBox,
    connection: &mut SqliteConnection,
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
        .fetch_optional(&mut *connection)
        .await
        .map_err(during(doing))?;
    if let Some(row) = row {
        let number = BoxNumber(value(&row, "number")?);
        return Ok(Ok(CreatedBox::New(DropBox { number, content: new.clone() })));
    }
    let taken = query(BY_TOKEN).bind(new.token.as_bytes()).fetch_one(connection).await;
    Ok(Ok(CreatedBox::Taken(records::drop_box(&taken.map_err(during(doing))?)?)))
}

const CLOSE: &str = "UPDATE drop_boxes SET ends_at = 0 WHERE number = ?1 AND ends_at + 0 > 0";

const DROP_SOME: &str = concat!(
    "
    DELETE FROM drop_messages WHERE box = ?1 AND number IN (
        SELECT number FROM drop_messages WHERE box = ?1 ORDER BY number LIMIT ?2
    ) RETURNING ",
    records::gone_columns!()
);

const DROP: &str = "DELETE FROM drop_boxes WHERE number = ?1";

/// From now on nothing comes into the box; removes some of what is in it, and the box itself if that
/// was all. Returns whether nobody has closed it before.
async fn delete(
    (number, now): (BoxNumber, Timestamp),
    connection: &mut SqliteConnection,
) -> Result<Result<bool, Fault>, StoreError> {
    let doing = "deleting a drop box";
    let closed = query(CLOSE).bind(number.0).execute(&mut *connection).await;
    if closed.map_err(during(doing))?.rows_affected() == 0 {
        return Ok(Ok(false));
    }
    let rows = query(DROP_SOME).bind(number.0).bind(STEP).fetch_all(&mut *connection).await;
    let rows = rows.map_err(during(doing))?;
    let gone = records::gone(&rows)?;
    if rows.len() < STEP as usize {
        query(DROP).bind(number.0).execute(&mut *connection).await.map_err(during(doing))?;
    } else {
        messages::shrink(&gone, connection).await?;
    }
    files::end(gone.files, now, connection).await?;
    Ok(Ok(true))
}

/// Walks along all boxes and letters; no text is read.
const BYTES: &str = "
    SELECT (SELECT coalesce(sum(kept_bytes + 1024), 0) FROM drop_boxes)
        + (SELECT coalesce(sum(octet_length(data) + coalesce(file_length, 0) + 1024), 0)
            FROM drop_letters) AS bytes";

async fn bytes(executor: impl SqliteExecutor<'_>) -> Result<u64, StoreError> {
    let row = query(BYTES).fetch_one(executor).await;
    count(&row.map_err(during("counting the bytes of drop boxes"))?, "bytes")
}
