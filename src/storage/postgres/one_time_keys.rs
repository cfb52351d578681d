//! One-time prekeys of members' devices. They share the table of phones' prekeys; their ids are
//! places in the order in which they are given out. Who gives one out passes over those that others
//! have locked; who adds some has the device's row first.

use async_trait::async_trait;
use sqlx::postgres::PgRow;
use sqlx::query;

use super::PostgresStore;
use super::columns::{numbers, texts};
use super::link::Link;
use super::rows::value;
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::SessionNumber;
use crate::domain::messenger::member::{KEYS_REMEMBERED, new_one_time_keys};
use crate::domain::ports::OneTimeKeys;
use crate::storage::error::{StoreError, during};

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] =
    &[IS_LIVE, WAITING, SPENT, LISTED, TAKE, USE_WAITING, OLD, FORGET];

#[async_trait]
impl OneTimeKeys for PostgresStore {
    async fn add_one_time_keys(
        &self,
        session: SessionNumber,
        keys: Vec<String>,
        most: u32,
    ) -> Result<u64, Fault> {
        self.write((session, keys, most), |input, link| Box::pin(add(input, link))).await
    }

    async fn one_time_keys(
        &self,
        sessions: &[SessionNumber],
        limit: u32,
    ) -> Result<Vec<Vec<String>>, Fault> {
        let wanted = query(LISTED).bind(numbers(sessions, |it| it.0)).bind(i64::from(limit));
        let rows = wanted.fetch_all(&mut self.reader().await?).await;
        let mut listed = vec![Vec::new(); sessions.len()];
        for row in rows.map_err(during("reading one-time prekeys"))? {
            let place: i64 = value(&row, "place")?;
            let keys = usize::try_from(place - 1).ok().and_then(|place| listed.get_mut(place));
            if let Some(keys) = keys {
                keys.push(public_key(&row)?);
            }
        }
        Ok(listed)
    }

    async fn take_one_time_keys(
        &self,
        sessions: &[SessionNumber],
        until: Timestamp,
    ) -> Result<Vec<Option<String>>, Fault> {
        self.write((sessions.to_vec(), until), |input, link| Box::pin(take(input, link))).await
    }

    async fn forget_taken_keys(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        let old = query(OLD).bind(now.as_micros()).fetch_optional(&mut self.reader().await?).await;
        if old.map_err(during("looking for keys that were given out"))?.is_none() {
            return Ok(0);
        }
        self.forget_old(FORGET, "forgetting keys that were given out", now, limit).await
    }
}

fn public_key(row: &PgRow) -> Result<String, StoreError> {
    value(row, "public_key")
}

const IS_LIVE: &str = "SELECT session FROM member_devices WHERE session = $1 FOR UPDATE";

const WAITING: &str = "
    SELECT public_key, key_id FROM prekeys WHERE session = $1 ORDER BY session, key_id, place";

/// Which of some keys were given out or used before.
const SPENT: &str = "
    SELECT public_key FROM taken_keys WHERE session = $1 AND public_key = ANY ($2)";

/// Nothing is added for a device that has ended.
async fn add(
    (session, keys, most): &(SessionNumber, Vec<String>, u32),
    link: &mut Link<'_>,
) -> Result<Result<u64, Fault>, StoreError> {
    let doing = "adding one-time prekeys";
    let live = query(IS_LIVE).bind(session.0).fetch_optional(&mut *link).await;
    if live.map_err(during(doing))?.is_none() {
        return Ok(Ok(0));
    }
    let rows = query(WAITING).bind(session.0).fetch_all(&mut *link).await;
    let rows = rows.map_err(during(doing))?;
    let waiting = rows.iter().map(public_key).collect::<Result<Vec<_>, _>>()?;
    let last: i64 = rows.last().map_or(Ok(-1), |row| value(row, "key_id"))?;
    let spent = query(SPENT).bind(session.0).bind(texts(keys, |key| key));
    let spent = spent.fetch_all(&mut *link).await;
    let spent = spent.map_err(during(doing))?;
    let spent = spent.iter().map(public_key).collect::<Result<Vec<_>, _>>()?;
    let new = match new_one_time_keys(keys, &waiting, &spent, *most) {
        Ok(new) => new,
        Err(too_many) => return Ok(Err(too_many)),
    };
    append(*session, last + 1, &new, link).await?;
    Ok(Ok((waiting.len() + new.len()) as u64))
}

