//! Devices that other gateways speak for.

use sqlx::query;

use super::{devices, enrol, names};
use crate::domain::Fault;
use crate::domain::account::Dialect;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, SessionNumber, UserId};
use crate::domain::messenger::RemoteDevice;
use crate::domain::messenger::member::GUEST_LIFE;
use crate::storage::cells::Cells;
use crate::storage::error::{StoreError, during};
use crate::storage::postgres::link::Link;
use crate::storage::postgres::rows::{id, value};

#[cfg(test)]
pub(in super::super) const STATEMENTS: &[&str] = &[
    ACCOUNT,
    SESSION,
    SET_IDENTITY,
    REVIVE,
    ANY_GUEST,
    GUESTS,
    HAS_CHAT,
    WAITS,
    LOOK_AGAIN,
    DROP_GUEST,
    DROP_DEVICE,
    DROP_SESSION,
    DROP_MEMBER,
];

const ACCOUNT: &str = "
    SELECT accounts.number, accounts.dialect, members.relay, members.name
    FROM accounts LEFT JOIN members ON members.account = accounts.number
    WHERE accounts.id = $1";

const SESSION: &str = "
    SELECT sessions.number, sessions.account, member_devices.identity_key,
        member_devices.id_there
    FROM sessions LEFT JOIN member_devices ON member_devices.session = sessions.number
    WHERE sessions.id = $1";

/// Notes a device and its member, unless an id is somebody else's; both are looked up before
/// anything is written.
pub(super) async fn note(
    new: &RemoteDevice,
    link: &mut Link<'_>,
) -> Result<Result<SessionNumber, Fault>, StoreError> {
    let doing = "noting another gateway's device";
    // A session that is there has its account: who looks the other way round may miss what somebody
    // else has noted in between.
    let session = query(SESSION).bind(&new.id.as_bytes()[..]);
    let session = session.fetch_optional(&mut *link).await.map_err(during(doing))?;
    let account = query(ACCOUNT).bind(&new.user.as_bytes()[..]);
    let account = account.fetch_optional(&mut *link).await.map_err(during(doing))?;
    let owner = account.as_ref().map(|row| row.integer("number")).transpose()?;
    let known = session.as_ref().map(|row| row.integer("account")).transpose()?;
    let is_named = match &account {
        None => Some(false),
        Some(row) => is_named(new, row)?,
    };
    let is_foreign = known.is_some() && known != owner;
    let (Some(is_named), false) = (is_named, is_foreign) else {
        return Ok(Err(RemoteDevice::refusal()));
    };
    let on_file = match &session {
        None => OnFile::Nothing,
        Some(row) => on_file(new, row)?,
    };
    if on_file == OnFile::AnotherOne {
        return Ok(Err(RemoteDevice::refusal()));
    }
    let account = match owner {
        Some(number) => AccountNumber(number),
        None => names::add_account(new.user, new.at, link).await?,
    };
    if !is_named {
        names::add(account, &new.relay, new.name.as_str(), false, link).await?;
        expect(account, new, link).await?;
    }
    let session = match &session {
        Some(row) => SessionNumber(value(row, "number")?),
        None => enrol::add_session(new.id, account, None, new.at, link).await?,
    };
    if on_file != OnFile::ThisOne {
        devices::raise(account, link).await?;
    }
    match on_file {
        OnFile::ThisOne | OnFile::AnotherOne => {}
        OnFile::OtherKey => set_identity(session, new, link).await?,
        OnFile::Nothing => add(session, new, account, link).await?,
    }
    Ok(Ok(session))
}

/// Whether an account on file has its name already; `None` when it is somebody else's.
fn is_named(new: &RemoteDevice, row: &impl Cells) -> Result<Option<bool>, StoreError> {
    let is_members = row.text("dialect")? == Dialect::HushNet.as_str();
    let name = row.optional_text("relay")?.zip(row.optional_text("name")?);
    let is_same = name.is_none_or(|name| name == (new.relay.as_str(), new.name.as_str()));
    Ok((is_members && is_same).then_some(name.is_some()))
}

/// What is on file under a device's id.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OnFile {
    Nothing,
    ThisOne,
    OtherKey,
    AnotherOne,
}

fn on_file(new: &RemoteDevice, row: &impl Cells) -> Result<OnFile, StoreError> {
    let Some(key) = row.optional_text("identity_key")? else { return Ok(OnFile::Nothing) };
    Ok(match row.optional_text("id_there")? {
        Some(id) if id != new.id_there => OnFile::AnotherOne,
        None => OnFile::AnotherOne,
        Some(_) if key != new.identity_key => OnFile::OtherKey,
        Some(_) => OnFile::ThisOne,
    })
}

const SET_IDENTITY: &str = "UPDATE member_devices SET identity_key = $2 WHERE session = $1";

