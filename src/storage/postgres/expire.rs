//! Taking messages out of inboxes when their time is over, and saying so to whom they waited for.
//!
//! A reader finds rows of expired messages; a transaction deletes them, and leaves a gap marker in
//! front of each inbox that lost some. So a crash loses neither: either the rows are still there,
//! or the marker counts them. A row that is held is left to its reader, and an expired one is not
//! handed out again, so it is free at the end of its lease. A row counts as lost for whoever
//! deletes it, and a row that somebody else has locked is left to them, so programs that sweep at
//! the same time wait for nobody and count nothing twice.

use std::collections::{HashMap, HashSet};

use sqlx::query;

use super::PostgresStore;
use super::gaps::{self, Loss, Losses, RowKeys, row_key};
use super::link::Link;
use super::rows::time;
use super::sweep::{Candidate, PayloadKey};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::MessageId;
use crate::domain::inbox::{GapReason, InboxKey, Sweep, SweepRequest};
use crate::domain::ports::FreshId;
use crate::storage::error::{StoreError, during};
use crate::storage::gap::Missing;

/// How many recipients a step looks up, at most, unless one message has more.
const RECIPIENTS: usize = 10_000;

/// What a reader found of expired messages.
#[derive(Default)]
pub(super) struct Expired {
    rows: Vec<Row>,
    /// Payloads that nobody waits for once these rows are gone.
    payloads: Vec<PayloadKey>,
    /// The first payload with rows that are left for the next step.
    pub unfinished: Option<i64>,
}

/// A row of an expired message.
struct Row {
    inbox: InboxKey,
    number: i64,
    accepted_at: Timestamp,
}

pub(super) const EXPIRED_ROWS: &str = "
    SELECT wanted.shard, wanted.session, wanted.number, waiting.leased_until
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS wanted (shard, session, number)
    CROSS JOIN LATERAL (
        SELECT leased_until FROM inbox
        WHERE inbox.shard = wanted.shard AND inbox.session = wanted.session
            AND inbox.number = wanted.number
        OFFSET 0
    ) AS waiting";

impl PostgresStore {
    /// Finds what still waits of these messages, as much as a step may take.
    pub(super) async fn find_expired(
        &self,
        mut candidates: Vec<Candidate>,
        request: &SweepRequest,
    ) -> Result<Expired, StoreError> {
        let mut expired = Expired::default();
        if candidates.is_empty() {
            return Ok(expired);
        }
        let mut recipients = 0;
        let room = candidates.iter().take_while(|candidate| {
            let before = recipients;
            recipients += candidate.waiting.len();
            before == 0 || recipients <= RECIPIENTS
        });
        let room = room.count();
        if room < candidates.len() {
            expired.unfinished = candidates.get(room).map(|candidate| candidate.payload.number);
            candidates.truncate(room);
        }
        let keys = (candidates.iter())
            .flat_map(|it| it.waiting.iter().map(|inbox| (*inbox, it.payload.number)));
        let keys = RowKeys::of(keys);
        let found = query(EXPIRED_ROWS).bind(keys.shards).bind(keys.sessions).bind(keys.numbers);
        let found = found.fetch_all(&mut self.unhurried_reader().await?).await;
        let mut waiting: HashMap<i64, Vec<(InboxKey, Timestamp)>> = HashMap::new();
        for row in found.map_err(during("looking for expired messages"))? {
            let (inbox, number) = row_key(&row)?;
            waiting.entry(number).or_default().push((inbox, time(&row, "leased_until")?));
        }
        for candidate in &candidates {
            let rows = waiting.remove(&candidate.payload.number).unwrap_or_default();
            if !expired.take(candidate, rows, request) {
                break;
            }
        }
        Ok(expired)
    }
}

impl Expired {
    /// Takes the rows of a payload that nobody holds; returns whether there was room for all.
    fn take(
        &mut self,
        candidate: &Candidate,
        rows: Vec<(InboxKey, Timestamp)>,
        request: &SweepRequest,
    ) -> bool {
        let (number, accepted_at) = (candidate.payload.number, candidate.accepted_at);
        let all = rows.len();
        let free = rows.into_iter().filter(|(_, leased_until)| *leased_until <= request.now);
        let mut free: Vec<_> = free.map(|(inbox, _)| Row { inbox, number, accepted_at }).collect();
        let is_whole = free.len() == all;
        let room = (request.limit.max(1) as usize).saturating_sub(self.rows.len());
        if free.len() > room {
            free.truncate(room);
            self.rows.extend(free);
            self.unfinished = Some(number);
            return false;
        }
        self.rows.extend(free);
        if is_whole && !candidate.is_open {
            self.payloads.push(candidate.payload);
        }
        true
    }
}

