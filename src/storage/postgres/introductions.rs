//! Introductions of members' devices.

mod waiting;

use std::collections::BTreeSet;

use async_trait::async_trait;
use sqlx::postgres::PgRow;
use sqlx::query;

use super::link::Link;
use super::rows::{id, id_array, time, value};
use super::{PostgresStore, chats, one_time_keys};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, SessionNumber};
use crate::domain::messenger::introduction::{IntroductionHead, IntroductionId, Page, Room};
use crate::domain::messenger::{
    Confirmation, Confirmed, Introduced, Introduction, NewIntroduction,
};
use crate::domain::ports::Introductions;
use crate::storage::error::{StoreError, during};
use crate::storage::introducing::{Keep, OnFile, plan};
use crate::storage::records;

#[cfg(test)]
pub(super) use waiting::STATEMENTS as OF_WAITING;

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] =
    &[LOCK, ON_FILE, SAME, DROP_SURPLUS, FIND, DROP, PAIR_AGAIN, OLD, FORGET];

#[async_trait]
impl Introductions for PostgresStore {
    async fn introduce(
        &self,
        introductions: Vec<NewIntroduction>,
        room: Room,
    ) -> Result<Vec<Introduced>, Fault> {
        self.write((introductions, room), |input, link| Box::pin(introduce(input, link))).await
    }

    async fn introductions(
        &self,
        to: SessionNumber,
        page: Page,
    ) -> Result<Vec<Introduction>, Fault> {
        Ok(waiting::list(self, to, page).await?)
    }

