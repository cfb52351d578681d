//! Handing messages out: rows are claimed in the database, by whoever comes first.
//!
//! A lease is one statement. It looks for the oldest free rows, chooses as many as the request
//! allows, locks those that are still free, and writes into them until when they are held. An empty
//! inbox is only looked at: nothing is locked, no transaction number is taken, and nothing is written.
//! The commit does not wait for the disk. A server that crashes may forget a lease whose messages
//! were sent already; they are handed out again then, as they would be after any other accident,
//! unless they were acknowledged meanwhile: that is possible still ([`super::handed_out`]).
//!
//! # The order of first deliveries
//!
//! Nothing may be handed out for the first time after a message of the same sender and conversation
//! that came later. That holds with any number of readers of one inbox:
//!
//! * A message has a higher number than every message that was answered before its request came:
//!   numbers are drawn inside the transaction that stores it, and the messages of one request are
//!   stored in one transaction in their order, or in transactions one after the other
//!   (`domain/submit`). So if a higher number can be seen and a lower one cannot, their requests
//!   ran at the same time, and have no order.
//! * A lease chooses from the front of what was free at one moment, before it locks anything, and
//!   locks nothing that it did not choose. So a row that it passes over because somebody has locked
//!   it is about to be leased by another reader, who chose it too, or to be deleted, or it was handed out
//!   before and is being given back. In no case is a row left behind that nobody was given.
//! * Rows that cannot be had are not replaced by later ones: the reader gets fewer, or looks again.
//!
//! What comes back because a lease ended, a reader let go of it, or the server crashed, comes in
//! the order of its numbers among what is free by then.

use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::query;
use tokio::time::sleep;

use super::PostgresStore;
use super::link::{Statements, begin};
use super::rows::{time, value};
use super::set_aside::Hopeless;
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::Order;
use crate::domain::inbox::{LeaseRequest, Leased, Waiting};
use crate::storage::cells::small;
use crate::storage::error::{StoreError, during};
use crate::storage::records;

/// How often a reader looks again when others were faster than it.
const ATTEMPTS: u32 = 8;

/// How long the others usually need.
const PAUSE: Duration = Duration::from_millis(1);

/// Free rows of a range, along the inbox and then to each payload by its key: `OFFSET 0` keeps the
/// planner from another way.
macro_rules! free_rows {
    ($range:literal) => {
        concat!(
            "(
            SELECT inbox.ctid AS place, inbox.number, inbox.deliveries, inbox.slot, payload.*
            FROM inbox CROSS JOIN LATERAL (
                SELECT sender_account, sender_session, conversation, message_id, category,
                    details, accepted_at, body
                FROM payloads
                WHERE shard = inbox.home AND number = inbox.number
                    AND expires_at > $3 AND accepted_at >= $4
                OFFSET 0
            ) AS payload
            WHERE inbox.shard = $1 AND inbox.session = $2 AND inbox.number ",
            $range,
            " AND inbox.leased_until <= $3 AND inbox.set_aside_at IS NULL
            ORDER BY inbox.number LIMIT $5
        )"
        )
    };
}

