//! Introductions of members' devices.

mod waiting;

use std::collections::BTreeSet;

use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, query};

use super::rows::{id, time, value};
use super::{SqliteStore, chats, one_time_keys};
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
    &[IS_LIVE, ON_FILE, SAME, DROP_SURPLUS, FIND, DROP, IS_PAIR, OLD, FORGET];

#[async_trait]
impl Introductions for SqliteStore {
    async fn introduce(
        &self,
        introductions: Vec<NewIntroduction>,
        room: Room,
    ) -> Result<Vec<Introduced>, Fault> {
        self.change((introductions, room), |input, connection| {
            Box::pin(introduce(input, connection))
        })
        .await
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
        self.change(confirmation, |it, connection| Box::pin(confirm(it, connection))).await
    }

    async fn forget_introductions(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        let old = query(OLD).bind(now.as_micros()).fetch_optional(&self.readers).await;
        if old.map_err(during("looking for old introductions"))?.is_none() {
            return Ok(0);
        }
        self.forget_old(FORGET, "forgetting introductions", now, limit).await
    }
}

const IS_LIVE: &str = "SELECT session FROM member_devices WHERE session = ?1";

/// Whether those who introduce themselves, one as a rule, have not ended meanwhile.
async fn senders_live(
    introductions: &[NewIntroduction],
    connection: &mut SqliteConnection,
) -> Result<bool, StoreError> {
    let senders: BTreeSet<_> = introductions.iter().map(|new| new.from).collect();
    for sender in senders {
        let live = query(IS_LIVE).bind(sender.0).fetch_optional(&mut *connection).await;
        if live.map_err(during("looking for a sender"))?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The recipient, if it is a live device of this gateway.
const ON_FILE: &str = "
    SELECT sessions.number, accounts.number AS account, accounts.id AS user_id,
        (SELECT count(*) FROM introductions
            WHERE recipient = sessions.number AND expires_at + 0 > ?3) AS waiting,
        (SELECT count(*) FROM introductions
            WHERE recipient = sessions.number AND sender = ?4
                AND expires_at + 0 > ?3) AS of_one,
        (SELECT count(*) FROM prekeys
            WHERE session = sessions.number AND public_key = ?2)
        + (SELECT count(*) FROM taken_keys
            WHERE session = sessions.number AND public_key = ?2
                AND usable_until > ?3) AS keys
    FROM sessions
    CROSS JOIN member_devices ON member_devices.session = sessions.number
    CROSS JOIN accounts ON accounts.number = sessions.account
    WHERE sessions.id = ?1 AND member_devices.id_there IS NULL";

/// An earlier one that is the same, confirmed or not.
const SAME: &str = "
    SELECT id, created_at FROM introductions
    WHERE recipient = ?1 AND sender = ?2 AND ephemeral_key = ?3 AND expires_at + 0 > ?4
    UNION ALL
    SELECT id, created_at FROM pairs
    WHERE sender = ?2 AND recipient = ?1 AND ephemeral_key = ?3";

async fn on_file(
    new: &NewIntroduction,
    connection: &mut SqliteConnection,
) -> Result<Option<OnFile>, StoreError> {
    let doing = "looking for a recipient";
    let found = query(ON_FILE).bind(&new.to.as_bytes()[..]).bind(new.one_time_key.as_str());
    let found = found.bind(new.at.as_micros()).bind(new.from.0);
    let row = found.fetch_optional(&mut *connection).await.map_err(during(doing))?;
    let Some(row) = row else { return Ok(None) };
    let mut found = records::on_file(&row)?;
    let same = query(SAME).bind(found.to.0).bind(new.from.0).bind(new.ephemeral_key.as_str());
    let same = same.bind(new.at.as_micros());
    let same = same.fetch_optional(connection).await.map_err(during(doing))?;
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
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    ON CONFLICT (recipient, sender, ephemeral_key) DO UPDATE SET id = excluded.id,
        sender_key = excluded.sender_key, one_time_key = excluded.one_time_key,
        ciphertext = excluded.ciphertext, created_at = excluded.created_at,
        expires_at = excluded.expires_at";

async fn introduce(
    (introductions, room): &(Vec<NewIntroduction>, Room),
    connection: &mut SqliteConnection,
) -> Result<Result<Vec<Introduced>, Fault>, StoreError> {
    if !senders_live(introductions, connection).await? {
        return Ok(Err(NewIntroduction::sender_is_gone()));
    }
    let mut found = Vec::with_capacity(introductions.len());
    for new in introductions {
        found.push(on_file(new, connection).await?);
    }
    let plans = match plan(introductions, &found, *room) {
        Ok(plans) => plans,
        Err(obstacle) => return Ok(Err(obstacle)),
    };
    for (new, plan) in introductions.iter().zip(&plans) {
        if let Some(how) = plan.keep {
            keep(new, how, connection).await?;
        }
    }
    Ok(Ok(plans.into_iter().map(|plan| plan.introduced).collect()))
}

/// Of a device's introductions to another one all but the newest.
const DROP_SURPLUS: &str = "
    DELETE FROM introductions WHERE number IN (
        SELECT number FROM introductions WHERE recipient = ?1 AND sender = ?2
        ORDER BY number DESC LIMIT -1 OFFSET ?3
    )";

async fn keep(
    new: &NewIntroduction,
    Keep { to, beside }: Keep,
    connection: &mut SqliteConnection,
) -> Result<(), StoreError> {
    let make_room = query(DROP_SURPLUS).bind(to.0).bind(new.from.0).bind(beside);
    let dropped = make_room.execute(&mut *connection).await;
    dropped.map_err(during("making room for an introduction"))?;
    if !new.one_time_key.is_empty() {
        one_time_keys::use_up(to, &new.one_time_key, new.at, connection).await?;
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
    add.execute(connection).await.map_err(during("keeping an introduction"))?;
    Ok(())
}

const FIND: &str = "
    SELECT introductions.number, introductions.sender, introductions.ephemeral_key,
        senders.id AS sender_id, accounts.number AS account, accounts.id AS user_id,
        recipients.account AS own_account
    FROM introductions
    CROSS JOIN sessions AS senders ON senders.number = introductions.sender
    CROSS JOIN accounts ON accounts.number = senders.account
    CROSS JOIN sessions AS recipients ON recipients.number = introductions.recipient
    WHERE introductions.id = ?1 AND introductions.recipient = ?2
        AND introductions.expires_at + 0 > ?3";

const DROP: &str = "DELETE FROM introductions WHERE number = ?1";

async fn confirm(
    it: &Confirmation,
    connection: &mut SqliteConnection,
) -> Result<Result<Confirmed, Fault>, StoreError> {
    let doing = "confirming an introduction";
    let found = query(FIND).bind(&it.introduction.as_bytes()[..]).bind(it.to.0);
    let found = found.bind(it.at.as_micros());
    let row = found.fetch_optional(&mut *connection).await.map_err(during(doing))?;
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
    let chat = match chats::ensure(&wish, connection).await? {
        Ok(chat) => chat,
        Err(taken) => return Ok(Err(taken)),
    };
    let number: i64 = value(&row, "number")?;
    let drop = query(DROP).bind(number).execute(&mut *connection).await;
    drop.map_err(during(doing))?;
    let is_first = pair(it, &row, connection).await?;
    let from = (id(&row, "sender_id")?, wish.other, id(&row, "user_id")?);
    Ok(Ok(Confirmed { chat, is_first, from }))
}

const IS_PAIR: &str = "SELECT id FROM pairs WHERE sender = ?1 AND recipient = ?2";

const PAIR: &str = "
    INSERT INTO pairs (sender, recipient, id, ephemeral_key, created_at)
    VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (sender, recipient) DO UPDATE SET id = excluded.id,
        ephemeral_key = excluded.ephemeral_key, created_at = excluded.created_at";

/// Notes that two devices are a pair; returns whether they are for the first time.
async fn pair(
    it: &Confirmation,
    row: &SqliteRow,
    connection: &mut SqliteConnection,
) -> Result<bool, StoreError> {
    let doing = "pairing devices";
    let sender: i64 = value(row, "sender")?;
    let known = query(IS_PAIR).bind(sender).bind(it.to.0).fetch_optional(&mut *connection).await;
    let is_first = known.map_err(during(doing))?.is_none();
    let pair = query(PAIR)
        .bind(sender)
        .bind(it.to.0)
        .bind(&it.introduction.as_bytes()[..])
        .bind(value::<&str>(row, "ephemeral_key")?)
        .bind(it.at.as_micros());
    pair.execute(connection).await.map_err(during(doing))?;
    Ok(is_first)
}

const OLD: &str =
    "SELECT number FROM introductions WHERE expires_at <= ?1 ORDER BY expires_at LIMIT 1";

const FORGET: &str = "
    DELETE FROM introductions WHERE number IN (
        SELECT number FROM introductions WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2
    )";
