//! What is in drop boxes.

use sqlx::query;

use super::files;
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::dropbox::{
    BoxNumber, DropId, DropMessage, DropPage, Ending, Put, PutOutcome, ReadDrop, Taking,
};
use crate::storage::dropping::{Filling, Gone, column, ending, put_bytes};
use crate::storage::error::{StoreError, during};
use crate::storage::postgres::columns::{blobs, numbers};
use crate::storage::postgres::link::Link;
use crate::storage::postgres::rows::value;
use crate::storage::records;

#[cfg(test)]
pub(in crate::storage::postgres) const STATEMENTS: &[&str] = &[
    HOLD, STANDING, PUT, PAGE, TAKE_TEXTS, TAKE_ALL, END, END_EMPTY, BY_ID, DELETE, END_ONE, SHRINK,
];

const HOLD: &str = "SELECT number FROM drop_boxes WHERE number = $1 FOR NO KEY UPDATE";

/// Waits for the box's row and keeps it; `false` when there is no such box.
pub(super) async fn hold(number: BoxNumber, link: &mut Link<'_>) -> Result<bool, StoreError> {
    let held = query(HOLD).bind(number.0).fetch_optional(link).await;
    Ok(held.map_err(during("waiting for a drop box"))?.is_some())
}

const STANDING: &str = "
    SELECT lock_at, ends_at, closed, kept_messages, kept_bytes FROM drop_boxes
    WHERE number = $1";

/// Raises the counts of the box, which keeps its row, and stores the messages; if anything speaks
/// against it, neither.
const PUT: &str = "
    WITH grown AS (
        UPDATE drop_boxes SET last_message = last_message + $2,
            kept_messages = kept_messages + $2, kept_bytes = kept_bytes + $3
        WHERE number = $1 AND ends_at + 0 > $4 AND lock_at > $4 AND closed = 0
            AND kept_messages + $2 <= $5 AND kept_bytes + $3 <= $6
        RETURNING last_message - $2 AS before
    )
    INSERT INTO drop_messages (box, number, id, form, encryption_key, hash, name, file,
        file_length, created_at, ends_at, data)
    SELECT $1, grown.before + new.place, new.id, new.form, new.encryption_key, new.hash, new.name,
        new.file, new.file_length, new.created_at, new.ends_at, new.data
    FROM grown CROSS JOIN unnest($7::bytea[], $8::bigint[], $9::bytea[], $10::text[],
        $11::bytea[], $12::bytea[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bytea[])
        WITH ORDINALITY AS new (id, form, encryption_key, hash, name, file, file_length,
            created_at, ends_at, data, place)
    RETURNING number";

/// Leaves messages in a box.
pub(super) async fn put(
    put: &Put,
    link: &mut Link<'_>,
) -> Result<Result<PutOutcome, Fault>, StoreError> {
    let Some(first) = insert(put, link).await? else {
        return Ok(Ok(refusal(put, link).await?));
    };
    let keeps = put.messages.iter().filter_map(|new| Some((new.file?.id, new.ends_at)));
    let keeps: Vec<_> = keeps.collect();
    let kept = files::keep(&keeps, put.now, link).await?;
    Ok(kept.map(|()| PutOutcome::Stored(first)))
}

/// The number of the first message, if they were stored.
async fn insert(put: &Put, link: &mut Link<'_>) -> Result<Option<i64>, StoreError> {
    let new = put.messages.as_slice();
    let hashes: Vec<_> = new.iter().map(|one| one.hash.as_deref()).collect();
    let files = new.iter().map(|one| one.file.as_ref().map(|file| &file.id.as_bytes()[..]));
    let lengths = new.iter().map(|one| one.file.map(|file| column(file.length)));
    let rows = query(PUT)
        .bind(put.to.0)
        .bind(column(new.len() as u64))
        .bind(column(put_bytes(put)))
        .bind(put.now.as_micros())
        .bind(column(put.room.messages))
        .bind(column(put.room.bytes))
        .bind(blobs(new, |one| &one.id.0))
        .bind(numbers(new, |one| one.form as i64))
        .bind(blobs(new, |one| &one.encryption_key))
        .bind(hashes)
        .bind(blobs(new, |one| &one.name))
        .bind(files.collect::<Vec<_>>())
        .bind(lengths.collect::<Vec<_>>())
        .bind(numbers(new, |one| one.created_at.as_micros()))
        .bind(numbers(new, |one| one.ends_at.as_micros()))
        .bind(blobs(new, |one| &one.data))
        .fetch_all(link)
        .await
        .map_err(during("leaving messages in a drop box"))?;
    let stored = rows.iter().map(|row| value(row, "number")).collect::<Result<Vec<i64>, _>>()?;
    Ok(stored.into_iter().min())
}

/// Why nothing was stored.
async fn refusal(put: &Put, link: &mut Link<'_>) -> Result<PutOutcome, StoreError> {
    let doing = "looking for room in a drop box";
    let standing = query(STANDING).bind(put.to.0).fetch_optional(link).await;
    let Some(standing) = standing.map_err(during(doing))? else { return Ok(PutOutcome::Gone) };
    // When nothing speaks against it any more, room was made meanwhile.
    records::standing(&standing)?.refusal(put).ok_or(StoreError::MetAnother { doing })
}

/// The texts are read only of what comes on the page, and of the next message: the rows before the
/// previous one hold less than the page may.
const PAGE: &str = concat!(
    "SELECT ",
    records::drop_message_columns!(),
    " FROM (
        SELECT *, sum(octet_length(encryption_key) + octet_length(data) + octet_length(name))
            OVER (ORDER BY number ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING) AS ahead
        FROM (
            SELECT ",
    records::drop_message_columns!(),
    " FROM drop_messages WHERE box = $1 AND number > $2 AND ends_at + 0 > $3
            ORDER BY number LIMIT $4
        ) AS oldest
    ) AS page
    WHERE coalesce(ahead, -1) < $5 ORDER BY number"
);

