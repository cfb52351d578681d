//! Storing messages: the messages of a whole group share their statements.
//!
//! Nearly always all of them are new and there is room for them: [`expect_new`]. Then one statement
//! looks at ids and guards and, when nothing speaks against it, numbers and stores all of them, in
//! every table: one trip to the server for a whole group.
//!
//! Otherwise two looks come first, which lock nothing: at ids and guards, and at the room in inboxes
//! unless that is remembered. They [`decide`] what becomes of each message, and then one statement
//! stores all that is to be stored. Each statement sees what is committed when it begins, inside a
//! transaction as outside, so a group of which nothing else is asked needs none around it.
//!
//! What may happen between a look and the writing:
//! * Another writer, here or elsewhere, stores a message under the same id. The key of
//!   `seen_messages` lets only one of them: the other group is undone and looks again. Ids are
//!   stored in the order of that key, so that two groups do not wait for each other.
//! * The era that takes ids is closed ([`super::seen`]): then nothing is stored, and the group begins
//!   anew.
//! * A roster or a conversation changes. The message counts as sent before the change: it was
//!   accepted while the change was on its way. If a session was replaced, its successor is told
//!   what lies in the old inbox ([`super::clear`]).
//! * An inbox fills up: [`super::rooms`] says how far.

pub(super) mod storing;

use std::sync::Arc;

use sqlx::postgres::PgRow;
use sqlx::query;

use super::columns::{blobs, numbers};
use super::link::Link;
use super::rooms::{Rooms, View};
use super::rows::{array, value};
use super::seen::{Eras, Filters, Seen};
use super::top_ups;
use crate::domain::ids::{AccountNumber, ConversationNumber, MessageId, SHARDS, Shard};
use crate::domain::inbox::{Accepted, Guard, Intake, MessageDigest, Slot};
use crate::storage::acceptance::{AcceptJob, Prepared, answer, distinct_guards, judge};
use crate::storage::error::{StoreError, during};
use crate::storage::own::OwnSet;

/// What is to become of the messages of a group.
pub(super) struct Decided<'a> {
    jobs: &'a [&'a AcceptJob],
    /// Those in which ids were looked for.
    eras: Arc<Eras>,
    verdicts: Vec<Option<Accepted>>,
    good: Vec<&'a Prepared>,
    view: View,
}

/// Looks what is to become of these messages.
pub(super) async fn decide<'a>(
    link: &mut Link<'_>,
    rooms: &Rooms,
    seen: &Seen,
    jobs: &'a [&'a AcceptJob],
) -> Result<Decided<'a>, StoreError> {
    let messages = messages_of(jobs);
    if messages.is_empty() {
        let (verdicts, good, view) = (Vec::new(), Vec::new(), View::default());
        let eras = seen.eras();
        return Ok(Decided { jobs, eras, verdicts, good, view });
    }
    let guards = Guards::of(&messages);
    let Looked { eras, digests, moved } = look(link, seen, &names_of(&messages), &guards).await?;
    let view = rooms.look(link, messages.iter().map(|it| Intake::of(&it.message))).await?;
    Ok(Decided::of(jobs, eras, messages, &digests, &moved, view))
}

/// Takes these messages for new: nobody has looked at ids and guards. Nothing when something is
/// known to stand against that, or when there is more to do than to store them.
pub(super) fn expect_new<'a>(
    rooms: &Rooms,
    eras: Arc<Eras>,
    jobs: &'a [&'a AcceptJob],
) -> Option<Decided<'a>> {
    let messages = messages_of(jobs);
    let view = rooms.known(messages.iter().map(|it| Intake::of(&it.message)))?;
    let unseen = vec![None; messages.len()];
    let decided = Decided::of(jobs, eras, messages, &unseen, &OwnSet::default(), view);
    let all_are_good = !decided.good.is_empty() && decided.good.len() == decided.verdicts.len();
    (all_are_good && decided.is_plain()).then_some(decided)
}

