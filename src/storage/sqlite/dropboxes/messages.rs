//! What is in drop boxes.

use sqlx::sqlite::SqliteExecutor;
use sqlx::{SqliteConnection, query};

use super::files;
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::dropbox::message::NewDropMessage;
use crate::domain::dropbox::{
    BoxNumber, DropId, DropMessage, DropPage, Ending, Put, PutOutcome, ReadDrop, Taking,
};
use crate::storage::dropping::{Filling, Gone, column, ending, put_bytes};
use crate::storage::error::{StoreError, during};
use crate::storage::records;
use crate::storage::sqlite::rows::value;

#[cfg(test)]
pub(in crate::storage::sqlite) const STATEMENTS: &[&str] =
    &[STANDING, GROW, PAGE, TAKE_TEXTS, TAKE_ALL, END, END_EMPTY, BY_ID, DELETE, END_ONE, SHRINK];

const STANDING: &str = "
    SELECT lock_at, ends_at, closed, kept_messages, kept_bytes FROM drop_boxes
    WHERE number = ?1";

const GROW: &str = "
    UPDATE drop_boxes SET last_message = last_message + ?2,
        kept_messages = kept_messages + ?2, kept_bytes = kept_bytes + ?3
    WHERE number = ?1 RETURNING last_message";

const PUT: &str = "
    INSERT INTO drop_messages (box, number, id, form, encryption_key, hash, name, file,
        file_length, created_at, ends_at, data)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";

/// Leaves messages in a box.
pub(super) async fn put(
    put: &Put,
    connection: &mut SqliteConnection,
) -> Result<Result<PutOutcome, Fault>, StoreError> {
    let doing = "leaving messages in a drop box";
    let standing = query(STANDING).bind(put.to.0).fetch_optional(&mut *connection).await;
    let Some(standing) = standing.map_err(during(doing))? else { return Ok(Ok(PutOutcome::Gone)) };
    if let Some(refusal) = records::standing(&standing)?.refusal(put) {
        return Ok(Ok(refusal));
    }
    let keeps = put.messages.iter().filter_map(|new| Some((new.file?.id, new.ends_at)));
    let keeps: Vec<_> = keeps.collect();
    if let Err(gone) = files::keep(&keeps, put.now, connection).await? {
        return Ok(Err(gone));
    }
    let count = column(put.messages.len() as u64);
    let grown = query(GROW).bind(put.to.0).bind(count).bind(column(put_bytes(put)));
    let grown = grown.fetch_one(&mut *connection).await.map_err(during(doing))?;
    let first = value::<i64>(&grown, "last_message")? - count + 1;
    for (new, number) in put.messages.iter().zip(first..) {
        insert(put.to, number, new, connection).await?;
    }
    Ok(Ok(PutOutcome::Stored(first)))
}

async fn insert(
    to: BoxNumber,
    number: i64,
    new: &NewDropMessage,
    connection: &mut SqliteConnection,
) -> Result<(), StoreError> {
    query(PUT)
        .bind(to.0)
        .bind(number)
        .bind(new.id.0.as_slice())
        .bind(new.form as i64)
        .bind(new.encryption_key.as_slice())
        .bind(new.hash.as_deref())
        .bind(new.name.as_slice())
        .bind(new.file.as_ref().map(|file| file.id.as_bytes().as_slice()))
        .bind(new.file.map(|file| column(file.length)))
        .bind(new.created_at.as_micros())
        .bind(new.ends_at.as_micros())
        .bind(new.data.as_slice())
        .execute(connection)
        .await
        .map_err(during("keeping a message in a drop box"))?;
    Ok(())
}

/// The texts are read only of what comes on the page, and of the next message: the rows before the
/// previous one hold less than the page may. Lengths are known without them.
const PAGE: &str = concat!(
    "SELECT ",
    records::drop_message_columns!(),
    " FROM (
        SELECT place, sum(bytes)
            OVER (ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING) AS ahead
        FROM (
            SELECT number AS place, octet_length(encryption_key) + octet_length(data)
                + octet_length(name) AS bytes
            FROM drop_messages WHERE box = ?1 AND number > ?2 AND ends_at + 0 > ?3
            ORDER BY number LIMIT ?4
        ) AS waiting
    ) AS wanted
    CROSS JOIN drop_messages ON drop_messages.box = ?1 AND drop_messages.number = wanted.place
    WHERE coalesce(wanted.ahead, -1) < ?5 ORDER BY wanted.place"
);

/// The next messages of a box, and what is to go of them.
pub(super) async fn page(
    read: ReadDrop,
    executor: impl SqliteExecutor<'_>,
) -> Result<(DropPage, Gone), StoreError> {
    let mut filling = Filling::new(read);
    let rows = query(PAGE).bind(read.from.0).bind(read.after).bind(read.now.as_micros());
    let rows = rows.bind(filling.most_rows()).bind(column(read.bytes)).fetch_all(executor).await;
    for row in rows.map_err(during("reading a drop box"))? {
        if !filling.add(records::drop_message(&row)?) {
            break;
        }
    }
    Ok(filling.finish())
}

/// All but files of a stretch that was read just before.
const TAKE_TEXTS: &str = "
    DELETE FROM drop_messages
    WHERE box = ?1 AND number > ?2 AND number <= ?3 AND ends_at + 0 > ?4 AND file IS NULL";

