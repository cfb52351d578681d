//! One-time prekeys of members' devices. They share the table of phones' prekeys; their ids are
//! places in the order in which they are given out.

use std::fmt::Write;

use async_trait::async_trait;
use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, query};

use super::SqliteStore;
use super::rows::{json_list, value};
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
impl OneTimeKeys for SqliteStore {
    async fn add_one_time_keys(
        &self,
        session: SessionNumber,
        keys: Vec<String>,
        most: u32,
    ) -> Result<u64, Fault> {
        self.change((session, keys, most), |input, connection| Box::pin(add(input, connection)))
            .await
    }

    async fn one_time_keys(
        &self,
        sessions: &[SessionNumber],
        limit: u32,
    ) -> Result<Vec<Vec<String>>, Fault> {
        let list = json_list(sessions, |json, session| write!(json, "{}", session.0));
        let rows = query(LISTED).bind(list).fetch_all(&self.readers).await;
        let mut listed = vec![Vec::new(); sessions.len()];
        for row in rows.map_err(during("reading one-time prekeys"))? {
            let place: i64 = value(&row, "place")?;
            let keys = usize::try_from(place).ok().and_then(|place| listed.get_mut(place));
            if let Some(keys) = keys.filter(|keys| keys.len() < limit as usize) {
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
        self.change((sessions.to_vec(), until), |input, connection| {
            Box::pin(take(input, connection))
        })
        .await
    }

    async fn forget_taken_keys(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        let old = query(OLD).bind(now.as_micros()).fetch_optional(&self.readers).await;
        if old.map_err(during("looking for keys that were given out"))?.is_none() {
            return Ok(0);
        }
        self.forget_old(FORGET, "forgetting keys that were given out", now, limit).await
    }
}

fn public_key(row: &SqliteRow) -> Result<String, StoreError> {
    value(row, "public_key")
}

const IS_LIVE: &str = "SELECT session FROM member_devices WHERE session = ?1";

const WAITING: &str = "
    SELECT public_key, key_id FROM prekeys WHERE session = ?1 ORDER BY session, key_id, place";

/// Which of some keys were given out or used before.
const SPENT: &str = "
    SELECT public_key FROM taken_keys
    WHERE session = ?1 AND public_key IN (SELECT value FROM json_each(?2))";

/// A list of texts.
fn json(keys: &[impl Serialize]) -> String {
    // Texts are always written as JSON.
    serde_json::to_string(keys).unwrap_or_default()
}

/// Nothing is added for a device that has ended.
async fn add(
    (session, keys, most): &(SessionNumber, Vec<String>, u32),
    connection: &mut SqliteConnection,
) -> Result<Result<u64, Fault>, StoreError> {
    let doing = "adding one-time prekeys";
    let live = query(IS_LIVE).bind(session.0).fetch_optional(&mut *connection).await;
    if live.map_err(during(doing))?.is_none() {
        return Ok(Ok(0));
    }
    let rows = query(WAITING).bind(session.0).fetch_all(&mut *connection).await;
    let rows = rows.map_err(during(doing))?;
    let waiting = rows.iter().map(public_key).collect::<Result<Vec<_>, _>>()?;
    let last: i64 = rows.last().map_or(Ok(-1), |row| value(row, "key_id"))?;
    let spent = query(SPENT).bind(session.0).bind(json(keys)).fetch_all(&mut *connection).await;
    let spent = spent.map_err(during(doing))?;
    let spent = spent.iter().map(public_key).collect::<Result<Vec<_>, _>>()?;
    let new = match new_one_time_keys(keys, &waiting, &spent, *most) {
        Ok(new) => new,
        Err(too_many) => return Ok(Err(too_many)),
    };
    append(*session, last + 1, &new, connection).await?;
    Ok(Ok((waiting.len() + new.len()) as u64))
}

/// `key` is the place in the list.
const APPEND: &str = "
    INSERT INTO prekeys (session, key_id, place, public_key)
    SELECT ?1, ?2 + wanted.key, 0, wanted.value FROM json_each(?3) AS wanted";

/// Puts keys on file that are not there yet.
pub(super) async fn append(
    session: SessionNumber,
    first: i64,
    keys: &[&str],
    connection: &mut SqliteConnection,
) -> Result<(), StoreError> {
    let append = query(APPEND).bind(session.0).bind(first).bind(json(keys));
    let append = append.execute(connection).await;
    append.map_err(during("adding one-time prekeys"))?;
    Ok(())
}

const LISTED: &str = "
    SELECT wanted.key AS place, prekeys.public_key
    FROM json_each(?1) AS wanted CROSS JOIN prekeys ON prekeys.session = wanted.value
    ORDER BY wanted.key, prekeys.key_id, prekeys.place";

const TAKE: &str = "
    DELETE FROM prekeys WHERE (session, key_id, place) IN (
        SELECT session, key_id, place FROM prekeys WHERE session = ?1
        ORDER BY session, key_id, place LIMIT 1
    )
    RETURNING public_key";

const NOTE_TAKEN: &str = "
    INSERT INTO taken_keys (session, public_key, usable_until, expires_at)
    VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (session, public_key) DO UPDATE SET usable_until = excluded.usable_until,
        expires_at = excluded.expires_at";

async fn take(
    (sessions, until): &(Vec<SessionNumber>, Timestamp),
    connection: &mut SqliteConnection,
) -> Result<Result<Vec<Option<String>>, Fault>, StoreError> {
    let doing = "giving out a one-time prekey";
    let mut given = Vec::with_capacity(sessions.len());
    for session in sessions {
        let row = query(TAKE).bind(session.0).fetch_optional(&mut *connection).await;
        let key = row.map_err(during(doing))?.as_ref().map(public_key).transpose()?;
        if let Some(key) = &key {
            let note = query(NOTE_TAKEN).bind(session.0).bind(key.as_str());
            let note = note.bind(until.as_micros()).bind(until.plus(KEYS_REMEMBERED).as_micros());
            let note = note.execute(&mut *connection).await;
            note.map_err(during(doing))?;
        }
        given.push(key);
    }
    Ok(Ok(given))
}

const USE_WAITING: &str = "DELETE FROM prekeys WHERE session = ?1 AND public_key = ?2";
/// Nobody is given it again.
const NOTE_USED: &str = "
    INSERT INTO taken_keys (session, public_key, usable_until, expires_at)
    VALUES (?1, ?2, 0, ?3)
    ON CONFLICT (session, public_key) DO UPDATE SET usable_until = 0,
        expires_at = excluded.expires_at";

/// Uses a key up, whether it was given out or not.
pub(super) async fn use_up(
    session: SessionNumber,
    key: &str,
    at: Timestamp,
    connection: &mut SqliteConnection,
) -> Result<(), StoreError> {
    let doing = "using a one-time prekey up";
    let used = query(USE_WAITING).bind(session.0).bind(key).execute(&mut *connection).await;
    used.map_err(during(doing))?;
    let until = at.plus(KEYS_REMEMBERED).as_micros();
    let note = query(NOTE_USED).bind(session.0).bind(key).bind(until).execute(connection).await;
    note.map_err(during(doing))?;
    Ok(())
}

const OLD: &str =
    "SELECT session FROM taken_keys WHERE expires_at <= ?1 ORDER BY expires_at LIMIT 1";

const FORGET: &str = "
    DELETE FROM taken_keys WHERE (session, public_key) IN (
        SELECT session, public_key FROM taken_keys
        WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2
    )";
