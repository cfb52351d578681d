//! Messages that a reader does not get past: setting them aside, and what is done with them then.

use std::collections::HashMap;
use std::fmt::Write;

use sqlx::{SqliteConnection, query};

use super::SqliteStore;
use super::connection::WriterConnection;
use super::fresh::{Draft, RowKey};
use super::gaps::{self, Loss, Losses};
use super::rows::{count, json_list, value};
use super::settle::settle_rows;
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{MessageId, Order, SessionNumber};
use crate::domain::inbox::{GapReason, InboxKey, InboxStatus, Isolation, SetAside, StuckInbox};
use crate::domain::ports::MOST_COUNTED;
use crate::storage::batch::Answer;
use crate::storage::error::{StoreError, during};
use crate::storage::gap::Missing;
use crate::storage::records;

/// Messages of one inbox that its reader found hopeless.
pub(super) struct SetAsideJob {
    pub inbox: InboxKey,
    pub hopeless: Hopeless,
    /// How many messages were set aside.
    pub answer: Answer<usize>,
}

/// What makes messages hopeless, and which ones are.
pub(super) struct Hopeless {
    pub isolation: Isolation,
    pub now: Timestamp,
    /// Each with the time at which it was accepted.
    pub rows: Vec<(Order, Timestamp)>,
}

/// A row is only set aside if it still is what the reader found: meanwhile somebody may have taken
/// it, or given its last delivery back.
pub(super) const SET_ASIDE: &str = "
    UPDATE inbox SET set_aside_at = ?2
    WHERE (shard, session, number) IN (
        SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1)
    )
    AND leased_until <= ?2 AND deliveries >= ?3 AND set_aside_at IS NULL
    AND NOT EXISTS (
        SELECT 1 FROM ended_inboxes
        WHERE ended_inboxes.shard = inbox.shard AND ended_inboxes.session = inbox.session
    )
    RETURNING number";

/// Sets hopeless messages aside and leaves markers.
pub(super) async fn set_aside(
    connection: &mut WriterConnection,
    fresh: &mut Draft,
    jobs: &[&SetAsideJob],
) -> Result<(), StoreError> {
    for job in jobs {
        let Hopeless { isolation, now, rows } = &job.hopeless;
        let keys = rows.iter().map(|(order, _)| RowKey { inbox: job.inbox, number: order.0 });
        settle_rows(connection, fresh, keys)?;
        let mut count = 0;
        let list = json_list(rows, |json, (order, _)| {
            write!(json, "[{},{},{}]", job.inbox.shard.0, job.inbox.session.0, order.0)
        });
        let aside = query(SET_ASIDE).bind(list).bind(now.as_micros());
        let aside = aside.bind(isolation.set_aside_after).fetch_all(&mut **connection).await;
        let accepted: HashMap<i64, Timestamp> = rows.iter().map(|row| (row.0.0, row.1)).collect();
        let mut missing = Missing::new(GapReason::SetAside);
        for row in aside.map_err(during("setting messages aside"))? {
            if let Some(&at) = accepted.get(&value(&row, "number")?) {
                missing.add(1, at, at);
                count += 1;
            }
        }
        let loss = Loss { inbox: job.inbox, id: isolation.gap_id, missing };
        let losses = Losses::from([(job.inbox.session.0, loss)]);
        if count > 0 {
            gaps::leave_for_losses(connection, losses, *now).await?;
        }
        job.answer.set(count);
    }
    Ok(())
}

/// The index over what is set aside is a short one.
pub(super) const LIST: &str = "
    SELECT inbox.number, inbox.deliveries, inbox.set_aside_at, payloads.message_id,
        payloads.category, payloads.accepted_at, accounts.id AS sender,
        conversations.id AS conversation
    FROM inbox INDEXED BY inbox_set_aside
    CROSS JOIN payloads ON payloads.number = inbox.number
    CROSS JOIN accounts ON accounts.number = payloads.sender_account
    LEFT JOIN conversations ON conversations.number = payloads.conversation
    WHERE inbox.shard = ?1 AND inbox.session = ?2 AND inbox.set_aside_at IS NOT NULL
        AND inbox.number > ?3
        AND NOT EXISTS (SELECT 1 FROM ended_inboxes WHERE shard = ?1 AND session = ?2)
    ORDER BY inbox.number
    LIMIT ?4";

/// The index has no row for anything else.
const STUCK: &str = "
    SELECT accounts.id AS owner, sessions.id AS session, found.messages, found.since
    FROM (
        SELECT session, count(*) AS messages, min(set_aside_at) AS since
        FROM (
            SELECT session, set_aside_at FROM inbox INDEXED BY inbox_set_aside
            WHERE set_aside_at IS NOT NULL LIMIT ?1
        )
        GROUP BY session
    ) AS found
    CROSS JOIN sessions ON sessions.number = found.session
    CROSS JOIN accounts ON accounts.number = sessions.account
    WHERE sessions.ended_at IS NULL
    ORDER BY found.since, sessions.number
    LIMIT ?2";

pub(super) const BY_MESSAGE_ID: &str = "
    SELECT inbox.number
    FROM inbox INDEXED BY inbox_set_aside
    CROSS JOIN payloads ON payloads.number = inbox.number
    WHERE inbox.shard = ?1 AND inbox.session = ?2 AND inbox.set_aside_at IS NOT NULL
        AND payloads.message_id = ?3
        AND NOT EXISTS (SELECT 1 FROM ended_inboxes WHERE shard = ?1 AND session = ?2)";