/// What goes in one transaction.
pub(super) struct Step {
    rows: Vec<Row>,
    payloads: Vec<PayloadKey>,
    now: Timestamp,
    /// For the markers, one for each inbox of the rows.
    ids: HashMap<InboxKey, MessageId>,
}

impl Step {
    /// The rows of expired messages, and payloads that nobody waits for.
    pub(super) fn new(
        expired: Expired,
        unwaited: Vec<PayloadKey>,
        now: Timestamp,
        fresh_id: FreshId<'_>,
    ) -> Self {
        let Expired { rows, mut payloads, .. } = expired;
        payloads.extend(unwaited);
        let mut ids = HashMap::new();
        for row in &rows {
            ids.entry(row.inbox).or_insert_with(fresh_id);
        }
        Self { rows, payloads, now, ids }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.payloads.is_empty()
    }
}

/// Takes expired rows out of their inboxes, leaves markers, and drops payloads.
pub(super) async fn apply(
    step: &Step,
    link: &mut Link<'_>,
) -> Result<Result<Sweep, Fault>, StoreError> {
    let gone = delete_rows(step, link).await?;
    let mut losses = Losses::new();
    let mut stayed = HashSet::new();
    for row in &step.rows {
        let inbox = row.inbox;
        if !gone.contains(&(inbox, row.number)) {
            stayed.insert(row.number);
            continue;
        }
        let nothing =
            || Loss { inbox, id: step.ids[&inbox], missing: Missing::new(GapReason::Expired) };
        let loss = losses.entry(inbox.session.0).or_insert_with(nothing);
        loss.missing.add(1, row.accepted_at, row.accepted_at);
    }
    let marked = gaps::leave_for_losses(link, losses, step.now).await?;
    let payloads = step.payloads.iter().filter(|payload| !stayed.contains(&payload.number));
    let dropped = drop_payloads(link, payloads.copied()).await?;
    Ok(Ok(Sweep { next: None, dropped, expired: gone.len() as u64, marked }))
}

pub(super) const DELETE_ROWS: &str = "
    WITH gone AS MATERIALIZED (
        SELECT inbox.shard, inbox.session, inbox.number
        FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS wanted (shard, session, number)
        JOIN inbox ON inbox.shard = ANY (ARRAY[wanted.shard]) AND inbox.session = wanted.session
            AND inbox.number = wanted.number AND inbox.leased_until <= $4
        FOR UPDATE OF inbox SKIP LOCKED
    )
    DELETE FROM inbox USING gone
    WHERE inbox.shard = ANY (ARRAY[gone.shard]) AND inbox.session = gone.session
        AND inbox.number = gone.number
    RETURNING inbox.shard, inbox.session, inbox.number";

/// Deletes rows unless they were acknowledged or leased since they were found; returns the others.
async fn delete_rows(
    step: &Step,
    link: &mut Link<'_>,
) -> Result<HashSet<(InboxKey, i64)>, StoreError> {
    if step.rows.is_empty() {
        return Ok(HashSet::new());
    }
    let keys = RowKeys::of(step.rows.iter().map(|row| (row.inbox, row.number)));
    let rows = query(DELETE_ROWS).bind(keys.shards).bind(keys.sessions).bind(keys.numbers);
    let rows = rows.bind(step.now.as_micros()).fetch_all(link).await;
    rows.map_err(during("dropping expired messages"))?.iter().map(row_key).collect()
}

/// Only a payload that nobody has been added to since it was looked at: whoever adds slots makes
/// the list longer, in the transaction that adds them, and does not begin without a top-up.
pub(super) const DROP_PAYLOADS: &str = "
    WITH gone AS MATERIALIZED (
        SELECT payloads.shard, payloads.number
        FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS wanted (shard, number, length)
        JOIN payloads ON payloads.shard = ANY (ARRAY[wanted.shard])
            AND payloads.number = wanted.number
            AND octet_length(payloads.waiting) = wanted.length
        FOR UPDATE OF payloads SKIP LOCKED
    )
    DELETE FROM payloads USING gone
    WHERE payloads.shard = ANY (ARRAY[gone.shard]) AND payloads.number = gone.number";

/// Drops payloads that no row refers to; returns how many there were.
pub(super) async fn drop_payloads(
    link: &mut Link<'_>,
    payloads: impl Iterator<Item = PayloadKey>,
) -> Result<u64, StoreError> {
    let (mut homes, mut numbers, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
    for payload in payloads {
        homes.push(payload.home.0);
        numbers.push(payload.number);
        lengths.push(i64::try_from(payload.waiting).unwrap_or(i64::MAX));
    }
    if numbers.is_empty() {
        return Ok(0);
    }
    let dropped = query(DROP_PAYLOADS).bind(homes).bind(numbers).bind(lengths).execute(link).await;
    Ok(dropped.map_err(during("dropping payloads"))?.rows_affected())
}
