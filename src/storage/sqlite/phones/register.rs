//! Registering numbers, linking devices and unlinking them: each is one transaction, with everything
//! that follows from it.

use sqlx::{SqliteConnection, query};

use super::devices::{self, Place};
use crate::domain::Fault;
use crate::domain::account::{AccountKind, Dialect};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, SessionNumber};
use crate::domain::inbox::InboxKey;
use crate::domain::phone::device::not_the_first;
use crate::domain::phone::{CodeUse, DeviceNumber, NewLink, NewPhone, Registered};
use crate::storage::error::{StoreError, during};
use crate::storage::sqlite::codes;
use crate::storage::sqlite::connection::WriterConnection;
use crate::storage::sqlite::inboxes::Inboxes;
use crate::storage::sqlite::rows::value;

/// Makes the number's account if it has none, ends all that it had, and makes its first device.
pub(super) async fn register(
    new: &NewPhone,
    connection: &mut WriterConnection,
    inboxes: &mut Inboxes,
) -> Result<Result<Registered, Fault>, StoreError> {
    if let Some(code) = &new.code
        && let Err(refused) = codes::check(code, connection).await?
    {
        return Ok(Err(refused));
    }
    // Nor is anything left of a code that would link a device to what there is no more.
    codes::drop_all(&new.number, connection).await?;
    let account = account(new, connection).await?;
    let ended = devices::sessions(account, connection).await?;
    for session in &ended {
        let inbox = InboxKey { shard: account.shard(), session: *session };
        devices::end(inbox, new.at, connection, inboxes).await?;
    }
    list(account, new, connection).await?;
    let device = DeviceNumber::PRIMARY;
    devices::add(Place { account, number: device }, &new.device, new.at, connection).await?;
    devices::raise(account, connection).await?;
    Ok(Ok(Registered { account, device, ended }))
}

/// A number keeps its account for ever.
const ACCOUNT: &str = "
    INSERT INTO accounts (id, dialect, external_name, kind, full_name, created_at)
    VALUES (?1, ?2, ?3, ?4, '', ?5)
    ON CONFLICT (dialect, external_name) DO UPDATE SET kind = excluded.kind
    RETURNING number";

async fn account(
    new: &NewPhone,
    connection: &mut SqliteConnection,
) -> Result<AccountNumber, StoreError> {
    let row = query(ACCOUNT)
        .bind(&new.user.as_bytes()[..])
        .bind(Dialect::TextSecure.as_str())
        .bind(new.number.as_str())
        .bind(AccountKind::User.as_str())
        .bind(new.at.as_micros())
        .fetch_one(connection)
        .await
        .map_err(during("making a phone's account"))?;
    Ok(AccountNumber(value(&row, "number")?))
}

const LIST: &str = "
    INSERT INTO phones (account, token, supports_sms, is_listed, identity_key)
    VALUES (?1, ?2, ?3, 0, NULL)
    ON CONFLICT (account) DO UPDATE SET token = excluded.token,
        supports_sms = excluded.supports_sms, identity_key = NULL";

/// Notes what is known of a phone that begins anew.
async fn list(
    account: AccountNumber,
    new: &NewPhone,
    connection: &mut SqliteConnection,
) -> Result<(), StoreError> {
    let list = query(LIST).bind(account.0).bind(&new.token.0[..]).bind(new.supports_sms);
    list.execute(connection).await.map_err(during("registering a phone"))?;
    Ok(())
}

/// Adds a device after the highest that the account has.
pub(super) async fn link(
    new: &NewLink,
    connection: &mut SqliteConnection,
) -> Result<Result<Registered, Fault>, StoreError> {
    if let Err(refused) = codes::check(&new.code, connection).await? {
        return Ok(Err(refused));
    }
    let primary = Place { account: new.account, number: DeviceNumber::PRIMARY };
    if devices::at(primary, connection).await? != Some(new.first.0) {
        return Ok(Err(CodeUse::refusal()));
    }
    let numbers = devices::numbers(new.account, connection).await?;
    if let Err(refused) = new.check_room(numbers.devices) {
        return Ok(Err(refused));
    }
    codes::drop_used(&new.code, connection).await?;
    let (account, device) = (new.account, DeviceNumber(numbers.highest + 1));
    devices::add(Place { account, number: device }, &new.device, new.at, connection).await?;
    devices::raise_own(account, connection).await?;
    Ok(Ok(Registered { account, device, ended: Vec::new() }))
}

/// A linked device is to end.
pub(super) struct Unlinking {
    pub account: AccountNumber,
    pub device: DeviceNumber,
    pub first: SessionNumber,
    pub at: Timestamp,
}

/// Ends a device that was linked.
pub(super) async fn unlink(
    unlinking: &Unlinking,
    connection: &mut WriterConnection,
    inboxes: &mut Inboxes,
) -> Result<Result<Registered, Fault>, StoreError> {
    let Unlinking { account, device, first, at } = *unlinking;
    let primary = Place { account, number: DeviceNumber::PRIMARY };
    if devices::at(primary, connection).await? != Some(first.0) {
        return Ok(Err(not_the_first()));
    }
    let place = Place { account, number: device };
    let found = match device == DeviceNumber::PRIMARY {
        true => None,
        false => devices::at(place, connection).await?,
    };
    let Some(session) = found.map(SessionNumber) else {
        return Ok(Err(Fault::NotFound { what: "device" }));
    };
    devices::end(InboxKey { shard: account.shard(), session }, at, connection, inboxes).await?;
    devices::raise_own(account, connection).await?;
    Ok(Ok(Registered { account, device, ended: vec![session] }))
}