const APPEND: &str = "
    INSERT INTO prekeys (session, key_id, place, public_key)
    SELECT $1, $2 + place, 0, public_key
    FROM unnest($3::text[]) WITH ORDINALITY AS new (public_key, place)";

/// Puts keys on file that are not there yet.
pub(super) async fn append(
    session: SessionNumber,
    first: i64,
    keys: &[&str],
    link: &mut Link<'_>,
) -> Result<(), StoreError> {
    // Places are counted from 1.
    let append = query(APPEND).bind(session.0).bind(first - 1).bind(texts(keys, |key| key));
    append.execute(link).await.map_err(during("adding one-time prekeys"))?;
    Ok(())
}

const LISTED: &str = "
    SELECT wanted.place, listed.public_key
    FROM unnest($1::bigint[]) WITH ORDINALITY AS wanted (session, place)
    CROSS JOIN LATERAL (
        SELECT key_id, public_key FROM prekeys WHERE prekeys.session = wanted.session
        ORDER BY key_id, prekeys.place LIMIT $2
    ) AS listed
    ORDER BY wanted.place, listed.key_id";

/// What was given out is noted by the statement that takes it.
const TAKE: &str = "
    WITH chosen AS MATERIALIZED (
        SELECT key_id, place FROM prekeys WHERE session = $1
        ORDER BY key_id, place LIMIT 1
        FOR UPDATE SKIP LOCKED
    ), given AS (
        DELETE FROM prekeys USING chosen
        WHERE prekeys.session = $1 AND prekeys.key_id = chosen.key_id
            AND prekeys.place = chosen.place
        RETURNING prekeys.session, prekeys.public_key
    )
    INSERT INTO taken_keys (session, public_key, usable_until, expires_at)
    SELECT session, public_key, $2, $3 FROM given
    ON CONFLICT (session, public_key) DO UPDATE SET usable_until = excluded.usable_until,
        expires_at = excluded.expires_at
    RETURNING public_key";

async fn take(
    (sessions, until): &(Vec<SessionNumber>, Timestamp),
    link: &mut Link<'_>,
) -> Result<Result<Vec<Option<String>>, Fault>, StoreError> {
    let mut given = Vec::with_capacity(sessions.len());
    for session in sessions {
        let row = query(TAKE).bind(session.0).bind(until.as_micros());
        let row = row.bind(until.plus(KEYS_REMEMBERED).as_micros());
        let row = row.fetch_optional(&mut *link).await;
        let key = row.map_err(during("giving out a one-time prekey"))?;
        given.push(key.as_ref().map(public_key).transpose()?);
    }
    Ok(Ok(given))
}

const USE_WAITING: &str = "DELETE FROM prekeys WHERE session = $1 AND public_key = $2";
/// Nobody is given it again.
const NOTE_USED: &str = "
    INSERT INTO taken_keys (session, public_key, usable_until, expires_at)
    VALUES ($1, $2, 0, $3)
    ON CONFLICT (session, public_key) DO UPDATE SET usable_until = 0,
        expires_at = excluded.expires_at";

/// Uses a key up, whether it was given out or not: what is given out at this moment is waited for,
/// and then found among the others.
pub(super) async fn use_up(
    session: SessionNumber,
    key: &str,
    at: Timestamp,
    link: &mut Link<'_>,
) -> Result<(), StoreError> {
    let doing = "using a one-time prekey up";
    let used = query(USE_WAITING).bind(session.0).bind(key).execute(&mut *link).await;
    used.map_err(during(doing))?;
    let until = at.plus(KEYS_REMEMBERED).as_micros();
    let note = query(NOTE_USED).bind(session.0).bind(key).bind(until).execute(link).await;
    note.map_err(during(doing))?;
    Ok(())
}

const OLD: &str =
    "SELECT session FROM taken_keys WHERE expires_at <= $1 ORDER BY expires_at LIMIT 1";

const FORGET: &str = "
    DELETE FROM taken_keys WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM taken_keys WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2
        FOR UPDATE SKIP LOCKED
    ))";
