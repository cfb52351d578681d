//! Messages on their way into a store, and what becomes of each: whatever the database.

use std::collections::HashMap;

use super::batch::Answer;
use super::own::OwnSet;
use super::packed::pack_details;
use crate::domain::ids::Order;
use crate::domain::inbox::{Acceptance, Accepted, Guard, Intake, MessageDigest, Slot};

/// One request's messages.
pub(super) struct AcceptJob {
    pub messages: Vec<Prepared>,
    pub answer: Answer<Vec<Accepted>>,
}

/// A message with its packed columns, which are made before it queues for the writer.
pub(super) struct Prepared {
    pub message: Acceptance,
    pub details: Vec<u8>,
    pub waiting: Vec<u8>,
}

impl AcceptJob {
    /// Prepares messages for the writer; `pack` packs for whom one was stored.
    pub(super) fn new(
        messages: Vec<Acceptance>,
        pack: fn(&[Slot]) -> Vec<u8>,
        answer: Answer<Vec<Accepted>>,
    ) -> Self {
        let prepare = |message: Acceptance| {
            let waiting = pack(&message.slots);
            Prepared { details: pack_details(&message.details), waiting, message }
        };
        Self { messages: messages.into_iter().map(prepare).collect(), answer }
    }

    pub(super) fn cost(&self) -> usize {
        self.messages.iter().map(Prepared::cost).sum()
    }
}

impl Prepared {
    fn cost(&self) -> usize {
        let slots = self.message.slots.iter().map(|slot| slot.bytes.len() + 64);
        512 + self.message.body.len() + slots.sum::<usize>()
    }
}

/// Hands the verdicts back to the jobs; the messages without one were stored under these numbers.
pub(super) fn answer(
    jobs: &[&AcceptJob],
    verdicts: Vec<Option<Accepted>>,
    numbers: impl Iterator<Item = i64>,
) {
    let mut numbers = numbers.map(|number| Accepted::Stored(Order(number)));
    let mut verdicts =
        verdicts.into_iter().filter_map(|verdict| verdict.or_else(|| numbers.next()));
    for job in jobs {
        job.answer.set(verdicts.by_ref().take(job.messages.len()).collect());
    }
}

/// Messages for the same audience share their guards, of which a group has hundreds.
pub(super) fn distinct_guards(messages: &[&Prepared]) -> OwnSet<Guard> {
    let mut lists = OwnSet::default();
    let lists = messages.iter().filter(|it| lists.insert(it.message.guards.as_ptr()));
    lists.flat_map(|it| it.message.guards.iter().copied()).collect()
}

/// What becomes of each message that is not to be stored; `None` for those that are. `seen` are the
/// digests under which their ids were accepted before, `moved` the guards that no longer hold;
/// `take` takes room for a message, or says that there is none.
pub(super) fn judge(
    messages: &[&Prepared],
    seen: &[Option<MessageDigest>],
    moved: &OwnSet<Guard>,
    mut take: impl FnMut(Intake<'_>) -> bool,
) -> Vec<Option<Accepted>> {
    let mut taken = HashMap::with_capacity(messages.len());
    let verdict = |(it, seen): (&&Prepared, &Option<MessageDigest>)| {
        let message = &it.message;
        let key = (message.sender, message.message_id);
        match seen.or_else(|| taken.get(&key).copied()) {
            Some(digest) if digest == message.digest => return Some(Accepted::Duplicate),
            Some(_) => return Some(Accepted::MessageIdUsed),
            None => {}
        }
        if !moved.is_empty() && message.guards.iter().any(|guard| moved.contains(guard)) {
            return Some(Accepted::RosterMoved);
        }
        if !take(Intake::of(message)) {
            return Some(Accepted::Full);
        }
        taken.insert(key, message.digest);
        None
    };
    messages.iter().zip(seen).map(verdict).collect()
}
