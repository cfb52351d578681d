//! What devices were given and have not acknowledged. A device says by its next look that it has
//! what an earlier answer held, but only if that answer was written to its end. What is forgotten
//! here, by a restart or because there is too much, comes again when its lease is over.
//!
//! What comes again says when it was handed out first, as long as that is known here.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::domain::clock::Timestamp;
use crate::domain::ids::{MessageId, SessionNumber, UserId};

/// The messages that are remembered at most.
const MOST: usize = 200_000;

/// The messages of answers that were cut off, of which is remembered when they were handed out.
const MOST_CUT_OFF: usize = 50_000;

/// For how long an answer is remembered.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// Names one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// A message that was handed out, and who had sent it.
pub type Given = (MessageId, UserId);

/// The answers that devices were given.
#[derive(Debug, Default)]
pub struct HandedOut(Mutex<Answers>);

#[derive(Debug, Default)]
struct Answers {
    next: u64,
    /// The oldest first.
    all: BTreeMap<Ticket, Answer>,
    of: HashMap<SessionNumber, Vec<Ticket>>,
    messages: usize,
    /// When messages were handed out first whose answers were cut off.
    cut_off: BTreeMap<(SessionNumber, MessageId), Timestamp>,
}

#[derive(Debug)]
struct Answer {
    session: SessionNumber,
    at: Timestamp,
    given: Vec<Given>,
    /// When those were handed out first that had been before.
    before: HashMap<MessageId, Timestamp>,
    is_written: bool,
}

impl HandedOut {
    /// Notes an answer that is on its way to a device. Returns as well when those of its messages
    /// were handed out first that had been before.
    pub fn note(
        &self,
        session: SessionNumber,
        given: Vec<Given>,
        at: Timestamp,
    ) -> (Ticket, HashMap<MessageId, Timestamp>) {
        let mut answers = self.answers();
        let before = answers.before(session, &given);
        let ticket = Ticket(answers.next);
        answers.next += 1;
        answers.messages += given.len();
        let answer = Answer { session, at, given, before: before.clone(), is_written: false };
        answers.all.insert(ticket, answer);
        answers.of.entry(session).or_default().push(ticket);
        answers.make_room(at.minus(KEPT));
        (ticket, before)
    }

    /// Notes that an answer was written to its end.
    pub fn written(&self, ticket: Ticket) {
        if let Some(answer) = self.answers().all.get_mut(&ticket) {
            answer.is_written = true;
        }
    }

    /// The answers of a device that were written to their end, and what they held.
    #[must_use]
    pub fn that_were_written(&self, session: SessionNumber) -> (Vec<Ticket>, Vec<Given>) {
        let answers = self.answers();
        let tickets = answers.of.get(&session).into_iter().flatten().copied();
        let is_written = |ticket: &Ticket| answers.all.get(ticket).is_some_and(|it| it.is_written);
        let tickets: Vec<_> = tickets.filter(is_written).collect();
        let given = tickets.iter().filter_map(|ticket| answers.all.get(ticket));
        let given = given.flat_map(|answer| answer.given.iter().copied()).collect();
        (tickets, given)
    }

    /// Who had sent what a device was given.
    #[must_use]
    pub fn senders(&self, session: SessionNumber) -> HashMap<MessageId, UserId> {
        let answers = self.answers();
        let tickets = answers.of.get(&session).into_iter().flatten();
        let given = tickets.filter_map(|ticket| answers.all.get(ticket));
        given.flat_map(|answer| answer.given.iter().copied()).collect()
    }

    /// Forgets an answer that was cut off, but not when it was.
    pub fn cut_off(&self, ticket: Ticket) {
        let mut answers = self.answers();
        answers.remember_cut_off(ticket);
        answers.forget(ticket);
    }

