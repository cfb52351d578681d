//! Messages that no reader gets past: setting them aside, and what is done with them then.

use std::collections::HashMap;

use sqlx::query;

use super::PostgresStore;
use super::gaps::{self, Loss, Losses};
use super::link::Link;
use super::rows::{count, value};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{MessageId, Order, SessionNumber};
use crate::domain::inbox::{GapReason, InboxKey, InboxStatus, Isolation, SetAside, StuckInbox};
use crate::domain::ports::MOST_COUNTED;
use crate::storage::error::{StoreError, during};
use crate::storage::gap::Missing;
use crate::storage::records;

/// What makes messages hopeless, and which ones are.
pub(super) struct Hopeless {
    pub isolation: Isolation,
    pub now: Timestamp,
    /// Each with the time at which it was accepted.
    pub rows: Vec<(Order, Timestamp)>,
}

/// A row is only set aside if it still is what the reader found: meanwhile somebody may have taken
/// it, given its last delivery back, or set it aside. What is committed counts, so of two who
/// found the same row one tells of it. Nobody is waited for: who finds it again looks again.
pub(super) const SET_ASIDE: &str = "
    WITH hopeless AS MATERIALIZED (
        SELECT shard, session, number FROM inbox
        WHERE shard = $1 AND session = $2 AND number = ANY ($3)
            AND leased_until <= $4 AND deliveries >= $5 AND set_aside_at IS NULL
            AND (SELECT ended_at IS NULL FROM sessions WHERE sessions.number = $2)
        FOR UPDATE SKIP LOCKED
    )
    UPDATE inbox SET set_aside_at = $4 FROM hopeless
    WHERE inbox.shard = ANY (ARRAY[hopeless.shard]) AND inbox.session = hopeless.session
        AND inbox.number = hopeless.number
    RETURNING inbox.number";

/// Sets hopeless messages aside and leaves a marker; returns how many.
async fn set_aside(
    inbox: InboxKey,
    hopeless: &Hopeless,
    link: &mut Link<'_>,
) -> Result<Result<usize, Fault>, StoreError> {
    let Hopeless { isolation, now, rows } = hopeless;
    let accepted: HashMap<i64, Timestamp> = rows.iter().map(|row| (row.0.0, row.1)).collect();
    let numbers: Vec<i64> = accepted.keys().copied().collect();
    let aside = query(SET_ASIDE)
        .bind(inbox.shard.0)
        .bind(inbox.session.0)
        .bind(numbers)
        .bind(now.as_micros())
        .bind(i64::from(isolation.set_aside_after))
        .fetch_all(&mut *link)
        .await
        .map_err(during("setting messages aside"))?;
    let mut missing = Missing::new(GapReason::SetAside);
    for row in &aside {
        if let Some(&at) = accepted.get(&value(row, "number")?) {
            missing.add(1, at, at);
        }
    }
    if !aside.is_empty() {
        let loss = Loss { inbox, id: isolation.gap_id, missing };
        let losses = Losses::from([(inbox.session.0, loss)]);
        gaps::leave_for_losses(link, losses, *now).await?;
    }
    Ok(Ok(aside.len()))
}

/// There are few rows in the index over what is set aside.
pub(super) const LIST: &str = "
    SELECT aside.number, aside.deliveries, aside.set_aside_at, payload.message_id,
        payload.category, payload.accepted_at,
        (SELECT id FROM accounts WHERE accounts.number = payload.sender_account) AS sender,
        (SELECT id FROM conversations WHERE conversations.number = payload.conversation)
            AS conversation
    FROM (
        SELECT number, home, deliveries, set_aside_at FROM inbox
        WHERE shard = $1 AND session = $2 AND set_aside_at IS NOT NULL AND number > $3
            AND (SELECT ended_at IS NULL FROM sessions WHERE sessions.number = $2)
        ORDER BY number LIMIT $4
    ) AS aside
    CROSS JOIN LATERAL (
        SELECT message_id, category, accepted_at, sender_account, conversation FROM payloads
        WHERE payloads.shard = aside.home AND payloads.number = aside.number
        OFFSET 0
    ) AS payload
    ORDER BY aside.number";

/// The index has no row for anything else.
const STUCK: &str = "
    SELECT accounts.id AS owner, sessions.id AS session, found.messages, found.since
    FROM (
        SELECT session, count(*) AS messages, min(set_aside_at) AS since
        FROM (
            SELECT session, set_aside_at FROM inbox WHERE set_aside_at IS NOT NULL LIMIT $1
        ) AS aside
        GROUP BY session
    ) AS found
    JOIN sessions ON sessions.number = found.session
    JOIN accounts ON accounts.number = sessions.account
    WHERE sessions.ended_at IS NULL
    ORDER BY found.since, sessions.number
    LIMIT $2";

