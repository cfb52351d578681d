//! Requests under a key of their caller's: the first one runs, the others get its answer
//! (draft-ietf-httpapi-idempotency-key-header).

use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::clock::Timestamp;
use super::error::Fault;
use super::gateway::Gateway;
use super::ids::AccountNumber;

/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a request may run before another one with its key takes its place: longer than requests
/// take, and short enough that one lost in a crash does not stand in the way for long.
const RUNNING: Duration = Duration::from_secs(2 * 60);

/// The longest answer that is kept, in bytes.
pub const LONGEST_ANSWER: usize = 256 * 1024;

/// When to come back with a new key after too many of them: some become free all day.
const FULL_RETRY: Duration = Duration::from_secs(10 * 60);

/// The longest key, in characters.
const LONGEST_KEY: usize = 255;

/// The header's name, which faults name as their field.
pub const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// Whose request it is, and which one: a hash of path and key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestKey {
    /// Who asks.
    pub account: AccountNumber,
    /// SHA-256 of the path and the key.
    pub hash: [u8; 32],
}

/// A request that runs now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunningRequest {
    /// Which one.
    pub key: RequestKey,
    /// Tells it from an earlier one whose time was over.
    pub claim: [u8; 16],
}

/// How much is kept for one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerQuota {
    /// Requests.
    pub requests: u32,
    /// Bytes of their answers.
    pub bytes: u64,
}

impl AnswerQuota {
    /// Whether there is room for one more request, whatever its answer will be.
    #[must_use]
    pub fn has_room(&self, requests: u64, bytes: u64) -> bool {
        requests < u64::from(self.requests) && self.fits(bytes, LONGEST_ANSWER as u64)
    }

    /// Whether an answer can be kept beside so many bytes of others.
    #[must_use]
    pub fn fits(&self, bytes: u64, answer: u64) -> bool {
        bytes.saturating_add(answer) <= self.bytes
    }
}

/// What the store needs to claim a request.
#[derive(Clone, Copy, Debug)]
pub struct RequestClaim {
    /// The request as it will run.
    pub running: RunningRequest,
    /// Tells it from other requests under the same key.
    pub digest: [u8; 32],
    /// The present moment.
    pub now: Timestamp,
    /// When somebody else may claim it, unless it is finished.
    pub claimed_until: Timestamp,
    /// When it is forgotten.
    pub expires_at: Timestamp,
    /// How much is kept for its account.
    pub quota: AnswerQuota,
}

/// What became of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// It is the first.
    First,
    /// The first is still running.
    Running,
    /// The key stands for another request.
    Differs,
    /// The first was answered with this.
    Answered(StoredAnswer),
    /// The first was answered, and there was no room to keep the answer.
    Done,
    /// It would be the first, and there is no room for it.
    Full,
}

/// An answer, to be given again as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// The protocol's number for how it went.
    pub status: u16,
    /// The answer itself.
    pub body: Bytes,
}

/// How a request under a key goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It runs, and is to be finished by [`Gateway::finish_request`].
    First(RunningRequest),
    /// It was answered before.
    Again(StoredAnswer),
}

impl Gateway {
    /// Begins a request under a key.
    ///
    /// # Errors
    /// [`Fault::Invalid`] when the key cannot be used or stands for another request,
    /// [`Fault::Conflict`] while the first request is running, or when its answer was not kept;
    /// [`Fault::RateLimited`] when too much is kept for the account.
    pub async fn begin_request(
        &self,
        account: AccountNumber,
        path: &str,
        key: &str,
        digest: [u8; 32],
    ) -> Result<Begun, Fault> {
        let running = RunningRequest {
            key: RequestKey { account, hash: hash(path, checked(key)?) },
            claim: *self.random_id::<()>().as_bytes(),
        };
        let now = self.clock.now();
        let claim = RequestClaim {
            running,
            digest,
            now,
            claimed_until: now.plus(RUNNING),
            expires_at: now.plus(KEPT),
            quota: self.answer_quota(),
        };
        match self.store.claim_request(claim).await? {
            Claimed::First => Ok(Begun::First(running)),
            Claimed::Answered(answer) => Ok(Begun::Again(answer)),
            Claimed::Running => {
                Err(Fault::conflict(IDEMPOTENCY_KEY, "belongs to a request that is still running"))
            }
            Claimed::Done => {
                let reason = "belongs to a request that was done; its answer was not kept";
                Err(Fault::conflict(IDEMPOTENCY_KEY, reason))
            }
            Claimed::Full => Err(Fault::RateLimited {
                what: "the number of requests under an Idempotency-Key, or the size of their answers,",
                retry_after: FULL_RETRY,
            }),
            Claimed::Differs => {
                Err(Fault::invalid(IDEMPOTENCY_KEY, "was used for another request on this path"))
            }
        }
    }

    /// Ends a request: its answer is kept for those that come again. Without an answer, or with one
    /// that is too long, the next one under the key runs again. Where there is no room for an answer
    /// any more, it is remembered that the request was done.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn finish_request(
        &self,
        running: RunningRequest,
        answer: Option<StoredAnswer>,
    ) -> Result<(), Fault> {
        let answer = answer.filter(|answer| answer.body.len() <= LONGEST_ANSWER);
        self.store.finish_request(running, answer, self.answer_quota()).await
    }

    fn answer_quota(&self) -> AnswerQuota {
        AnswerQuota { requests: self.limits.kept_requests, bytes: self.limits.kept_answer_bytes }
    }

    /// Forgets requests whose time is over, at most `limit`; returns how many.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn forget_requests(&self, limit: u32) -> Result<u64, Fault> {
        self.store.forget_requests(self.clock.now(), limit).await
    }
}

fn checked(key: &str) -> Result<&str, Fault> {
    let fits =
        (1..=LONGEST_KEY).contains(&key.len()) && key.bytes().all(|it| it.is_ascii_graphic());
    match fits {
        true => Ok(key),
        false => {
            let reason = format!("must be 1 to {LONGEST_KEY} visible ASCII characters");
            Err(Fault::invalid(IDEMPOTENCY_KEY, reason))
        }
    }
}

fn hash(path: &str, key: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    // No path holds a space.
    hash.update(path.as_bytes());
    hash.update(b" ");
    hash.update(key.as_bytes());
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_visible_ascii_of_a_moderate_length() {
        for good in ["a", "5f0c-~!\"", &"x".repeat(255)] {
            assert!(checked(good).is_ok(), "{good}");
        }
        for bad in ["", "two words", "ä", "\u{7f}", &"x".repeat(256)] {
            assert!(checked(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn there_is_room_as_long_as_the_longest_answer_fits() {
        let longest = LONGEST_ANSWER as u64;
        let quota = AnswerQuota { requests: 2, bytes: longest + 10 };
        assert!(quota.has_room(0, 0) && quota.has_room(1, 10));
        assert!(!quota.has_room(2, 0) && !quota.has_room(0, 11));
        assert!(quota.fits(longest, 10) && !quota.fits(longest, 11) && !quota.fits(u64::MAX, 1));
    }

    #[test]
    fn a_key_belongs_to_its_path() {
        assert_eq!(hash("/a", "k"), hash("/a", "k"));
        assert_ne!(hash("/a", "k"), hash("/b", "k"));
        assert_ne!(hash("/a", "k"), hash("/a", "l"));
    }
}