fn messages_of<'a>(jobs: &'a [&'a AcceptJob]) -> Vec<&'a Prepared> {
    jobs.iter().flat_map(|job| &job.messages).collect()
}

/// What an id is found by, for each of the messages.
fn names_of(messages: &[&Prepared]) -> Vec<(AccountNumber, MessageId)> {
    messages.iter().map(|it| (it.message.sender, it.message.message_id)).collect()
}

impl<'a> Decided<'a> {
    fn of(
        jobs: &'a [&'a AcceptJob],
        eras: Arc<Eras>,
        messages: Vec<&'a Prepared>,
        seen: &[Option<MessageDigest>],
        moved: &OwnSet<Guard>,
        mut view: View,
    ) -> Self {
        let verdicts = judge(&messages, seen, moved, |intake| view.take(intake));
        let good = messages.into_iter().zip(&verdicts).filter(|(_, verdict)| verdict.is_none());
        let good = good.map(|(message, _)| message).collect();
        Self { jobs, eras, verdicts, good, view }
    }

    /// Whether one statement is all that there is to do.
    pub(super) fn is_plain(&self) -> bool {
        !self.view.is_crowded() && self.good.iter().all(|it| it.message.top_up.is_none())
    }

    /// Stores what is to be stored, in one statement; returns the numbers.
    ///
    /// # Errors
    /// Among others, when the era of ids was closed meanwhile: it has to be decided anew.
    pub(super) async fn store(
        &self,
        link: &mut Link<'_>,
        seen: &Seen,
    ) -> Result<Vec<i64>, StoreError> {
        if self.good.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(numbers) = storing::store(link, &self.good, self.eras.open()).await? {
            return Ok(numbers);
        }
        seen.refresh(link, Filters::Known).await?;
        Err(StoreError::MetAnother { doing: "storing message ids" })
    }

    /// Stores messages that were [taken for new](expect_new), in one statement; returns the
    /// numbers, or nothing when an id is on file, a guard does not hold or the era of ids is closed:
    /// then nothing is stored.
    pub(super) async fn store_new(
        &self,
        link: &mut Link<'_>,
    ) -> Result<Option<Vec<i64>>, StoreError> {
        let looks = self.eras.looks(names_of(&self.good).into_iter());
        let guards = Guards::of(&self.good);
        storing::store_new(link, &self.good, self.eras.open(), &looks, &guards).await
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
    pub(super) fn finish(self, rooms: &Rooms, seen: &Seen, numbers: Vec<i64>) {
        seen.took(self.eras.open(), numbers.len());
        answer(self.jobs, self.verdicts, numbers.into_iter());
        rooms.remember(self.view);
    }
}

/// Ids that are on file, guards that do not hold, and whether the era that is taken for the open one is
/// not. Each is looked up by its key, whatever the tables' statistics say: a plan is kept while the
/// tables grow.
pub(super) const LOOK: &str = "
    SELECT 0::bigint AS kind, wanted.place, seen.digest
    FROM unnest($1::bigint[], $2::bytea[], $8::bigint[], $9::bigint[])
        AS wanted (sender, message_id, era, place)
    CROSS JOIN LATERAL (
        SELECT digest FROM seen_messages
        WHERE shard = wanted.sender % $7 AND era = wanted.era AND sender = wanted.sender
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
        IS DISTINCT FROM wanted.generation
    UNION ALL
    SELECT 3, 1, NULL
    WHERE cardinality($1::bigint[]) > 0
        AND NOT EXISTS (SELECT FROM seen_eras WHERE era = $10 AND is_closed = 0)";

/// What has to hold for messages to be stored: rosters and conversations with their generations.
struct Guards {
    rosters: Vec<(i64, i64)>,
    conversations: Vec<(i64, i64)>,
}

impl Guards {
    fn of(messages: &[&Prepared]) -> Self {
        Self::from(distinct_guards(messages).into_iter())
    }

    fn from(guards: impl Iterator<Item = Guard>) -> Self {
        let (mut rosters, mut conversations) = (Vec::new(), Vec::new());
        for guard in guards {
            match guard {
                Guard::Roster { account, generation } => rosters.push((account.0, generation)),
                Guard::Conversation { conversation, generation } => {
                    conversations.push((conversation.0, generation));
                }
            }
        }
        Self { rosters, conversations }
    }
}

/// What a look found.
struct Looked {
    /// Those in which ids were looked for.
    eras: Arc<Eras>,
    /// The digests under which ids were accepted before, in the order of the names.
    digests: Vec<Option<MessageDigest>>,
    /// The guards that no longer hold.
    moved: OwnSet<Guard>,
}

/// How often a look is repeated because the era was closed.
const LOOKS: u32 = 4;

async fn look(
    link: &mut Link<'_>,
    seen: &Seen,
    names: &[(AccountNumber, MessageId)],
    guards: &Guards,
) -> Result<Looked, StoreError> {
    for _ in 0..LOOKS {
        if let Some(looked) = look_once(link, seen.eras(), names, guards).await? {
            return Ok(looked);
        }
        seen.refresh(link, Filters::Known).await?;
    }
    Err(StoreError::MetAnother { doing: "looking for repeated messages" })
}

/// Nothing, when the era that is taken for the open one is not.
async fn look_once(
    link: &mut Link<'_>,
    eras: Arc<Eras>,
    names: &[(AccountNumber, MessageId)],
    guards: &Guards,
) -> Result<Option<Looked>, StoreError> {
    let looks = eras.looks(names.iter().copied());
    let rows = query(LOOK)
        .bind(numbers(&looks, |look| look.sender.0))
        .bind(blobs(&looks, |look| look.id.as_bytes()))
        .bind(numbers(&guards.rosters, |guard| guard.0))
        .bind(numbers(&guards.rosters, |guard| guard.1))
        .bind(numbers(&guards.conversations, |guard| guard.0))
        .bind(numbers(&guards.conversations, |guard| guard.1))
        .bind(SHARDS)
        .bind(numbers(&looks, |look| look.era))
        .bind(numbers(&looks, |look| look.place))
        .bind(eras.open())
        .fetch_all(link)
        .await
        .map_err(during("looking for repeated messages and changed rosters"))?;
    let (mut digests, mut moved) = (vec![None; names.len()], OwnSet::default());
    for row in &rows {
        let place = place(row)?;
        match value::<i64>(row, "kind")? {
            0 => {
                let digest = digests.get_mut(place).ok_or(MISPLACED)?;
                *digest = Some(MessageDigest(array(row, "digest")?));
            }
            1 => {
                let (account, generation) = *at(&guards.rosters, place)?;
                moved.insert(Guard::Roster { account: AccountNumber(account), generation });
            }
            2 => {
                let (conversation, generation) = *at(&guards.conversations, place)?;
                let conversation = ConversationNumber(conversation);
                moved.insert(Guard::Conversation { conversation, generation });
            }
            _ => return Ok(None),
        }
    }
    Ok(Some(Looked { eras, digests, moved }))
}

/// Places are counted from 1.
fn place(row: &PgRow) -> Result<usize, StoreError> {
    usize::try_from(value::<i64>(row, "place")? - 1).map_err(|_| MISPLACED)
}

fn at<T>(list: &[T], place: usize) -> Result<&T, StoreError> {
    list.get(place).ok_or(MISPLACED)
}

const MISPLACED: StoreError = StoreError::Corrupt { column: "place" };

/// The digests under which ids were accepted before, in the order of `names`.
pub(super) async fn seen_digests(
    link: &mut Link<'_>,
    seen: &Seen,
    names: &[(AccountNumber, MessageId)],
) -> Result<Vec<Option<MessageDigest>>, StoreError> {
    Ok(look(link, seen, names, &Guards::from(std::iter::empty())).await?.digests)
}

/// Whether all of these guards hold.
pub(super) async fn holds(link: &mut Link<'_>, guards: &[Guard]) -> Result<bool, StoreError> {
    let guards = Guards::from(guards.iter().copied());
    Ok(look(link, &Seen::default(), &[], &guards).await?.moved.is_empty())
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
