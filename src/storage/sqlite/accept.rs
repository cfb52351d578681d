//! Storing messages: the messages of a whole group share their statements.

use std::collections::HashSet;
use std::fmt::Write;
use std::sync::LazyLock;

use sqlx::{SqliteConnection, query};

use super::super::acceptance::{AcceptJob, Prepared, answer, distinct_guards, judge};
use super::super::error::{StoreError, during};
use super::fresh::{Draft, FreshRow, RowKey};
use super::inboxes::Inboxes;
use super::known::KnownGuards;
use super::rows::{json_list, value};
use super::seen::SeenWriter;
use super::top_ups;
use super::values::{Binding, Rows};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, ConversationNumber, Shard};
use crate::domain::inbox::{Guard, Intake, Slot};

/// Stores the messages of all jobs, in their order, and says what became of each.
pub(super) async fn accept(
    connection: &mut SqliteConnection,
    inboxes: &mut Inboxes,
    seen: &mut SeenWriter,
    jobs: &[&AcceptJob],
) -> Result<(), StoreError> {
    let messages: Vec<&Prepared> = jobs.iter().flat_map(|job| &job.messages).collect();
    if messages.is_empty() {
        jobs.iter().for_each(|job| job.answer.set(Vec::new()));
        return Ok(());
    }
    let keys = messages.iter().map(|it| (it.message.sender, it.message.message_id));
    let digests = seen.digests(connection, keys).await?;
    let moved = moved(connection, &mut inboxes.guards, &messages).await?;
    inboxes.look(connection, messages.iter().map(|it| Intake::of(&it.message))).await?;
    let verdicts = judge(&messages, &digests, &moved, |intake| inboxes.rooms.take(intake));
    let good = messages.iter().zip(&verdicts).filter(|(_, verdict)| verdict.is_none());
    let good: Vec<&Prepared> = good.map(|(message, _)| *message).collect();
    let first = store(connection, &mut inboxes.rows, seen, &good).await?;
    inboxes.rooms.numbered(good.len());
    inboxes.trim(connection).await?;
    answer(jobs, verdicts, first..);
    Ok(())
}

pub(super) const MOVED_ROSTERS: &str = "
    SELECT wanted.value ->> 0 AS number, wanted.value ->> 1 AS generation
    FROM json_each(?1) AS wanted
    LEFT JOIN accounts ON accounts.number = wanted.value ->> 0
    WHERE accounts.roster_generation IS NOT wanted.value ->> 1";

pub(super) const MOVED_CONVERSATIONS: &str = "
    SELECT wanted.value ->> 0 AS number, wanted.value ->> 1 AS generation
    FROM json_each(?1) AS wanted
    LEFT JOIN conversations ON conversations.number = wanted.value ->> 0
    WHERE conversations.generation IS NOT wanted.value ->> 1";

/// The guards that no longer hold.
async fn moved(
    connection: &mut SqliteConnection,
    known: &mut KnownGuards,
    messages: &[&Prepared],
) -> Result<HashSet<Guard>, StoreError> {
    let mut guards = distinct_guards(messages);
    guards.retain(|guard| !known.hold(*guard));
    let moved = moved_among(connection, guards.clone()).await?;
    known.add(guards.into_iter().filter(|guard| !moved.contains(guard)));
    Ok(moved)
}

/// Whether all of these guards hold.
pub(super) async fn holds(
    connection: &mut SqliteConnection,
    guards: &[Guard],
) -> Result<bool, StoreError> {
    Ok(moved_among(connection, guards.iter().copied().collect()).await?.is_empty())
}

async fn moved_among(
    connection: &mut SqliteConnection,
    guards: HashSet<Guard>,
) -> Result<HashSet<Guard>, StoreError> {
    let (mut rosters, mut conversations) = (Vec::new(), Vec::new());
    for guard in guards {
        match guard {
            Guard::Roster { account, generation } => rosters.push((account.0, generation)),
            Guard::Conversation { conversation, generation } => {
                conversations.push((conversation.0, generation));
            }
        }
    }
    let rosters = moved_numbers(&mut *connection, MOVED_ROSTERS, &rosters).await?;
    let conversations = moved_numbers(connection, MOVED_CONVERSATIONS, &conversations).await?;
    let rosters = rosters
        .into_iter()
        .map(|(number, generation)| Guard::Roster { account: AccountNumber(number), generation });
    let conversations = conversations.into_iter().map(|(number, generation)| Guard::Conversation {
        conversation: ConversationNumber(number),
        generation,
    });
    Ok(rosters.chain(conversations).collect())
}

