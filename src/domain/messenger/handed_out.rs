//! What devices were given and have not acknowledged. A device says by its next look that it has
//! what an earlier answer held, but only if that answer was written to its end, and if nothing speaks
//! for its having been lost behind that: a client that looks again over the same connection has read
//! what came over it, and so has one that hung up as one does after reading. From a client that
//! looks again over another connection nothing follows; what it was given comes again when its lease
//! is over, once. What is forgotten here, by a restart or because there is too much, comes again as
//! well.
//!
//! What comes again says when it was handed out first, as long as that is known here.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::domain::clock::Timestamp;
use crate::domain::ids::{MessageId, SessionNumber, UserId};
use crate::domain::line::Line;

/// The messages that are remembered at most.
const MOST: usize = 500_000;

/// The messages of answers that were cut off, of which is remembered when they were handed out.
const MOST_CUT_OFF: usize = 50_000;

/// For how long an answer is remembered.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// Names one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// A message that was handed out, and who had sent it.
pub type Given = (MessageId, UserId);

/// How a look for messages came.
#[derive(Clone, Debug)]
pub struct Way {
    /// Over which connection, unless that is unknown, or shared with others.
    pub line: Option<Line>,
    /// When.
    pub at: Timestamp,
}

/// The answers that devices were given.
#[derive(Debug)]
pub struct HandedOut(Mutex<Answers>);

impl Default for HandedOut {
    fn default() -> Self {
        Self::for_messages(MOST)
    }
}

#[derive(Debug)]
struct Answers {
    most: usize,
    next: u64,
    /// The oldest first.
    all: BTreeMap<Ticket, Answer>,
    of: HashMap<SessionNumber, Vec<Ticket>>,
    messages: usize,
    /// When messages were handed out first whose answers were cut off.
    cut_off: BTreeMap<(SessionNumber, MessageId), Timestamp>,
    /// Picks what is forgotten.
    dice: u64,
}

#[derive(Debug)]
struct Answer {
    session: SessionNumber,
    way: Way,
    given: Vec<Given>,
    /// When those were handed out first that had been before.
    before: HashMap<MessageId, Timestamp>,
    written_at: Option<Timestamp>,
}

impl Answer {
    /// When a message of it was handed out first.
    fn first(&self, id: &MessageId) -> Timestamp {
        *self.before.get(id).unwrap_or(&self.way.at)
    }

    /// Whether whoever looks that way has read this answer, as far as that can be known.
    fn was_read(&self, way: &Way) -> bool {
        match &self.way.line {
            None => true,
            Some(line) => way.line.as_ref() == Some(line) || line.has_ended_well(),
        }
    }
}

impl HandedOut {
    /// Remembers at most so many messages.
    fn for_messages(most: usize) -> Self {
        let (all, of, cut_off) = (BTreeMap::new(), HashMap::new(), BTreeMap::new());
        Self(Mutex::new(Answers { most, next: 0, all, of, messages: 0, cut_off, dice: 0 }))
    }

    /// Notes an answer that is on its way to a device that looked that way. Returns as well when
    /// those of its messages were handed out first that had been before.
    pub fn note(
        &self,
        session: SessionNumber,
        given: Vec<Given>,
        way: Way,
    ) -> (Ticket, HashMap<MessageId, Timestamp>) {
        let mut answers = self.answers();
        let before = answers.before(session, &given);
        let ticket = Ticket(answers.next);
        answers.next += 1;
        answers.messages += given.len();
        let old = way.at.minus(KEPT);
        let answer = Answer { session, way, given, before: before.clone(), written_at: None };
        answers.all.insert(ticket, answer);
        answers.of.entry(session).or_default().push(ticket);
        answers.make_room(old);
        (ticket, before)
    }

    /// Notes that an answer was written to its end.
    pub fn written(&self, ticket: Ticket, at: Timestamp) {
        if let Some(answer) = self.answers().all.get_mut(&ticket) {
            answer.written_at = Some(at);
        }
    }

    /// What a device has, as it tells by looking that way: what was in an answer that was read, or
    /// that was written twice, before the look came.
    #[must_use]
    pub fn read_by(&self, session: SessionNumber, way: &Way) -> Vec<Given> {
        let answers = self.answers();
        let written = answers
            .of_device(session)
            .filter(|answer| answer.written_at.is_some_and(|written_at| written_at <= way.at));
        let (mut once, mut read) = (HashSet::new(), HashMap::new());
        for answer in written {
            let was_read = answer.was_read(way);
            for (message, sender) in &answer.given {
                if was_read || !once.insert(*message) {
                    read.insert(*message, *sender);
                }
            }
        }
        read.into_iter().collect()
    }

