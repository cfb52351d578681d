//! The rows of devices.

use sqlx::{SqliteConnection, query};

use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, SessionNumber};
use crate::domain::inbox::InboxKey;
use crate::domain::phone::{DeviceChange, DeviceNumber, NewDevice, PushKind};
use crate::storage::cells::small;
use crate::storage::error::{StoreError, during};
use crate::storage::sqlite::connection::WriterConnection;
use crate::storage::sqlite::inboxes::Inboxes;
use crate::storage::sqlite::prekeys;
use crate::storage::sqlite::rows::{count, value};
use crate::storage::sqlite::settle::settle_inbox;
use crate::storage::sqlite::sign_in;

#[cfg(test)]
pub(in super::super) const STATEMENTS: &[&str] =
    &[SESSIONS, NUMBERS, AT, DROP, CHANGE_PUSH, LISTED, RAISE];

/// Where a device stands.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub account: AccountNumber,
    pub number: DeviceNumber,
}

const SESSIONS: &str = "SELECT session FROM devices WHERE account = ?1 ORDER BY number";

/// The sessions of an account's devices.
pub(super) async fn sessions(
    account: AccountNumber,
    connection: &mut SqliteConnection,
) -> Result<Vec<SessionNumber>, StoreError> {
    let rows = query(SESSIONS).bind(account.0).fetch_all(connection).await;
    let rows = rows.map_err(during("looking for devices"))?;
    rows.iter().map(|row| value(row, "session").map(SessionNumber)).collect()
}

/// How many devices an account has, and the highest of their numbers.
pub(super) struct Numbers {
    pub devices: u64,
    pub highest: u32,
}

const NUMBERS: &str = "
    SELECT count(*) AS devices, coalesce(max(number), 0) AS highest FROM devices WHERE account = ?1";

pub(super) async fn numbers(
    account: AccountNumber,
    connection: &mut SqliteConnection,
) -> Result<Numbers, StoreError> {
    let row = query(NUMBERS).bind(account.0).fetch_one(connection).await;
    let row = row.map_err(during("counting devices"))?;
    Ok(Numbers { devices: count(&row, "devices")?, highest: small(&row, "highest")? })
}

const AT: &str = "SELECT session FROM devices WHERE account = ?1 AND number = ?2";

/// The session of a device.
pub(super) async fn at(
    place: Place,
    connection: &mut SqliteConnection,
) -> Result<Option<i64>, StoreError> {
    let row = query(AT).bind(place.account.0).bind(place.number.0).fetch_optional(connection).await;
    let row = row.map_err(during("looking for a device"))?;
    row.as_ref().map(|row| value(row, "session")).transpose()
}

/// It proves itself by its password, so it has no keys.
const ADD_SESSION: &str = "
    INSERT INTO sessions (id, account, platform, created_at) VALUES (?1, ?2, '', ?3)
    RETURNING number";

const ADD: &str = "
    INSERT INTO devices (session, account, number, password, signalling_key, registration, fetches,
        name)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

/// Puts a device on file, and its session.
pub(super) async fn add(
    place: Place,
    new: &NewDevice,
    at: Timestamp,
    connection: &mut SqliteConnection,
) -> Result<(), StoreError> {
    let doing = "adding a device";
    let session = query(ADD_SESSION).bind(&new.id.as_bytes()[..]).bind(place.account.0);
    let row = session.bind(at.as_micros()).fetch_one(&mut *connection).await;
    let session: i64 = value(&row.map_err(during(doing))?, "number")?;
    let add = query(ADD)
        .bind(session)
        .bind(place.account.0)
        .bind(place.number.0)
        .bind(new.password.0.as_str())
        .bind(new.signalling_key.0.as_slice())
        .bind(new.registration)
        .bind(new.fetches)
        .bind(new.name.as_deref());
    add.execute(connection).await.map_err(during(doing))?;
    Ok(())
}

const DROP: &str = "DELETE FROM devices WHERE session = ?1";

/// Ends a device with all that it left here, and puts what waited for it out of reach.
pub(super) async fn end(
    inbox: InboxKey,
    at: Timestamp,
    connection: &mut WriterConnection,
    inboxes: &mut Inboxes,
) -> Result<(), StoreError> {
    prekeys::drop_ordinary(inbox.session, connection).await?;
    let drop = query(DROP).bind(inbox.session.0).execute(&mut **connection);
    drop.await.map_err(during("removing a device"))?;
    settle_inbox(connection, &mut inboxes.rows, inbox)?;
    sign_in::end(connection, inbox, at).await
}

/// Each condition that is missing holds.
const CHANGE_PUSH: &str = "
    UPDATE devices SET push_kind = ?2, push_address = ?3
    WHERE session = ?1 AND (?4 IS NULL OR push_kind = ?4) AND (?5 IS NULL OR push_address = ?5)
    RETURNING account";

/// Changes a device, if the change still applies.
pub(super) async fn change(
    (session, change): &(SessionNumber, DeviceChange),
    connection: &mut SqliteConnection,
) -> Result<Result<(), Fault>, StoreError> {
    let (to, (kind, address)) = (change.to(), change.condition());
    let row = query(CHANGE_PUSH)
        .bind(session.0)
        .bind(to.map(|to| to.kind.as_str()))
        .bind(to.map(|to| to.address.0.as_slice()))
        .bind(kind.map(PushKind::as_str))
        .bind(address.map(|address| address.0.as_slice()))
        .fetch_optional(&mut *connection)
        .await
        .map_err(during("changing a device"))?;
    if let Some(row) = row {
        raise(AccountNumber(value(&row, "account")?), connection).await?;
    }
    Ok(Ok(()))
}

const LISTED: &str = "
    UPDATE phones SET is_listed = EXISTS (
        SELECT 1 FROM devices
        WHERE account = ?1 AND number = 1 AND (fetches > 0 OR push_kind IS NOT NULL)
    )
    WHERE account = ?1";

/// Tells everybody that a phone has changed, and whether messages can reach it.
pub(super) async fn raise(
    account: AccountNumber,
    connection: &mut SqliteConnection,
) -> Result<(), StoreError> {
    let listed = query(LISTED).bind(account.0).execute(&mut *connection).await;
    listed.map_err(during("listing a phone"))?;
    raise_own(account, connection).await
}

/// Other dialects keep a log of changes beside it, which is not for phones.
const RAISE: &str = "
    UPDATE accounts SET roster_generation = roster_generation + 1 WHERE number = ?1";

/// Makes what others know of a phone's devices old.
pub(super) async fn raise_own(
    account: AccountNumber,
    connection: &mut SqliteConnection,
) -> Result<(), StoreError> {
    let raised = query(RAISE).bind(account.0).execute(connection).await;
    raised.map_err(during("raising a phone's generation"))?;
    Ok(())
}
