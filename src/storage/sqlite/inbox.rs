//! Messages and who waits for them: the readers' half, and what is asked of the writer.

use std::collections::HashSet;
use std::fmt::Write;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt;
use sqlx::{SqlitePool, query};

use super::SqliteStore;
use super::claims::{ClaimJob, ReleaseJob, RowsJob};
use super::fresh::FreshRow;
use super::leases::Look;
use super::rows::{id_list, json_list};
use super::set_aside::{self, Hopeless, SetAsideJob};
use super::writer::{Job, SqliteWriter};
use crate::domain::Fault;
use crate::domain::acknowledge::Acknowledged;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, MessageId, Order, SessionNumber};
use crate::domain::inbox::{
    Acceptance, Accepted, Cleared, InboxKey, InboxStatus, LeaseRequest, Leased, MessageDigest,
    Release, Returned, SetAside, Stretch, StuckInbox, Sweep, SweepRequest, Waiting,
};
use crate::domain::ports::{FreshId, Inbox};
use crate::storage::acceptance::AcceptJob;
use crate::storage::error::{StoreError, during};
use crate::storage::packed::pack_slot_places;
use crate::storage::records;

/// How often a reader looks again when others were faster than it.
const LEASE_ATTEMPTS: u32 = 4;

/// How many rows of an inbox are looked through first for acknowledged messages. What is
/// acknowledged was handed out a moment ago and stands at the beginning.
const FIRST_WINDOW: usize = 1000;

/// SQLite's word for "without limit".
const WHOLE_INBOX: i64 = -1;

#[async_trait]
impl Inbox for SqliteStore {
    async fn accept(&self, messages: Vec<Acceptance>) -> Result<Vec<Accepted>, Fault> {
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        self.ask(|answer| Job::Accept(AcceptJob::new(messages, pack_slot_places, answer))).await
    }

    async fn seen(
        &self,
        sender: AccountNumber,
        ids: &[MessageId],
    ) -> Result<Vec<Option<MessageDigest>>, Fault> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let keys = ids.iter().map(|id| (sender, *id));
        self.seen_digests(keys).await
    }

    /// A reader looks for free rows and takes them in memory (`leases.rs`), so a poll of an
    /// empty inbox writes nothing, and a message leaves without waiting for the disk.
    async fn lease(&self, request: LeaseRequest) -> Result<Leased, Fault> {
        let until = request.until;
        let mut attempts = LEASE_ATTEMPTS;
        while attempts > 0 {
            let look = self.leases.look(request.inbox.session, request.now);
            let fresh = self.fresh.free(&request, &look.held);
            let found = free_messages(&self.readers, &request, &look, &fresh).await?;
            let Free { mut messages, hopeless, more } = found;
            if messages.is_empty() && hopeless.rows.is_empty() {
                return Ok(Leased { messages, until, more });
            }
            let inbox = request.inbox;
            let aside = match hopeless.rows.is_empty() {
                true => 0,
                false => {
                    let job = |answer| Job::SetAside(SetAsideJob { inbox, hopeless, answer });
                    self.ask(job).await?
                }
            };
            look.take(&mut messages, request.until);
            if !messages.is_empty() {
                self.note_leases(&request, &messages)?;
                return Ok(Leased { messages, until, more });
            }
            // Each message that was set aside lets the next look come further.
            if aside == 0 {
                attempts -= 1;
            }
        }
        // Others were faster each time, but not everything need be theirs.
        Ok(Leased { messages: Vec::new(), until, more: true })
    }

    async fn acknowledge(
        &self,
        inbox: InboxKey,
        ids: Vec<MessageId>,
    ) -> Result<Vec<Acknowledged>, Fault> {
        let held = self.leases.held(inbox.session);
        let fresh = self.fresh.handed_out(inbox, &held).into_iter().map(|(number, _)| number);
        let fresh: Vec<i64> = fresh.collect();
        let handed_out = handed_out(&self.readers, inbox, &ids, (&held, &fresh)).await?;
        let (orders, gone): (Vec<Order>, _) = handed_out.into_iter().unzip();
        if !orders.is_empty() {
            self.write(Job::Acknowledge(RowsJob { inbox, orders: orders.clone() })).await?;
            self.leases.delete(inbox.session, &orders);
        }
        Ok(gone)
    }

    async fn release(&self, inbox: InboxKey, returned: Returned) -> Result<(), Fault> {
        if returned.orders.is_empty() {
            return Ok(());
        }
        self.write(Job::Release(ReleaseJob { inbox, returned: returned.clone() })).await?;
        self.leases.free(inbox.session, &returned);
        Ok(())
    }

    async fn browse(&self, inbox: InboxKey, stretch: Stretch) -> Result<Vec<Waiting>, Fault> {
        Ok(self.stretch_of(inbox, stretch).await?)
    }

    async fn withdraw(&self, inbox: InboxKey, order: Order) -> Result<(), Fault> {
        let orders = vec![order];
        self.write(Job::Acknowledge(RowsJob { inbox, orders: orders.clone() })).await?;
        self.leases.delete(inbox.session, &orders);
        Ok(())
    }

    async fn set_aside(
        &self,
        inbox: InboxKey,
        after: Option<MessageId>,
        limit: u32,
    ) -> Result<Vec<SetAside>, Fault> {
        Ok(self.list_set_aside(inbox, after, limit).await?)
    }

    async fn stuck_inboxes(&self, limit: u32) -> Result<Vec<StuckInbox>, Fault> {
        Ok(self.list_stuck(limit).await?)
    }

    async fn retry_set_aside(&self, inbox: InboxKey, id: MessageId) -> Result<bool, Fault> {
        self.change_set_aside(inbox, id, set_aside::RETRY).await
    }

    async fn drop_set_aside(&self, inbox: InboxKey, id: MessageId) -> Result<bool, Fault> {
        self.change_set_aside(inbox, id, set_aside::DROP).await
    }

    async fn inbox_status(&self, inbox: InboxKey, most: u32) -> Result<InboxStatus, Fault> {
        Ok(self.status(inbox, most).await?)
    }

    /// Notes it each time: the precision is for whoever stands in front.
    async fn note_seen(
        &self,
        session: SessionNumber,
        at: Timestamp,
        _precision: Duration,
    ) -> Result<(), Fault> {
        self.change((session, at), |input, connection| {
            Box::pin(set_aside::note_seen(input, connection))
        })
        .await
    }

    async fn sweep(&self, request: SweepRequest, fresh_id: FreshId<'_>) -> Result<Sweep, Fault> {
        self.leases.forget_old(request.now);
        self.sweep_payloads(request, fresh_id).await
    }

    async fn clear_ended(&self, limit: u32) -> Result<Cleared, Fault> {
        self.clear_ended_inboxes(limit).await
    }

    async fn forget_seen(&self, before: Timestamp, limit: u32) -> Result<u64, Fault> {
        self.forget_seen_ids(before, limit).await
    }
}

