//! The operator's invitations.

use sqlx::sqlite::SqlitePool;
use sqlx::{SqliteConnection, query};

use super::rows::value;
use super::sign_up::INVITE;
use crate::domain::Fault;
use crate::domain::sign_up::{Invite, InviteHash, InviteId, NewInvite};
use crate::storage::error::{StoreError, during};
use crate::storage::records;

const ADD: &str = "
    INSERT INTO invites (id, hash, uses, used, created_at, expires_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

pub(super) async fn add(
    NewInvite { invite, hash }: &NewInvite,
    connection: &mut SqliteConnection,
) -> Result<Result<(), Fault>, StoreError> {
    let add = query(ADD)
        .bind(&invite.id.as_bytes()[..])
        .bind(&hash.0[..])
        .bind(invite.uses)
        .bind(invite.used)
        .bind(invite.created_at.as_micros())
        .bind(invite.expires_at.as_micros());
    add.execute(connection).await.map_err(during("keeping an invitation"))?;
    Ok(Ok(()))
}

/// The invitation with this code's hash.
pub(super) async fn find(
    hash: &InviteHash,
    connection: &mut SqliteConnection,
) -> Result<Option<Invite>, StoreError> {
    let row = query(INVITE).bind(&hash.0[..]).fetch_optional(connection).await;
    row.map_err(during("looking for an invitation"))?.as_ref().map(records::invite).transpose()
}

pub(super) const NUMBER: &str = "SELECT number FROM invites WHERE id = ?1";

const PAGE: &str = "
    SELECT id, uses, used, created_at, expires_at FROM invites
    WHERE number > ?1 ORDER BY number LIMIT ?2";

pub(super) async fn page(
    readers: &SqlitePool,
    after: Option<InviteId>,
    limit: u32,
) -> Result<Vec<Invite>, Fault> {
    let doing = "listing invitations";
    let mut number = 0_i64;
    if let Some(after) = after {
        let row = query(NUMBER).bind(&after.as_bytes()[..]).fetch_optional(readers).await;
        let row = row.map_err(during(doing))?.ok_or(Fault::NotFound { what: "invitation" })?;
        number = value(&row, "number")?;
    }
    let rows = query(PAGE).bind(number).bind(limit).fetch_all(readers).await;
    let rows = rows.map_err(during(doing))?;
    Ok(rows.iter().map(records::invite).collect::<Result<_, _>>()?)
}

pub(super) const DROP: &str = "DELETE FROM invites WHERE id = ?1";

pub(super) async fn drop(
    id: &InviteId,
    connection: &mut SqliteConnection,
) -> Result<Result<(), Fault>, StoreError> {
    let dropped = query(DROP).bind(&id.as_bytes()[..]).execute(connection).await;
    match dropped.map_err(during("dropping an invitation"))?.rows_affected() {
        0 => Ok(Err(Fault::NotFound { what: "invitation" })),
        _ => Ok(Ok(())),
    }
}
