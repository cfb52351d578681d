//! The rows of devices.

use sqlx::query;

use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, SessionNumber};
use crate::domain::inbox::InboxKey;
use crate::domain::phone::{DeviceChange, DeviceNumber, NewDevice, PushKind};
use crate::storage::cells::small;
use crate::storage::error::{StoreError, during};
use crate::storage::postgres::link::Link;
use crate::storage::postgres::prekeys;
use crate::storage::postgres::rows::{count, value};
use crate::storage::postgres::sign_in;

#[cfg(test)]
pub(in super::super) const STATEMENTS: &[&str] =
    &[LOCK, LOCK_OF, SESSIONS, NUMBERS, AT, DROP, CHANGE_PUSH, LISTED, RAISE];

/// Where a device stands.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub account: AccountNumber,
    pub number: DeviceNumber,
}

/// Changes of one phone come one after the other, and every statement after this one sees what the
/// change before has done.
const LOCK: &str = "SELECT number FROM accounts WHERE number = $1 FOR NO KEY UPDATE";

/// Takes a phone's turn.
pub(super) async fn lock(account: AccountNumber, link: &mut Link<'_>) -> Result<(), StoreError> {
    let locked = query(LOCK).bind(account.0).execute(link).await;
    locked.map_err(during("waiting for other changes of a phone"))?;
    Ok(())
}

const LOCK_OF: &str = "
    SELECT number FROM accounts WHERE number = (SELECT account FROM devices WHERE session = $1)
    FOR NO KEY UPDATE";

/// Takes the turn of the phone that has a device, if one has.
async fn lock_of(session: SessionNumber, link: &mut Link<'_>) -> Result<(), StoreError> {
    let locked = query(LOCK_OF).bind(session.0).execute(link).await;
    locked.map_err(during("waiting for other changes of a phone"))?;
    Ok(())
}

/// Whoever changes what a device left here has its row first.
const SESSIONS: &str = "
    SELECT session FROM devices WHERE account = $1 ORDER BY number FOR UPDATE";

/// The sessions of an account's devices.
pub(super) async fn sessions(
    account: AccountNumber,
    link: &mut Link<'_>,
) -> Result<Vec<SessionNumber>, StoreError> {
    let rows = query(SESSIONS).bind(account.0).fetch_all(link).await;
    let rows = rows.map_err(during("looking for devices"))?;
    rows.iter().map(|row| value(row, "session").map(SessionNumber)).collect()
}

/// How many devices an account has, and the highest of their numbers.
pub(super) struct Numbers {
    pub devices: u64,
    pub highest: u32,
}

const NUMBERS: &str = "
    SELECT count(*) AS devices, coalesce(max(number), 0) AS highest FROM devices WHERE account = $1";

pub(super) async fn numbers(
    account: AccountNumber,
    link: &mut Link<'_>,
) -> Result<Numbers, StoreError> {
    let row = query(NUMBERS).bind(account.0).fetch_one(link).await;
    let row = row.map_err(during("counting devices"))?;
    Ok(Numbers { devices: count(&row, "devices")?, highest: small(&row, "highest")? })
}

const AT: &str = "
    SELECT session FROM devices WHERE account = $1 AND number = $2 FOR UPDATE";

/// The session of a device.
pub(super) async fn at(place: Place, link: &mut Link<'_>) -> Result<Option<i64>, StoreError> {
    let row =
        query(AT).bind(place.account.0).bind(i64::from(place.number.0)).fetch_optional(link).await;
    let row = row.map_err(during("looking for a device"))?;
    row.as_ref().map(|row| value(row, "session")).transpose()
}

/// It proves itself by its password, so it has no keys.
const ADD_SESSION: &str = "
    INSERT INTO sessions (id, account, platform, created_at) VALUES ($1, $2, '', $3)
    RETURNING number";

const ADD: &str = "
    INSERT INTO devices (session, account, number, password, signalling_key, registration, fetches,
        name)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

/// Puts a device on file, and its session.
pub(super) async fn add(
    place: Place,
    new: &NewDevice,
    at: Timestamp,
    link: &mut Link<'_>,
) -> Result<(), StoreError> {
    let doing = "adding a device";
    let session = query(ADD_SESSION).bind(&new.id.as_bytes()[..]).bind(place.account.0);
    let row = session.bind(at.as_micros()).fetch_one(&mut *link).await;
    let session: i64 = value(&row.map_err(during(doing))?, "number")?;
    let add = query(ADD)
        .bind(session)
        .bind(place.account.0)
        .bind(i64::from(place.number.0))
        .bind(new.password.0.as_str())
        .bind(new.signalling_key.0.as_slice())
        .bind(i64::from(new.registration))
        .bind(i64::from(new.fetches))
        .bind(new.name.as_deref());
    add.execute(link).await.map_err(during(doing))?;
    Ok(())
}

const DROP: &str = "DELETE FROM devices WHERE session = $1";

/// Ends a device with all that it left here, and puts what waited for it out of reach.
pub(super) async fn end(
    inbox: InboxKey,
    at: Timestamp,
    link: &mut Link<'_>,
) -> Result<(), StoreError> {
    prekeys::drop_ordinary(inbox.session, link).await?;
    let drop = query(DROP).bind(inbox.session.0).execute(&mut *link);
    drop.await.map_err(during("removing a device"))?;
    sign_in::end(link, inbox, None, at).await
}

/// Each condition that is missing holds.
const CHANGE_PUSH: &str = "
    UPDATE devices SET push_kind = $2, push_address = $3
    WHERE session = $1 AND ($4::text IS NULL OR push_kind = $4)
        AND ($5::bytea IS NULL OR push_address = $5)
    RETURNING account";

/// Changes a device, if the change still applies.
pub(super) async fn change(
    (session, change): &(SessionNumber, DeviceChange),
    link: &mut Link<'_>,
) -> Result<Result<(), Fault>, StoreError> {
    lock_of(*session, link).await?;
    let (to, (kind, address)) = (change.to(), change.condition());
    let row = query(CHANGE_PUSH)
        .bind(session.0)
        .bind(to.map(|to| to.kind.as_str()))
        .bind(to.map(|to| to.address.0.as_slice()))
        .bind(kind.map(PushKind::as_str))
        .bind(address.map(|address| address.0.as_slice()))
        .fetch_optional(&mut *link)
        .await
        .map_err(during("changing a device"))?;
    if let Some(row) = row {
        raise(AccountNumber(value(&row, "account")?), link).await?;
    }
    Ok(Ok(()))
}

const LISTED: &str = "
    UPDATE phones SET is_listed = EXISTS (
        SELECT 1 FROM devices
        WHERE account = $1 AND number = 1 AND (fetches > 0 OR push_kind IS NOT NULL)
    )::int
    WHERE account = $1";

/// Tells everybody that a phone has changed, and whether messages can reach it.
pub(super) async fn raise(account: AccountNumber, link: &mut Link<'_>) -> Result<(), StoreError> {
    let listed = query(LISTED).bind(account.0).execute(&mut *link).await;
    listed.map_err(during("listing a phone"))?;
    raise_own(account, link).await
}

/// Other dialects keep a log of changes beside it, which is not for phones.
const RAISE: &str = "
    UPDATE accounts SET roster_generation = roster_generation + 1 WHERE number = $1";

/// Makes what others know of a phone's devices old.
pub(super) async fn raise_own(
    account: AccountNumber,
    link: &mut Link<'_>,
) -> Result<(), StoreError> {
    let raised = query(RAISE).bind(account.0).execute(link).await;
    raised.map_err(during("raising a phone's generation"))?;
    Ok(())
}