pub(super) const BY_MESSAGE_ID: &str = "
    SELECT inbox.number
    FROM inbox CROSS JOIN LATERAL (
        SELECT message_id FROM payloads
        WHERE payloads.shard = inbox.home AND payloads.number = inbox.number
        OFFSET 0
    ) AS payload
    WHERE inbox.shard = $1 AND inbox.session = $2 AND inbox.set_aside_at IS NOT NULL
        AND payload.message_id = $3
        AND (SELECT ended_at IS NULL FROM sessions WHERE sessions.number = $2)";

pub(super) const RETRY: &str = "
    UPDATE inbox SET set_aside_at = NULL, leased_until = 0, deliveries = 0
    WHERE shard = $1 AND session = $2 AND number = ANY ($3) AND set_aside_at IS NOT NULL";

pub(super) const DROP: &str = "
    DELETE FROM inbox
    WHERE shard = $1 AND session = $2 AND number = ANY ($3) AND set_aside_at IS NOT NULL";

pub(super) const STATUS: &str = "
    SELECT
        (SELECT count(*) FROM (
            SELECT 1 FROM inbox WHERE shard = $1 AND session = $2 LIMIT $3
        ) AS counted) AS waiting,
        (SELECT count(*) FROM (
            SELECT 1 FROM inbox
            WHERE shard = $1 AND session = $2 AND set_aside_at IS NOT NULL LIMIT $3
        ) AS counted) AS set_aside,
        (SELECT last_seen_at FROM sessions WHERE number = $2) AS last_seen";

impl PostgresStore {
    pub(super) async fn set_hopeless_aside(
        &self,
        inbox: InboxKey,
        hopeless: Hopeless,
    ) -> Result<usize, Fault> {
        self.write((inbox, hopeless), |(inbox, hopeless), link| {
            Box::pin(set_aside(*inbox, hopeless, link))
        })
        .await
    }

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
        let rows = rows.bind(i64::from(limit)).fetch_all(&mut self.reader().await?).await;
        rows.map_err(during("listing what is set aside"))?.iter().map(records::set_aside).collect()
    }

    pub(super) async fn list_stuck(&self, limit: u32) -> Result<Vec<StuckInbox>, StoreError> {
        let rows = query(STUCK).bind(i64::from(MOST_COUNTED)).bind(i64::from(limit));
        let rows = rows.fetch_all(&mut self.reader().await?).await;
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
        self.write((inbox, numbers, statement), |(inbox, numbers, statement), link| {
            Box::pin(change(*inbox, numbers, statement, link))
        })
        .await
    }

    async fn numbers_set_aside(
        &self,
        inbox: InboxKey,
        id: MessageId,
    ) -> Result<Vec<i64>, StoreError> {
        let rows = query(BY_MESSAGE_ID).bind(inbox.shard.0).bind(inbox.session.0);
        let rows = rows.bind(id.as_bytes().to_vec()).fetch_all(&mut self.reader().await?).await;
        let rows = rows.map_err(during("looking for a message that is set aside"))?;
        rows.iter().map(|row| value(row, "number")).collect()
    }

    pub(super) async fn status(
        &self,
        inbox: InboxKey,
        most: u32,
    ) -> Result<InboxStatus, StoreError> {
        let row = query(STATUS).bind(inbox.shard.0).bind(inbox.session.0).bind(i64::from(most));
        let row = row.fetch_one(&mut self.reader().await?).await;
        let row = row.map_err(during("counting what waits"))?;
        let last_seen: Option<i64> = value(&row, "last_seen")?;
        Ok(InboxStatus {
            waiting: count(&row, "waiting")?,
            set_aside: count(&row, "set_aside")?,
            last_seen: last_seen.filter(|at| *at > 0).map(Timestamp::from_micros),
        })
    }

    pub(super) async fn note_seen_at(
        &self,
        session: SessionNumber,
        at: Timestamp,
    ) -> Result<(), Fault> {
        self.write((session, at), |input, link| Box::pin(note_seen(input, link))).await
    }
}

async fn change(
    inbox: InboxKey,
    numbers: &[i64],
    statement: &'static str,
    link: &mut Link<'_>,
) -> Result<Result<bool, Fault>, StoreError> {
    let changed = query(statement).bind(inbox.shard.0).bind(inbox.session.0).bind(numbers);
    let changed = changed.execute(link).await;
    Ok(Ok(changed.map_err(during("changing what is set aside"))?.rows_affected() > 0))
}

pub(super) const SEEN_NOW: &str =
    "UPDATE sessions SET last_seen_at = $2 WHERE number = $1 AND last_seen_at < $2";

/// Notes when a session was seen.
async fn note_seen(
    (session, at): &(SessionNumber, Timestamp),
    link: &mut Link<'_>,
) -> Result<Result<(), Fault>, StoreError> {
    let noted = query(SEEN_NOW).bind(session.0).bind(at.as_micros()).execute(link).await;
    noted.map_err(during("noting that a session was seen"))?;
    Ok(Ok(()))
}
