//! Letters on their way: whoever's turn it is, again and again until they arrive or are given up.
//! Gateways that do not answer have few places among those on their way, so they keep nobody else
//! waiting.

mod desk;

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;

use self::desk::Desk;
use super::wire::Addressed;
use super::{Federation, NodeError};
use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;
use crate::domain::messenger::MemberName;
use crate::domain::messenger::node::Address;
use crate::domain::messenger::outbox::{Letter, Line, MOST_ATTEMPTS, Settled, pause_after};
use crate::domain::ports::{KnownNode, NodeRequest};

/// Lines that are looked for at once.
const LINES: u32 = 256;

/// Lines that wait here for a place.
const MOST_LINES: usize = 4096;

/// Letters of one line that are brought in a row.
const IN_A_ROW: u32 = 32;

/// How long a line is nobody else's while it waits for a place, and while a letter of it is on its
/// way: longer than that takes.
const HELD: Duration = Duration::from_secs(5 * 60);

/// The longest pause that another gateway may ask for.
const LONGEST_WISH: Duration = Duration::from_secs(60 * 60);

/// What became of a letter that was brought.
#[derive(Debug)]
enum Brought {
    Arrived,
    /// It will never be taken.
    Refused(NodeError),
    /// It may be taken later.
    Later(NodeError, Option<Duration>),
    /// The gateway cannot be asked now, whatever the letter.
    Silent(NodeError, Option<Duration>),
}

/// How far it went with a line.
enum Went {
    /// Its gateway answers.
    Well(Line),
    /// Its gateway does not, and this letter is not settled.
    Silent(Letter, NodeError, Option<Duration>),
}

impl Federation {
    /// Brings letters whose turn it is, for ever, and looks for more whenever one has come to an end
    /// or `rung` has. The caller ends it by dropping it.
    ///
    /// # Errors
    /// Only when the store fails; what was on its way comes again.
    pub async fn bring_letters<Rung: Future<Output = ()>>(
        &self,
        mut rung: impl FnMut() -> Rung,
    ) -> Result<(), Fault> {
        let (mut desk, mut on_way) = (Desk::default(), FuturesUnordered::new());
        loop {
            self.look_for_lines(&mut desk).await?;
            while let Some(line) = desk.start() {
                on_way.push(self.bring_line(line));
            }
            if on_way.is_empty() {
                rung().await;
                continue;
            }
            let bell = std::pin::pin!(rung());
            if let Either::Left((Some(went), _)) = select(on_way.next(), bell).await {
                self.learn(&mut desk, went?).await?;
            }
        }
    }

    async fn look_for_lines(&self, desk: &mut Desk) -> Result<(), Fault> {
        while desk.waiting() < MOST_LINES {
            let now = self.messenger.gateway.clock.now();
            let store = &self.messenger.gateway.store;
            let due = store.due_lines(now, now.plus(HELD), LINES).await?;
            let is_all = due.len() < LINES as usize;
            desk.add(due);
            if is_all {
                break;
            }
        }
        Ok(())
    }

    async fn learn(&self, desk: &mut Desk, went: Went) -> Result<(), Fault> {
        let (letter, error, wish) = match went {
            Went::Well(line) => {
                desk.answered(&line.node);
                return Ok(());
            }
            Went::Silent(letter, error, wish) => (letter, error, wish),
        };
        let (now, store) = (self.messenger.gateway.clock.now(), &self.messenger.gateway.store);
        let until = desk.was_silent(&letter.node, now, wish.unwrap_or_default().min(LONGEST_WISH));
        store.put_off_lines(&letter.node, until).await?;
        store.settle_letter(&letter, put_off(&letter, &error, until, now)).await
    }

    /// Brings the first letters of a line.
    async fn bring_line(&self, line: Line) -> Result<Went, Fault> {
        let gateway = &self.messenger.gateway;
        for turn in 1..=IN_A_ROW {
            let Some(letter) = gateway.store.first_letter(&line).await? else { break };
            let brought = match letter.expires_at <= gateway.clock.now() {
                true => Brought::Refused(NodeError::TooLate),
                false => self.bring(&letter).await,
            };
            if let Brought::Silent(error, wish) = brought {
                return Ok(Went::Silent(letter, error, wish));
            }
            let now = gateway.clock.now();
            let settled = match settled(&letter, brought, now) {
                Settled::Done { .. } if turn < IN_A_ROW => Settled::Done { at: now.plus(HELD) },
                settled => settled,
            };
            gateway.store.settle_letter(&letter, settled).await?;
            if matches!(settled, Settled::Again { .. }) {
                break;
            }
        }
        Ok(Went::Well(line))
    }

    async fn bring(&self, letter: &Letter) -> Brought {
        let node = match self.resolve(&letter.node).await {
            Ok(node) => node,
            Err(error @ NodeError::Blocked) => return Brought::Refused(error),
            Err(error @ NodeError::Fault(_)) => return Brought::Later(error, None),
            Err(error) => return Brought::Silent(error, None),
        };
        let body = Bytes::from(letter.body.clone());
        let answer = match self.ask(&node, NodeRequest::Message(body)).await {
            Ok(answer) => answer,
            Err(error) => return Brought::Silent(error, None),
        };
        let refused = NodeError::Refused { status: answer.status };
        match answer.status {
            200..=299 => Brought::Arrived,
            404 => {
                self.meet_again(letter, &node).await;
                Brought::Refused(refused)
            }
            400 | 413 | 422 => Brought::Refused(refused),
            401 | 429 | 502 | 504 => Brought::Silent(refused, answer.retry_after),
            _ => Brought::Later(refused, answer.retry_after),
        }
    }
}

impl Federation {
    /// Something of a letter's recipient is not there any more: what is known here is brought up to
    /// date, so that the next letter is addressed better.
    async fn meet_again(&self, letter: &Letter, node: &KnownNode) {
        let Ok(to) = serde_json::from_slice::<Addressed>(&letter.body) else { return };
        let Ok(name) = MemberName::parse(&to.to_user) else { return };
        let address = Address { name, node: letter.node.clone() };
        if let Err(error) = self.meet(&address, node).await {
            tracing::debug!(node = %letter.node, "cannot look at a recipient's devices: {error}");
        }
    }
}

fn settled(letter: &Letter, brought: Brought, now: Timestamp) -> Settled {
    let (error, wish) = match brought {
        Brought::Arrived => return Settled::Done { at: now },
        Brought::Refused(error) => return given_up(letter, &error, now),
        Brought::Later(error, wish) | Brought::Silent(error, wish) => {
            (error, wish.unwrap_or_default())
        }
    };
    put_off(letter, &error, now.plus(wish.min(LONGEST_WISH)), now)
}

fn put_off(letter: &Letter, error: &NodeError, not_before: Timestamp, now: Timestamp) -> Settled {
    let attempts = letter.attempts + 1;
    let at = now.plus(pause_after(attempts)).max(not_before);
    if attempts >= MOST_ATTEMPTS || at >= letter.expires_at {
        return given_up(letter, error, now);
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
