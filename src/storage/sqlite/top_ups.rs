//! Adding slots to messages that were stored for some of their recipients.
//!
//! Rows of such a message are made after its payload. So the payload must stay as long as there may
//! be more of them: the sweeper leaves payloads alone that have a row here, and reads in one
//! statement whether they have and for whom they were stored. Once the row is gone it never comes
//! back, and the list of recipients is final.

use std::collections::HashSet;

use async_trait::async_trait;
use rusqlite::params;
use sqlx::{SqliteConnection, query};

use super::SqliteStore;
use super::accept::{holds, pack_slots, rows_of};
use super::connection::WriterConnection;
use super::inboxes::Inboxes;
use super::rows::{optional_id, time, value};
use super::settle::insert_rows;
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, MessageId, Order, SessionNumber};
use crate::domain::inbox::{Acceptance, Intake, Slot};
use crate::domain::ports::TopUps;
use crate::domain::top_up::{OpenTopUp, SlotAddition, SlotsAdded, TopUpOffer};
use crate::storage::error::{StoreError, during};
use crate::storage::packed::{
    pack_places, pack_users, unpack_places, unpack_users, unpack_waiting,
};

pub(super) const OPEN: &str = "
    SELECT top_ups.payload, top_ups.open_until, top_ups.users, top_ups.left_out, payloads.waiting
    FROM top_ups CROSS JOIN payloads ON payloads.number = top_ups.payload
    WHERE top_ups.shard = ?1 AND top_ups.sender = ?2 AND top_ups.message_id = ?3
        AND top_ups.open_until > ?4";

const OFFER: &str = "
    INSERT INTO top_ups (shard, sender, message_id, payload, open_until, users, left_out)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

pub(super) const SLOTS: &str = "SELECT slots FROM payloads WHERE number = ?1";

pub(super) const EXTEND: &str = "UPDATE payloads SET waiting = ?2, slots = ?3 WHERE number = ?1";

pub(super) const CLOSE: &str =
    "DELETE FROM top_ups WHERE shard = ?1 AND sender = ?2 AND message_id = ?3";

pub(super) const ANY_OVER: &str = "SELECT 1 FROM top_ups WHERE open_until <= ?1 LIMIT 1";

pub(super) const CLOSE_OVER: &str = "
    DELETE FROM top_ups WHERE (shard, sender, message_id) IN (
        SELECT shard, sender, message_id FROM top_ups WHERE open_until <= ?1
        ORDER BY open_until LIMIT ?2
    )";

#[async_trait]
impl TopUps for SqliteStore {
    async fn open_top_up(
        &self,
        sender: AccountNumber,
        message: MessageId,
        now: Timestamp,
    ) -> Result<Option<OpenTopUp>, Fault> {
        let row = query(OPEN)
            .bind(sender.shard().0)
            .bind(sender.0)
            .bind(message.as_bytes().to_vec())
            .bind(now.as_micros())
            .fetch_optional(&self.readers)
            .await
            .map_err(during("looking for a message that lacks slots"))?;
        let Some(row) = row else { return Ok(None) };
        let offer = TopUpOffer {
            users: unpack_users(value(&row, "users")?)?,
            left_out: optional_id(&row, "left_out")?,
            until: time(&row, "open_until")?,
        };
        let stored_for = unpack_waiting(value(&row, "waiting")?)?;
        Ok(Some(OpenTopUp { order: Order(value(&row, "payload")?), offer, stored_for }))
    }

    async fn add_slots(&self, addition: SlotAddition) -> Result<SlotsAdded, Fault> {
        let cost = addition.slots.iter().map(|slot| slot.bytes.len() + 64).sum();
        self.fill(addition, cost, |addition, connection, inboxes| {
            Box::pin(add(addition, connection, inboxes))
        })
        .await
    }

