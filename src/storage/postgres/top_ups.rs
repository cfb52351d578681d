//! Adding slots to messages that were stored for some of their recipients.
//!
//! Rows of such a message are made after its payload. So the payload must stay as long as there may
//! be more of them: the sweeper leaves payloads alone that have a row here, and reads in one
//! statement whether they have and for whom they were stored. Whoever adds slots or closes a top-up
//! holds its row to the end of the transaction; once the row is gone it never comes back, and the
//! list of recipients is final.

use std::collections::HashSet;

use async_trait::async_trait;
use sqlx::postgres::PgRow;
use sqlx::query;

use super::PostgresStore;
use super::accept::{holds, insert_slots};
use super::link::Link;
use super::rooms::Rooms;
use super::rows::{optional_id, time, value};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, MessageId, Order, SessionNumber, Shard};
use crate::domain::inbox::{Acceptance, InboxKey, Intake, Slot};
use crate::domain::ports::TopUps;
use crate::domain::top_up::{OpenTopUp, SlotAddition, SlotsAdded, TopUpOffer};
use crate::storage::error::{StoreError, during};
use crate::storage::packed::{pack_users, pack_waiting, unpack_users, unpack_waiting};

pub(super) const OPEN: &str = "
    SELECT top_ups.home, top_ups.payload, top_ups.open_until, top_ups.users, top_ups.left_out,
        payload.waiting
    FROM top_ups CROSS JOIN LATERAL (
        SELECT waiting FROM payloads
        WHERE payloads.shard = top_ups.home AND payloads.number = top_ups.payload
        OFFSET 0
    ) AS payload
    WHERE top_ups.shard = $1 AND top_ups.sender = $2 AND top_ups.message_id = $3
        AND top_ups.open_until > $4";

/// Two additions to one message come one after the other, and none comes after its end.
pub(super) const LOCK: &str = "
    SELECT 1 FROM top_ups
    WHERE shard = $1 AND sender = $2 AND message_id = $3 AND open_until > $4
    FOR UPDATE";

const OFFER: &str = "
    INSERT INTO top_ups (shard, sender, message_id, home, payload, open_until, users, left_out)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

pub(super) const EXTEND: &str = "UPDATE payloads SET waiting = $3 WHERE shard = $1 AND number = $2";

pub(super) const CLOSE: &str =
    "DELETE FROM top_ups WHERE shard = $1 AND sender = $2 AND message_id = $3";

/// Those that somebody adds to at this moment are closed the next time. A place is one of a partition,
/// should there be any.
pub(super) const CLOSE_OVER: &str = "
    WITH over AS MATERIALIZED (
        SELECT tableoid AS part, ctid AS place FROM top_ups WHERE open_until <= $1
        ORDER BY open_until LIMIT $2
        FOR UPDATE SKIP LOCKED
    )
    DELETE FROM top_ups
    WHERE ctid = ANY (ARRAY(SELECT place FROM over))
        AND (tableoid, ctid) IN (SELECT part, place FROM over)";

#[async_trait]
impl TopUps for PostgresStore {
    async fn open_top_up(
        &self,
        sender: AccountNumber,
        message: MessageId,
        now: Timestamp,
    ) -> Result<Option<OpenTopUp>, Fault> {
        let mut link = self.reader().await?;
        let Some(row) = find(&mut link, sender, message, now).await? else { return Ok(None) };
        let offer = TopUpOffer {
            users: unpack_users(value(&row, "users")?)?,
            left_out: optional_id(&row, "left_out")?,
            until: time(&row, "open_until")?,
        };
        let stored_for = unpack_waiting(value(&row, "waiting")?)?;
        Ok(Some(OpenTopUp { order: Order(value(&row, "payload")?), offer, stored_for }))
    }

    async fn add_slots(&self, addition: SlotAddition) -> Result<SlotsAdded, Fault> {
        let inboxes = addition.slots.iter();
        let inboxes = inboxes.map(|slot| InboxKey { shard: slot.shard, session: slot.session });
        let inboxes: Vec<InboxKey> = inboxes.collect();
        let added = self.write(addition, |addition, link| Box::pin(add(addition, link))).await?;
        if added == SlotsAdded::Added {
            self.memory.rooms.forget(inboxes.iter().map(|inbox| inbox.session));
            self.handed_out.forget(inboxes.iter().copied());
            self.fronts.forget(inboxes.into_iter());
        }
        Ok(added)
    }

