//! Files of drop boxes and letters: how long they are kept.

use std::fmt::Write;

use sqlx::sqlite::SqliteExecutor;
use sqlx::{SqliteConnection, query};

use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::dropbox::file::NewDropFile;
use crate::domain::ids::AttachmentId;
use crate::storage::error::{StoreError, during};
use crate::storage::sqlite::rows::{count, id, id_list, json_list};

#[cfg(test)]
pub(in crate::storage::sqlite) const STATEMENTS: &[&str] =
    &[LIVE, KEEP, END, END_LOOSE, ANY_OVER, OVER, FORGET, AMONG];

const OPEN: &str = "INSERT INTO drop_files (id, ends_at) VALUES (?1, ?2)";

/// Notes a file whose bytes are to come.
pub(super) async fn open(
    file: NewDropFile,
    connection: &mut SqliteConnection,
) -> Result<Result<(), Fault>, StoreError> {
    let open = query(OPEN).bind(&file.id.as_bytes()[..]).bind(file.ends_at.as_micros());
    open.execute(connection).await.map_err(during("noting a file"))?;
    Ok(Ok(()))
}

const LIVE: &str = "
    SELECT count(*) AS files FROM json_each(?1) AS wanted
    CROSS JOIN drop_files ON drop_files.id = unhex(wanted.value)
    WHERE drop_files.ends_at + 0 > ?2";

const KEEP: &str = "UPDATE drop_files SET ends_at = ?2, kept = 1 WHERE id = ?1";

/// Lets files last until then, each as long as is said, all of them or none.
pub(super) async fn keep(
    files: &[(AttachmentId, Timestamp)],
    now: Timestamp,
    connection: &mut SqliteConnection,
) -> Result<Result<(), Fault>, StoreError> {
    if files.is_empty() {
        return Ok(Ok(()));
    }
    let doing = "keeping files";
    let list = json_list(files, |json, (id, _)| write!(json, "\"{}\"", id.uuid().as_simple()));
    let live = query(LIVE).bind(list).bind(now.as_micros()).fetch_one(&mut *connection).await;
    if count(&live.map_err(during(doing))?, "files")? < files.len() as u64 {
        return Ok(Err(Fault::NotFound { what: "file" }));
    }
    for (id, ends_at) in files {
        let keep = query(KEEP).bind(&id.as_bytes()[..]).bind(ends_at.as_micros());
        keep.execute(&mut *connection).await.map_err(during(doing))?;
    }
    Ok(Ok(()))
}

/// What is being removed stays so.
const END: &str = "
    UPDATE drop_files SET ends_at = ?2
    WHERE id IN (SELECT unhex(value) FROM json_each(?1)) AND ends_at + 0 > 0";

/// From that time on these files are over.
pub(super) async fn end(
    ids: impl IntoIterator<Item = AttachmentId>,
    at: Timestamp,
    connection: &mut SqliteConnection,
) -> Result<(), StoreError> {
    let mut ids = ids.into_iter().peekable();
    if ids.peek().is_none() {
        return Ok(());
    }
    let ended = query(END).bind(id_list(ids)).bind(at.as_micros()).execute(connection).await;
    ended.map_err(during("ending files"))?;
    Ok(())
}

const END_LOOSE: &str = "UPDATE drop_files SET ends_at = 0 WHERE id = ?1 AND kept + 0 = 0";

/// From now on this file is over, unless something ever kept it.
pub(super) async fn end_loose(
    id: AttachmentId,
    connection: &mut SqliteConnection,
) -> Result<Result<(), Fault>, StoreError> {
    let ended = query(END_LOOSE).bind(&id.as_bytes()[..]).execute(connection).await;
    ended.map_err(during("ending a file"))?;
    Ok(Ok(()))
}

const ANY_OVER: &str = "SELECT 1 FROM drop_files WHERE ends_at <= ?1 LIMIT 1";

/// Whether there is anything to remove.
pub(super) async fn are_over(
    now: Timestamp,
    executor: impl SqliteExecutor<'_>,
) -> Result<bool, StoreError> {
    let any = query(ANY_OVER).bind(now.as_micros()).fetch_optional(executor).await;
    Ok(any.map_err(during("looking for files that are over"))?.is_some())
}

const OVER: &str = "
    UPDATE drop_files SET ends_at = 0
    WHERE id IN (SELECT id FROM drop_files WHERE ends_at <= ?1 ORDER BY ends_at LIMIT ?2)
    RETURNING id";

/// Files that are over, from now on for good.
pub(super) async fn over(
    (now, limit): (Timestamp, u32),
    connection: &mut SqliteConnection,
) -> Result<Result<Vec<AttachmentId>, Fault>, StoreError> {
    let over = query(OVER).bind(now.as_micros()).bind(limit).fetch_all(connection).await;
    let over = over.map_err(during("ending files for good"))?;
    Ok(Ok(over.iter().map(|row| id(row, "id")).collect::<Result<_, _>>()?))
}

const FORGET: &str = "
    DELETE FROM drop_files
    WHERE id IN (SELECT unhex(value) FROM json_each(?1)) AND ends_at + 0 = 0";

/// Forgets files whose bytes are gone.
pub(super) async fn forget(
    ids: &[AttachmentId],
    connection: &mut SqliteConnection,
) -> Result<Result<(), Fault>, StoreError> {
    let list = id_list(ids.iter().copied());
    let forgotten = query(FORGET).bind(list).execute(connection).await;
    forgotten.map_err(during("forgetting files"))?;
    Ok(Ok(()))
}

const AMONG: &str = "
    SELECT drop_files.id
    FROM json_each(?1) AS wanted CROSS JOIN drop_files ON drop_files.id = unhex(wanted.value)";

/// Those of these ids that are on file.
pub(super) async fn among(
    ids: &[AttachmentId],
    executor: impl SqliteExecutor<'_>,
) -> Result<Vec<AttachmentId>, StoreError> {
    let list = id_list(ids.iter().copied());
    let rows = query(AMONG).bind(list).fetch_all(executor).await;
    rows.map_err(during("looking for files"))?.iter().map(|row| id(row, "id")).collect()
}