    async fn introduction_heads(
        &self,
        to: SessionNumber,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<IntroductionHead>, Fault> {
        Ok(waiting::heads(self, to, now, limit).await?)
    }

    async fn introduction(
        &self,
        to: SessionNumber,
        now: Timestamp,
        id: IntroductionId,
    ) -> Result<Option<IntroductionHead>, Fault> {
        Ok(waiting::one(self, to, now, id).await?)
    }

    async fn has_introduced(
        &self,
        from: AccountNumber,
        to: &[SessionNumber],
        now: Timestamp,
    ) -> Result<bool, Fault> {
        Ok(waiting::is_by(self, from, to, now).await?)
    }

    async fn confirm(&self, confirmation: Confirmation) -> Result<Confirmed, Fault> {
        self.write(confirmation, |it, link| Box::pin(confirm(it, link))).await
    }

    async fn forget_introductions(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        let old = query(OLD).bind(now.as_micros()).fetch_optional(&mut self.reader().await?).await;
        if old.map_err(during("looking for old introductions"))?.is_none() {
            return Ok(0);
        }
        self.forget_old(FORGET, "forgetting introductions", now, limit).await
    }
}

/// Those who introduce themselves to a device do it one after the other, and end before or after it.
const LOCK: &str = "
    SELECT session FROM member_devices
    WHERE session = ANY (ARRAY(SELECT number FROM sessions WHERE id = ANY ($1)) || $2::bigint[])
    ORDER BY session FOR UPDATE";

/// The recipient, if it is a live device of this gateway.
const ON_FILE: &str = "
    SELECT sessions.number, accounts.number AS account, accounts.id AS user_id,
        (SELECT count(*) FROM introductions
            WHERE recipient = sessions.number AND expires_at + 0 > $3) AS waiting,
        (SELECT count(*) FROM introductions
            WHERE recipient = sessions.number AND sender = $4
                AND expires_at + 0 > $3) AS of_one,
        (SELECT count(*) FROM prekeys
            WHERE session = sessions.number AND public_key = $2)
        + (SELECT count(*) FROM taken_keys
            WHERE session = sessions.number AND public_key = $2
                AND usable_until > $3) AS keys
    FROM sessions
    JOIN member_devices ON member_devices.session = sessions.number
    JOIN accounts ON accounts.number = sessions.account
    WHERE sessions.id = $1 AND member_devices.id_there IS NULL";

/// An earlier one that is the same, confirmed or not.
const SAME: &str = "
    SELECT id, created_at FROM introductions
    WHERE recipient = $1 AND sender = $2 AND ephemeral_key = $3 AND expires_at + 0 > $4
    UNION ALL
    SELECT id, created_at FROM pairs
    WHERE sender = $2 AND recipient = $1 AND ephemeral_key = $3";

async fn on_file(new: &NewIntroduction, link: &mut Link<'_>) -> Result<Option<OnFile>, StoreError> {
    let doing = "looking for a recipient";
    let found = query(ON_FILE).bind(&new.to.as_bytes()[..]).bind(new.one_time_key.as_str());
    let found = found.bind(new.at.as_micros()).bind(new.from.0);
    let row = found.fetch_optional(&mut *link).await.map_err(during(doing))?;
    let Some(row) = row else { return Ok(None) };
    let mut found = records::on_file(&row)?;
    let same = query(SAME).bind(found.to.0).bind(new.from.0).bind(new.ephemeral_key.as_str());
    let same = same.bind(new.at.as_micros());
    let same = same.fetch_optional(link).await.map_err(during(doing))?;
    found.same = match &same {
        Some(row) => Some((id(row, "id")?, time(row, "created_at")?)),
        None => None,
    };
    Ok(Some(found))
}

/// One that is in the way is the same one of before, whose time is over.
const ADD: &str = "
    INSERT INTO introductions (id, sender, recipient, ephemeral_key, sender_key, one_time_key,
        ciphertext, created_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT (recipient, sender, ephemeral_key) DO UPDATE SET id = excluded.id,
        sender_key = excluded.sender_key, one_time_key = excluded.one_time_key,
        ciphertext = excluded.ciphertext, created_at = excluded.created_at,
        expires_at = excluded.expires_at";

async fn introduce(
    (introductions, room): &(Vec<NewIntroduction>, Room),
    link: &mut Link<'_>,
) -> Result<Result<Vec<Introduced>, Fault>, StoreError> {
    let recipients = id_array(introductions.iter().map(|new| new.to));
    let senders: BTreeSet<_> = introductions.iter().map(|new| new.from.0).collect();
    let lock = query(LOCK).bind(recipients).bind(Vec::from_iter(senders.iter().copied()));
    let live = lock.fetch_all(&mut *link).await;
    let live = live.map_err(during("waiting for others who introduce themselves"))?;
    let live = live.iter().map(|row| value(row, "session"));
    let live = live.collect::<Result<BTreeSet<i64>, _>>()?;
    if !senders.is_subset(&live) {
        return Ok(Err(NewIntroduction::sender_is_gone()));
    }
    let mut found = Vec::with_capacity(introductions.len());
    for new in introductions {
        found.push(on_file(new, link).await?);
    }
    let plans = match plan(introductions, &found, *room) {
        Ok(plans) => plans,
        Err(obstacle) => return Ok(Err(obstacle)),
    };
    for (new, plan) in introductions.iter().zip(&plans) {
        if let Some(how) = plan.keep {
            keep(new, how, link).await?;
        }
    }
    Ok(Ok(plans.into_iter().map(|plan| plan.introduced).collect()))
}

/// Of a device's introductions to another one all but the newest.
const DROP_SURPLUS: &str = "
    DELETE FROM introductions WHERE number = ANY (ARRAY(
        SELECT number FROM introductions WHERE recipient = $1 AND sender + 0 = $2
        ORDER BY number + 0 DESC OFFSET $3
    ))";

async fn keep(
    new: &NewIntroduction,
    Keep { to, beside }: Keep,
    link: &mut Link<'_>,
) -> Result<(), StoreError> {
    let make_room = query(DROP_SURPLUS).bind(to.0).bind(new.from.0).bind(i64::from(beside));
    let dropped = make_room.execute(&mut *link).await;
    dropped.map_err(during("making room for an introduction"))?;
    if !new.one_time_key.is_empty() {
        one_time_keys::use_up(to, &new.one_time_key, new.at, link).await?;
    }
    let add = query(ADD)
        .bind(&new.id.as_bytes()[..])
        .bind(new.from.0)
        .bind(to.0)
        .bind(new.ephemeral_key.as_str())
        .bind(new.sender_key.as_str())
        .bind(new.one_time_key.as_str())
        .bind(new.ciphertext.as_str())
        .bind(new.at.as_micros())
        .bind(new.expires_at.as_micros());
    add.execute(link).await.map_err(during("keeping an introduction"))?;
    Ok(())
}

/// Whoever else confirms it waits, and does not find it then.
const FIND: &str = "
    WITH found AS MATERIALIZED (
        SELECT number, sender, recipient, ephemeral_key FROM introductions
        WHERE id = $1 AND recipient = $2 AND expires_at + 0 > $3
        FOR UPDATE
    )
    SELECT found.number, found.sender, found.ephemeral_key, senders.id AS sender_id,
        accounts.number AS account, accounts.id AS user_id, recipients.account AS own_account
    FROM found
    JOIN sessions AS senders ON senders.number = found.sender
    JOIN accounts ON accounts.number = senders.account
    JOIN sessions AS recipients ON recipients.number = found.recipient";

const DROP: &str = "DELETE FROM introductions WHERE number = $1";

async fn confirm(
    it: &Confirmation,
    link: &mut Link<'_>,
) -> Result<Result<Confirmed, Fault>, StoreError> {
    let doing = "confirming an introduction";
    let found = query(FIND).bind(&it.introduction.as_bytes()[..]).bind(it.to.0);
    let found = found.bind(it.at.as_micros());
    let row = found.fetch_optional(&mut *link).await.map_err(during(doing))?;
    let Some(row) = row else {
        return Ok(Err(Fault::NotFound { what: "introduction" }));
    };
    let wish = chats::Wish {
        id: it.chat,
        insists: it.insists,
        creator: AccountNumber(value(&row, "own_account")?),
        other: AccountNumber(value(&row, "account")?),
        at: it.at,
    };
    let chat = match chats::ensure(&wish, link).await? {
        Ok(chat) => chat,
        Err(taken) => return Ok(Err(taken)),
    };
    let number: i64 = value(&row, "number")?;
    let drop = query(DROP).bind(number).execute(&mut *link).await;
    drop.map_err(during(doing))?;
    let is_first = pair(it, &row, link).await?;
    let from = (id(&row, "sender_id")?, wish.other, id(&row, "user_id")?);
    Ok(Ok(Confirmed { chat, is_first, from }))
}

const PAIR: &str = "
    INSERT INTO pairs (sender, recipient, id, ephemeral_key, created_at)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (sender, recipient) DO NOTHING";

const PAIR_AGAIN: &str = "
    UPDATE pairs SET id = $3, ephemeral_key = $4, created_at = $5
    WHERE sender = $1 AND recipient = $2";

/// Notes that two devices are a pair; returns whether they are for the first time.
async fn pair(it: &Confirmation, row: &PgRow, link: &mut Link<'_>) -> Result<bool, StoreError> {
    let doing = "pairing devices";
    let sender: i64 = value(row, "sender")?;
    let key: &str = value(row, "ephemeral_key")?;
    let note = |statement| {
        let note = query(statement).bind(sender).bind(it.to.0);
        note.bind(&it.introduction.as_bytes()[..]).bind(key).bind(it.at.as_micros())
    };
    let paired = note(PAIR).execute(&mut *link).await.map_err(during(doing))?;
    let is_first = paired.rows_affected() > 0;
    if !is_first {
        note(PAIR_AGAIN).execute(link).await.map_err(during(doing))?;
    }
    Ok(is_first)
}

const OLD: &str =
    "SELECT number FROM introductions WHERE expires_at <= $1 ORDER BY expires_at LIMIT 1";

const FORGET: &str = "
    DELETE FROM introductions WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM introductions WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2
        FOR UPDATE SKIP LOCKED
    ))";