impl SqliteStore {
    /// Has the rows told that they are held, without waiting for it. When the queue takes nothing
    /// more, they are free again: a delivery that is noted nowhere would count for nothing.
    fn note_leases(&self, request: &LeaseRequest, messages: &[Waiting]) -> Result<(), StoreError> {
        let LeaseRequest { inbox, until, .. } = *request;
        let rows = messages.iter().map(|message| (message.order, message.deliveries)).collect();
        let posted = self.writer.post::<SqliteWriter>(Job::Claim(ClaimJob { inbox, rows, until }));
        if posted.is_err() {
            let orders = messages.iter().map(|message| message.order).collect();
            let returned = Returned { orders, until, how: Release::Unsent };
            self.leases.free(inbox.session, &returned);
        }
        posted
    }
}

/// The rows in the table and the fresh ones are merged in their order, row by row until the limit is
/// reached: a sort outside would read all that waits first, and without a limit inside SQLite would
/// leave the order to it. `CROSS JOIN` fixes the order of the loops: along the rows, then to each
/// payload by its number.
/// Whether the session has ended is asked once.
pub(super) const FREE: &str = "
    SELECT free.number, free.deliveries, payloads.message_id,
        coalesce(substr(payloads.slots, free.slot_start + 1, free.slot_length), x'') AS slot,
        conversations.id AS conversation, accounts.id AS sender, sessions.id AS sender_session,
        payloads.category, payloads.details, payloads.accepted_at, payloads.body
    FROM (
        SELECT number, deliveries, slot_start, slot_length FROM inbox
        WHERE shard = ?1 AND session = ?2 AND leased_until <= ?3 AND set_aside_at IS NULL
            AND number NOT IN (SELECT value FROM json_each(?6))
        UNION ALL
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?7)
        ORDER BY 1 LIMIT -1
    ) AS free
    CROSS JOIN payloads ON payloads.number = free.number
    CROSS JOIN accounts ON accounts.number = payloads.sender_account
    CROSS JOIN sessions ON sessions.number = payloads.sender_session
    LEFT JOIN conversations ON conversations.number = payloads.conversation
    WHERE payloads.expires_at > ?3 AND payloads.accepted_at >= ?4
        AND NOT EXISTS (SELECT 1 FROM ended_inboxes WHERE shard = ?1 AND session = ?2)
    LIMIT ?5";

