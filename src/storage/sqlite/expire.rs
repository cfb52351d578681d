//! Taking messages out of inboxes when their time is over, and saying so to whom they waited for.
//!
//! A reader finds rows of expired messages; the writer deletes them, and leaves a gap marker in
//! front of each inbox that lost some. It is one transaction, so a crash loses neither: either the
//! rows are still there, or the marker counts them. A row that is held is left to its reader, and
//! an expired one is not handed out again, so it is free at the end of its lease.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use sqlx::{SqliteConnection, query};

use super::SqliteStore;
use super::connection::WriterConnection;
use super::gaps::{self, Loss, Losses};
use super::rows::{json_list, time, value};
use super::sweep::Candidate;
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{MessageId, SessionNumber, Shard};
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
    payloads: Vec<i64>,
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
    SELECT inbox.shard, inbox.session, inbox.number, inbox.leased_until
    FROM json_each(?1) AS wanted
    CROSS JOIN inbox ON inbox.shard = wanted.value ->> 0 AND inbox.session = wanted.value ->> 1
        AND inbox.number = wanted.value ->> 2";

impl SqliteStore {
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
            expired.unfinished = candidates.get(room).map(|candidate| candidate.number);
            candidates.truncate(room);
        }
        let keys = candidates.iter().flat_map(|it| it.waiting.iter().map(|key| (*key, it.number)));
        let list = json_list(keys, |json, (inbox, number)| {
            write!(json, "[{},{},{number}]", inbox.shard.0, inbox.session.0)
        });
        let found = query(EXPIRED_ROWS).bind(list).fetch_all(&self.readers).await;
        let mut waiting: HashMap<i64, Vec<(InboxKey, Timestamp)>> = HashMap::new();
        for row in found.map_err(during("looking for expired messages"))? {
            let inbox = InboxKey {
                shard: Shard(value(&row, "shard")?),
                session: SessionNumber(value(&row, "session")?),
            };
            let rows = waiting.entry(value(&row, "number")?).or_default();
            rows.push((inbox, time(&row, "leased_until")?));
        }
        for candidate in &candidates {
            let rows = waiting.remove(&candidate.number).unwrap_or_default();
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
        let (number, accepted_at) = (candidate.number, candidate.accepted_at);
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
            self.payloads.push(number);
        }
        true
    }
}

/// What goes in one transaction.
pub(super) struct Step {
    rows: Vec<Row>,
    payloads: Vec<i64>,
    now: Timestamp,
    /// For the markers, one for each inbox of the rows.
    ids: HashMap<InboxKey, MessageId>,
}

impl Step {
    /// The rows of expired messages, and payloads that nobody waits for.
    pub(super) fn new(
        expired: Expired,
        unwaited: Vec<i64>,
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
    connection: &mut WriterConnection,
) -> Result<Result<Sweep, Fault>, StoreError> {
    let gone = delete_rows(step, connection).await?;
    let mut losses = Losses::new();
    for row in step.rows.iter().filter(|row| gone.contains(&(row.inbox.session.0, row.number))) {
        let inbox = row.inbox;
        let nothing =
            || Loss { inbox, id: step.ids[&inbox], missing: Missing::new(GapReason::Expired) };
        let loss = losses.entry(inbox.session.0).or_insert_with(nothing);
        loss.missing.add(1, row.accepted_at, row.accepted_at);
    }
    let marked = gaps::leave_for_losses(connection, losses, step.now).await?;
    let stayed = step.rows.iter().filter(|row| !gone.contains(&(row.inbox.session.0, row.number)));
    let stayed: HashSet<i64> = stayed.map(|row| row.number).collect();
    let mut payloads = step.payloads.clone();
    payloads.retain(|number| !stayed.contains(number));
    let dropped = drop_payloads(connection, &payloads).await?;
    Ok(Ok(Sweep { next: None, dropped, expired: gone.len() as u64, marked }))
}

pub(super) const DELETE_ROWS: &str = "
    DELETE FROM inbox
    WHERE (shard, session, number) IN (
        SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1)
    )
    AND leased_until <= ?2
    RETURNING session, number";

/// Deletes rows unless they were acknowledged or leased since they were found; returns the others.
async fn delete_rows(
    step: &Step,
    connection: &mut SqliteConnection,
) -> Result<HashSet<(i64, i64)>, StoreError> {
    if step.rows.is_empty() {
        return Ok(HashSet::new());
    }
    let list = json_list(&step.rows, |json, row| {
        write!(json, "[{},{},{}]", row.inbox.shard.0, row.inbox.session.0, row.number)
    });
    let rows = query(DELETE_ROWS).bind(list).bind(step.now.as_micros()).fetch_all(connection).await;
    let rows = rows.map_err(during("dropping expired messages"))?;
    rows.iter().map(|row| Ok((value(row, "session")?, value(row, "number")?))).collect()
}

pub(super) const DROP_PAYLOADS: &str = "
    DELETE FROM payloads WHERE number IN (SELECT value FROM json_each(?1))";

/// Drops payloads that no row refers to; returns how many there were.
pub(super) async fn drop_payloads(
    connection: &mut SqliteConnection,
    numbers: &[i64],
) -> Result<u64, StoreError> {
    if numbers.is_empty() {
        return Ok(0);
    }
    let list = json_list(numbers, |json, number| write!(json, "{number}"));
    let dropped = query(DROP_PAYLOADS).bind(list).execute(connection).await;
    Ok(dropped.map_err(during("dropping payloads"))?.rows_affected())
}