/// All of it.
const TAKE_ALL: &str = "
    DELETE FROM drop_messages
    WHERE box = ?1 AND number > ?2 AND number <= ?3 AND ends_at + 0 > ?4";

/// The same, and takes out what is to go; then ends the box, if it is to end.
pub(super) async fn take(
    read: ReadDrop,
    connection: &mut SqliteConnection,
) -> Result<Result<DropPage, Fault>, StoreError> {
    let (page, gone) = page(read, &mut *connection).await?;
    if let Some(last) = page.messages.last().filter(|_| gone.messages() > 0) {
        remove(&read, last.number, &gone, connection).await?;
    }
    if let Some(ending) = ending(&read, &page) {
        end(&read, ending, &mut *connection).await?;
    }
    // Files come last, whoever works on them.
    if let Taking::All { files_until } = read.taking {
        files::end(gone.files, files_until, connection).await?;
    }
    Ok(Ok(page))
}

async fn remove(
    read: &ReadDrop,
    last: i64,
    gone: &Gone,
    connection: &mut SqliteConnection,
) -> Result<(), StoreError> {
    let statement = if read.taking == Taking::Texts { TAKE_TEXTS } else { TAKE_ALL };
    query(statement)
        .bind(read.from.0)
        .bind(read.after)
        .bind(last)
        .bind(read.now.as_micros())
        .execute(&mut *connection)
        .await
        .map_err(during("taking messages out of a drop box"))?;
    shrink(gone, connection).await
}

/// Nobody puts anything into it from then on, and whoever goes on after a message that it never had
/// has not read it.
const END: &str = "
    UPDATE drop_boxes SET closed = 1, lock_at = min(lock_at, ?3), ends_at = min(ends_at, ?4)
    WHERE number = ?1 AND last_message >= ?2";

/// The same for a box that is gone at once.
const END_EMPTY: &str = "
    UPDATE drop_boxes SET closed = 1, lock_at = min(lock_at, ?3), ends_at = 0
    WHERE number = ?1 AND last_message >= ?2 AND NOT EXISTS (
        SELECT 1 FROM drop_messages WHERE box = ?1 AND ends_at + 0 > ?3
    )";

async fn end(
    read: &ReadDrop,
    ending: Ending,
    connection: &mut SqliteConnection,
) -> Result<(), StoreError> {
    let (number, after, now) = (read.from.0, read.after, read.now.as_micros());
    let ended = match ending {
        Ending::Now => query(END_EMPTY).bind(number).bind(after).bind(now),
        Ending::At(ends_at) => {
            query(END).bind(number).bind(after).bind(now).bind(ends_at.as_micros())
        }
    };
    ended.execute(connection).await.map_err(during("ending a drop box"))?;
    Ok(())
}

const BY_ID: &str = concat!(
    "SELECT ",
    records::drop_message_columns!(),
    " FROM drop_messages WHERE id = ?2 AND box + 0 = ?1"
);

/// One message of a box.
pub(super) async fn by_id(
    of: BoxNumber,
    id: DropId,
    executor: impl SqliteExecutor<'_>,
) -> Result<Option<DropMessage>, StoreError> {
    let row = query(BY_ID).bind(of.0).bind(id.0.as_slice()).fetch_optional(executor).await;
    let row = row.map_err(during("reading a message of a drop box"))?;
    row.as_ref().map(records::drop_message).transpose()
}

const DELETE: &str = concat!(
    "DELETE FROM drop_messages WHERE box = ?1 AND number = ?2 RETURNING ",
    records::gone_columns!()
);

/// Deletes one; returns whether there was one.
pub(super) async fn delete(
    (of, number, now): (BoxNumber, i64, Timestamp),
    connection: &mut SqliteConnection,
) -> Result<Result<bool, Fault>, StoreError> {
    let rows = query(DELETE).bind(of.0).bind(number).fetch_all(&mut *connection).await;
    let gone = records::gone(&rows.map_err(during("deleting a message of a drop box"))?)?;
    shrink(&gone, connection).await?;
    let was_there = gone.messages() > 0;
    files::end(gone.files, now, connection).await?;
    Ok(Ok(was_there))
}

const END_ONE: &str = "
    UPDATE drop_messages SET ends_at = min(ends_at, ?3) WHERE box = ?1 AND number = ?2";

/// Lets one end at that moment, unless it ends earlier.
pub(super) async fn end_one(
    (of, number, ends_at): (BoxNumber, i64, Timestamp),
    connection: &mut SqliteConnection,
) -> Result<Result<(), Fault>, StoreError> {
    let end = query(END_ONE).bind(of.0).bind(number).bind(ends_at.as_micros());
    end.execute(connection).await.map_err(during("ending a message of a drop box"))?;
    Ok(Ok(()))
}

const SHRINK: &str = "
    UPDATE drop_boxes SET kept_messages = kept_messages - ?2, kept_bytes = kept_bytes - ?3
    WHERE number = ?1";

/// Notes in the boxes' rows what went of them.
pub(super) async fn shrink(
    gone: &Gone,
    connection: &mut SqliteConnection,
) -> Result<(), StoreError> {
    for (number, (messages, bytes)) in &gone.boxes {
        let shrink = query(SHRINK).bind(number.0).bind(messages).bind(bytes);
        let shrunk = shrink.execute(&mut *connection).await;
        shrunk.map_err(during("counting what is in a drop box"))?;
    }
    Ok(())
}