    /// Forgets answers.
    pub fn forget(&self, tickets: &[Ticket]) {
        let mut answers = self.answers();
        for ticket in tickets {
            answers.forget(*ticket);
        }
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answers {
    /// When these messages were handed out first, of those that were before.
    fn before(&mut self, session: SessionNumber, given: &[Given]) -> HashMap<MessageId, Timestamp> {
        let mut before = HashMap::new();
        if self.cut_off.is_empty() && !self.of.contains_key(&session) {
            return before;
        }
        let tickets = self.of.get(&session).into_iter().flatten();
        for answer in tickets.filter_map(|ticket| self.all.get(ticket)) {
            let first = |id: &MessageId| *answer.before.get(id).unwrap_or(&answer.at);
            let ids = answer.given.iter().map(|(id, _)| *id);
            // The oldest answer comes first.
            ids.for_each(|id| {
                before.entry(id).or_insert_with(|| first(&id));
            });
        }
        let wanted: HashSet<_> = given.iter().map(|(id, _)| *id).collect();
        before.retain(|id, _| wanted.contains(id));
        for id in wanted {
            if let Some(at) = self.cut_off.remove(&(session, id)) {
                before.insert(id, at);
            }
        }
        before
    }

    fn remember_cut_off(&mut self, ticket: Ticket) {
        let Some(answer) = self.all.get(&ticket) else { return };
        if self.cut_off.len() + answer.given.len() > MOST_CUT_OFF {
            let old = answer.at.minus(KEPT);
            self.cut_off.retain(|_, at| *at > old);
        }
        let room = MOST_CUT_OFF.saturating_sub(self.cut_off.len());
        for (id, _) in answer.given.iter().take(room) {
            let first = *answer.before.get(id).unwrap_or(&answer.at);
            self.cut_off.insert((answer.session, *id), first);
        }
    }

    fn forget(&mut self, ticket: Ticket) {
        let Some(answer) = self.all.remove(&ticket) else { return };
        self.messages -= answer.given.len();
        if let Some(tickets) = self.of.get_mut(&answer.session) {
            tickets.retain(|other| *other != ticket);
            if tickets.is_empty() {
                self.of.remove(&answer.session);
            }
        }
    }

    fn make_room(&mut self, before: Timestamp) {
        while let Some((ticket, oldest)) = self.all.first_key_value()
            && (self.messages > MOST || oldest.at < before)
        {
            self.forget(*ticket);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: SessionNumber = SessionNumber(7);

    fn given(from: u32, count: u32) -> Vec<Given> {
        let id = |number: u32| MessageId::from_uuid(uuid::Uuid::from_u128(number.into()));
        (from..from + count).map(|number| (id(number), UserId::from_bytes([1; 16]))).collect()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn only_what_was_written_to_its_end_counts_and_for_this_device_alone() {
        let handed_out = HandedOut::default();
        let first = handed_out.note(DEVICE, given(0, 2), at(0)).0;
        let second = handed_out.note(DEVICE, given(2, 1), at(0)).0;
        let other = handed_out.note(SessionNumber(8), given(3, 1), at(0)).0;
        assert_eq!(handed_out.that_were_written(DEVICE).1, []);
        handed_out.written(first);
        handed_out.written(other);
        assert_eq!(handed_out.that_were_written(DEVICE), (vec![first], given(0, 2)));
        assert_eq!(handed_out.senders(DEVICE).len(), 3);
        handed_out.forget(&[first, second]);
        handed_out.written(second);
        assert_eq!(handed_out.that_were_written(DEVICE).1, []);
        assert!(handed_out.senders(DEVICE).is_empty());
    }

    #[test]
    fn the_oldest_is_forgotten_when_there_is_too_much_or_it_is_too_old() {
        let handed_out = HandedOut::default();
        let most = u32::try_from(MOST).unwrap();
        handed_out.written(handed_out.note(DEVICE, given(0, 1), at(0)).0);
        handed_out.written(handed_out.note(DEVICE, given(1, most), at(0)).0);
        assert_eq!(handed_out.that_were_written(DEVICE).1.len(), MOST);
        let day = i64::try_from(KEPT.as_secs()).unwrap();
        let young = handed_out.note(DEVICE, given(0, 1), at(day + 1)).0;
        handed_out.written(young);
        assert_eq!(handed_out.that_were_written(DEVICE).0, [young]);
    }

    #[test]
    fn what_comes_again_says_when_it_was_handed_out_first() {
        let handed_out = HandedOut::default();
        let note = |from, seconds| handed_out.note(DEVICE, given(from, 2), at(seconds));
        let times = |before: &HashMap<MessageId, Timestamp>| {
            let mut times: Vec<_> = before.values().copied().collect();
            times.sort_unstable();
            times
        };
        let (first, before) = note(0, 1);
        assert!(before.is_empty());
        handed_out.cut_off(first);
        let (second, before) = note(1, 2);
        assert_eq!(times(&before), [at(1)], "the other one is new");
        let (third, before) = note(1, 3);
        assert_eq!(times(&before), [at(1), at(2)], "an answer that is on its way counts");
        handed_out.cut_off(third);
        handed_out.forget(&[second]);
        assert_eq!(times(&note(1, 4).1), [at(1), at(2)]);
        assert_eq!(times(&note(0, 5).1), [at(1), at(1)], "all that was cut off is remembered");
        let other = handed_out.note(SessionNumber(8), given(0, 2), at(6)).1;
        assert!(other.is_empty(), "another device was not given it");
    }
}
