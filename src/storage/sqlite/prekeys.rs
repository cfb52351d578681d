//! Prekeys. One connection writes, so what is given out is gone for everybody who asks after it.

use async_trait::async_trait;
use sqlx::{SqliteConnection, query};

use super::SqliteStore;
use super::connection::WriterConnection;
use super::rows::{count, value};
use crate::domain::Fault;
use crate::domain::ids::SessionNumber;
use crate::domain::ports::Prekeys;
use crate::domain::prekeys::{Identity, NewPrekeys, SignedPrekey, TakenPrekey};
use crate::storage::error::{StoreError, during};
use crate::storage::records;

#[async_trait]
impl Prekeys for SqliteStore {
    async fn replace_prekeys(&self, new: NewPrekeys) -> Result<(), Fault> {
        self.change(new, |new, connection| Box::pin(replace(new, connection))).await
    }

    async fn take_prekeys(&self, sessions: &[SessionNumber]) -> Result<Vec<TakenPrekey>, Fault> {
        self.change(sessions.to_vec(), |sessions, connection| Box::pin(take(sessions, connection)))
            .await
    }

    async fn count_prekeys(&self, session: SessionNumber) -> Result<u64, Fault> {
        let row = query(COUNT).bind(session.0).fetch_one(&self.readers).await;
        Ok(count(&row.map_err(during("counting prekeys"))?, "prekeys")?)
    }

    async fn put_signed_prekey(
        &self,
        session: SessionNumber,
        signed: SignedPrekey,
    ) -> Result<(), Fault> {
        self.change((session, signed), |(session, signed), connection| {
            Box::pin(async move { put_signed(*session, signed, connection).await.map(Ok) })
        })
        .await
    }

    async fn signed_prekey(&self, session: SessionNumber) -> Result<Option<SignedPrekey>, Fault> {
        let row = query(ALWAYS).bind(session.0).fetch_optional(&self.readers).await;
        let row = row.map_err(during("reading a signed prekey"))?;
        Ok(row.as_ref().map(records::signed_prekey).transpose()?.flatten())
    }
}

pub(super) const COUNT: &str = "SELECT count(*) AS prekeys FROM prekeys WHERE session = ?1";

/// Whatever is left of the ordinary ones.
pub(super) const ALWAYS: &str = "
    SELECT signed_id, signed_key, signed_signature, last_resort_id, last_resort_key,
        (SELECT identity_key FROM phones WHERE phones.account = devices.account) AS identity_key
    FROM devices WHERE session = ?1";

/// Does nothing for a device that has ended.
pub(super) const SET_LAST_RESORT: &str = "
    UPDATE devices SET last_resort_id = ?2, last_resort_key = ?3 WHERE session = ?1";

pub(super) const DROP: &str = "DELETE FROM prekeys WHERE session = ?1";

const PREKEY: &str =
    "INSERT INTO prekeys (session, key_id, place, public_key) VALUES (?1, ?2, ?3, ?4)";

async fn replace(
    new: &NewPrekeys,
    connection: &mut WriterConnection,
) -> Result<Result<(), Fault>, StoreError> {
    let doing = "keeping prekeys";
    let last_resort = query(SET_LAST_RESORT)
        .bind(new.session.0)
        .bind(new.last_resort.as_ref().map(|prekey| prekey.id))
        .bind(new.last_resort.as_ref().map(|prekey| prekey.public_key.as_str()));
    let known = last_resort.execute(&mut **connection).await.map_err(during(doing))?;
    if known.rows_affected() == 0 {
        return Ok(Ok(()));
    }
    drop_ordinary(new.session, connection).await?;
    let rows = (0_i64..).zip(&new.ordinary);
    let rows =
        rows.map(|(place, prekey)| (new.session.0, prekey.id, place, prekey.public_key.as_str()));
    connection.each(PREKEY, rows, doing)?;
    if let Some(signed) = &new.signed {
        put_signed(new.session, signed, connection).await?;
    }
    if let Some(identity) = &new.identity {
        set_identity(identity, new.session, connection).await?;
    }
    Ok(Ok(()))
}

/// Removes what a device left to be given out once.
pub(super) async fn drop_ordinary(
    session: SessionNumber,
    connection: &mut SqliteConnection,
) -> Result<(), StoreError> {
    let dropped = query(DROP).bind(session.0).execute(connection).await;
    dropped.map_err(during("removing prekeys"))?;
    Ok(())
}

pub(super) const SET_SIGNED: &str = "
    UPDATE devices SET signed_id = ?2, signed_key = ?3, signed_signature = ?4 WHERE session = ?1";

async fn put_signed(
    session: SessionNumber,
    signed: &SignedPrekey,
    connection: &mut SqliteConnection,
) -> Result<(), StoreError> {
    let set = query(SET_SIGNED)
        .bind(session.0)
        .bind(signed.id)
        .bind(signed.public_key.as_str())
        .bind(signed.signature.as_str());
    set.execute(connection).await.map_err(during("keeping a signed prekey"))?;
    Ok(())
}

/// The account must be the device's.
pub(super) const SET_IDENTITY: &str = "
    UPDATE phones SET identity_key = ?2
    WHERE account = ?1 AND account = (SELECT account FROM devices WHERE session = ?3)";

async fn set_identity(
    identity: &Identity,
    session: SessionNumber,
    connection: &mut SqliteConnection,
) -> Result<(), StoreError> {
    let set = query(SET_IDENTITY).bind(identity.account.0).bind(identity.key.as_str());
    let set = set.bind(session.0).execute(connection);
    set.await.map_err(during("keeping an identity key"))?;
    Ok(())
}

pub(super) const TAKE: &str = "
    DELETE FROM prekeys WHERE (session, key_id, place) IN (
        SELECT session, key_id, place FROM prekeys WHERE session = ?1
        ORDER BY session, key_id, place LIMIT 1
    )
    RETURNING key_id, public_key";

async fn take(
    sessions: &[SessionNumber],
    connection: &mut SqliteConnection,
) -> Result<Result<Vec<TakenPrekey>, Fault>, StoreError> {
    let mut taken = Vec::with_capacity(sessions.len());
    for session in sessions {
        taken.push(take_one(*session, connection).await?);
    }
    Ok(Ok(taken))
}

async fn take_one(
    session: SessionNumber,
    connection: &mut SqliteConnection,
) -> Result<TakenPrekey, StoreError> {
    let doing = "giving out a prekey";
    let always = query(ALWAYS).bind(session.0).fetch_optional(&mut *connection).await;
    let Some(always) = always.map_err(during(doing))? else {
        return Ok(TakenPrekey { session, prekey: None, signed: None, identity: None });
    };
    let ordinary = query(TAKE).bind(session.0).fetch_optional(connection).await;
    let prekey = match ordinary.map_err(during(doing))? {
        Some(row) => records::prekey(&row, "key_id", "public_key")?,
        None => records::prekey(&always, "last_resort_id", "last_resort_key")?,
    };
    let (signed, identity) = (records::signed_prekey(&always)?, value(&always, "identity_key")?);
    Ok(TakenPrekey { session, prekey, signed, identity })
}