/// Gap markers, and messages from where the inbox begins ([`super::fronts`]). Rows are locked and
/// written by their places, which are those of the same moment. `chosen` is the rule of
/// [`crate::domain::inbox::Isolation`]: the run from the first message on, up to the allowed bytes,
/// and no further than to a suspect one, which comes alone. The bodies of others stay where they
/// are. The last condition is true, and makes this transaction alone not wait for the disk.
pub(super) const LEASE: &str = concat!(
    "
    WITH looked AS MATERIALIZED (
        SELECT * FROM (",
    free_rows!("< 0"),
    " UNION ALL ",
    free_rows!(">= $10"),
    ") AS free
        WHERE (SELECT ended_at IS NULL FROM sessions WHERE sessions.number = $2)
        ORDER BY number LIMIT $5
    ), chosen AS MATERIALIZED (
        SELECT place FROM (
            SELECT place, row_number() OVER run AS nth,
                sum(octet_length(body) + octet_length(slot)) OVER run AS bytes,
                bool_or(deliveries >= $8) OVER run AS meets_suspect
            FROM looked WHERE deliveries < $9 OR number < 0
            WINDOW run AS (ORDER BY number)
        ) AS run
        WHERE nth = 1 OR (bytes <= $7 AND NOT meets_suspect)
    ), locked AS MATERIALIZED (
        SELECT ctid AS place FROM inbox
        WHERE ctid = ANY (ARRAY(SELECT place FROM chosen)) AND shard + 0 = $1
            AND leased_until <= $3 AND set_aside_at IS NULL
        FOR UPDATE SKIP LOCKED
    ), taken AS (
        UPDATE inbox SET leased_until = $6, deliveries = deliveries + 1
        WHERE ctid = ANY (ARRAY(SELECT place FROM locked)) AND shard + 0 = $1
        RETURNING number
    ), told AS (
        SELECT *, number IN (SELECT number FROM taken) AS is_taken FROM looked OFFSET 0
    )
    SELECT number, deliveries, slot, message_id, category, details, accepted_at, is_taken,
        CASE WHEN is_taken THEN body END AS body,
        (SELECT id FROM accounts WHERE accounts.number = sender_account) AS sender,
        (SELECT id FROM sessions WHERE sessions.number = told.sender_session) AS sender_session,
        (SELECT id FROM conversations WHERE conversations.number = told.conversation)
            AS conversation
    FROM told
    WHERE (SELECT set_config('synchronous_commit', 'off', true)) = 'off'
    ORDER BY number"
);

/// What a reader found and took.
struct Found {
    messages: Vec<Waiting>,
    hopeless: Hopeless,
    /// Whether more may be free.
    more: bool,
}

impl Found {
    fn is_nothing(&self) -> bool {
        self.messages.is_empty() && self.hopeless.rows.is_empty() && !self.more
    }
}

impl PostgresStore {
    pub(super) async fn lease_messages(&self, request: LeaseRequest) -> Result<Leased, Fault> {
        let until = request.until;
        let mut attempts = ATTEMPTS;
        loop {
            let Found { messages, hopeless, more } = self.look_and_take(&request).await?;
            let nothing = hopeless.rows.is_empty() && !more;
            let aside = match hopeless.rows.is_empty() {
                true => Ok(0),
                false => self.set_hopeless_aside(request.inbox, hopeless).await,
            };
            // What was taken is the reader's, whatever becomes of the rest.
            if !messages.is_empty() || nothing {
                let orders = messages.iter().map(|message| message.order);
                self.handed_out.note(request.inbox, orders);
                return Ok(Leased { messages, until, more });
            }
            // Each message that was set aside lets the next look come further.
            if aside? == 0 {
                attempts -= 1;
                if attempts == 0 || request.limit == 0 {
                    return Ok(Leased { messages, until, more });
                }
                sleep(PAUSE).await;
            }
        }
    }

    async fn look_and_take(&self, request: &LeaseRequest) -> Result<Found, StoreError> {
        let front = self.front(request.inbox).await?;
        let found = self.look_from(front, request).await?;
        let again = found.is_nothing().then(|| self.front_after_nothing(request.inbox, front));
        match again.flatten() {
            Some(beginning) => self.look_from(beginning, request).await,
            None => Ok(found),
        }
    }

    async fn look_from(&self, front: i64, request: &LeaseRequest) -> Result<Found, StoreError> {
        // One statement is a transaction by itself. It locks nothing for longer than it runs,
        // whatever becomes of whoever sent it.
        let mut link = match self.statements {
            Statements::Kept => self.reader().await?,
            Statements::Unnamed => self.begin(begin!("READ COMMITTED")).await?,
        };
        let LeaseRequest { inbox, isolation, .. } = *request;
        let rows = query(LEASE)
            .bind(inbox.shard.0)
            .bind(inbox.session.0)
            .bind(request.now.as_micros())
            .bind(request.not_before.map_or(i64::MIN, Timestamp::as_micros))
            .bind(i64::from(request.limit))
            .bind(request.until.as_micros())
            .bind(i64::try_from(request.max_bytes).unwrap_or(i64::MAX))
            .bind(i64::from(isolation.after))
            .bind(i64::from(isolation.set_aside_after))
            .bind(front)
            .fetch_all(&mut link)
            .await
            .map_err(during("leasing messages"))?;
        link.commit().await?;
        found(request, &rows)
    }
}

fn found(request: &LeaseRequest, rows: &[PgRow]) -> Result<Found, StoreError> {
    let LeaseRequest { isolation, now, .. } = *request;
    let mut messages = Vec::new();
    let mut hopeless = Hopeless { isolation, now, rows: Vec::new() };
    // What is set aside leaves a marker, which is free; and what others locked may be.
    let mut more = u32::try_from(rows.len()).map_or(true, |found| found >= request.limit);
    for row in rows {
        let order = Order(value(row, "number")?);
        let is_taken: bool = value(row, "is_taken")?;
        more |= !is_taken;
        if is_taken {
            let mut message = records::waiting(row)?;
            message.deliveries = message.deliveries.saturating_add(1);
            messages.push(message);
        } else if order.0 > 0 && isolation.is_hopeless(small(row, "deliveries")?) {
            hopeless.rows.push((order, time(row, "accepted_at")?));
        }
    }
    Ok(Found { messages, hopeless, more })
}