    async fn close_top_ups(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        self.tidy((now, limit), |input, link| Box::pin(close_over(input, link))).await
    }
}

async fn find(
    link: &mut Link<'_>,
    sender: AccountNumber,
    message: MessageId,
    now: Timestamp,
) -> Result<Option<PgRow>, StoreError> {
    let row = query(OPEN)
        .bind(sender.shard().0)
        .bind(sender.0)
        .bind(message.as_bytes().to_vec())
        .bind(now.as_micros())
        .fetch_optional(link)
        .await;
    row.map_err(during("looking for a message that lacks slots"))
}

/// Keeps the offer of a message that was just stored.
pub(super) async fn offer(
    link: &mut Link<'_>,
    home: Shard,
    number: i64,
    message: &Acceptance,
) -> Result<(), StoreError> {
    let Some(offer) = &message.top_up else { return Ok(()) };
    query(OFFER)
        .bind(message.sender.shard().0)
        .bind(message.sender.0)
        .bind(message.message_id.as_bytes().to_vec())
        .bind(home.0)
        .bind(number)
        .bind(offer.until.as_micros())
        .bind(pack_users(&offer.users))
        .bind(offer.left_out.map(|session| session.as_bytes().to_vec()))
        .execute(link)
        .await
        .map_err(during("storing a message that lacks slots"))?;
    Ok(())
}

async fn add(
    addition: &SlotAddition,
    link: &mut Link<'_>,
) -> Result<Result<SlotsAdded, Fault>, StoreError> {
    let doing = "adding slots";
    let SlotAddition { sender, message_id, now, .. } = *addition;
    let lock = query(LOCK)
        .bind(sender.shard().0)
        .bind(sender.0)
        .bind(message_id.as_bytes().to_vec())
        .bind(now.as_micros());
    if lock.fetch_optional(&mut *link).await.map_err(during(doing))?.is_none() {
        return Ok(Ok(SlotsAdded::Gone));
    }
    // The payload is read when the lock is held, so that it tells of what others added before.
    let Some(row) = find(link, sender, message_id, now).await? else {
        return Ok(Ok(SlotsAdded::Gone));
    };
    if !holds(link, &addition.guards).await? {
        return Ok(Ok(SlotsAdded::RosterMoved));
    }
    let (home, number) = (Shard(value(&row, "home")?), value(&row, "payload")?);
    let mut inboxes = unpack_waiting(value(&row, "waiting")?)?;
    let stored: HashSet<SessionNumber> = inboxes.iter().map(|inbox| inbox.session).collect();
    let new = addition.slots.iter().filter(|slot| !stored.contains(&slot.session));
    let new: Vec<Slot> = new.cloned().collect();
    let intake = Intake { slots: &new, quota: addition.quota, now };
    // Counted afresh: one message that comes late is worth it.
    let mut view = Rooms::default().look(link, std::iter::once(intake)).await?;
    if !view.take(intake) {
        return Ok(Ok(SlotsAdded::Full));
    }
    inboxes.extend(new.iter().map(|it| InboxKey { shard: it.shard, session: it.session }));
    insert_slots(link, home, number, &new).await?;
    let extend = query(EXTEND).bind(home.0).bind(number).bind(pack_waiting(inboxes.into_iter()));
    extend.execute(&mut *link).await.map_err(during(doing))?;
    view.trim(link).await?;
    if addition.completes {
        let close =
            query(CLOSE).bind(sender.shard().0).bind(sender.0).bind(message_id.as_bytes().to_vec());
        close.execute(link).await.map_err(during(doing))?;
    }
    Ok(Ok(SlotsAdded::Added))
}

async fn close_over(
    (now, limit): &(Timestamp, u32),
    link: &mut Link<'_>,
) -> Result<Result<u64, Fault>, StoreError> {
    let closed =
        query(CLOSE_OVER).bind(now.as_micros()).bind(i64::from(*limit)).execute(link).await;
    Ok(Ok(closed.map_err(during("closing top-ups"))?.rows_affected()))
}
