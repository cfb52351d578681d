//! The statement that stores a group of messages, in every table.

use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query;
use sqlx::query::Query;

use super::super::columns::{blobs, numbers, texts};
use super::super::link::Link;
use super::super::rows::value;
use super::super::seen::Look;
use super::{Guards, home_of};
use crate::domain::ids::{SHARDS, Shard};
use crate::domain::inbox::Slot;
use crate::storage::acceptance::Prepared;
use crate::storage::error::{StoreError, during};

/// The statement, with what it looks at first and on which further condition it does anything: the
/// era has to be open in any case ([`super::super::seen`]).
///
/// Numbers first, so that everything else can refer to them by the messages' places: without
/// numbers nothing is stored.
macro_rules! store {
    ($look:literal, $condition:literal) => {
        concat!(
            "WITH ",
            $look,
            "numbers AS MATERIALIZED (
                SELECT ARRAY(SELECT nextval('message_numbers') FROM generate_series(1, $1)) AS list
                WHERE seen_era_is_open($21)",
            $condition,
            "), ids AS (
                INSERT INTO seen_messages (shard, era, sender, message_id, digest, accepted_at)
                SELECT sender % $18, $21, sender, message_id, digest, accepted_at
                FROM numbers, unnest($2::bigint[], $3::bytea[], $4::bytea[], $5::bigint[])
                    AS it (sender, message_id, digest, accepted_at)
            ), bodies AS (
                INSERT INTO payloads (shard, number, sender_account, sender_session, conversation,
                    message_id, category, accepted_at, expires_at, details, waiting, body)
                SELECT home, list[place], sender, sender_session, conversation,
                    message_id, category, accepted_at, expires_at, details, waiting, body
                FROM numbers, unnest($6::bigint[], $7::bigint[], $2::bigint[], $8::bigint[],
                        $9::bigint[], $3::bytea[], $10::text[], $5::bigint[], $11::bigint[],
                        $12::bytea[], $13::bytea[], $14::bytea[])
                    AS it (home, place, sender, sender_session, conversation, message_id, category,
                        accepted_at, expires_at, details, waiting, body)
            ), slots AS (
                INSERT INTO inbox (shard, session, number, home, slot)
                SELECT shard, session, list[place], home, slot
                FROM numbers, unnest($15::bigint[], $16::bigint[], $17::bigint[], $19::bigint[],
                        $20::bytea[])
                    AS it (shard, session, place, home, slot)
            )
            SELECT list FROM numbers"
        )
    };
}

/// Messages of which all is known.
pub(in crate::storage::postgres) const STORE: &str = store!("", "");

/// Messages that are taken for new: nothing is stored when an id is on file or a guard does not
/// hold. Each is looked up by its key, whatever the tables' statistics say: a plan is kept while the
/// tables grow.
pub(in crate::storage::postgres) const STORE_NEW: &str = store!(
    "found AS MATERIALIZED (
        SELECT 1
        FROM unnest($26::bigint[], $27::bytea[], $28::bigint[]) AS wanted (sender, message_id, era)
        CROSS JOIN LATERAL (
            SELECT 1 FROM seen_messages
            WHERE shard = wanted.sender % $18 AND era = wanted.era AND sender = wanted.sender
                AND message_id = wanted.message_id
            LIMIT 1
        ) AS seen
        UNION ALL
        SELECT 1 FROM unnest($22::bigint[], $23::bigint[]) AS wanted (number, generation)
        WHERE (SELECT roster_generation FROM accounts WHERE number = wanted.number)
            IS DISTINCT FROM wanted.generation
        UNION ALL
        SELECT 1 FROM unnest($24::bigint[], $25::bigint[]) AS wanted (number, generation)
        WHERE (SELECT generation FROM conversations WHERE number = wanted.number)
            IS DISTINCT FROM wanted.generation
    ), ",
    " AND NOT EXISTS (SELECT FROM found)"
);

/// Stores messages if the era is open; returns their numbers then.
pub(super) async fn store(
    link: &mut Link<'_>,
    messages: &[&Prepared],
    era: i64,
) -> Result<Option<Vec<i64>>, StoreError> {
    let row = bound(STORE, messages, era).fetch_optional(link).await.map_err(failed)?;
    row.map(|row| value(&row, "list")).transpose()
}

/// Stores messages if the era is open, all of them are new and all guards hold; returns their numbers
/// then.
pub(super) async fn store_new(
    link: &mut Link<'_>,
    messages: &[&Prepared],
    era: i64,
    looks: &[Look],
    guards: &Guards,
) -> Result<Option<Vec<i64>>, StoreError> {
    let row = bound(STORE_NEW, messages, era)
        .bind(numbers(&guards.rosters, |guard| guard.0))
        .bind(numbers(&guards.rosters, |guard| guard.1))
        .bind(numbers(&guards.conversations, |guard| guard.0))
        .bind(numbers(&guards.conversations, |guard| guard.1))
        .bind(numbers(looks, |look| look.sender.0))
        .bind(blobs(looks, |look| look.id.as_bytes()))
        .bind(numbers(looks, |look| look.era))
        .fetch_optional(link)
        .await
        .map_err(failed)?;
    row.map(|row| value(&row, "list")).transpose()
}

/// A message at its place, counted from 1, among those that are stored with it.
struct Placed<'a> {
    place: i64,
    home: Shard,
    it: &'a Prepared,
}

/// The statement with what all of its kind are bound to.
fn bound(
    statement: &'static str,
    messages: &[&Prepared],
    era: i64,
) -> Query<'static, Postgres, PgArguments> {
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
    query(statement)
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
        .bind(era)
}

fn failed(error: sqlx::Error) -> StoreError {
    let error = during("storing messages")(error);
    if error.met_its_like() { MET_SAME_ID } else { error }
}

/// Whoever looks again finds the id.
const MET_SAME_ID: StoreError = StoreError::MetAnother { doing: "storing message ids" };
