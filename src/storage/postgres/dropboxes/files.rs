//! Files of drop boxes and letters: how long they are kept.

use sqlx::query;

use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::dropbox::file::NewDropFile;
use crate::domain::ids::AttachmentId;
use crate::storage::error::{StoreError, during};
use crate::storage::postgres::columns::{blobs, numbers};
use crate::storage::postgres::link::Link;
use crate::storage::postgres::rows::{id, id_array};

#[cfg(test)]
pub(in crate::storage::postgres) const STATEMENTS: &[&str] =
    &[KEEP, END, END_LOOSE, ANY_OVER, OVER, FORGET, AMONG];

const OPEN: &str = "INSERT INTO drop_files (id, ends_at) VALUES ($1, $2)";

/// Notes a file whose bytes are to come.
pub(super) async fn open(
    file: NewDropFile,
    link: &mut Link<'_>,
) -> Result<Result<(), Fault>, StoreError> {
    let open = query(OPEN).bind(&file.id.as_bytes()[..]).bind(file.ends_at.as_micros());
    open.execute(link).await.map_err(during("noting a file"))?;
    Ok(Ok(()))
}

/// In the order of their ids, so that nobody waits for somebody who waits.
const KEEP: &str = "
    WITH live AS MATERIALIZED (
        SELECT id FROM drop_files WHERE id = ANY($1) AND ends_at + 0 > $3 ORDER BY id FOR UPDATE
    )
    UPDATE drop_files SET kept = 1, ends_at = (
        SELECT until FROM unnest($1::bytea[], $2::bigint[]) AS new (id, until)
        WHERE new.id = drop_files.id LIMIT 1
    )
    WHERE id = ANY (ARRAY(SELECT id FROM live))";

/// Lets files last until then, each as long as is said, all of them or none.
pub(super) async fn keep(
    files: &[(AttachmentId, Timestamp)],
    now: Timestamp,
    link: &mut Link<'_>,
) -> Result<Result<(), Fault>, StoreError> {
    if files.is_empty() {
        return Ok(Ok(()));
    }
    let keep = query(KEEP)
        .bind(blobs(files, |(id, _)| id.as_bytes()))
        .bind(numbers(files, |(_, ends_at)| ends_at.as_micros()))
        .bind(now.as_micros());
    let kept = keep.execute(link).await.map_err(during("keeping files"))?;
    if kept.rows_affected() < files.len() as u64 {
        return Ok(Err(Fault::NotFound { what: "file" }));
    }
    Ok(Ok(()))
}

/// What is being removed stays so.
const END: &str = "
    WITH ending AS MATERIALIZED (
        SELECT id FROM drop_files WHERE id = ANY($1) AND ends_at + 0 > 0 ORDER BY id FOR UPDATE
    )
    UPDATE drop_files SET ends_at = $2 WHERE id = ANY (ARRAY(SELECT id FROM ending))";

/// From that time on these files are over.
pub(super) async fn end(
    ids: impl IntoIterator<Item = AttachmentId>,
    at: Timestamp,
    link: &mut Link<'_>,
) -> Result<(), StoreError> {
    let mut ids = ids.into_iter().peekable();
    if ids.peek().is_none() {
        return Ok(());
    }
    let ended = query(END).bind(id_array(ids)).bind(at.as_micros()).execute(link).await;
    ended.map_err(during("ending files"))?;
    Ok(())
}

/// Who keeps it just now is waited for.
const END_LOOSE: &str = "UPDATE drop_files SET ends_at = 0 WHERE id = $1 AND kept + 0 = 0";

/// From now on this file is over, unless something ever kept it.
pub(super) async fn end_loose(
    id: AttachmentId,
    link: &mut Link<'_>,
) -> Result<Result<(), Fault>, StoreError> {
    let ended = query(END_LOOSE).bind(&id.as_bytes()[..]).execute(link).await;
    ended.map_err(during("ending a file"))?;
    Ok(Ok(()))
}

const ANY_OVER: &str = "SELECT 1 FROM drop_files WHERE ends_at <= $1 ORDER BY ends_at LIMIT 1";

/// Whether there is anything to remove.
pub(super) async fn are_over(now: Timestamp, link: &mut Link<'_>) -> Result<bool, StoreError> {
    let any = query(ANY_OVER).bind(now.as_micros()).fetch_optional(link).await;
    Ok(any.map_err(during("looking for files that are over"))?.is_some())
}

const OVER: &str = "
    WITH over AS MATERIALIZED (
        SELECT id FROM drop_files WHERE ends_at <= $1
        ORDER BY ends_at LIMIT $2 FOR UPDATE SKIP LOCKED
    )
    UPDATE drop_files SET ends_at = 0 WHERE id = ANY (ARRAY(SELECT id FROM over))
    RETURNING id";

/// Files that are over, from now on for good.
pub(super) async fn over(
    (now, limit): (Timestamp, u32),
    link: &mut Link<'_>,
) -> Result<Result<Vec<AttachmentId>, Fault>, StoreError> {
    let over = query(OVER).bind(now.as_micros()).bind(i64::from(limit)).fetch_all(link).await;
    let over = over.map_err(during("ending files for good"))?;
    Ok(Ok(over.iter().map(|row| id(row, "id")).collect::<Result<_, _>>()?))
}

const FORGET: &str = "
    DELETE FROM drop_files WHERE id = ANY($1) AND ends_at + 0 = 0";

/// Forgets files whose bytes are gone.
pub(super) async fn forget(
    ids: &[AttachmentId],
    link: &mut Link<'_>,
) -> Result<Result<(), Fault>, StoreError> {
    let list = id_array(ids.iter().copied());
    let forgotten = query(FORGET).bind(list).execute(link).await;
    forgotten.map_err(during("forgetting files"))?;
    Ok(Ok(()))
}

const AMONG: &str = "SELECT id FROM drop_files WHERE id = ANY($1)";

/// Those of these ids that are on file.
pub(super) async fn among(
    ids: &[AttachmentId],
    link: &mut Link<'_>,
) -> Result<Vec<AttachmentId>, StoreError> {
    let list = id_array(ids.iter().copied());
    let rows = query(AMONG).bind(list).fetch_all(link).await;
    rows.map_err(during("looking for files"))?.iter().map(|row| id(row, "id")).collect()
}