    /// Who had sent what a device was given.
    #[must_use]
    pub fn senders(&self, session: SessionNumber) -> HashMap<MessageId, UserId> {
        let answers = self.answers();
        answers.of_device(session).flat_map(|answer| answer.given.iter().copied()).collect()
    }

    /// Forgets messages that a device has taken.
    pub fn taken(&self, session: SessionNumber, messages: &HashSet<MessageId>) {
        let mut answers = self.answers();
        for ticket in answers.of.get(&session).cloned().unwrap_or_default() {
            let Some(answer) = answers.all.get_mut(&ticket) else { continue };
            let before = answer.given.len();
            answer.given.retain(|(message, _)| !messages.contains(message));
            let (left, gone) = (answer.given.len(), before - answer.given.len());
            answers.messages -= gone;
            if left == 0 {
                answers.forget(ticket);
            }
        }
    }

    /// Forgets an answer that was cut off, but not when it was.
    pub fn cut_off(&self, ticket: Ticket) {
        let mut answers = self.answers();
        answers.remember_cut_off(ticket);
        answers.forget(ticket);
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answers {
    fn of_device(&self, session: SessionNumber) -> impl Iterator<Item = &Answer> {
        let tickets = self.of.get(&session).into_iter().flatten();
        tickets.filter_map(|ticket| self.all.get(ticket))
    }

    /// When these messages were handed out first, of those that were before.
    fn before(&mut self, session: SessionNumber, given: &[Given]) -> HashMap<MessageId, Timestamp> {
        let mut before = HashMap::new();
        if self.cut_off.is_empty() && !self.of.contains_key(&session) {
            return before;
        }
        // The oldest answer comes first.
        for answer in self.of_device(session) {
            for (id, _) in &answer.given {
                before.entry(*id).or_insert_with(|| answer.first(id));
            }
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
            let old = answer.way.at.minus(KEPT);
            self.cut_off.retain(|_, at| *at > old);
        }
        let room = MOST_CUT_OFF.saturating_sub(self.cut_off.len());
        for (id, _) in answer.given.iter().take(room) {
            self.cut_off.insert((answer.session, *id), answer.first(id));
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
            && oldest.way.at < before
        {
            self.forget(*ticket);
        }
        while self.messages > self.most
            && let Some(ticket) = self.superfluous()
        {
            self.forget(ticket);
        }
    }

    /// Which of too many is forgotten. Were it the oldest, that would always be the one whose device
    /// looks next, and nobody would get on; so it is the newest, and those before it get their turn.
    /// Now and then it is any of them, or devices that never look again would keep all places.
    fn superfluous(&mut self) -> Option<Ticket> {
        let Ticket(first) = *self.all.first_key_value()?.0;
        let Ticket(last) = *self.all.last_key_value()?.0;
        // Numbers that follow from each other, and look as if they did not (Knuth's MMIX).
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005);
        self.dice = self.dice.wrapping_add(1_442_695_040_888_963_407);
        let (is_any, place) = (self.dice >> 60 == 0, (self.dice >> 20) % (last - first + 1));
        let from = Ticket(if is_any { first + place } else { last });
        self.all.range(from..).next().map(|(ticket, _)| *ticket)
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

    fn way(seconds: i64) -> Way {
        Way { line: None, at: at(seconds) }
    }

    fn over(line: &Line) -> Way {
        Way { line: Some(line.clone()), at: at(0) }
    }

    fn read_by(handed_out: &HandedOut, session: SessionNumber, way: &Way) -> Vec<Given> {
        let mut read = handed_out.read_by(session, way);
        read.sort_unstable_by_key(|(message, _)| *message.as_bytes());
        read
    }

    fn ids(given: &[Given]) -> HashSet<MessageId> {
        given.iter().map(|(message, _)| *message).collect()
    }

    #[test]
    fn only_what_was_written_to_its_end_counts_and_for_this_device_alone() {
        let handed_out = HandedOut::default();
        let first = handed_out.note(DEVICE, given(0, 2), way(0)).0;
        let second = handed_out.note(DEVICE, given(2, 1), way(0)).0;
        let other = handed_out.note(SessionNumber(8), given(3, 1), way(0)).0;
        assert_eq!(read_by(&handed_out, DEVICE, &way(0)), []);
        handed_out.written(first, at(1));
        handed_out.written(other, at(1));
        assert_eq!(read_by(&handed_out, DEVICE, &way(0)), [], "it looked before");
        assert_eq!(read_by(&handed_out, DEVICE, &way(1)), given(0, 2));
        assert_eq!(handed_out.senders(DEVICE).len(), 3);
        handed_out.taken(DEVICE, &ids(&given(0, 1)));
        assert_eq!(read_by(&handed_out, DEVICE, &way(1)), given(1, 1));
        handed_out.taken(DEVICE, &ids(&given(1, 1)));
        handed_out.cut_off(second);
        handed_out.written(second, at(1));
        assert_eq!(read_by(&handed_out, DEVICE, &way(1)), []);
        assert!(handed_out.senders(DEVICE).is_empty());
        assert_eq!(handed_out.answers().messages, 1);
    }

    #[test]
    fn over_another_connection_it_counts_when_the_first_ended_well_or_it_came_twice() {
        let handed_out = HandedOut::default();
        let (one, other) = (Line::default(), Line::default());
        let note = |from, count, line| {
            let ticket = handed_out.note(DEVICE, given(from, count), over(line)).0;
            handed_out.written(ticket, at(0));
        };
        note(0, 2, &one);
        assert_eq!(read_by(&handed_out, DEVICE, &over(&other)), []);
        assert_eq!(read_by(&handed_out, DEVICE, &way(0)), []);
        assert_eq!(read_by(&handed_out, DEVICE, &over(&one)), given(0, 2));
        note(1, 2, &other);
        assert_eq!(read_by(&handed_out, DEVICE, &way(0)), given(1, 1), "it came twice");
        one.end_well();
        assert_eq!(read_by(&handed_out, DEVICE, &way(0)), given(0, 2));
    }

    #[test]
    fn answers_are_forgotten_in_time() {
        let handed_out = HandedOut::default();
        handed_out.note(DEVICE, given(0, 1), way(0));
        let day = i64::try_from(KEPT.as_secs()).unwrap();
        handed_out.note(DEVICE, given(1, 1), way(day + 1));
        assert_eq!(handed_out.senders(DEVICE).len(), 1);
    }

    #[test]
    fn everybody_gets_on_however_many_there_are() {
        let handed_out = HandedOut::for_messages(200);
        // Three times as much as there is room for, always in the same order.
        let devices: Vec<_> = (0..60).map(SessionNumber).collect();
        let mut waits: HashSet<_> = devices.iter().copied().collect();
        for round in 0..300 {
            let mut found = 0;
            for device in &devices {
                let read = handed_out.read_by(*device, &way(0));
                if !read.is_empty() {
                    waits.remove(device);
                    found += 1;
                }
                handed_out.taken(*device, &ids(&read));
                let ticket = handed_out.note(*device, given(0, 10), way(0)).0;
                handed_out.written(ticket, at(0));
            }
            assert!(handed_out.answers().messages <= 200);
            assert!(round == 0 || found >= 10, "{found} in round {round}");
        }
        assert_eq!(waits, HashSet::new());
    }

    #[test]
    fn what_comes_again_says_when_it_was_handed_out_first() {
        let handed_out = HandedOut::default();
        let note = |from, seconds| handed_out.note(DEVICE, given(from, 2), way(seconds));
        let times = |before: &HashMap<MessageId, Timestamp>| {
            let mut times: Vec<_> = before.values().copied().collect();
            times.sort_unstable();
            times
        };
        let (first, before) = note(0, 1);
        assert!(before.is_empty());
        handed_out.cut_off(first);
        let (_, before) = note(1, 2);
        assert_eq!(times(&before), [at(1)], "the other one is new");
        let (third, before) = note(1, 3);
        assert_eq!(times(&before), [at(1), at(2)], "an answer that is on its way counts");
        handed_out.cut_off(third);
        handed_out.taken(DEVICE, &ids(&given(1, 2)));
        assert_eq!(times(&note(1, 4).1), [at(1), at(2)]);
        assert_eq!(times(&note(0, 5).1), [at(1), at(1)], "all that was cut off is remembered");
        let other = handed_out.note(SessionNumber(8), given(0, 2), way(6)).1;
        assert!(other.is_empty(), "another device was not given it");
    }
}
