//! Storing messages: the messages of a whole group share their statements.
//!
//! First come two looks, which lock nothing: at ids and guards, and at the room in inboxes unless
//! that is remembered. They decide what becomes of each message. Then one statement numbers and
//! stores all that is to be stored, in every table. It reads and writes on its own, so a group of
//! which nothing else is asked needs no transaction around it: each statement sees what is
//! committed when it begins, inside a transaction as outside.
//!
//! What may happen between the looks and the statement:
//! * Another writer, here or elsewhere, stores a message under the same id. The key of
//!   `seen_messages` lets only one of them: the other group is undone and looks again. Ids are
//!   stored in the order of that key, so that two groups do not wait for each other.
//! * A roster or a conversation changes. The message counts as sent before the change: it was
//!   accepted while the change was on its way. If a session was replaced, its successor is told
//!   what lies in the old inbox ([`super::clear`]).
//! * An inbox fills up: [`super::rooms`] says how far.

use std::collections::HashSet;

use sqlx::postgres::PgRow;
use sqlx::query;

use super::columns::{blobs, numbers, texts};
use super::link::Link;
use super::rooms::{Rooms, View};
use super::rows::{array, value};
use super::top_ups;
use crate::domain::ids::{AccountNumber, ConversationNumber, MessageId, SHARDS, Shard};
use crate::domain::inbox::{Accepted, Guard, Intake, MessageDigest, Slot};
use crate::storage::acceptance::{AcceptJob, Prepared, answer, distinct_guards, judge};
use crate::storage::error::{StoreError, during};

/// What is to become of the messages of a group.
pub(super) struct Decided<'a> {
    jobs: &'a [&'a AcceptJob],
    verdicts: Vec<Option<Accepted>>,
    good: Vec<&'a Prepared>,
    view: View,
}

/// Looks what is to become of these messages.
pub(super) async fn decide<'a>(
    link: &mut Link<'_>,
    rooms: &Rooms,
    jobs: &'a [&'a AcceptJob],
) -> Result<Decided<'a>, StoreError> {
    let messages: Vec<&Prepared> = jobs.iter().flat_map(|job| &job.messages).collect();
    if messages.is_empty() {
        let (verdicts, good, view) = (Vec::new(), Vec::new(), View::default());
        return Ok(Decided { jobs, verdicts, good, view });
    }
    let keys: Vec<_> =
        messages.iter().map(|it| (it.message.sender, it.message.message_id)).collect();
    let guards: Vec<Guard> = distinct_guards(&messages).into_iter().collect();
    let (seen, moved) = look(link, &keys, &guards).await?;
    let mut view = rooms.look(link, messages.iter().map(|it| Intake::of(&it.message))).await?;
    let verdicts = judge(&messages, &seen, &moved, |intake| view.take(intake));
    let good = messages.iter().zip(&verdicts).filter(|(_, verdict)| verdict.is_none());
    let good = good.map(|(message, _)| *message).collect();
    Ok(Decided { jobs, verdicts, good, view })
}

impl Decided<'_> {
    /// Whether one statement is all that there is to do.
    pub(super) fn is_plain(&self) -> bool {
        !self.view.is_crowded() && self.good.iter().all(|it| it.message.top_up.is_none())
    }

    /// Stores what is to be stored, in one statement; returns the numbers.
    pub(super) async fn store(&self, link: &mut Link<'_>) -> Result<Vec<i64>, StoreError> {
        store(link, &self.good).await
    }

    /// Does what comes after that, unless [it is plain](Self::is_plain).
    pub(super) async fn follow(
        &mut self,
        link: &mut Link<'_>,
        numbers: &[i64],
    ) -> Result<(), StoreError> {
        for (number, it) in numbers.iter().zip(&self.good) {
            if it.message.top_up.is_some() {
                top_ups::offer(link, home_of(it), *number, &it.message).await?;
            }
        }
        self.view.trim(link).await
    }

    /// Leaves the answers, once everything is committed.
    pub(super) fn finish(self, rooms: &Rooms, numbers: Vec<i64>) {
        answer(self.jobs, self.verdicts, numbers.into_iter());
        rooms.remember(self.view);
    }
}

