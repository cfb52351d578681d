//! The rows of members' devices.

use sqlx::{SqliteConnection, query};

use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, SessionId, SessionNumber};
use crate::domain::inbox::InboxKey;
use crate::domain::messenger::MemberDeviceChange;
use crate::domain::messenger::member::last_device;
use crate::storage::error::{StoreError, during};
use crate::storage::sqlite::connection::WriterConnection;
use crate::storage::sqlite::inboxes::Inboxes;
use crate::storage::sqlite::rows::{count, value};
use crate::storage::sqlite::settle::settle_inbox;
use crate::storage::sqlite::{prekeys, sign_in};

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
    SELECT session FROM member_devices WHERE account = ?1 ORDER BY session";

/// The sessions of an account's devices.
pub(super) async fn sessions(
    account: AccountNumber,
    connection: &mut SqliteConnection,
) -> Result<Vec<SessionNumber>, StoreError> {
    let rows = query(SESSIONS).bind(account.0).fetch_all(connection).await;
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
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8)";

const HAD_DEVICE: &str = "UPDATE members SET had_device = 1 WHERE account = ?1";

/// Puts a device on file.
pub(super) async fn add(row: Row<'_>, connection: &mut SqliteConnection) -> Result<(), StoreError> {
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
    add.execute(&mut *connection).await.map_err(during(doing))?;
    let had = query(HAD_DEVICE).bind(row.account.0).execute(&mut *connection).await;
    had.map_err(during(doing))?;
    raise(row.account, connection).await
}

const SET_SIGNED: &str = "
    UPDATE member_devices SET signed_key = ?2, signed_signature = ?3 WHERE session = ?1
    RETURNING account";

const SET_LABEL: &str = "
    UPDATE member_devices SET label = ?2 WHERE session = ?1 RETURNING account";

const SET_STRONG: &str = "
    UPDATE member_devices SET is_strong = 1 WHERE session = ?1 RETURNING account";

/// Changes a device that is live.
pub(super) async fn change(
    (session, change): &(SessionNumber, MemberDeviceChange),
    connection: &mut SqliteConnection,
) -> Result<Result<(), Fault>, StoreError> {
    let statement = match change {
        MemberDeviceChange::Signed(signed) => query(SET_SIGNED)
            .bind(session.0)
            .bind(signed.key.as_str())
            .bind(signed.signature.as_str()),
        MemberDeviceChange::Label(label) => query(SET_LABEL).bind(session.0).bind(label.as_deref()),
        MemberDeviceChange::Strong => query(SET_STRONG).bind(session.0),
    };
    let row = statement.fetch_optional(&mut *connection).await;
    if let Some(row) = row.map_err(during("changing a device"))? {
        raise(AccountNumber(value(&row, "account")?), connection).await?;
    }
    Ok(Ok(()))
}

const FIND: &str = "
    SELECT sessions.number,
        (SELECT count(*) FROM member_devices WHERE account = ?1) AS devices
    FROM sessions CROSS JOIN member_devices ON member_devices.session = sessions.number
    WHERE sessions.id = ?2 AND member_devices.account = ?1";

/// Ends a live device of an account.
pub(super) async fn end_one(
    (account, device, at): &(AccountNumber, SessionId, Timestamp),
    connection: &mut WriterConnection,
    inboxes: &mut Inboxes,
) -> Result<Result<SessionNumber, Fault>, StoreError> {
    let found = query(FIND).bind(account.0).bind(&device.as_bytes()[..]);
    let row = found.fetch_optional(&mut **connection).await;
    let Some(row) = row.map_err(during("looking for a device"))? else {
        return Ok(Err(Fault::NotFound { what: "device" }));
    };
    if count(&row, "devices")? < 2 {
        return Ok(Err(last_device()));
    }
    let session = SessionNumber(value(&row, "number")?);
    end(InboxKey { shard: account.shard(), session }, *at, connection, inboxes).await?;
    raise(*account, connection).await?;
    Ok(Ok(session))
}

const DROP: &str = "DELETE FROM member_devices WHERE session = ?1";
const DROP_TAKEN: &str = "DELETE FROM taken_keys WHERE session = ?1";
const DROP_SENT: &str = "DELETE FROM introductions WHERE sender = ?1";
const DROP_RECEIVED: &str = "DELETE FROM introductions WHERE recipient = ?1";
const DROP_PAIRS_OF: &str = "DELETE FROM pairs WHERE sender = ?1";
const DROP_PAIRS_WITH: &str = "DELETE FROM pairs WHERE recipient = ?1";
const DROP_LETTERS: &str = "DELETE FROM node_letters WHERE sender = ?1";
const DROP_LINES: &str = "DELETE FROM node_lines WHERE sender = ?1";

/// Ends a device with all that it left here, and puts what waited for it out of reach.
pub(super) async fn end(
    inbox: InboxKey,
    at: Timestamp,
    connection: &mut WriterConnection,
    inboxes: &mut Inboxes,
) -> Result<(), StoreError> {
    prekeys::drop_ordinary(inbox.session, connection).await?;
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
        let dropped = query(statement).bind(inbox.session.0).execute(&mut **connection).await;
        dropped.map_err(during("removing a device"))?;
    }
    settle_inbox(connection, &mut inboxes.rows, inbox)?;
    sign_in::end(connection, inbox, at).await
}

/// No other dialect is told of it.
const RAISE: &str = "
    UPDATE accounts SET roster_generation = roster_generation + 1 WHERE number = ?1";

/// Tells everybody who knows the member that its devices have changed.
pub(super) async fn raise(
    account: AccountNumber,
    connection: &mut SqliteConnection,
) -> Result<(), StoreError> {
    let raise = query(RAISE).bind(account.0).execute(connection).await;
    raise.map_err(during("raising a member's generation"))?;
    Ok(())
}
