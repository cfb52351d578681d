//! Storing messages: the messages of a whole group share their statements.

use rusqlite::{Params, Row};

use super::super::acceptance::{AcceptJob, Prepared, answer, distinct_guards, judge};
use super::super::cells::Cells;
use super::super::error::StoreError;
use super::super::own::OwnSet;
use super::connection::WriterConnection;
use super::fresh::{Draft, FreshRow, RowKey};
use super::inboxes::Inboxes;
use super::known::Known;
use super::seen::SeenWriter;
use super::top_ups;
use crate::domain::clock::Timestamp;
use crate::domain::ids::Shard;
use crate::domain::inbox::{Guard, Intake, Slot};

/// Stores the messages of all jobs, in their order, and says what became of each.
pub(super) async fn accept(
    connection: &mut WriterConnection,
    inboxes: &mut Inboxes,
    seen: &mut SeenWriter,
    known: &Known,
    jobs: &[&AcceptJob],
) -> Result<(), StoreError> {
    let messages: Vec<&Prepared> = jobs.iter().flat_map(|job| &job.messages).collect();
    if messages.is_empty() {
        jobs.iter().for_each(|job| job.answer.set(Vec::new()));
        return Ok(());
    }
    let keys = messages.iter().map(|it| (it.message.sender, it.message.message_id));
    let digests = seen.digests(connection, keys)?;
    let moved = moved(connection, known, &messages)?;
    inboxes.look(connection, messages.iter().map(|it| Intake::of(&it.message)))?;
    let verdicts = judge(&messages, &digests, &moved, |intake| inboxes.rooms.take(intake));
    let good = messages.iter().zip(&verdicts).filter(|(_, verdict)| verdict.is_none());
    let good: Vec<&Prepared> = good.map(|(message, _)| *message).collect();
    let first = store(connection, &mut inboxes.rows, seen, &good)?;
    inboxes.rooms.numbered(good.len());
    inboxes.trim(connection).await?;
    answer(jobs, verdicts, first..);
    Ok(())
}

/// The guards that no longer hold.
fn moved(
    connection: &WriterConnection,
    known: &Known,
    messages: &[&Prepared],
) -> Result<OwnSet<Guard>, StoreError> {
    let mut guards = distinct_guards(messages);
    known.leave_unknown(&mut guards);
    let mut moved = OwnSet::default();
    for guard in &guards {
        if !holds(connection, *guard)? {
            moved.insert(*guard);
        }
    }
    known.hold(known.now(), guards.into_iter().filter(|guard| !moved.contains(guard)));
    Ok(moved)
}

pub(super) const ROSTER_GENERATION: &str =
    "SELECT roster_generation AS generation FROM accounts WHERE number = ?1";

pub(super) const CONVERSATION_GENERATION: &str =
    "SELECT generation FROM conversations WHERE number = ?1";

/// Whether a guard holds.
pub(super) fn holds(connection: &WriterConnection, guard: Guard) -> Result<bool, StoreError> {
    let (statement, number, generation) = match guard {
        Guard::Roster { account, generation } => (ROSTER_GENERATION, account.0, generation),
        Guard::Conversation { conversation, generation } => {
            (CONVERSATION_GENERATION, conversation.0, generation)
        }
    };
    let read = |row: &Row<'_>| row.integer("generation");
    let now = connection.first(statement, [number], "comparing generations", read)?;
    Ok(now == Some(generation))
}

const TAKE_NUMBERS: &str = "
    UPDATE sequences SET value = value + ?1 WHERE name = 'messages' RETURNING value";

/// Takes `count` numbers of the one order; returns the first.
pub(super) fn take_numbers(connection: &WriterConnection, count: usize) -> Result<i64, StoreError> {
    let count = i64::try_from(count).map_err(|_| StoreError::Corrupt { column: "value" })?;
    let read = |row: &Row<'_>| row.integer("value");
    let last = connection.first(TAKE_NUMBERS, [count], "numbering messages", read)?;
    let last = last.ok_or(StoreError::Corrupt { column: "value" })?;
    Ok(last - count + 1)
}

/// `OR FAIL`, here and in others like it: a statement that fails ends its group's transaction anyway,
/// so it needs no journal that could undo it alone.
const PAYLOAD: &str = "
    INSERT OR FAIL INTO payloads (number, shard, sender_account, sender_session, conversation,
        message_id, category, accepted_at, expires_at, details, waiting, slots, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";

/// Inserts messages that passed; returns the number of the first.
fn store(
    connection: &WriterConnection,
    rows: &mut Draft,
    seen: &mut SeenWriter,
    messages: &[&Prepared],
) -> Result<i64, StoreError> {
    if messages.is_empty() {
        return Ok(0);
    }
    let first = take_numbers(connection, messages.len())?;
    let numbered: Vec<(i64, &Prepared)> = (first..).zip(messages.iter().copied()).collect();
    connection.each(PAYLOAD, numbered.iter().map(payload), "storing messages")?;

    for (number, it) in &numbered {
        let times = (it.message.accepted_at, it.message.expires_at);
        rows.add(*number, rows_of(*number, 0, &it.message.slots, times))?;
    }
    for (number, it) in numbered.iter().filter(|(_, it)| it.message.top_up.is_some()) {
        top_ups::offer(connection, *number, &it.message)?;
    }

    let messages = messages.iter().map(|it| &it.message);
    let newest_at = messages.clone().map(|it| it.accepted_at).max().unwrap_or_default();
    let ids = messages.map(|it| (it.sender, it.message_id, it.digest));
    seen.append(connection, first, newest_at, ids)?;
    Ok(first)
}

/// The rows for slots that stand beside a message's body from `start` on, in bytes.
pub(super) fn rows_of(
    number: i64,
    start: usize,
    slots: &[Slot],
    (accepted_at, expires_at): (Timestamp, Timestamp),
) -> impl Iterator<Item = (RowKey, FreshRow)> + '_ {
    // All slots of a message are some megabytes at most.
    let length = |bytes| u32::try_from(bytes).unwrap_or(u32::MAX);
    let mut start = length(start);
    slots.iter().map(move |slot| {
        let length = length(slot.bytes.len());
        start += length;
        let row = FreshRow::new((start - length, length), accepted_at, expires_at);
        (RowKey { inbox: slot.inbox(), number }, row)
    })
}

/// What stands beside the body.
pub(super) fn pack_slots(slots: &[Slot]) -> Vec<u8> {
    slots.iter().map(|slot| &slot.bytes[..]).collect::<Vec<_>>().concat()
}

/// The values of a row of [`PAYLOAD`].
fn payload<'m>((number, it): &'m (i64, &'m Prepared)) -> impl Params + 'm {
    let message = &it.message;
    let shard = message.slots.first().map_or(Shard(0), |slot| slot.shard);
    (
        number,
        shard.0,
        message.sender.0,
        message.sender_session.0,
        message.conversation.0,
        &message.message_id.as_bytes()[..],
        message.category.as_str(),
        message.accepted_at.as_micros(),
        message.expires_at.as_micros(),
        &it.details[..],
        &it.waiting[..],
        pack_slots(&message.slots),
        &message.body[..],
    )
}
