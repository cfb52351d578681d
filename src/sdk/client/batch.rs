//! One batch on its way: find the sessions, seal, post, read the receipts.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use reqwest::Method;

use crate::envelope::MessageKey;
use crate::ids::{MessageId, UserId};
use crate::types::{Receipt, User};

use super::bot::Core;
use super::error::RequestError;
use super::gateway::Call;
use super::outcome::{Outcome, SendError};
use super::receipt::{self, Stale, Verdict};
use super::rosters::Without;
use super::schedule::Job;
use super::seal::{self, Ready, Sealed};
use super::sessions::KnownSessions;
use super::top_up;

/// A request body larger than this is split; gateways take eight MiB.
const BODY_LIMIT: usize = 6 * 1024 * 1024;

const PATH: &str = "/encrypted_messages";
/// For messages that those whom they cover get in any case.
const PATH_IN_PART: &str = "/encrypted_messages?on_stale=deliver_known";

/// Where a job stands after its batch.
pub(super) enum Progress {
    Done(Result<Outcome, SendError>),
    /// Seal again, to these sessions.
    Again(Arc<KnownSessions>),
}

/// Takes every job one round further.
pub(super) async fn run(core: &Core, jobs: Vec<Job>) -> Vec<(Job, Progress)> {
    pause(core, &jobs).await;
    let mut settled = Vec::with_capacity(jobs.len());
    let ready = find_sessions(core, jobs, &mut settled).await;
    let (sealed, failed) = seal::seal(core, ready).await;
    settled.extend(failed.into_iter().map(|(job, error)| (job, Progress::Done(Err(error)))));
    let (in_part, whole): (Vec<Sealed>, Vec<Sealed>) =
        sealed.into_iter().partition(|sealed| sealed.key.is_some());
    for (path, sealed) in [(PATH, whole), (PATH_IN_PART, in_part)] {
        for request in split(sealed) {
            post(core, path, request, &mut settled).await;
        }
    }
    settled
}

/// A list that was stale once is sealed again at once; one that stays stale is given time.
async fn pause(core: &Core, jobs: &[Job]) {
    let rounds = jobs.iter().map(|job| job.round).max().unwrap_or_default();
    if rounds >= 2 {
        core.clock.sleep(core.gateway.retry.backoff(rounds - 1, &core.entropy)).await;
    }
}

async fn find_sessions(
    core: &Core,
    jobs: Vec<Job>,
    settled: &mut Vec<(Job, Progress)>,
) -> Vec<Ready> {
    let unknown: Vec<UserId> = jobs
        .iter()
        .filter(|job| job.fresh.is_none())
        .filter_map(|job| job.message.recipient())
        .collect();
    let found = core.directory.load(&unknown).await.map_err(Arc::new);
    let mut ready = Vec::with_capacity(jobs.len());
    let mut without = Vec::new();
    for mut job in jobs {
        let known = match (job.fresh.take(), job.message.recipient(), &found) {
            (Some(fresh), ..) => Ok(Some(fresh)),
            (None, Some(recipient), Ok(found)) => Ok(found.get(&recipient).cloned()),
            (None, Some(_), Err(error)) => Err(Arc::clone(error)),
            // Of a batch, only the first one of a conversation asks the gateway.
            (None, None, _) => {
                let roster = core.rosters.load(core, job.conversation, Without::OwnAccount).await;
                roster.map(Some).map_err(Arc::new)
            }
        };
        match known {
            Err(error) => settled.push((job, Progress::Done(Err(SendError::Request(error))))),
            Ok(Some(sessions)) if sessions.is_somebody() => ready.push(Ready { job, sessions }),
            Ok(_) => without.push(job),
        }
    }
    settle_without_sessions(core, without, settled).await;
    ready
}

