//! Letters: messages without a box.

use sqlx::query;

use super::files;
use crate::domain::Fault;
use crate::domain::dropbox::Letter;
use crate::domain::dropbox::letter::TakeLetter;
use crate::storage::dropping::column;
use crate::storage::error::{StoreError, during};
use crate::storage::postgres::link::Link;
use crate::storage::records;

#[cfg(test)]
pub(in crate::storage::postgres) const STATEMENTS: &[&str] = &[TAKE];

const KEEP: &str = "
    INSERT INTO drop_letters (id, version, secret, form, file, file_length, created_at,
        ends_at, data)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

/// Keeps a letter, and its file for as long.
pub(super) async fn keep(
    letter: &Letter,
    link: &mut Link<'_>,
) -> Result<Result<(), Fault>, StoreError> {
    let keeps = letter.file.map(|file| (file.id, letter.ends_at));
    if let Err(gone) = files::keep(keeps.as_slice(), letter.created_at, link).await? {
        return Ok(Err(gone));
    }
    query(KEEP)
        .bind(letter.id.0.as_slice())
        .bind(records::version_number(letter.version))
        .bind(letter.secret.as_bytes().as_slice())
        .bind(letter.form as i64)
        .bind(letter.file.as_ref().map(|file| file.id.as_bytes().as_slice()))
        .bind(letter.file.map(|file| column(file.length)))
        .bind(letter.created_at.as_micros())
        .bind(letter.ends_at.as_micros())
        .bind(letter.data.as_slice())
        .execute(link)
        .await
        .map_err(during("keeping a letter"))?;
    Ok(Ok(()))
}

const TAKE: &str = concat!(
    "DELETE FROM drop_letters WHERE id = $1 AND version = $2 AND secret = $3 AND ends_at + 0 > $4
    RETURNING ",
    records::drop_letter_columns!()
);

/// Takes a letter out for whoever has its secret.
pub(super) async fn take(
    take: TakeLetter,
    link: &mut Link<'_>,
) -> Result<Result<Option<Letter>, Fault>, StoreError> {
    let taken = query(TAKE)
        .bind(take.id.0.as_slice())
        .bind(records::version_number(take.version))
        .bind(take.secret.as_bytes().as_slice())
        .bind(take.now.as_micros())
        .fetch_optional(&mut *link)
        .await
        .map_err(during("taking a letter"))?;
    let Some(taken) = taken else { return Ok(Ok(None)) };
    let letter = records::drop_letter(&taken)?;
    files::end(letter.file.map(|file| file.id), take.file_until, link).await?;
    Ok(Ok(Some(letter)))
}
