//! Gap markers: the gateway's own messages, which say what is missing from an inbox.
//!
//! Markers have negative numbers. So they are handed out before everything else that waits, and
//! their rows are told from those of messages without a look at the payloads.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use rusqlite::params;
use sqlx::{SqliteConnection, query};

use super::accept::take_numbers;
use super::connection::WriterConnection;
use super::expire::drop_payloads;
use super::rows::{count, json_list, time, value};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, MessageId, SessionNumber};
use crate::domain::inbox::{Gap, GapReason, InboxKey, SYSTEM_GAP};
use crate::storage::error::{StoreError, during};
use crate::storage::gap::Missing;
use crate::storage::packed::pack_waiting;

/// A marker to leave.
pub(super) struct Marker {
    pub id: MessageId,
    pub inbox: InboxKey,
    pub account: AccountNumber,
    pub gap: Gap,
    pub at: Timestamp,
}

const PAYLOAD: &str = "
    INSERT INTO payloads (number, shard, sender_account, sender_session, message_id, category,
        accepted_at, expires_at, waiting, body, details)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, x'')";

const ROW: &str = "INSERT INTO inbox (shard, session, number) VALUES (?1, ?2, ?3)";

/// Puts markers in front of the inboxes of live sessions. They do not expire: they stand for what
/// did.
pub(super) fn leave(connection: &WriterConnection, markers: &[Marker]) -> Result<(), StoreError> {
    if markers.is_empty() {
        return Ok(());
    }
    let doing = "leaving gap markers";
    let first = take_numbers(connection, markers.len())?;
    for (number, marker) in (first..).map(|number| -number).zip(markers) {
        let inbox = marker.inbox;
        let values = params![
            number,
            inbox.shard.0,
            marker.account.0,
            inbox.session.0,
            &marker.id.as_bytes()[..],
            SYSTEM_GAP,
            marker.at.as_micros(),
            i64::MAX,
            pack_waiting(std::iter::once(inbox)),
            marker.gap.to_json().into_bytes(),
        ];
        connection.run(PAYLOAD, values, doing)?;
        connection.run(ROW, (inbox.shard.0, inbox.session.0, number), doing)?;
    }
    Ok(())
}

/// Counts along one range of the primary key, and reads two payloads: 100,000 rows take some twenty
/// milliseconds.
pub(super) const WAITING: &str = "
    SELECT waiting.count, oldest.accepted_at AS oldest, newest.accepted_at AS newest
    FROM (
        SELECT count(*) AS count, min(number) AS first, max(number) AS last FROM inbox
        WHERE shard = ?1 AND session = ?2 AND number > 0
    ) AS waiting
    CROSS JOIN payloads AS oldest ON oldest.number = waiting.first
    CROSS JOIN payloads AS newest ON newest.number = waiting.last";

pub(super) const UNREAD_MARKERS: &str = "
    SELECT payloads.body, payloads.accepted_at
    FROM inbox CROSS JOIN payloads ON payloads.number = inbox.number
    WHERE inbox.shard = ?1 AND inbox.session = ?2 AND inbox.number < 0";

/// Everything that waits in an inbox, unread markers counted with what they stand for.
pub(super) async fn waiting(
    connection: &mut SqliteConnection,
    inbox: InboxKey,
) -> Result<Missing, StoreError> {
    let doing = "counting waiting messages";
    let messages = query(WAITING).bind(inbox.shard.0).bind(inbox.session.0);
    let messages = messages.fetch_optional(&mut *connection).await.map_err(during(doing))?;
    let mut missing = Missing::new(GapReason::SignedInAgain);
    if let Some(row) = messages {
        // Messages of concurrent requests may be numbered in another order than they came in.
        let (one, other) = (time(&row, "oldest")?, time(&row, "newest")?);
        missing.add(count(&row, "count")?, one.min(other), one.max(other));
    }
    let markers = query(UNREAD_MARKERS).bind(inbox.shard.0).bind(inbox.session.0);
    for row in markers.fetch_all(connection).await.map_err(during(doing))? {
        missing.add_marker(value(&row, "body")?, time(&row, "accepted_at")?);
    }
    Ok(missing)
}

/// What an inbox loses, and the id of the marker that says so.
pub(super) struct Loss {
    pub inbox: InboxKey,
    pub id: MessageId,
    pub missing: Missing,
}

