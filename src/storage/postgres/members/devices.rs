//! The rows of members' devices. Whoever changes any has the row of their account first.

use sqlx::query;

use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, SessionId, SessionNumber};
use crate::domain::inbox::InboxKey;
use crate::domain::messenger::MemberDeviceChange;
use crate::domain::messenger::member::last_device;
use crate::storage::error::{StoreError, during};
use crate::storage::postgres::link::Link;
use crate::storage::postgres::rows::{count, value};
use crate::storage::postgres::{prekeys, sign_in};

#[cfg(test)]
pub(in super::super) const STATEMENTS: &[&str] = &[
    SESSIONS,
    SET_SIGNED,
    SET_LABEL,
    SET_STRONG,
    FIND,
    DROP,
    DROP_TAKEN,
    DROP_SENT,
    DROP_RECEIVED,
    DROP_PAIRS_OF,
    DROP_PAIRS_WITH,
    DROP_LETTERS,
    DROP_LINES,
    RAISE,
    HAD_DEVICE,
];

const SESSIONS: &str = "
    SELECT session FROM member_devices WHERE account = $1 ORDER BY session FOR UPDATE";

/// The sessions of an account's devices; whoever changes what they left here waits.
pub(super) async fn sessions(
    account: AccountNumber,
    link: &mut Link<'_>,
) -> Result<Vec<SessionNumber>, StoreError> {
    let rows = query(SESSIONS).bind(account.0).fetch_all(link).await;
    let rows = rows.map_err(during("looking for devices"))?;
    rows.iter().map(|row| value(row, "session").map(SessionNumber)).collect()
}

/// A device to be put on file, beside its session.
pub(super) struct Row<'a> {
    pub session: SessionNumber,
    pub account: AccountNumber,
    pub identity_key: &'a str,
    pub agreement_key: &'a str,
    pub signed_key: &'a str,
    pub signed_signature: &'a str,
    pub label: Option<&'a str>,
    pub id_there: Option<&'a str>,
}

const ADD: &str = "
    INSERT INTO member_devices (session, account, identity_key, agreement_key, signed_key,
        signed_signature, label, is_strong, id_there)
    VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8)";

const HAD_DEVICE: &str = "UPDATE members SET had_device = 1 WHERE account = $1";

/// Puts a device on file; its account's generation was raised.
pub(super) async fn add(row: Row<'_>, link: &mut Link<'_>) -> Result<(), StoreError> {
    let doing = "adding a device";
    let add = query(ADD)
        .bind(row.session.0)
        .bind(row.account.0)
        .bind(row.identity_key)
        .bind(row.agreement_key)
        .bind(row.signed_key)
        .bind(row.signed_signature)
        .bind(row.label)
        .bind(row.id_there);
    add.execute(&mut *link).await.map_err(during(doing))?;
    let had = query(HAD_DEVICE).bind(row.account.0).execute(link).await;
    had.map_err(during(doing))?;
    Ok(())
}

const SET_SIGNED: &str = "
    UPDATE member_devices SET signed_key = $2, signed_signature = $3 WHERE session = $1";

const SET_LABEL: &str = "
    UPDATE member_devices SET label = $2 WHERE session = $1";

const SET_STRONG: &str = "
    UPDATE member_devices SET is_strong = 1 WHERE session = $1";

const RAISE_OWNER: &str = "
    UPDATE accounts SET roster_generation = roster_generation + 1
    WHERE number = (SELECT account FROM member_devices WHERE session = $1)";

/// Changes a device that is live.
pub(super) async fn change(
    (session, change): &(SessionNumber, MemberDeviceChange),
    link: &mut Link<'_>,
) -> Result<Result<(), Fault>, StoreError> {
    let doing = "changing a device";
    query(RAISE_OWNER).bind(session.0).execute(&mut *link).await.map_err(during(doing))?;
    let statement = match change {
        MemberDeviceChange::Signed(signed) => query(SET_SIGNED)
            .bind(session.0)
            .bind(signed.key.as_str())
            .bind(signed.signature.as_str()),
        MemberDeviceChange::Label(label) => query(SET_LABEL).bind(session.0).bind(label.as_deref()),
        MemberDeviceChange::Strong => query(SET_STRONG).bind(session.0),
    };
    statement.execute(link).await.map_err(during(doing))?;
    Ok(Ok(()))
}

const FIND: &str = "
    SELECT sessions.number,
        (SELECT count(*) FROM member_devices WHERE account = $1) AS devices
    FROM sessions JOIN member_devices ON member_devices.session = sessions.number
    WHERE sessions.id = $2 AND member_devices.account = $1
    FOR UPDATE OF member_devices";

/// Ends a live device of an account.
pub(super) async fn end_one(
    (account, device, at): &(AccountNumber, SessionId, Timestamp),
    link: &mut Link<'_>,
) -> Result<Result<SessionNumber, Fault>, StoreError> {
    raise(*account, link).await?;
    let found = query(FIND).bind(account.0).bind(&device.as_bytes()[..]);
    let row = found.fetch_optional(&mut *link).await;
    let Some(row) = row.map_err(during("looking for a device"))? else {
        return Ok(Err(Fault::NotFound { what: "device" }));
    };
    if count(&row, "devices")? < 2 {
        return Ok(Err(last_device()));
    }
    let session = SessionNumber(value(&row, "number")?);
    end(InboxKey { shard: account.shard(), session }, *at, link).await?;
    Ok(Ok(session))
}

const DROP: &str = "DELETE FROM member_devices WHERE session = $1";
const DROP_TAKEN: &str = "DELETE FROM taken_keys WHERE session = $1";
const DROP_SENT: &str = "DELETE FROM introductions WHERE sender = $1";
const DROP_RECEIVED: &str = "DELETE FROM introductions WHERE recipient = $1";
const DROP_PAIRS_OF: &str = "DELETE FROM pairs WHERE sender = $1";
const DROP_PAIRS_WITH: &str = "DELETE FROM pairs WHERE recipient = $1";
const DROP_LETTERS: &str = "DELETE FROM node_letters WHERE sender = $1";
const DROP_LINES: &str = "DELETE FROM node_lines WHERE sender = $1";

/// Ends a device with all that it left here, and puts what waited for it out of reach.
pub(super) async fn end(
    inbox: InboxKey,
    at: Timestamp,
    link: &mut Link<'_>,
) -> Result<(), StoreError> {
    prekeys::drop_ordinary(inbox.session, link).await?;
    let rest = [
        DROP,
        DROP_TAKEN,
        DROP_SENT,
        DROP_RECEIVED,
        DROP_PAIRS_OF,
        DROP_PAIRS_WITH,
        DROP_LETTERS,
        DROP_LINES,
    ];
    for statement in rest {
        let dropped = query(statement).bind(inbox.session.0).execute(&mut *link).await;
        dropped.map_err(during("removing a device"))?;
    }
    sign_in::end(link, inbox, None, at).await
}

/// No other dialect is told of it.
const RAISE: &str = "
    UPDATE accounts SET roster_generation = roster_generation + 1 WHERE number = $1";

/// Tells everybody who knows the member that its devices have changed.
pub(super) async fn raise(account: AccountNumber, link: &mut Link<'_>) -> Result<(), StoreError> {
    let raise = query(RAISE).bind(account.0).execute(link).await;
    raise.map_err(during("raising a member's generation"))?;
    Ok(())
}