/// Ids that are on file, and guards that do not hold. Each is looked up by its key, whatever the
/// tables' statistics say: a plan is kept while the tables grow.
pub(super) const LOOK: &str = "
    SELECT 0::bigint AS kind, wanted.place, seen.digest
    FROM unnest($1::bigint[], $2::bytea[]) WITH ORDINALITY AS wanted (sender, message_id, place)
    CROSS JOIN LATERAL (
        SELECT digest FROM seen_messages
        WHERE shard = wanted.sender % $7 AND sender = wanted.sender
            AND message_id = wanted.message_id
        LIMIT 1
    ) AS seen
    UNION ALL
    SELECT 1, wanted.place, NULL
    FROM unnest($3::bigint[], $4::bigint[]) WITH ORDINALITY AS wanted (number, generation, place)
    WHERE (SELECT roster_generation FROM accounts WHERE number = wanted.number)
        IS DISTINCT FROM wanted.generation
    UNION ALL
    SELECT 2, wanted.place, NULL
    FROM unnest($5::bigint[], $6::bigint[]) WITH ORDINALITY AS wanted (number, generation, place)
    WHERE (SELECT generation FROM conversations WHERE number = wanted.number)
        IS DISTINCT FROM wanted.generation";

/// The digests under which ids were accepted before, in the order of `keys`, and those of the
/// guards that no longer hold.
async fn look(
    link: &mut Link<'_>,
    keys: &[(AccountNumber, MessageId)],
    guards: &[Guard],
) -> Result<(Vec<Option<MessageDigest>>, HashSet<Guard>), StoreError> {
    let (mut rosters, mut conversations) = (Vec::new(), Vec::new());
    for guard in guards {
        match guard {
            Guard::Roster { account, generation } => rosters.push((account.0, *generation)),
            Guard::Conversation { conversation, generation } => {
                conversations.push((conversation.0, *generation));
            }
        }
    }
    let rows = query(LOOK)
        .bind(numbers(keys, |(sender, _)| sender.0))
        .bind(blobs(keys, |(_, id)| id.as_bytes()))
        .bind(numbers(&rosters, |guard| guard.0))
        .bind(numbers(&rosters, |guard| guard.1))
        .bind(numbers(&conversations, |guard| guard.0))
        .bind(numbers(&conversations, |guard| guard.1))
        .bind(SHARDS)
        .fetch_all(link)
        .await
        .map_err(during("looking for repeated messages and changed rosters"))?;
    let (mut seen, mut moved) = (vec![None; keys.len()], HashSet::new());
    for row in &rows {
        let place = place(row)?;
        match value::<i64>(row, "kind")? {
            0 => *at(&mut seen, place)? = Some(MessageDigest(array(row, "digest")?)),
            1 => {
                let (account, generation) = *at(&mut rosters, place)?;
                moved.insert(Guard::Roster { account: AccountNumber(account), generation });
            }
            _ => {
                let (conversation, generation) = *at(&mut conversations, place)?;
                let conversation = ConversationNumber(conversation);
                moved.insert(Guard::Conversation { conversation, generation });
            }
        }
    }
    Ok((seen, moved))
}

/// Places are counted from 1.
fn place(row: &PgRow) -> Result<usize, StoreError> {
    usize::try_from(value::<i64>(row, "place")? - 1).map_err(|_| MISPLACED)
}

fn at<T>(list: &mut [T], place: usize) -> Result<&mut T, StoreError> {
    list.get_mut(place).ok_or(MISPLACED)
}

const MISPLACED: StoreError = StoreError::Corrupt { column: "place" };

/// The digests under which ids were accepted before, in the order of `keys`.
pub(super) async fn seen_digests(
    link: &mut Link<'_>,
    keys: impl Iterator<Item = (AccountNumber, MessageId)>,
) -> Result<Vec<Option<MessageDigest>>, StoreError> {
    let keys: Vec<_> = keys.collect();
    Ok(look(link, &keys, &[]).await?.0)
}

/// Whether all of these guards hold.
pub(super) async fn holds(link: &mut Link<'_>, guards: &[Guard]) -> Result<bool, StoreError> {
    Ok(look(link, &[], guards).await?.1.is_empty())
}

/// Numbers first, so that everything else can refer to them by the messages' places.
pub(super) const STORE: &str = "
    WITH numbers AS MATERIALIZED (
        SELECT ARRAY(SELECT nextval('message_numbers') FROM generate_series(1, $1)) AS list
    ), ids AS (
        INSERT INTO seen_messages (shard, sender, message_id, digest, accepted_at)
        SELECT sender % $18, sender, message_id, digest, accepted_at
        FROM unnest($2::bigint[], $3::bytea[], $4::bytea[], $5::bigint[])
            AS it (sender, message_id, digest, accepted_at)
    ), bodies AS (
        INSERT INTO payloads (shard, number, sender_account, sender_session, conversation,
            message_id, category, accepted_at, expires_at, details, waiting, body)
        SELECT home, (SELECT list FROM numbers)[place], sender, sender_session, conversation,
            message_id, category, accepted_at, expires_at, details, waiting, body
        FROM unnest($6::bigint[], $7::bigint[], $2::bigint[], $8::bigint[], $9::bigint[],
                $3::bytea[], $10::text[], $5::bigint[], $11::bigint[], $12::bytea[],
                $13::bytea[], $14::bytea[])
            AS it (home, place, sender, sender_session, conversation, message_id, category,
                accepted_at, expires_at, details, waiting, body)
    ), slots AS (
        INSERT INTO inbox (shard, session, number, home, slot)
        SELECT shard, session, (SELECT list FROM numbers)[place], home, slot
        FROM unnest($15::bigint[], $16::bigint[], $17::bigint[], $19::bigint[], $20::bytea[])
            AS it (shard, session, place, home, slot)
    )
    SELECT list FROM numbers";

