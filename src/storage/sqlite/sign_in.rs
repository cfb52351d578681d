//! Beginning and ending sessions: each is one transaction, with everything that follows from it.

use sqlx::{SqliteConnection, query};

use super::connection::WriterConnection;
use super::gaps::{self, Marker};
use super::inboxes::Inboxes;
use super::rows::{count, value};
use super::settle::settle_inbox;
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, MessageId, SessionId, SessionNumber, UserId};
use crate::domain::inbox::InboxKey;
use crate::domain::session::{NewSession, Session, SignedIn};
use crate::storage::error::{StoreError, during};

/// The account, its live sessions without the replaced one, the replaced one if it is live, and
/// whether the key is on file: everything that can speak against signing in.
pub(super) const CIRCUMSTANCES: &str = "
    SELECT
        (SELECT count(*) FROM sessions
            WHERE account = ?1 AND ended_at IS NULL AND id IS NOT ?2) AS others,
        (SELECT number FROM sessions
            WHERE account = ?1 AND ended_at IS NULL AND id = ?2) AS replaced,
        EXISTS (SELECT 1 FROM sessions WHERE signing_key = ?3) AS key_on_file
    FROM accounts WHERE number = ?1";

const CREATE: &str = "
    INSERT INTO sessions (id, account, signing_key, agreement_key, platform, added_by,
        attestation, created_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    RETURNING number";

/// Signs a session in, in the place of another one if it says so.
pub(super) async fn sign_in(
    (new, limit, gap_id): &(NewSession, u32, MessageId),
    connection: &mut WriterConnection,
    inboxes: &mut Inboxes,
) -> Result<Result<SignedIn, Fault>, StoreError> {
    let doing = "signing a session in";
    let replaces = new.replaces.map(|session| session.as_bytes().to_vec());
    let circumstances = query(CIRCUMSTANCES)
        .bind(new.account.0)
        .bind(replaces)
        .bind(&new.signing_key.to_bytes()[..])
        .fetch_optional(&mut **connection)
        .await
        .map_err(during(doing))?;
    let Some(row) = circumstances else {
        return Ok(Err(Fault::NotFound { what: "user" }));
    };
    let replaced: Option<i64> = value(&row, "replaced")?;
    if value(&row, "key_on_file")? {
        return Ok(Err(Fault::conflict("public_key", "is on file for a session")));
    }
    if new.replaces.is_some() && replaced.is_none() {
        return Ok(Err(Fault::NotFound { what: "session" }));
    }
    if count(&row, "others")? >= u64::from(*limit) {
        let reason = format!("the account has all the {limit} sessions that it may have");
        return Ok(Err(Fault::conflict("sessions", reason)));
    }
    let session = create(connection, new).await?;
    let replaced = replaced.map(SessionNumber);
    if let Some(old) = replaced {
        let old = InboxKey { shard: new.account.shard(), session: old };
        settle_inbox(connection, &mut inboxes.rows, old)?;
        let missing = gaps::waiting(connection, old).await?;
        end(connection, old, new.created_at).await?;
        if let Some(gap) = missing.into_gap() {
            let inbox = InboxKey { shard: old.shard, session: session.number };
            let (account, at) = (new.account, new.created_at);
            gaps::leave(connection, &[Marker { id: *gap_id, inbox, account, gap, at }])?;
        }
    }
    raise_generation(connection, new.account).await?;
    Ok(Ok(SignedIn { session, replaced }))
}

/// Puts a session on file.
pub(super) async fn create(
    connection: &mut SqliteConnection,
    new: &NewSession,
) -> Result<Session, StoreError> {
    let agreement_key = new.signing_key.agreement_key();
    let (added_by, signature) = match &new.attestation {
        Some(word) => (Some(word.added_by.as_bytes().to_vec()), Some(word.signature.to_vec())),
        None => (None, None),
    };
    let row = query(CREATE)
        .bind(&new.id.as_bytes()[..])
        .bind(new.account.0)
        .bind(&new.signing_key.to_bytes()[..])
        .bind(&agreement_key.as_bytes()[..])
        .bind(new.platform.as_str())
        .bind(added_by)
        .bind(signature)
        .bind(new.created_at.as_micros())
        .fetch_one(connection)
        .await
        .map_err(during("creating a session"))?;
    Ok(Session {
        number: SessionNumber(value(&row, "number")?),
        id: new.id,
        account: new.account,
        user: new.user,
        signing_key: new.signing_key,
        agreement_key,
        platform: new.platform.clone(),
        attestation: new.attestation,
        created_at: new.created_at,
        ended_at: None,
    })
}

pub(super) const FIND_LIVE: &str = "
    SELECT sessions.number, sessions.account
    FROM sessions JOIN accounts ON accounts.number = sessions.account
    WHERE sessions.id = ?1 AND accounts.id = ?2 AND accounts.dialect = 'mixin'
        AND sessions.ended_at IS NULL";

/// Ends a live session of a user.
pub(super) async fn end_session(
    (user, session, at): &(UserId, SessionId, Timestamp),
    connection: &mut WriterConnection,
    inboxes: &mut Inboxes,
) -> Result<Result<SessionNumber, Fault>, StoreError> {
    let found = query(FIND_LIVE)
        .bind(&session.as_bytes()[..])
        .bind(&user.as_bytes()[..])
        .fetch_optional(&mut **connection)
        .await
        .map_err(during("looking for a session"))?;
    let Some(row) = found else {
        return Ok(Err(Fault::NotFound { what: "session" }));
    };
    let account = AccountNumber(value(&row, "account")?);
    let inbox = InboxKey { shard: account.shard(), session: SessionNumber(value(&row, "number")?) };
    settle_inbox(connection, &mut inboxes.rows, inbox)?;
    end(connection, inbox, *at).await?;
    raise_generation(connection, account).await?;
    Ok(Ok(inbox.session))
}

const END: &str = "UPDATE sessions SET ended_at = ?2 WHERE number = ?1";
pub(super) const DROP_TOKENS: &str = "DELETE FROM api_tokens WHERE session = ?1";

/// Removing the rows takes as long as there are many, so they are only put out of reach here; no more
/// of them were fresh than there may be.
pub(super) const CLOSE_INBOX: &str = "
    INSERT INTO ended_inboxes (shard, session)
    SELECT ?1, ?2 WHERE EXISTS (SELECT 1 FROM inbox WHERE shard = ?1 AND session = ?2)";

/// Marks a session as ended; its tokens go, and what waited for it is out of reach: all of it is in
/// the table.
pub(super) async fn end(
    connection: &mut SqliteConnection,
    inbox: InboxKey,
    at: Timestamp,
) -> Result<(), StoreError> {
    let session = inbox.session.0;
    let doing = "ending a session";
    let mark = query(END).bind(session).bind(at.as_micros());
    mark.execute(&mut *connection).await.map_err(during(doing))?;
    let tokens = query(DROP_TOKENS).bind(session).execute(&mut *connection);
    tokens.await.map_err(during(doing))?;
    let rows = query(CLOSE_INBOX).bind(inbox.shard.0).bind(session).execute(connection);
    rows.await.map_err(during(doing))?;
    Ok(())
}

/// The row stays locked until the end of the transaction, whatever the database: numbers become
/// visible in their order.
pub(super) const NEXT_CHANGE: &str = "
    UPDATE sequences SET value = value + 1 WHERE name = 'rosters' RETURNING value";

pub(super) const RAISE: &str = "
    UPDATE accounts SET roster_generation = roster_generation + 1, roster_changed = ?2
    WHERE number = ?1";

/// Tells everybody who knows the account's roster that it has changed.
pub(super) async fn raise_generation(
    connection: &mut SqliteConnection,
    account: AccountNumber,
) -> Result<(), StoreError> {
    let doing = "raising a roster's generation";
    let next = query(NEXT_CHANGE).fetch_one(&mut *connection).await.map_err(during(doing))?;
    let change: i64 = value(&next, "value")?;
    let raise = query(RAISE).bind(account.0).bind(change).execute(connection);
    raise.await.map_err(during(doing))?;
    Ok(())
}