/// The next messages of a box, and what is to go of them.
pub(super) async fn page(
    read: ReadDrop,
    link: &mut Link<'_>,
) -> Result<(DropPage, Gone), StoreError> {
    let mut filling = Filling::new(read);
    let rows = query(PAGE).bind(read.from.0).bind(read.after).bind(read.now.as_micros());
    let rows = rows.bind(filling.most_rows()).bind(column(read.bytes)).fetch_all(link).await;
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
    WHERE box = $1 AND number > $2 AND number <= $3 AND ends_at + 0 > $4 AND file IS NULL";

/// All of it.
const TAKE_ALL: &str = "
    DELETE FROM drop_messages
    WHERE box = $1 AND number > $2 AND number <= $3 AND ends_at + 0 > $4";

/// The same, and takes out what is to go; then ends the box, if it is to end.
pub(super) async fn take(
    read: ReadDrop,
    link: &mut Link<'_>,
) -> Result<Result<DropPage, Fault>, StoreError> {
    if !hold(read.from, link).await? {
        return Ok(Ok(Filling::new(read).finish().0));
    }
    let (page, gone) = page(read, &mut *link).await?;
    if let Some(last) = page.messages.last().filter(|_| gone.messages() > 0) {
        remove(&read, last.number, &gone, link).await?;
    }
    if let Some(ending) = ending(&read, &page) {
        end(&read, ending, &mut *link).await?;
    }
    // Files come last, whoever works on them.
    if let Taking::All { files_until } = read.taking {
        files::end(gone.files, files_until, link).await?;
    }
    Ok(Ok(page))
}

async fn remove(
    read: &ReadDrop,
    last: i64,
    gone: &Gone,
    link: &mut Link<'_>,
) -> Result<(), StoreError> {
    let statement = if read.taking == Taking::Texts { TAKE_TEXTS } else { TAKE_ALL };
    query(statement)
        .bind(read.from.0)
        .bind(read.after)
        .bind(last)
        .bind(read.now.as_micros())
        .execute(&mut *link)
        .await
        .map_err(during("taking messages out of a drop box"))?;
    shrink(gone, link).await
}

/// Nobody puts anything into it from then on, and whoever goes on after a message that it never had
/// has not read it.
const END: &str = "
    UPDATE drop_boxes SET closed = 1, lock_at = least(lock_at, $3), ends_at = least(ends_at, $4)
    WHERE number = $1 AND last_message >= $2";

/// The same for a box that is gone at once.
const END_EMPTY: &str = "
    UPDATE drop_boxes SET closed = 1, lock_at = least(lock_at, $3), ends_at = 0
    WHERE number = $1 AND last_message >= $2 AND NOT EXISTS (
        SELECT 1 FROM drop_messages WHERE box = $1 AND ends_at + 0 > $3
    )";

async fn end(read: &ReadDrop, ending: Ending, link: &mut Link<'_>) -> Result<(), StoreError> {
    let (number, after, now) = (read.from.0, read.after, read.now.as_micros());
    let ended = match ending {
        Ending::Now => query(END_EMPTY).bind(number).bind(after).bind(now),
        Ending::At(ends_at) => {
            query(END).bind(number).bind(after).bind(now).bind(ends_at.as_micros())
        }
    };
    ended.execute(link).await.map_err(during("ending a drop box"))?;
    Ok(())
}

const BY_ID: &str = concat!(
    "SELECT ",
    records::drop_message_columns!(),
    " FROM drop_messages WHERE id = $2 AND box + 0 = $1"
);

/// One message of a box.
pub(super) async fn by_id(
    of: BoxNumber,
    id: DropId,
    link: &mut Link<'_>,
) -> Result<Option<DropMessage>, StoreError> {
    let row = query(BY_ID).bind(of.0).bind(id.0.as_slice()).fetch_optional(link).await;
    let row = row.map_err(during("reading a message of a drop box"))?;
    row.as_ref().map(records::drop_message).transpose()
}

const DELETE: &str = concat!(
    "DELETE FROM drop_messages WHERE box = $1 AND number = $2 RETURNING ",
    records::gone_columns!()
);

/// Deletes one; returns whether there was one.
pub(super) async fn delete(
    (of, number, now): (BoxNumber, i64, Timestamp),
    link: &mut Link<'_>,
) -> Result<Result<bool, Fault>, StoreError> {
    if !hold(of, link).await? {
        return Ok(Ok(false));
    }
    let rows = query(DELETE).bind(of.0).bind(number).fetch_all(&mut *link).await;
    let gone = records::gone(&rows.map_err(during("deleting a message of a drop box"))?)?;
    shrink(&gone, link).await?;
    let was_there = gone.messages() > 0;
    files::end(gone.files, now, link).await?;
    Ok(Ok(was_there))
}

const END_ONE: &str = "
    UPDATE drop_messages SET ends_at = LEAST(ends_at, $3) WHERE box = $1 AND number = $2";

/// Lets one end at that moment, unless it ends earlier.
pub(super) async fn end_one(
    (of, number, ends_at): (BoxNumber, i64, Timestamp),
    link: &mut Link<'_>,
) -> Result<Result<(), Fault>, StoreError> {
    let end = query(END_ONE).bind(of.0).bind(number).bind(ends_at.as_micros());
    end.execute(link).await.map_err(during("ending a message of a drop box"))?;
    Ok(Ok(()))
}

const SHRINK: &str = "
    UPDATE drop_boxes SET kept_messages = kept_messages - $2, kept_bytes = kept_bytes - $3
    WHERE number = $1";

/// Notes in the boxes' rows what went of them.
pub(super) async fn shrink(gone: &Gone, link: &mut Link<'_>) -> Result<(), StoreError> {
    for (number, (messages, bytes)) in &gone.boxes {
        let shrink = query(SHRINK).bind(number.0).bind(messages).bind(bytes);
        let shrunk = shrink.execute(&mut *link).await;
        shrunk.map_err(during("counting what is in a drop box"))?;
    }
    Ok(())
}