pub(super) const RETRY: &str = "
    UPDATE inbox SET set_aside_at = NULL, leased_until = 0, deliveries = 0
    WHERE shard = ?1 AND session = ?2 AND number IN (SELECT value FROM json_each(?3))
        AND set_aside_at IS NOT NULL";

pub(super) const DROP: &str = "
    DELETE FROM inbox
    WHERE shard = ?1 AND session = ?2 AND number IN (SELECT value FROM json_each(?3))
        AND set_aside_at IS NOT NULL";

pub(super) const STATUS: &str = "
    SELECT
        (SELECT count(*) FROM (
            SELECT 1 FROM inbox WHERE shard = ?1 AND session = ?2 LIMIT ?3
        )) AS waiting,
        (SELECT count(*) FROM (
            SELECT 1 FROM inbox
            WHERE shard = ?1 AND session = ?2 AND set_aside_at IS NOT NULL LIMIT ?3
        )) AS set_aside,
        (SELECT last_seen_at FROM sessions WHERE number = ?2) AS last_seen";

impl SqliteStore {
    pub(super) async fn list_set_aside(
        &self,
        inbox: InboxKey,
        after: Option<MessageId>,
        limit: u32,
    ) -> Result<Vec<SetAside>, StoreError> {
        let after = match after {
            Some(id) => self.numbers_set_aside(inbox, id).await?.into_iter().max(),
            None => None,
        };
        let rows = query(LIST).bind(inbox.shard.0).bind(inbox.session.0).bind(after.unwrap_or(0));
        let rows = rows.bind(limit).fetch_all(&self.readers).await;
        rows.map_err(during("listing what is set aside"))?.iter().map(records::set_aside).collect()
    }

    pub(super) async fn list_stuck(&self, limit: u32) -> Result<Vec<StuckInbox>, StoreError> {
        let rows = query(STUCK).bind(MOST_COUNTED).bind(limit).fetch_all(&self.readers).await;
        rows.map_err(during("listing stuck inboxes"))?.iter().map(records::stuck_inbox).collect()
    }

    pub(super) async fn change_set_aside(
        &self,
        inbox: InboxKey,
        id: MessageId,
        statement: &'static str,
    ) -> Result<bool, Fault> {
        let numbers = self.numbers_set_aside(inbox, id).await?;
        if numbers.is_empty() {
            return Ok(false);
        }
        let orders: Vec<Order> = numbers.iter().map(|number| Order(*number)).collect();
        let changed = self
            .change((inbox, numbers, statement), |(inbox, numbers, statement), connection| {
                Box::pin(change(*inbox, numbers, statement, connection))
            })
            .await?;
        // How often it was handed out counts no more.
        self.leases.forget(inbox.session, &orders);
        Ok(changed)
    }

    async fn numbers_set_aside(
        &self,
        inbox: InboxKey,
        id: MessageId,
    ) -> Result<Vec<i64>, StoreError> {
        let rows = query(BY_MESSAGE_ID).bind(inbox.shard.0).bind(inbox.session.0);
        let rows = rows.bind(id.as_bytes().to_vec()).fetch_all(&self.readers).await;
        let rows = rows.map_err(during("looking for a message that is set aside"))?;
        rows.iter().map(|row| value(row, "number")).collect()
    }

    pub(super) async fn status(
        &self,
        inbox: InboxKey,
        most: u32,
    ) -> Result<InboxStatus, StoreError> {
        let fresh = self.fresh.count(inbox, most as usize);
        let row = query(STATUS).bind(inbox.shard.0).bind(inbox.session.0).bind(most);
        let row = row.fetch_one(&self.readers).await.map_err(during("counting what waits"))?;
        let last_seen: Option<i64> = value(&row, "last_seen")?;
        let settled = count(&row, "waiting")?;
        Ok(InboxStatus {
            waiting: (settled + fresh as u64).min(u64::from(most)),
            set_aside: count(&row, "set_aside")?,
            last_seen: last_seen.filter(|at| *at > 0).map(Timestamp::from_micros),
        })
    }
}

async fn change(
    inbox: InboxKey,
    numbers: &[i64],
    statement: &'static str,
    connection: &mut SqliteConnection,
) -> Result<Result<bool, Fault>, StoreError> {
    let list = json_list(numbers, |json, number| write!(json, "{number}"));
    let changed = query(statement).bind(inbox.shard.0).bind(inbox.session.0).bind(list);
    let changed = changed.execute(connection).await;
    Ok(Ok(changed.map_err(during("changing what is set aside"))?.rows_affected() > 0))
}

pub(super) const SEEN_NOW: &str = "
    UPDATE sessions SET last_seen_at = ?2 WHERE number = ?1 AND last_seen_at < ?2";

/// Notes when a session was seen.
pub(super) async fn note_seen(
    (session, at): &(SessionNumber, Timestamp),
    connection: &mut SqliteConnection,
) -> Result<Result<(), Fault>, StoreError> {
    let noted = query(SEEN_NOW).bind(session.0).bind(at.as_micros()).execute(connection).await;
    noted.map_err(during("noting that a session was seen"))?;
    Ok(Ok(()))
}
