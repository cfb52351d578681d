//! Which messages go into the next batch.
//!
//! Two rules. A batch holds at most a hundred messages. And the messages of one conversation keep
//! their order: while some of a conversation are under way, the rest of it waits.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::ids::{ConversationId, MessageId};

use super::message::Message;
use super::sessions::KnownSessions;

/// How many messages one request may hold.
pub(super) const BATCH_LIMIT: usize = 100;

/// One message on its way through the rounds.
pub(super) struct Job {
    /// Position in what the caller gave.
    pub(super) index: usize,
    pub(super) id: MessageId,
    pub(super) conversation: ConversationId,
    pub(super) message: Message,
    /// How often it was sealed and found stale.
    pub(super) round: u32,
    /// The sessions that the last receipt carried.
    pub(super) fresh: Option<Arc<KnownSessions>>,
}

/// The waiting messages of one conversation, in order.
struct Line {
    conversation: ConversationId,
    jobs: VecDeque<Job>,
}

/// Everything that still has to be sent and is not under way.
pub(super) struct Schedule {
    /// Conversations whose next message was not sent yet.
    first: VecDeque<Line>,
    /// Conversations whose next message has to be sealed again.
    again: VecDeque<Line>,
    /// The rest of the conversations that are under way.
    parked: HashMap<ConversationId, VecDeque<Job>>,
}

impl Schedule {
    pub(super) fn new(jobs: impl IntoIterator<Item = Job>) -> Self {
        let mut lines: Vec<Line> = Vec::new();
        let mut places: HashMap<ConversationId, usize> = HashMap::new();
        for job in jobs {
            let conversation = job.conversation;
            let place = *places.entry(conversation).or_insert(lines.len());
            match lines.get_mut(place) {
                Some(line) => line.jobs.push_back(job),
                None => lines.push(Line { conversation, jobs: VecDeque::from([job]) }),
            }
        }
        Self { first: lines.into(), again: VecDeque::new(), parked: HashMap::new() }
    }

    /// Takes the next batch, or `None` when nothing is waiting that may be sent now.
    ///
    /// Messages that have to be sealed again are gathered until the first tries are through: a
    /// broadcast with a few old lists then needs a few requests more, not one for each batch.
    pub(super) fn next_batch(&mut self) -> Option<Vec<Job>> {
        let queue = match self.first.is_empty() {
            true => &mut self.again,
            false => &mut self.first,
        };
        let mut batch = Vec::new();
        while batch.len() < BATCH_LIMIT {
            let Some(mut line) = queue.pop_front() else {
                break;
            };
            let fitting = line.jobs.len().min(BATCH_LIMIT - batch.len());
            batch.extend(line.jobs.drain(..fitting));
            if !line.jobs.is_empty() {
                self.parked.insert(line.conversation, line.jobs);
            }
        }
        (!batch.is_empty()).then_some(batch)
    }

    /// Takes a batch back: its conversations go on, beginning with the messages of it that have to
    /// be sent again, which are given in their order.
    pub(super) fn put_back(
        &mut self,
        conversations: impl IntoIterator<Item = ConversationId>,
        unsettled: Vec<Job>,
    ) {
        let mut lines: HashMap<ConversationId, VecDeque<Job>> = HashMap::new();
        for job in unsettled {
            lines.entry(job.conversation).or_default().push_back(job);
        }
        for conversation in conversations {
            let rest = self.parked.remove(&conversation);
            if let Some(mut jobs) = lines.remove(&conversation) {
                jobs.extend(rest.into_iter().flatten());
                self.again.push_back(Line { conversation, jobs });
            } else if let Some(jobs) = rest {
                self.first.push_back(Line { conversation, jobs });
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::client::Text;
    use crate::ids::UserId;

    fn job(index: usize, conversation: u8) -> Job {
        Job {
            index,
            id: MessageId::from_bytes([0; 16]),
            conversation: ConversationId::from_bytes([conversation; 16]),
            message: Message::to(&UserId::from_bytes([1; 16]), Text::new("a")),
            round: 0,
            fresh: None,
        }
    }

    fn indices(batch: &[Job]) -> Vec<usize> {
        batch.iter().map(|job| job.index).collect()
    }

    #[test]
    fn one_conversation_has_one_batch_under_way_at_a_time() {
        let mut schedule = Schedule::new((0..250).map(|index| job(index, 1)));
        for range in [0..100, 100..200, 200..250] {
            let batch = schedule.next_batch().unwrap();
            assert_eq!(indices(&batch), range.collect::<Vec<_>>());
            assert!(schedule.next_batch().is_none());
            schedule.put_back([batch[0].conversation], Vec::new());
        }
        assert!(schedule.next_batch().is_none());
    }

    #[test]
    fn many_conversations_fill_batches_side_by_side() {
        let mut schedule = Schedule::new((0..150).map(|index| job(index.into(), index)));
        assert_eq!(schedule.next_batch().unwrap().len(), 100);
        assert_eq!(schedule.next_batch().unwrap().len(), 50);
        assert!(schedule.next_batch().is_none());
    }

    #[test]
    fn what_failed_comes_back_before_the_rest_of_its_conversation() {
        let mut schedule = Schedule::new((0..120).map(|index| job(index, 1)));
        let mut batch = schedule.next_batch().unwrap();
        let conversation = batch[0].conversation;
        schedule.put_back([conversation], batch.drain(97..).collect());
        let again = schedule.next_batch().unwrap();
        assert_eq!(indices(&again), (97..120).collect::<Vec<_>>());
    }

    #[test]
    fn first_tries_go_before_repetitions() {
        let mut schedule = Schedule::new((0..=200).map(|index| job(index.into(), index)));
        let batch = schedule.next_batch().unwrap();
        let conversations: Vec<_> = batch.iter().map(|job| job.conversation).collect();
        schedule.put_back(conversations, batch.into_iter().take(5).collect());
        assert_eq!(indices(&schedule.next_batch().unwrap())[0], 100);
        assert_eq!(indices(&schedule.next_batch().unwrap()), [200]);
        assert_eq!(indices(&schedule.next_batch().unwrap()), [0, 1, 2, 3, 4]);
    }
}
