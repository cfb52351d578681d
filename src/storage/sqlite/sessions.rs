//! Sessions and API tokens, as they are read; the changes stand in `sign_in.rs`.

use std::fmt::Write;

use async_trait::async_trait;
use sqlx::{SqliteConnection, query};

use super::SqliteStore;
use super::rows::{
    account_columns, array, id, id_list, json_list, session_columns, session_owner, time, value,
};
use super::sign_in;
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, MessageId, SessionId, SessionNumber, UserId};
use crate::domain::ports::Sessions;
use crate::domain::session::{ApiToken, NewSession, Scopes, SessionOwner, SignedIn, TokenHash};
use crate::storage::error::{StoreError, during};

/// That of another dialect's account is none of those who ask here.
pub(super) const BY_ID: &str = concat!(
    "SELECT ",
    account_columns!(),
    ", ",
    session_columns!(),
    " FROM sessions JOIN accounts ON accounts.number = sessions.account
    WHERE sessions.id = ?1 AND accounts.dialect = 'mixin'"
);

pub(super) const ENDED_AMONG: &str = "
    SELECT sessions.id
    FROM json_each(?2) AS wanted CROSS JOIN sessions ON sessions.id = unhex(wanted.value)
    WHERE sessions.ended_at IS NOT NULL AND sessions.account IN (SELECT value FROM json_each(?1))";

pub(super) const TOKEN: &str = "
    SELECT api_tokens.hash, sessions.id, api_tokens.scopes, api_tokens.created_at,
        api_tokens.expires_at
    FROM api_tokens JOIN sessions ON sessions.number = api_tokens.session
    WHERE api_tokens.hash = ?1";

#[async_trait]
impl Sessions for SqliteStore {
    async fn sign_in(
        &self,
        session: NewSession,
        limit: u32,
        gap_id: MessageId,
    ) -> Result<SignedIn, Fault> {
        self.fill((session, limit, gap_id), 0, |input, connection, inboxes| {
            Box::pin(sign_in::sign_in(input, connection, inboxes))
        })
        .await
    }

    async fn end_session(
        &self,
        user: UserId,
        session: SessionId,
        at: Timestamp,
    ) -> Result<SessionNumber, Fault> {
        self.fill((user, session, at), 0, |input, connection, inboxes| {
            Box::pin(sign_in::end_session(input, connection, inboxes))
        })
        .await
    }

    async fn session(&self, id: SessionId) -> Result<Option<SessionOwner>, Fault> {
        let found = query(BY_ID).bind(&id.as_bytes()[..]).fetch_optional(&self.readers).await;
        let row = found.map_err(during("reading a session"))?;
        Ok(row.as_ref().map(session_owner).transpose()?)
    }

    async fn ended_among(
        &self,
        accounts: &[AccountNumber],
        sessions: &[SessionId],
    ) -> Result<Vec<SessionId>, Fault> {
        if sessions.is_empty() {
            return Ok(Vec::new());
        }
        let accounts = json_list(accounts, |json, account| write!(json, "{}", account.0));
        let list = id_list(sessions.iter().copied());
        let rows = query(ENDED_AMONG).bind(accounts).bind(list).fetch_all(&self.readers).await;
        let rows = rows.map_err(during("reading ended sessions"))?;
        Ok(rows.iter().map(|row| id(row, "id")).collect::<Result<_, _>>()?)
    }

    async fn add_api_token(&self, token: ApiToken) -> Result<(), Fault> {
        self.change(token, |token, connection| Box::pin(add_token(token, connection))).await
    }

    async fn api_token(&self, hash: TokenHash) -> Result<Option<ApiToken>, Fault> {
        let found = query(TOKEN).bind(&hash.0[..]).fetch_optional(&self.readers).await;
        let Some(row) = found.map_err(during("reading a token"))? else {
            return Ok(None);
        };
        Ok(Some(ApiToken {
            hash: TokenHash(array(&row, "hash")?),
            session: id(&row, "id")?,
            scopes: Scopes::from_bits(value(&row, "scopes")?),
            created_at: time(&row, "created_at")?,
            expires_at: time(&row, "expires_at")?,
        }))
    }

    async fn drop_api_tokens(&self, session: SessionId) -> Result<(), Fault> {
        self.change(session, |session, connection| Box::pin(drop_tokens(session, connection))).await
    }
}

const ADD_TOKEN: &str = "
    INSERT INTO api_tokens (hash, session, scopes, created_at, expires_at)
    SELECT ?1, sessions.number, ?3, ?4, ?5 FROM sessions
    WHERE sessions.id = ?2 AND sessions.ended_at IS NULL";

async fn add_token(
    token: &ApiToken,
    connection: &mut SqliteConnection,
) -> Result<Result<(), Fault>, StoreError> {
    let added = query(ADD_TOKEN)
        .bind(&token.hash.0[..])
        .bind(&token.session.as_bytes()[..])
        .bind(token.scopes.bits())
        .bind(token.created_at.as_micros())
        .bind(token.expires_at.as_micros())
        .execute(connection)
        .await
        .map_err(during("keeping a token"))?;
    if added.rows_affected() == 0 {
        return Ok(Err(Fault::NotFound { what: "session" }));
    }
    Ok(Ok(()))
}

pub(super) const DROP_TOKENS_OF: &str = "
    DELETE FROM api_tokens WHERE session = (SELECT number FROM sessions WHERE id = ?1)";

async fn drop_tokens(
    session: &SessionId,
    connection: &mut SqliteConnection,
) -> Result<Result<(), Fault>, StoreError> {
    let dropped = query(DROP_TOKENS_OF).bind(&session.as_bytes()[..]).execute(connection).await;
    dropped.map_err(during("dropping tokens"))?;
    Ok(Ok(()))
}
