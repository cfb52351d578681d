//! Letters on their way: whoever's turn it is, again and again until they arrive or are given up.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;

use super::{Federation, NodeError};
use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;
use crate::domain::messenger::outbox::{Letter, MOST_ATTEMPTS, Settled, pause_after};
use crate::domain::ports::NodeRequest;

/// Lines whose letters are brought in one round.
const LINES: u32 = 64;

/// Letters on their way at the same time.
const AT_ONCE: usize = 8;

/// How long a letter that is on its way is nobody else's: longer than all of a round takes.
const HELD: Duration = Duration::from_secs(5 * 60);

/// The longest pause that another gateway may ask for.
const LONGEST_WISH: Duration = Duration::from_secs(60 * 60);

/// What became of a letter that was brought.
enum Brought {
    Arrived,
    /// It will never be taken.
    Refused(NodeError),
    /// It may be taken later.
    Later(NodeError, Option<Duration>),
}

impl Federation {
    /// Brings the letters whose turn it is; returns how many that were.
    ///
    /// # Errors
    /// Only when the store fails; what was on its way comes again.
    pub async fn bring_letters(&self) -> Result<usize, Fault> {
        if self.settings.own.is_none() {
            return Ok(0);
        }
        let gateway = &self.messenger.gateway;
        let now = gateway.clock.now();
        let letters = gateway.store.due_letters(now, now.plus(HELD), LINES).await?;
        let count = letters.len();
        let brought = stream::iter(letters).map(|letter| self.bring_one(letter));
        let outcomes: Vec<_> = brought.buffer_unordered(AT_ONCE).collect().await;
        outcomes.into_iter().collect::<Result<(), Fault>>()?;
        Ok(count)
    }

    async fn bring_one(&self, letter: Letter) -> Result<(), Fault> {
        let brought = self.bring(&letter).await;
        let now = self.messenger.gateway.clock.now();
        let settled = settled(&letter, brought, now);
        self.messenger.gateway.store.settle_letter(&letter, settled).await
    }

    async fn bring(&self, letter: &Letter) -> Brought {
        let node = match self.resolve(&letter.node).await {
            Ok(node) => node,
            Err(error @ NodeError::Blocked) => return Brought::Refused(error),
            Err(error) => return Brought::Later(error, None),
        };
        let body = Bytes::from(letter.body.clone());
        let answer = match self.ask(&node, NodeRequest::Message(body)).await {
            Ok(answer) => answer,
            Err(error) => return Brought::Later(error, None),
        };
        let refused = NodeError::Refused { status: answer.status };
        match answer.status {
            200..=299 => Brought::Arrived,
            400 | 404 | 413 | 422 => Brought::Refused(refused),
            _ => Brought::Later(refused, answer.retry_after),
        }
    }
}

fn settled(letter: &Letter, brought: Brought, now: Timestamp) -> Settled {
    let (error, wish) = match brought {
        Brought::Arrived => return Settled::Done { at: now },
        Brought::Refused(error) => return given_up(letter, &error, now),
        Brought::Later(error, wish) => (error, wish.unwrap_or_default()),
    };
    let attempts = letter.attempts + 1;
    let at = now.plus(pause_after(attempts).max(wish.min(LONGEST_WISH)));
    if attempts >= MOST_ATTEMPTS || at >= letter.expires_at {
        return given_up(letter, &error, now);
    }
    Settled::Again { at }
}

fn given_up(letter: &Letter, error: &NodeError, now: Timestamp) -> Settled {
    let attempts = letter.attempts + 1;
    tracing::warn!(node = %letter.node, attempts, "gave up a message for another gateway: {error}");
    Settled::Done { at: now }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::SessionNumber;
    use crate::domain::messenger::node::NodeId;

    const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

    fn letter(attempts: u32) -> Letter {
        Letter {
            node: NodeId::parse("there").unwrap(),
            sender: SessionNumber(1),
            number: 1,
            logical: "one".to_owned(),
            digest: [0; 16],
            body: Vec::new(),
            attempts,
            expires_at: NOW.plus(Duration::from_secs(24 * 3600)),
        }
    }

    #[test]
    fn a_letter_is_put_off_longer_and_longer_and_then_given_up() {
        let later = |attempts, wish: Option<u64>| {
            let brought = Brought::Later(NodeError::Unreachable, wish.map(Duration::from_secs));
            settled(&letter(attempts), brought, NOW)
        };
        let again = |seconds| Settled::Again { at: NOW.plus(Duration::from_secs(seconds)) };
        assert_eq!((later(0, None), later(3, None)), (again(20), again(160)));
        assert_eq!((later(0, Some(90)), later(0, Some(99_999))), (again(90), again(3600)));
        assert_eq!(later(8, None), again(3600));
        assert_eq!(later(9, None), Settled::Done { at: NOW });
    }

    #[test]
    fn what_was_refused_for_ever_is_given_up_at_once() {
        let refused = Brought::Refused(NodeError::Refused { status: 404 });
        assert_eq!(settled(&letter(0), refused, NOW), Settled::Done { at: NOW });
    }
}
