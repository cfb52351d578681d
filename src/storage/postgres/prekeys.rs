//! Prekeys. Who gives one out locks it first and passes over those that others have locked, so no two
//! get the same and nobody waits.

use async_trait::async_trait;
use sqlx::query;

use super::PostgresStore;
use super::columns::{numbers, texts};
use super::link::Link;
use super::rows::{count, value};
use crate::domain::Fault;
use crate::domain::ids::SessionNumber;
use crate::domain::ports::Prekeys;
use crate::domain::prekeys::{Identity, NewPrekeys, SignedPrekey, TakenPrekey};
use crate::storage::error::{StoreError, during};
use crate::storage::records;

#[async_trait]
impl Prekeys for PostgresStore {
    async fn replace_prekeys(&self, new: NewPrekeys) -> Result<(), Fault> {
        self.write(new, |new, link| Box::pin(replace(new, link))).await
    }

    async fn take_prekeys(&self, sessions: &[SessionNumber]) -> Result<Vec<TakenPrekey>, Fault> {
        self.write(sessions.to_vec(), |sessions, link| Box::pin(take(sessions, link))).await
    }

    async fn count_prekeys(&self, session: SessionNumber) -> Result<u64, Fault> {
        let row = query(COUNT).bind(session.0).fetch_one(&mut self.reader().await?).await;
        Ok(count(&row.map_err(during("counting prekeys"))?, "prekeys")?)
    }

    async fn put_signed_prekey(
        &self,
        session: SessionNumber,
        signed: SignedPrekey,
    ) -> Result<(), Fault> {
        self.write((session, signed), |(session, signed), link| {
            Box::pin(async move { put_signed(*session, signed, link).await.map(Ok) })
        })
        .await
    }

    async fn signed_prekey(&self, session: SessionNumber) -> Result<Option<SignedPrekey>, Fault> {
        let row = query(SIGNED).bind(session.0).fetch_optional(&mut self.reader().await?).await;
        let row = row.map_err(during("reading a signed prekey"))?;
        Ok(row.as_ref().map(records::signed_prekey).transpose()?.flatten())
    }
}

pub(super) const COUNT: &str = "SELECT count(*) AS prekeys FROM prekeys WHERE session = $1";

pub(super) const SIGNED: &str = "
    SELECT signed_id, signed_key, signed_signature FROM devices WHERE session = $1";

/// Does nothing for a device that has ended. Whoever else replaces its prekeys waits for the row.
pub(super) const SET_LAST_RESORT: &str = "
    UPDATE devices SET last_resort_id = $2, last_resort_key = $3 WHERE session = $1";

pub(super) const DROP: &str = "DELETE FROM prekeys WHERE session = $1";

const ADD: &str = "
    INSERT INTO prekeys (session, key_id, place, public_key)
    SELECT $1, key_id, place, public_key
    FROM unnest($2::bigint[], $3::text[]) WITH ORDINALITY AS new (key_id, public_key, place)";

async fn replace(new: &NewPrekeys, link: &mut Link<'_>) -> Result<Result<(), Fault>, StoreError> {
    let doing = "keeping prekeys";
    let last_resort = query(SET_LAST_RESORT)
        .bind(new.session.0)
        .bind(new.last_resort.as_ref().map(|prekey| prekey.id))
        .bind(new.last_resort.as_ref().map(|prekey| prekey.public_key.as_str()));
    let known = last_resort.execute(&mut *link).await.map_err(during(doing))?;
    if known.rows_affected() == 0 {
        return Ok(Ok(()));
    }
    drop_ordinary(new.session, link).await?;
    let add = query(ADD)
        .bind(new.session.0)
        .bind(numbers(&new.ordinary, |prekey| prekey.id))
        .bind(texts(&new.ordinary, |prekey| &prekey.public_key));
    add.execute(&mut *link).await.map_err(during(doing))?;
    if let Some(signed) = &new.signed {
        put_signed(new.session, signed, link).await?;
    }
    if let Some(identity) = &new.identity {
        set_identity(identity, new.session, link).await?;
    }
    Ok(Ok(()))
}

/// Removes what a device left to be given out once.
pub(super) async fn drop_ordinary(
    session: SessionNumber,
    link: &mut Link<'_>,
) -> Result<(), StoreError> {
    let dropped = query(DROP).bind(session.0).execute(link).await;
    dropped.map_err(during("removing prekeys"))?;
    Ok(())
}

pub(super) const SET_SIGNED: &str = "
    UPDATE devices SET signed_id = $2, signed_key = $3, signed_signature = $4 WHERE session = $1";

async fn put_signed(
    session: SessionNumber,
    signed: &SignedPrekey,
    link: &mut Link<'_>,
) -> Result<(), StoreError> {
    let set = query(SET_SIGNED)
        .bind(session.0)
        .bind(signed.id)
        .bind(signed.public_key.as_str())
        .bind(signed.signature.as_str());
    set.execute(link).await.map_err(during("keeping a signed prekey"))?;
    Ok(())
}

/// The account must be the device's.
pub(super) const SET_IDENTITY: &str = "
    UPDATE phones SET identity_key = $2
    WHERE account = $1 AND account = (SELECT account FROM devices WHERE session = $3)";

async fn set_identity(
    identity: &Identity,
    session: SessionNumber,
    link: &mut Link<'_>,
) -> Result<(), StoreError> {
    let set = query(SET_IDENTITY).bind(identity.account.0).bind(identity.key.as_str());
    let set = set.bind(session.0).execute(link);
    set.await.map_err(during("keeping an identity key"))?;
    Ok(())
}

/// What somebody else has deleted meanwhile, or is about to, is passed over. The last resort and
/// the signed one come with it.
pub(super) const TAKE: &str = "
    WITH chosen AS MATERIALIZED (
        SELECT key_id, place FROM prekeys WHERE session = $1
        ORDER BY key_id, place LIMIT 1
        FOR UPDATE SKIP LOCKED
    ), taken AS (
        DELETE FROM prekeys USING chosen
        WHERE prekeys.session = $1 AND prekeys.key_id = chosen.key_id
            AND prekeys.place = chosen.place
        RETURNING prekeys.key_id, prekeys.public_key
    )
    SELECT taken.key_id, taken.public_key, devices.signed_id, devices.signed_key,
        devices.signed_signature, devices.last_resort_id, devices.last_resort_key,
        (SELECT identity_key FROM phones WHERE phones.account = devices.account) AS identity_key
    FROM devices LEFT JOIN taken ON true
    WHERE devices.session = $1";

async fn take(
    sessions: &[SessionNumber],
    link: &mut Link<'_>,
) -> Result<Result<Vec<TakenPrekey>, Fault>, StoreError> {
    let mut taken = Vec::with_capacity(sessions.len());
    for session in sessions {
        taken.push(take_one(*session, link).await?);
    }
    Ok(Ok(taken))
}

async fn take_one(session: SessionNumber, link: &mut Link<'_>) -> Result<TakenPrekey, StoreError> {
    let row = query(TAKE).bind(session.0).fetch_optional(link).await;
    let Some(row) = row.map_err(during("giving out a prekey"))? else {
        return Ok(TakenPrekey { session, prekey: None, signed: None, identity: None });
    };
    let prekey = match records::prekey(&row, "key_id", "public_key")? {
        Some(ordinary) => Some(ordinary),
        None => records::prekey(&row, "last_resort_id", "last_resort_key")?,
    };
    let (signed, identity) = (records::signed_prekey(&row)?, value(&row, "identity_key")?);
    Ok(TakenPrekey { session, prekey, signed, identity })
}