/// What is lost, by the number of the session that it waited for.
pub(super) type Losses = BTreeMap<i64, Loss>;

/// The live ones of these sessions.
pub(super) const OWNERS: &str = "
    SELECT sessions.number, sessions.account
    FROM json_each(?1) AS wanted CROSS JOIN sessions ON sessions.number = wanted.value
    WHERE sessions.ended_at IS NULL";

/// Leaves a marker for each live session, in the place of the unread ones of its kind that nobody
/// holds; returns the sessions.
pub(super) async fn leave_for_losses(
    connection: &mut WriterConnection,
    mut losses: Losses,
    now: Timestamp,
) -> Result<Vec<SessionNumber>, StoreError> {
    if losses.is_empty() {
        return Ok(Vec::new());
    }
    let sessions = json_list(losses.keys(), |json, session| write!(json, "{session}"));
    let owners = query(OWNERS).bind(sessions).fetch_all(&mut **connection).await;
    let mut accounts: HashMap<i64, AccountNumber> = HashMap::new();
    for row in owners.map_err(during("looking for whom messages waited"))? {
        accounts.insert(value(&row, "number")?, AccountNumber(value(&row, "account")?));
    }
    losses.retain(|session, _| accounts.contains_key(session));
    take_free_markers(connection, &mut losses, now).await?;
    let marker = |(session, loss): (i64, Loss)| {
        let (account, gap) = (*accounts.get(&session)?, loss.missing.into_gap()?);
        Some(Marker { id: loss.id, inbox: loss.inbox, account, gap, at: now })
    };
    let markers: Vec<Marker> = losses.into_iter().filter_map(marker).collect();
    leave(connection, &markers)?;
    Ok(markers.iter().map(|marker| marker.inbox.session).collect())
}

pub(super) const FREE_MARKERS: &str = "
    SELECT inbox.session, inbox.number, payloads.body, payloads.accepted_at
    FROM json_each(?1) AS wanted
    CROSS JOIN inbox ON inbox.shard = wanted.value ->> 0 AND inbox.session = wanted.value ->> 1
        AND inbox.number < 0 AND inbox.leased_until <= ?2
    CROSS JOIN payloads ON payloads.number = inbox.number";

pub(super) const DELETE_ROWS: &str = "
    DELETE FROM inbox WHERE (shard, session, number) IN (
        SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1)
    )";

/// Counts unread markers of the same kind in and removes them, unless a reader holds them: its acknowledgement may
/// be on its way. It is the number that goes, so a late acknowledgement of a removed marker does
/// not meet the new one.
async fn take_free_markers(
    connection: &mut SqliteConnection,
    losses: &mut Losses,
    now: Timestamp,
) -> Result<(), StoreError> {
    let inboxes = json_list(losses.values(), |json, Loss { inbox, .. }| {
        write!(json, "[{},{}]", inbox.shard.0, inbox.session.0)
    });
    let found = query(FREE_MARKERS).bind(inboxes).bind(now.as_micros());
    let mut taken: Vec<(InboxKey, i64)> = Vec::new();
    for row in found.fetch_all(&mut *connection).await.map_err(during(TAKING_MARKERS))? {
        let Some(loss) = losses.get_mut(&value::<i64>(&row, "session")?) else { continue };
        if loss.missing.add_marker(value(&row, "body")?, time(&row, "accepted_at")?) {
            taken.push((loss.inbox, value(&row, "number")?));
        }
    }
    if taken.is_empty() {
        return Ok(());
    }
    delete_rows(connection, &taken).await?;
    // A marker's payload is that of one inbox.
    let numbers: Vec<i64> = taken.into_iter().map(|(_, number)| number).collect();
    drop_payloads(connection, &numbers).await?;
    Ok(())
}

/// Deletes rows of inboxes by their numbers.
pub(super) async fn delete_rows(
    connection: &mut SqliteConnection,
    rows: &[(InboxKey, i64)],
) -> Result<(), StoreError> {
    let rows = json_list(rows, |json, (inbox, number)| {
        write!(json, "[{},{},{number}]", inbox.shard.0, inbox.session.0)
    });
    let deleted = query(DELETE_ROWS).bind(rows).execute(connection).await;
    deleted.map_err(during("taking rows out of inboxes"))?;
    Ok(())
}

const TAKING_MARKERS: &str = "taking unread gap markers";