/// Nothing can be sealed for these: either the account is gone, or nobody is signed in.
async fn settle_without_sessions(core: &Core, jobs: Vec<Job>, settled: &mut Vec<(Job, Progress)>) {
    if jobs.is_empty() {
        return;
    }
    let recipients: Vec<UserId> = jobs.iter().filter_map(|job| job.message.recipient()).collect();
    let existing = existing_accounts(core, &recipients).await.map_err(Arc::new);
    for job in jobs {
        let result = match (&existing, job.message.recipient()) {
            // A conversation in which nobody else is signed in.
            (_, None) => Ok(Outcome::Deferred { retry_after: None }),
            (Ok(existing), Some(recipient)) if existing.contains(&recipient) => {
                Ok(Outcome::Deferred { retry_after: None })
            }
            (Ok(_), Some(_)) => Ok(Outcome::RecipientGone),
            (Err(error), Some(_)) => Err(SendError::Request(Arc::clone(error))),
        };
        settled.push((job, Progress::Done(result)));
    }
}

async fn existing_accounts(core: &Core, users: &[UserId]) -> Result<HashSet<UserId>, RequestError> {
    if users.is_empty() {
        return Ok(HashSet::new());
    }
    let users: Vec<User> = core.gateway.call(Call::post("/users/fetch", users)?).await?;
    Ok(users.into_iter().map(|user| user.user_id).collect())
}

/// Splits where the body would grow beyond what a gateway takes; mostly not at all.
fn split(sealed: Vec<Sealed>) -> Vec<Vec<Sealed>> {
    let mut requests: Vec<Vec<Sealed>> = Vec::new();
    let mut size = 0;
    for next in sealed {
        size += next.item.len() + 1;
        match requests.last_mut() {
            Some(request) if size <= BODY_LIMIT => request.push(next),
            _ => {
                size = next.item.len() + 1;
                requests.push(vec![next]);
            }
        }
    }
    requests
}

async fn post(
    core: &Core,
    path: &'static str,
    request: Vec<Sealed>,
    settled: &mut Vec<(Job, Progress)>,
) {
    let mut jobs = Vec::with_capacity(request.len());
    let mut items = Vec::with_capacity(request.len());
    for sealed in request {
        jobs.push((sealed.job, sealed.key));
        items.push(sealed.item);
    }
    let body = Bytes::from([&b"["[..], &items.join(&b","[..]), b"]"].concat());
    let call = Call::new(Method::POST, path, body);
    let receipts: Vec<Receipt> = match core.gateway.call(call).await {
        Ok(receipts) => receipts,
        Err(error) => {
            let error = Arc::new(error);
            let failed =
                |(job, _)| (job, Progress::Done(Err(SendError::Request(Arc::clone(&error)))));
            return settled.extend(jobs.into_iter().map(failed));
        }
    };
    let mut receipts = receipts.into_iter();
    for (job, key) in jobs {
        // Receipts come in the order of the request; the id is looked at all the same.
        let receipt = receipts.next().filter(|receipt| is_for(receipt, &job));
        let progress = match receipt.map(receipt::verdict) {
            None => Progress::Done(Err(SendError::NoReceipt { message_id: job.id })),
            Some(verdict) => settle(core, &job, key.as_ref(), verdict).await,
        };
        settled.push((job, progress));
    }
}

async fn settle(core: &Core, job: &Job, key: Option<&MessageKey>, verdict: Verdict) -> Progress {
    match verdict {
        Verdict::Final(outcome) => Progress::Done(Ok(outcome)),
        Verdict::Stale(stale) => {
            core.on_refresh.tell(job, &stale);
            Progress::Again(learn(core, job, &stale))
        }
        Verdict::InPart(stale) => {
            core.on_refresh.tell(job, &stale);
            learn(core, job, &stale);
            Progress::Done(Ok(match key {
                Some(key) => top_up::run(core, job.id, key, stale).await,
                None => top_up::in_part(stale),
            }))
        }
    }
}

/// Remembers the list that a receipt carried.
fn learn(core: &Core, job: &Job, stale: &Stale) -> Arc<KnownSessions> {
    match job.message.recipient() {
        Some(recipient) => core.directory.learn(recipient, &stale.sessions),
        None => core.rosters.keep(core, job.conversation, Without::OwnAccount, &stale.sessions),
    }
}

fn is_for(receipt: &Receipt, job: &Job) -> bool {
    MessageId::parse(&receipt.message_id).is_ok_and(|id| id == job.id)
}