/// What a reader finds.
struct Free {
    messages: Vec<Waiting>,
    hopeless: Hopeless,
    /// Whether more may be free.
    more: bool,
}

/// The oldest messages that nobody holds, as far as the request allows.
async fn free_messages(
    readers: &SqlitePool,
    request: &LeaseRequest,
    look: &Look<'_>,
    fresh: &[(i64, FreshRow)],
) -> Result<Free, StoreError> {
    let doing = "looking for waiting messages";
    let LeaseRequest { isolation, now, .. } = *request;
    let mut rows = query(FREE)
        .bind(request.inbox.shard.0)
        .bind(request.inbox.session.0)
        .bind(now.as_micros())
        .bind(request.not_before.map_or(i64::MIN, Timestamp::as_micros))
        .bind(request.limit)
        .bind(orders_list(&look.held))
        .bind(json_list(fresh, |json, (number, row)| {
            let FreshRow { start, length, deliveries, .. } = row;
            write!(json, "[{number},{deliveries},{start},{length}]")
        }))
        .fetch(readers);
    let mut messages: Vec<Waiting> = Vec::new();
    let mut hopeless = Hopeless { isolation, now, rows: Vec::new() };
    let mut size = 0_u64;
    let mut rows_seen = 0_u32;
    let mut last = None;
    let mut stopped = false;
    while let Some(row) = rows.try_next().await.map_err(during(doing))? {
        rows_seen += 1;
        let mut message = records::waiting(&row)?;
        // A fresh row that was just put into the table is met in both places.
        if last.replace(message.order) == Some(message.order) {
            continue;
        }
        message.deliveries = look.deliveries(message.order, message.deliveries);
        let is_marker = message.order.0 < 0;
        if isolation.is_hopeless(message.deliveries) && !is_marker {
            hopeless.rows.push((message.order, message.accepted_at));
            continue;
        }
        let is_suspect = isolation.is_suspect(message.deliveries);
        size = size.saturating_add(message.size());
        stopped = (is_suspect || size > request.max_bytes) && !messages.is_empty();
        if stopped {
            break;
        }
        messages.push(message);
        stopped = is_suspect;
        if stopped {
            break;
        }
    }
    // What is set aside leaves a marker, which is free.
    let more = stopped || rows_seen >= request.limit || !hopeless.rows.is_empty();
    Ok(Free { messages, hopeless, more })
}

/// Message ids stand in the payloads alone; an index from them to the rows of each inbox would
/// cost every accepted message more than this search costs its acknowledgement.
pub(super) const HANDED_OUT: &str = "
    SELECT recent.number, payloads.message_id, payloads.sender_account, payloads.category
    FROM (
        SELECT number FROM (
            SELECT number FROM inbox
            WHERE shard = ?1 AND session = ?2
                AND (deliveries > 0 OR number IN (SELECT value FROM json_each(?5)))
            ORDER BY number LIMIT ?3
        )
        UNION
        SELECT value FROM json_each(?6)
    ) AS recent
    CROSS JOIN payloads ON payloads.number = recent.number
    WHERE payloads.message_id IN (SELECT unhex(value) FROM json_each(?4))";

/// Numbers of rows, as a statement takes them.
pub(super) fn orders_list(orders: &[Order]) -> String {
    json_list(orders, |json, order| write!(json, "{}", order.0))
}

/// The rows of an inbox that were handed out with one of these ids; those that are held may not
/// know it yet.
async fn handed_out(
    readers: &SqlitePool,
    inbox: InboxKey,
    ids: &[MessageId],
    (held, fresh): (&[Order], &[i64]),
) -> Result<Vec<(Order, Acknowledged)>, StoreError> {
    let wanted: HashSet<MessageId> = ids.iter().copied().collect();
    let list = id_list(wanted.iter().copied());
    let mut handed_out = Vec::new();
    let first = &fresh[..fresh.len().min(FIRST_WINDOW)];
    for (window, fresh) in [(FIRST_WINDOW as i64, first), (WHOLE_INBOX, fresh)] {
        let rows = query(HANDED_OUT)
            .bind(inbox.shard.0)
            .bind(inbox.session.0)
            .bind(window)
            .bind(list.as_str())
            .bind(orders_list(held))
            .bind(json_list(fresh, |json, number| write!(json, "{number}")))
            .fetch_all(readers)
            .await
            .map_err(during("looking for acknowledged messages"))?;
        handed_out = rows.iter().map(records::acknowledged).collect::<Result<Vec<_>, _>>()?;
        let found: HashSet<_> = handed_out.iter().map(|(_, gone)| gone.message_id).collect();
        if found.len() == wanted.len() {
            break;
        }
    }
    Ok(handed_out)
}
