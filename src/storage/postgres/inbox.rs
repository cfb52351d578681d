//! Messages and who waits for them: the readers' half, and what is asked of the writers.

use std::collections::HashSet;
use std::iter;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::query;

use super::PostgresStore;
use super::accept::seen_digests;
use super::claims::{ReleaseJob, RowsJob};
use super::rows::id_array;
use super::set_aside;
use super::writer::Job;
use crate::domain::Fault;
use crate::domain::acknowledge::Acknowledged;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, MessageId, Order, SessionNumber};
use crate::domain::inbox::{
    Acceptance, Accepted, Cleared, InboxKey, InboxStatus, LeaseRequest, Leased, MessageDigest,
    Release, Returned, SetAside, Slot, Stretch, StuckInbox, Sweep, SweepRequest, Waiting,
};
use crate::domain::ports::{FreshId, Inbox};
use crate::storage::acceptance::AcceptJob;
use crate::storage::error::{StoreError, during};
use crate::storage::packed::pack_waiting;
use crate::storage::records;

/// How many rows of an inbox are looked through first for acknowledged messages, beside twice as
/// many as are acknowledged. These were handed out a moment ago and stand at the beginning.
const FIRST_WINDOW: i64 = 100;

/// The second look goes so many times further; the third one to the end.
const FURTHER: i64 = 20;

#[async_trait]
impl Inbox for PostgresStore {
    async fn accept(&self, messages: Vec<Acceptance>) -> Result<Vec<Accepted>, Fault> {
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        let pack = |slots: &[Slot]| pack_waiting(slots.iter().map(Slot::inbox));
        self.ask(|answer| Job::Accept(AcceptJob::new(messages, pack, answer))).await
    }

    async fn seen(
        &self,
        sender: AccountNumber,
        ids: &[MessageId],
    ) -> Result<Vec<Option<MessageDigest>>, Fault> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<_> = ids.iter().map(|id| (sender, *id)).collect();
        Ok(seen_digests(&mut self.reader().await?, &self.memory.seen, &names).await?)
    }

    async fn lease(&self, request: LeaseRequest) -> Result<Leased, Fault> {
        self.lease_messages(request).await
    }

    async fn acknowledge(
        &self,
        inbox: InboxKey,
        ids: Vec<MessageId>,
    ) -> Result<Vec<Acknowledged>, Fault> {
        let handed_out = self.handed_out_among(inbox, &ids).await?;
        let (orders, gone): (Vec<Order>, _) = handed_out.into_iter().unzip();
        if !orders.is_empty() {
            self.submit(Job::Acknowledge(RowsJob { inbox, orders })).await?;
        }
        Ok(gone)
    }

    async fn release(&self, inbox: InboxKey, returned: Returned) -> Result<(), Fault> {
        if returned.orders.is_empty() {
            return Ok(());
        }
        let is_unsent = returned.how == Release::Unsent;
        self.submit(Job::Release(ReleaseJob { inbox, returned })).await?;
        if is_unsent {
            self.handed_out.forget(iter::once(inbox));
        }
        Ok(())
    }

    async fn browse(&self, inbox: InboxKey, stretch: Stretch) -> Result<Vec<Waiting>, Fault> {
        Ok(self.stretch_of(inbox, stretch).await?)
    }

    async fn withdraw(&self, inbox: InboxKey, order: Order) -> Result<(), Fault> {
        self.submit(Job::Acknowledge(RowsJob { inbox, orders: vec![order] })).await
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
        self.note_seen_at(session, at).await
    }

    async fn sweep(&self, request: SweepRequest, fresh_id: FreshId<'_>) -> Result<Sweep, Fault> {
        self.sweep_payloads(request, fresh_id).await
    }

    async fn clear_ended(&self, limit: u32) -> Result<Cleared, Fault> {
        self.clear_ended_inboxes(limit).await
    }

    async fn forget_seen(&self, before: Timestamp, limit: u32) -> Result<u64, Fault> {
        self.forget_seen_ids(before, limit).await
    }
}

/// Message ids stand in the payloads alone; an index from them to the rows of each inbox would
/// cost every accepted message more than this search costs its acknowledgement. Ids are compared
/// with a table of those that are wanted, made once; `OFFSET 0` sees to that. A server that crashed
/// may not know of a delivery that this process knows of ([`super::handed_out`]).
pub(super) const HANDED_OUT: &str = "
    SELECT number, message_id, sender_account, category
    FROM (
        SELECT recent.number, payload.*,
            payload.message_id IN (SELECT unnest($4::bytea[])) AS is_wanted
        FROM (
            (SELECT number, home, deliveries FROM inbox
            WHERE shard = $1 AND session = $2 AND number < 0)
            UNION ALL
            (SELECT number, home, deliveries FROM inbox
            WHERE shard = $1 AND session = $2 AND number >= $5
            ORDER BY number LIMIT $3)
        ) AS recent
        CROSS JOIN LATERAL (
            SELECT message_id, sender_account, category FROM payloads
            WHERE payloads.shard = recent.home AND payloads.number = recent.number
            OFFSET 0
        ) AS payload
        WHERE recent.deliveries > 0 OR recent.number <= $6
        OFFSET 0
    ) AS handed_out
    WHERE is_wanted";

impl PostgresStore {
    /// The rows of an inbox that were handed out with one of these ids.
    async fn handed_out_among(
        &self,
        inbox: InboxKey,
        ids: &[MessageId],
    ) -> Result<Vec<(Order, Acknowledged)>, StoreError> {
        let wanted: HashSet<MessageId> = ids.iter().copied().collect();
        let list = id_array(wanted.iter().copied());
        let first = FIRST_WINDOW + 2 * i64::try_from(wanted.len()).unwrap_or(0);
        let last = self.handed_out.last(inbox).map_or(i64::MIN, |last| last.0);
        let front = self.front(inbox).await?;
        let mut handed_out = Vec::new();
        for (window, from) in [(Some(first), front), (Some(first * FURTHER), front), (None, 1)] {
            let rows = query(HANDED_OUT)
                .bind(inbox.shard.0)
                .bind(inbox.session.0)
                .bind(window)
                .bind(&list)
                .bind(from)
                .bind(last)
                .fetch_all(&mut self.reader().await?)
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
}
