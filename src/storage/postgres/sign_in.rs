//! Beginning and ending sessions: each is one transaction, with everything that follows from it.

use sqlx::query;

use super::gaps::{self, Marker};
use super::link::Link;
use super::rows::{count, value};
use super::successors;
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
            WHERE account = $1 AND ended_at IS NULL AND id IS DISTINCT FROM $2) AS others,
        (SELECT number FROM sessions
            WHERE account = $1 AND ended_at IS NULL AND id = $2) AS replaced,
        EXISTS (SELECT 1 FROM sessions WHERE signing_key = $3) AS key_on_file
    FROM accounts WHERE number = $1";

const CREATE: &str = "
    INSERT INTO sessions (id, account, signing_key, agreement_key, platform, added_by,
        attestation, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    RETURNING number";

/// How many messages of a replaced session are taken out of its inbox at once. If there are more,
/// the rest is removed with what comes late, and told then.
const MOST_TAKEN: u32 = 1000;

/// Signs a session in, in the place of another one if it says so.
pub(super) async fn sign_in(
    (new, limit, gap_id): &(NewSession, u32, MessageId),
    link: &mut Link<'_>,
) -> Result<Result<SignedIn, Fault>, StoreError> {
    let doing = "signing a session in";
    let replaces = new.replaces.map(|session| session.as_bytes().to_vec());
    let circumstances = query(CIRCUMSTANCES)
        .bind(new.account.0)
        .bind(replaces)
        .bind(&new.signing_key.to_bytes()[..])
        .fetch_optional(&mut *link)
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
    let session = create(link, new).await?;
    let replaced = replaced.map(SessionNumber);
    if let Some(old) = replaced {
        let old = InboxKey { shard: new.account.shard(), session: old };
        let missing = successors::take(link, old, MOST_TAKEN).await?.missing;
        end(link, old, Some(session.number), new.created_at).await?;
        if let Some(gap) = missing.into_gap() {
            let inbox = InboxKey { shard: old.shard, session: session.number };
            let (account, at) = (new.account, new.created_at);
            gaps::leave(link, &[Marker { id: *gap_id, inbox, account, gap, at }]).await?;
        }
    }
    raise_generation(link, new.account).await?;
    Ok(Ok(SignedIn { session, replaced }))
}

/// Puts a session on file.
pub(super) async fn create(link: &mut Link<'_>, new: &NewSession) -> Result<Session, StoreError> {
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
        .fetch_one(link)
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
    WHERE sessions.id = $1 AND accounts.id = $2 AND accounts.dialect = 'mixin'
        AND sessions.ended_at IS NULL";

/// Ends a live session of a user.
pub(super) async fn end_session(
    (user, session, at): &(UserId, SessionId, Timestamp),
    link: &mut Link<'_>,
) -> Result<Result<SessionNumber, Fault>, StoreError> {
    let found = query(FIND_LIVE)
        .bind(&session.as_bytes()[..])
        .bind(&user.as_bytes()[..])
        .fetch_optional(&mut *link)
        .await
        .map_err(during("looking for a session"))?;
    let Some(row) = found else {
        return Ok(Err(Fault::NotFound { what: "session" }));
    };
    let account = AccountNumber(value(&row, "account")?);
    let inbox = InboxKey { shard: account.shard(), session: SessionNumber(value(&row, "number")?) };
    end(link, inbox, None, *at).await?;
    raise_generation(link, account).await?;
    Ok(Ok(inbox.session))
}

const END: &str = "UPDATE sessions SET ended_at = $2 WHERE number = $1";
const DROP_TOKENS: &str = "DELETE FROM api_tokens WHERE session = $1";

/// Removing the rows takes as long as there are many, so they are only put out of reach here.
/// Whether there are any is not asked: a message that is accepted at this moment, for the roster as
/// it was, may come to lie there yet.
const CLOSE_INBOX: &str = "
    INSERT INTO ended_inboxes (shard, session, successor) VALUES ($1, $2, $3)
    ON CONFLICT DO NOTHING";

/// Marks a session as ended; its tokens go, and what waited for it is out of reach.
pub(super) async fn end(
    link: &mut Link<'_>,
    inbox: InboxKey,
    successor: Option<SessionNumber>,
    at: Timestamp,
) -> Result<(), StoreError> {
    let session = inbox.session.0;
    let doing = "ending a session";
    let mark = query(END).bind(session).bind(at.as_micros());
    mark.execute(&mut *link).await.map_err(during(doing))?;
    let tokens = query(DROP_TOKENS).bind(session).execute(&mut *link);
    tokens.await.map_err(during(doing))?;
    let successor = successor.map(|session| session.0);
    let rows = query(CLOSE_INBOX).bind(inbox.shard.0).bind(session).bind(successor);
    rows.execute(link).await.map_err(during(doing))?;
    Ok(())
}

/// Nobody else takes the next number before this transaction ends, so numbers become visible in
/// their order. Who calls this waited for that before the transaction's first look at the tables:
/// [`change_roster`](super::PostgresStore::change_roster).
const NEXT_CHANGE: &str = "
    UPDATE sequences SET value = value + 1 WHERE name = 'rosters' RETURNING value";

const RAISE: &str = "
    UPDATE accounts SET roster_generation = roster_generation + 1, roster_changed = $2
    WHERE number = $1";

/// Tells everybody who knows the account's roster that it has changed.
pub(super) async fn raise_generation(
    link: &mut Link<'_>,
    account: AccountNumber,
) -> Result<(), StoreError> {
    let doing = "raising a roster's generation";
    let next = query(NEXT_CHANGE).fetch_one(&mut *link).await.map_err(during(doing))?;
    let change: i64 = value(&next, "value")?;
    let raise = query(RAISE).bind(account.0).bind(change).execute(link);
    raise.await.map_err(during(doing))?;
    Ok(())
}
