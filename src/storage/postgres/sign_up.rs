//! Accounts that people make themselves, and tokens that are accepted once.

use async_trait::async_trait;
use sqlx::query;

use super::PostgresStore;
use super::link::Link;
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
impl SignUps for PostgresStore {
    async fn sign_up(
        &self,
        account: NewAccount,
        token: UsedToken,
        invite: Option<InviteHash>,
    ) -> Result<SessionOwner, Fault> {
        let input = (account, token, invite);
        self.change_roster(input, |input, link| Box::pin(sign_up(input, link))).await
    }

    /// Of two at once, one meets the other's key in the table, and finds it there the next time.
    async fn use_token(&self, token: UsedToken) -> Result<(), Fault> {
        self.write(token, |token, link| Box::pin(use_token(token, link))).await
    }

    async fn forget_used_tokens(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        // Nearly always there is nothing to do, and a reader finds that out.
        let old = query(OLD).bind(now.as_micros());
        let old = old.fetch_optional(&mut self.unhurried_reader().await?).await;
        if old.map_err(during("looking for used tokens"))?.is_none() {
            return Ok(0);
        }
        self.forget_old(FORGET, "forgetting used tokens", now, limit).await
    }

    async fn add_invite(&self, invite: NewInvite) -> Result<(), Fault> {
        self.write(invite, |invite, link| Box::pin(invites::add(invite, link))).await
    }

    async fn invites(&self, after: Option<InviteId>, limit: u32) -> Result<Vec<Invite>, Fault> {
        invites::page(&mut self.reader().await?, after, limit).await
    }

    async fn drop_invite(&self, id: InviteId) -> Result<(), Fault> {
        self.write(id, |id, link| Box::pin(invites::drop(id, link))).await
    }
}

/// Makes the account, its session and the invitation's use one step. Sign-ups wait for each other
/// before they look, because each changes a roster: so the uses of an invitation are counted right.
async fn sign_up(
    (new, token, invite): &(NewAccount, UsedToken, Option<InviteHash>),
    link: &mut Link<'_>,
) -> Result<Result<SessionOwner, Fault>, StoreError> {
    if let Some(request) = used_for(token, link).await? {
        let made = owner(token, link).await?.filter(|_| request == token.request);
        return Ok(made.ok_or_else(UsedToken::refusal));
    }
    if let Some(conflict) = accounts::obstacle(new, link).await? {
        return Ok(Err(conflict));
    }
    if let Some(hash) = invite {
        let found = invites::find(hash, link).await?;
        if let Err(refused) = Invite::admit(found.as_ref(), new.created_at) {
            return Ok(Err(refused));
        }
        let count = query(COUNT_USE).bind(&hash.0[..]).execute(&mut *link);
        count.await.map_err(during("counting an invitation's use"))?;
    }
    keep(token, link).await?;
    let made = accounts::make(new, link).await?;
    let session = made.sessions.into_iter().next();
    let session = session.ok_or(StoreError::Corrupt { column: "sessions.number" })?;
    Ok(Ok(SessionOwner { session, account: made.account }))
}

const USED: &str = "SELECT request FROM used_tokens WHERE signer = $1 AND jti = $2";

/// What the token was used for, if it was.
async fn used_for(token: &UsedToken, link: &mut Link<'_>) -> Result<Option<[u8; 32]>, StoreError> {
    let found = query(USED).bind(&token.signer[..]).bind(&token.jti[..]);
    let row = found.fetch_optional(link).await;
    let row = row.map_err(during("looking for a used token"))?;
    row.as_ref().map(|row| array(row, "request")).transpose()
}

const OWNER: &str = concat!(
    "SELECT ",
    account_columns!(),
    ", ",
    session_columns!(),
    " FROM sessions JOIN accounts ON accounts.number = sessions.account
      WHERE sessions.signing_key = $1 AND accounts.dialect = 'mixin'
        AND sessions.ended_at IS NULL"
);

/// The live session with the signer's key.
async fn owner(token: &UsedToken, link: &mut Link<'_>) -> Result<Option<SessionOwner>, StoreError> {
    let row = query(OWNER).bind(&token.signer[..]).fetch_optional(link).await;
    row.map_err(during("looking for a signer"))?.as_ref().map(session_owner).transpose()
}

const COUNT_USE: &str = "UPDATE invites SET used = used + 1 WHERE hash = $1";

const KEEP: &str = "
    INSERT INTO used_tokens (signer, jti, request, expires_at) VALUES ($1, $2, $3, $4)";

async fn keep(token: &UsedToken, link: &mut Link<'_>) -> Result<(), StoreError> {
    let keep = query(KEEP)
        .bind(&token.signer[..])
        .bind(&token.jti[..])
        .bind(&token.request[..])
        .bind(token.expires_at.as_micros());
    keep.execute(link).await.map_err(during("keeping a used token"))?;
    Ok(())
}

/// Of two at once, one meets the other's key in the table, and finds it there the next time.
async fn use_token(
    token: &UsedToken,
    link: &mut Link<'_>,
) -> Result<Result<(), Fault>, StoreError> {
    if used_for(token, link).await?.is_some() {
        return Ok(Err(UsedToken::refusal()));
    }
    keep(token, link).await.map(Ok)
}

const OLD: &str = "
    SELECT jti FROM used_tokens WHERE expires_at <= $1 ORDER BY expires_at LIMIT 1";

const FORGET: &str = "
    WITH old AS MATERIALIZED (
        SELECT signer, jti FROM used_tokens WHERE expires_at <= $1
        ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
    )
    DELETE FROM used_tokens USING old
    WHERE used_tokens.signer = old.signer AND used_tokens.jti = old.jti";
