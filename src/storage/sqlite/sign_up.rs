//! Accounts that people make themselves, and tokens that are accepted once.

use async_trait::async_trait;
use sqlx::{SqliteConnection, query};

use super::SqliteStore;
use super::rows::{account_columns, array, session_columns, session_owner};
use super::{accounts, invites};
use crate::domain::Fault;
use crate::domain::account::NewAccount;
use crate::domain::clock::Timestamp;
use crate::domain::ports::SignUps;
use crate::domain::session::SessionOwner;
use crate::domain::sign_up::{Invite, InviteHash, InviteId, NewInvite, UsedToken};
use crate::storage::error::{StoreError, during};

#[async_trait]
impl SignUps for SqliteStore {
    async fn sign_up(
        &self,
        account: NewAccount,
        token: UsedToken,
        invite: Option<InviteHash>,
    ) -> Result<SessionOwner, Fault> {
        self.change((account, token, invite), |input, connection| {
            Box::pin(sign_up(input, connection))
        })
        .await
    }

    async fn use_token(&self, token: UsedToken) -> Result<(), Fault> {
        self.change(token, |token, connection| Box::pin(use_token(token, connection))).await
    }

    async fn forget_used_tokens(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        // Nearly always there is nothing to do, and a reader finds that out.
        let old = query(OLD).bind(now.as_micros()).fetch_optional(&self.readers).await;
        if old.map_err(during("looking for used tokens"))?.is_none() {
            return Ok(0);
        }
        self.forget_old(FORGET, "forgetting used tokens", now, limit).await
    }

    async fn add_invite(&self, invite: NewInvite) -> Result<(), Fault> {
        self.change(invite, |invite, connection| Box::pin(invites::add(invite, connection))).await
    }

    async fn invites(&self, after: Option<InviteId>, limit: u32) -> Result<Vec<Invite>, Fault> {
        invites::page(&self.readers, after, limit).await
    }

    async fn drop_invite(&self, id: InviteId) -> Result<(), Fault> {
        self.change(id, |id, connection| Box::pin(invites::drop(id, connection))).await
    }
}

/// Makes the account, its session and the invitation's use one step.
async fn sign_up(
    (new, token, invite): &(NewAccount, UsedToken, Option<InviteHash>),
    connection: &mut SqliteConnection,
) -> Result<Result<SessionOwner, Fault>, StoreError> {
    if let Some(request) = used_for(token, connection).await? {
        let made = owner(token, connection).await?.filter(|_| request == token.request);
        return Ok(made.ok_or_else(UsedToken::refusal));
    }
    if let Some(conflict) = accounts::obstacle(new, connection).await? {
        return Ok(Err(conflict));
    }
    if let Some(hash) = invite {
        let found = invites::find(hash, connection).await?;
        if let Err(refused) = Invite::admit(found.as_ref(), new.created_at) {
            return Ok(Err(refused));
        }
        let count = query(COUNT_USE).bind(&hash.0[..]).execute(&mut *connection);
        count.await.map_err(during("counting an invitation's use"))?;
    }
    keep(token, connection).await?;
    let made = accounts::make(new, connection).await?;
    let session = made.sessions.into_iter().next();
    let session = session.ok_or(StoreError::Corrupt { column: "sessions.number" })?;
    Ok(Ok(SessionOwner { session, account: made.account }))
}

pub(super) const USED: &str = "SELECT request FROM used_tokens WHERE signer = ?1 AND jti = ?2";

/// What the token was used for, if it was.
async fn used_for(
    token: &UsedToken,
    connection: &mut SqliteConnection,
) -> Result<Option<[u8; 32]>, StoreError> {
    let found = query(USED).bind(&token.signer[..]).bind(&token.jti[..]);
    let row = found.fetch_optional(connection).await;
    let row = row.map_err(during("looking for a used token"))?;
    row.as_ref().map(|row| array(row, "request")).transpose()
}

pub(super) const OWNER: &str = concat!(
    "SELECT ",
    account_columns!(),
    ", ",
    session_columns!(),
    " FROM sessions JOIN accounts ON accounts.number = sessions.account
      WHERE sessions.signing_key = ?1 AND accounts.dialect = 'mixin'
        AND sessions.ended_at IS NULL"
);

/// The live session with the signer's key.
async fn owner(
    token: &UsedToken,
    connection: &mut SqliteConnection,
) -> Result<Option<SessionOwner>, StoreError> {
    let row = query(OWNER).bind(&token.signer[..]).fetch_optional(connection).await;
    row.map_err(during("looking for a signer"))?.as_ref().map(session_owner).transpose()
}

pub(super) const INVITE: &str = "
    SELECT id, uses, used, created_at, expires_at FROM invites WHERE hash = ?1";

pub(super) const COUNT_USE: &str = "UPDATE invites SET used = used + 1 WHERE hash = ?1";

const KEEP: &str = "
    INSERT INTO used_tokens (signer, jti, request, expires_at) VALUES (?1, ?2, ?3, ?4)";

async fn keep(token: &UsedToken, connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let keep = query(KEEP)
        .bind(&token.signer[..])
        .bind(&token.jti[..])
        .bind(&token.request[..])
        .bind(token.expires_at.as_micros());
    keep.execute(connection).await.map_err(during("keeping a used token"))?;
    Ok(())
}

async fn use_token(
    token: &UsedToken,
    connection: &mut SqliteConnection,
) -> Result<Result<(), Fault>, StoreError> {
    if used_for(token, connection).await?.is_some() {
        return Ok(Err(UsedToken::refusal()));
    }
    keep(token, connection).await.map(Ok)
}

pub(super) const OLD: &str = "SELECT jti FROM used_tokens WHERE expires_at <= ?1 LIMIT 1";

pub(super) const FORGET: &str = "
    DELETE FROM used_tokens WHERE (signer, jti) IN (
        SELECT signer, jti FROM used_tokens WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2
    )";