/// A message at its place, counted from 1, among those that are stored with it.
struct Placed<'a> {
    place: i64,
    home: Shard,
    it: &'a Prepared,
}

async fn store(link: &mut Link<'_>, messages: &[&Prepared]) -> Result<Vec<i64>, StoreError> {
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    let mut placed: Vec<Placed<'_>> =
        (1..).zip(messages).map(|(place, it)| Placed { place, home: home_of(it), it }).collect();
    let slots = placed.iter().flat_map(|Placed { place, home, it }| {
        it.message.slots.iter().map(|slot| (*place, *home, slot))
    });
    // In the order of their keys, so that rows of one inbox go to one page of the tree.
    let mut slots: Vec<(i64, Shard, &Slot)> = slots.collect();
    slots.sort_unstable_by_key(|(place, _, slot)| (slot.shard, slot.session, *place));
    // In the order of the ids' key, so that two groups with the same ids do not lock each other.
    placed.sort_unstable_by_key(|Placed { it, .. }| {
        let message = &it.message;
        (message.sender.shard(), message.sender, message.message_id)
    });
    let row = query(STORE)
        .bind(i64::try_from(placed.len()).unwrap_or(i64::MAX))
        .bind(numbers(&placed, |at| at.it.message.sender.0))
        .bind(blobs(&placed, |at| at.it.message.message_id.as_bytes()))
        .bind(blobs(&placed, |at| &at.it.message.digest.0))
        .bind(numbers(&placed, |at| at.it.message.accepted_at.as_micros()))
        .bind(numbers(&placed, |at| at.home.0))
        .bind(numbers(&placed, |at| at.place))
        .bind(numbers(&placed, |at| at.it.message.sender_session.0))
        .bind(numbers(&placed, |at| at.it.message.conversation.0))
        .bind(texts(&placed, |at| at.it.message.category.as_str()))
        .bind(numbers(&placed, |at| at.it.message.expires_at.as_micros()))
        .bind(blobs(&placed, |at| &at.it.details))
        .bind(blobs(&placed, |at| &at.it.waiting))
        .bind(blobs(&placed, |at| &at.it.message.body))
        .bind(numbers(&slots, |(_, _, slot)| slot.shard.0))
        .bind(numbers(&slots, |(_, _, slot)| slot.session.0))
        .bind(numbers(&slots, |(place, ..)| *place))
        .bind(SHARDS)
        .bind(numbers(&slots, |(_, home, _)| home.0))
        .bind(blobs(&slots, |(_, _, slot)| &slot.bytes))
        .fetch_one(link)
        .await
        .map_err(during("storing messages"))
        .map_err(|error| if error.met_its_like() { MET_SAME_ID } else { error })?;
    value(&row, "list")
}

pub(super) const ADD_SLOTS: &str = "
    INSERT INTO inbox (shard, session, number, home, slot)
    SELECT shard, session, $3, $4, slot
    FROM unnest($1::bigint[], $2::bigint[], $5::bytea[]) AS it (shard, session, slot)";

/// Inserts rows of a message that was stored before.
pub(super) async fn insert_slots(
    link: &mut Link<'_>,
    home: Shard,
    number: i64,
    slots: &[Slot],
) -> Result<(), StoreError> {
    let insert = query(ADD_SLOTS)
        .bind(numbers(slots, |slot| slot.shard.0))
        .bind(numbers(slots, |slot| slot.session.0))
        .bind(number)
        .bind(home.0)
        .bind(blobs(slots, |slot| &slot.bytes));
    insert.execute(link).await.map_err(during("storing slots"))?;
    Ok(())
}

/// The shard where a message's payload is.
fn home_of(it: &Prepared) -> Shard {
    it.message.slots.first().map_or(Shard(0), |slot| slot.shard)
}

/// Whoever looks again finds the id.
const MET_SAME_ID: StoreError = StoreError::MetAnother { doing: "storing message ids" };
