//! The whole loop of sending: batches side by side, and stale messages round after round.
//!
//! Each message keeps its id through every round and every repeated request, so whatever answers
//! are lost on the way, a reader gets it once.

use std::collections::HashSet;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use crate::ids::UserId;

use super::batch::{self, Progress};
use super::bot::Core;
use super::message::Message;
use super::outcome::{ItemOutcome, Outcome, SendError};
use super::schedule::{BATCH_LIMIT, Job, Schedule};

pub(super) async fn send_all(core: &Core, messages: Vec<Message>) -> Vec<ItemOutcome> {
    let jobs = number(core, messages);
    let mut items: Vec<ItemOutcome> = jobs.iter().map(unsettled).collect();
    warm_up(core, &jobs).await;
    let mut schedule = Schedule::new(jobs);
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < core.concurrency {
            let Some(batch) = schedule.next_batch() else {
                break;
            };
            running.push(async {
                let conversations: HashSet<_> = batch.iter().map(|job| job.conversation).collect();
                (conversations, batch::run(core, batch).await)
            });
        }
        let Some((conversations, batch)) = running.next().await else {
            break;
        };
        let unsettled = settle(core, batch, &mut items);
        schedule.put_back(conversations, unsettled);
    }
    items
}

fn number(core: &Core, messages: Vec<Message>) -> Vec<Job> {
    let own = core.identity.user;
    let job = |(index, message): (usize, Message)| Job {
        index,
        id: message.id.unwrap_or_else(|| core.entropy.random_id()),
        conversation: message.conversation(own),
        message,
        round: 0,
        fresh: None,
    };
    messages.into_iter().enumerate().map(job).collect()
}

/// What stays when nobody ever comes back with a decision.
fn unsettled(job: &Job) -> ItemOutcome {
    ItemOutcome {
        message_id: job.id,
        recipient: job.message.recipient(),
        conversation_id: job.conversation,
        result: Err(SendError::Interrupted),
    }
}

/// A broadcast asks for many session lists at once before it begins. What fails here, or does not
/// fit into memory, is asked for again by its batch, which reports it too.
async fn warm_up(core: &Core, jobs: &[Job]) {
    let recipients: HashSet<UserId> =
        jobs.iter().filter_map(|job| job.message.recipient()).collect();
    if recipients.len() > BATCH_LIMIT {
        core.directory.warm_up(recipients, core.concurrency).await;
    }
}

/// Writes down what is decided and gives back what is not, in order.
fn settle(core: &Core, batch: Vec<(Job, Progress)>, items: &mut [ItemOutcome]) -> Vec<Job> {
    let mut again = Vec::new();
    for (mut job, progress) in batch {
        job.round += 1;
        let result = match progress {
            Progress::Done(result) => result,
            Progress::Again(_) if job.round >= core.rounds => Ok(Outcome::StillStale),
            Progress::Again(sessions) => {
                job.fresh = Some(sessions);
                again.push(job);
                continue;
            }
        };
        if let Some(item) = items.get_mut(job.index) {
            item.result = result;
        }
    }
    again.sort_unstable_by_key(|job| job.index);
    again
}