    async fn close_top_ups(&self, now: Timestamp, limit: u32) -> Result<u64, Fault> {
        let any = query(ANY_OVER).bind(now.as_micros()).fetch_optional(&self.readers).await;
        if any.map_err(during("looking for top-ups that are over"))?.is_none() {
            return Ok(0);
        }
        self.change((now, limit), |input, connection| Box::pin(close_over(input, connection))).await
    }
}

/// Keeps the offer of a message that was just stored.
pub(super) fn offer(
    connection: &WriterConnection,
    number: i64,
    message: &Acceptance,
) -> Result<(), StoreError> {
    let Some(offer) = &message.top_up else { return Ok(()) };
    let values = params![
        message.sender.shard().0,
        message.sender.0,
        &message.message_id.as_bytes()[..],
        number,
        offer.until.as_micros(),
        pack_users(&offer.users),
        offer.left_out.map(|session| session.as_bytes().to_vec()),
    ];
    connection.run(OFFER, values, "storing a message that lacks slots")?;
    Ok(())
}

async fn add(
    addition: &SlotAddition,
    connection: &mut WriterConnection,
    inboxes: &mut Inboxes,
) -> Result<Result<SlotsAdded, Fault>, StoreError> {
    let doing = "adding slots";
    let row = query(OPEN)
        .bind(addition.sender.shard().0)
        .bind(addition.sender.0)
        .bind(addition.message_id.as_bytes().to_vec())
        .bind(addition.now.as_micros())
        .fetch_optional(&mut **connection)
        .await
        .map_err(during(doing))?;
    let Some(row) = row else { return Ok(Ok(SlotsAdded::Gone)) };
    for guard in &addition.guards {
        if !holds(connection, *guard)? {
            return Ok(Ok(SlotsAdded::RosterMoved));
        }
    }
    let (number, places) = (value(&row, "payload")?, unpack_places(value(&row, "waiting")?)?);
    let stored: HashSet<SessionNumber> = places.iter().map(|place| place.inbox.session).collect();
    let new = addition.slots.iter().filter(|slot| !stored.contains(&slot.session));
    let new: Vec<Slot> = new.cloned().collect();
    let intake = Intake { slots: &new, quota: addition.quota, now: addition.now };
    inboxes.look(connection, std::iter::once(intake))?;
    if !inboxes.rooms.take(intake) {
        return Ok(Ok(SlotsAdded::Full));
    }
    let row =
        query(SLOTS).bind(number).fetch_one(&mut **connection).await.map_err(during(doing))?;
    let mut slots: Vec<u8> = value(&row, "slots")?;
    // Rows that go into the table at once need no times of their own.
    let times = (addition.now, addition.now);
    let mut rows: Vec<_> = rows_of(number, slots.len(), &new, times).collect();
    rows.sort_unstable_by_key(|(key, _)| *key);
    insert_rows(connection, &rows)?;
    // Those that a start finds beside the message would be fresh otherwise.
    rows.iter().for_each(|(key, _)| inboxes.rows.remove(*key));
    slots.extend(pack_slots(&new));
    let places = places.into_iter().map(|place| (place.inbox, place.length as usize));
    let places = places.chain(new.iter().map(|slot| (slot.inbox(), slot.bytes.len())));
    let extend = query(EXTEND).bind(number).bind(pack_places(places)).bind(slots);
    extend.execute(&mut **connection).await.map_err(during(doing))?;
    inboxes.trim(connection).await?;
    if addition.completes {
        query(CLOSE)
            .bind(addition.sender.shard().0)
            .bind(addition.sender.0)
            .bind(addition.message_id.as_bytes().to_vec())
            .execute(&mut **connection)
            .await
            .map_err(during(doing))?;
    }
    Ok(Ok(SlotsAdded::Added))
}

async fn close_over(
    (now, limit): &(Timestamp, u32),
    connection: &mut SqliteConnection,
) -> Result<Result<u64, Fault>, StoreError> {
    let closed = query(CLOSE_OVER).bind(now.as_micros()).bind(*limit).execute(connection).await;
    Ok(Ok(closed.map_err(during("closing top-ups"))?.rows_affected()))
}