/// Those of the pairs of number and generation that no longer hold.
async fn moved_numbers(
    connection: &mut SqliteConnection,
    statement: &'static str,
    pairs: &[(i64, i64)],
) -> Result<Vec<(i64, i64)>, StoreError> {
    if pairs.is_empty() {
        return Ok(Vec::new());
    }
    let list =
        json_list(pairs, |json, (number, generation)| write!(json, "[{number},{generation}]"));
    let rows = query(statement).bind(list).fetch_all(connection).await;
    let rows = rows.map_err(during("comparing generations"))?;
    rows.iter().map(|row| Ok((value(row, "number")?, value(row, "generation")?))).collect()
}

const TAKE_NUMBERS: &str = "
    UPDATE sequences SET value = value + ?1 WHERE name = 'messages' RETURNING value";

/// Takes `count` numbers of the one order; returns the first.
pub(super) async fn take_numbers(
    connection: &mut SqliteConnection,
    count: usize,
) -> Result<i64, StoreError> {
    let count = i64::try_from(count).map_err(|_| StoreError::Corrupt { column: "value" })?;
    let row = query(TAKE_NUMBERS).bind(count).fetch_one(connection).await;
    let last: i64 = value(&row.map_err(during("numbering messages"))?, "value")?;
    Ok(last - count + 1)
}

/// `OR FAIL`, here and below: a statement that fails ends its group's transaction anyway, so none of
/// them needs the journal that could undo it alone, which costs a tenth of a large group's time.
static PAYLOAD_ROWS: LazyLock<Rows> = LazyLock::new(|| {
    let head = "INSERT OR FAIL INTO payloads (number, shard, sender_account, sender_session, \
        conversation, message_id, category, accepted_at, expires_at, details, waiting, slots, \
        body)";
    Rows::new(head, 13, 6)
});

/// Inserts messages that passed; returns the number of the first.
async fn store(
    connection: &mut SqliteConnection,
    rows: &mut Draft,
    seen: &mut SeenWriter,
    messages: &[&Prepared],
) -> Result<i64, StoreError> {
    if messages.is_empty() {
        return Ok(0);
    }
    let first = take_numbers(connection, messages.len()).await?;
    let numbered: Vec<(i64, &Prepared)> = (first..).zip(messages.iter().copied()).collect();
    PAYLOAD_ROWS
        .insert(connection, &numbered, bind_payload)
        .await
        .map_err(during("storing messages"))?;

    for (number, it) in &numbered {
        let times = (it.message.accepted_at, it.message.expires_at);
        rows.add(*number, rows_of(*number, 0, &it.message.slots, times))?;
    }
    for (number, it) in numbered.iter().filter(|(_, it)| it.message.top_up.is_some()) {
        top_ups::offer(connection, *number, &it.message).await?;
    }

    let messages = messages.iter().map(|it| &it.message);
    let newest_at = messages.clone().map(|it| it.accepted_at).max().unwrap_or_default();
    let ids = messages.map(|it| (it.sender, it.message_id, it.digest));
    seen.append(connection, first, newest_at, ids).await?;
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

fn bind_payload(row: Binding, (number, it): &(i64, &Prepared)) -> Binding {
    let message = &it.message;
    let shard = message.slots.first().map_or(Shard(0), |slot| slot.shard);
    row.bind(*number)
        .bind(shard.0)
        .bind(message.sender.0)
        .bind(message.sender_session.0)
        .bind(message.conversation.0)
        .bind(&message.message_id.as_bytes()[..])
        .bind(message.category.as_str())
        .bind(message.accepted_at.as_micros())
        .bind(message.expires_at.as_micros())
        .bind(it.details.as_slice())
        .bind(it.waiting.as_slice())
        .bind(pack_slots(&message.slots))
        .bind(&message.body[..])
}