async fn set_identity(
    session: SessionNumber,
    new: &RemoteDevice,
    link: &mut Link<'_>,
) -> Result<(), StoreError> {
    let set = query(SET_IDENTITY).bind(session.0).bind(new.identity_key.as_str());
    set.execute(link).await.map_err(during("changing a device"))?;
    Ok(())
}

/// Its session may be one that ended before.
const REVIVE: &str = "
    UPDATE sessions SET ended_at = NULL WHERE number = $1 AND ended_at IS NOT NULL";

async fn add(
    session: SessionNumber,
    new: &RemoteDevice,
    account: AccountNumber,
    link: &mut Link<'_>,
) -> Result<(), StoreError> {
    let revive = query(REVIVE).bind(session.0).execute(&mut *link).await;
    revive.map_err(during("noting another gateway's device"))?;
    let row = devices::Row {
        session,
        account,
        identity_key: &new.identity_key,
        agreement_key: "",
        signed_key: "",
        signed_signature: "",
        label: None,
        id_there: Some(&new.id_there),
    };
    devices::add(row, link).await
}

const EXPECT: &str = "
    INSERT INTO node_guests (account, look_at) VALUES ($1, $2) ON CONFLICT DO NOTHING";

/// It is looked later whether the member has come to something.
async fn expect(
    account: AccountNumber,
    new: &RemoteDevice,
    link: &mut Link<'_>,
) -> Result<(), StoreError> {
    let look_at = new.at.plus(GUEST_LIFE).as_micros();
    let expect = query(EXPECT).bind(account.0).bind(look_at).execute(link).await;
    expect.map_err(during("noting another gateway's member"))?;
    Ok(())
}

pub(super) const ANY_GUEST: &str =
    "SELECT account FROM node_guests WHERE look_at <= $1 ORDER BY look_at LIMIT 1";

const GUESTS: &str = "
    SELECT node_guests.account, accounts.id
    FROM node_guests JOIN accounts ON accounts.number = node_guests.account
    WHERE node_guests.look_at <= $1 ORDER BY node_guests.look_at LIMIT $2
    FOR UPDATE OF node_guests SKIP LOCKED";

const HAS_CHAT: &str = "SELECT conversation FROM participants WHERE account = $1 LIMIT 1";

const WAITS: &str = "
    SELECT number FROM introductions WHERE sender = ANY (ARRAY(
        SELECT session FROM member_devices WHERE account = $1
    )) LIMIT 1";

const LOOK_AGAIN: &str = "UPDATE node_guests SET look_at = $2 WHERE account = $1";

const DROP_GUEST: &str = "DELETE FROM node_guests WHERE account = $1";
const DROP_DEVICE: &str = "DELETE FROM member_devices WHERE session = $1";
const DROP_SESSION: &str = "DELETE FROM sessions WHERE number = $1";
const DROP_MEMBER: &str = "DELETE FROM members WHERE account = $1";

/// Forgets members who have come to nothing. Their accounts stay, which are a few bytes: whoever
/// comes back has the same.
pub(super) async fn forget_guests(
    (now, limit): &(Timestamp, u32),
    link: &mut Link<'_>,
) -> Result<Result<Vec<UserId>, Fault>, StoreError> {
    let rows = query(GUESTS).bind(now.as_micros()).bind(i64::from(*limit));
    let rows = rows.fetch_all(&mut *link).await.map_err(during(LOOKING))?;
    let mut forgotten = Vec::new();
    for row in &rows {
        let account = AccountNumber(value(row, "account")?);
        if one(HAS_CHAT, account, link).await? {
            drop_by(DROP_GUEST, account.0, link).await?;
        } else if one(WAITS, account, link).await? {
            let again = query(LOOK_AGAIN).bind(account.0).bind(now.plus(GUEST_LIFE).as_micros());
            again.execute(&mut *link).await.map_err(during(LOOKING))?;
        } else {
            forget_guest(account, link).await?;
            forgotten.push(id(row, "id")?);
        }
    }
    Ok(Ok(forgotten))
}

const LOOKING: &str = "looking for other gateways' members";

async fn one(
    statement: &'static str,
    account: AccountNumber,
    link: &mut Link<'_>,
) -> Result<bool, StoreError> {
    let row = query(statement).bind(account.0).fetch_optional(link).await;
    Ok(row.map_err(during(LOOKING))?.is_some())
}

async fn drop_by(
    statement: &'static str,
    number: i64,
    link: &mut Link<'_>,
) -> Result<(), StoreError> {
    let dropped = query(statement).bind(number).execute(link).await;
    dropped.map_err(during("forgetting another gateway's member"))?;
    Ok(())
}

async fn forget_guest(account: AccountNumber, link: &mut Link<'_>) -> Result<(), StoreError> {
    devices::raise(account, link).await?;
    for session in devices::sessions(account, link).await? {
        drop_by(DROP_DEVICE, session.0, link).await?;
        drop_by(DROP_SESSION, session.0, link).await?;
    }
    drop_by(DROP_GUEST, account.0, link).await?;
    drop_by(DROP_MEMBER, account.0, link).await
}
