//! How often somebody may be wrong, write, or make boxes.
//!
//! What is counted belongs to a box and a network at once: who guesses from one network locks nobody
//! out who comes from another.

use std::net::IpAddr;
use std::sync::Arc;

use super::DropBoxPolicy;
use super::message::DropId;
use super::token::BoxToken;
use crate::domain::clock::Clock;
use crate::domain::error::Fault;
use crate::domain::limits::{Buckets, network_of};

const WRONG: &str = "the number of wrong secrets";

/// What somebody has a secret for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lock {
    /// A drop box.
    Box(BoxToken),
    /// A letter.
    Letter(DropId),
}

/// Buckets of everybody.
pub struct Tries {
    clock: Arc<dyn Clock>,
    wrong: Buckets<(Lock, Option<IpAddr>)>,
    wrong_in_all: Buckets<IpAddr>,
    messages: Buckets<(BoxToken, Option<IpAddr>)>,
    made: Buckets<IpAddr>,
}

impl Tries {
    /// Full buckets.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, policy: &DropBoxPolicy) -> Self {
        Self {
            clock,
            wrong: Buckets::new(policy.wrong_secrets, WRONG),
            wrong_in_all: Buckets::new(policy.wrong_secrets_in_all, WRONG),
            messages: Buckets::new(policy.messages_for_one, "the number of messages for one box"),
            made: Buckets::new(policy.made, "the number of boxes and letters that are made"),
        }
    }

    /// Refuses who was wrong too often; before it is known whether there is such a lock.
    ///
    /// # Errors
    /// [`Fault::RateLimited`].
    pub fn may_try(&self, lock: Lock, from: Option<IpAddr>) -> Result<(), Fault> {
        let (now, from) = (self.clock.now(), from.map(network_of));
        self.wrong.require((lock, from), 1, now)?;
        from.map_or(Ok(()), |from| self.wrong_in_all.require(from, 1, now))
    }

    /// Counts somebody who was wrong, about a lock that there is or about one that there is not.
    pub fn was_wrong(&self, lock: Lock, from: Option<IpAddr>) {
        let (now, from) = (self.clock.now(), from.map(network_of));
        // Whoever is over the limit by now was refused before or is refused next time.
        let _ = self.wrong.take((lock, from), 1, now);
        if let Some(from) = from {
            let _ = self.wrong_in_all.take(from, 1, now);
        }
    }

    /// Counts messages for one box.
    ///
    /// # Errors
    /// [`Fault::RateLimited`].
    pub fn messages(&self, to: BoxToken, from: Option<IpAddr>, count: u64) -> Result<(), Fault> {
        self.messages.take((to, from.map(network_of)), count, self.clock.now())
    }

    /// Counts a box or a letter that is made.
    ///
    /// # Errors
    /// [`Fault::RateLimited`].
    pub fn made(&self, from: Option<IpAddr>) -> Result<(), Fault> {
        let Some(from) = from.map(network_of) else { return Ok(()) };
        self.made.take(from, 1, self.clock.now())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::clock::{TestClock, Timestamp};

    fn tries() -> (Tries, Arc<TestClock>) {
        let clock = Arc::new(TestClock::at(Timestamp::from_micros(1_700_000_000_000_000)));
        (Tries::new(clock.clone(), &DropBoxPolicy::default()), clock)
    }

    fn from(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([203, 0, 113, last]))
    }

    #[test]
    fn who_is_wrong_too_often_waits_and_nobody_else() {
        let (tries, clock) = tries();
        let lock = Lock::Box(BoxToken::one([1; 8]));
        for _ in 0..10 {
            tries.may_try(lock, from(1)).unwrap();
            tries.was_wrong(lock, from(1));
        }
        let refused = tries.may_try(lock, from(1));
        assert!(matches!(refused, Err(Fault::RateLimited { .. })), "{refused:?}");
        tries.may_try(lock, from(2)).unwrap();
        tries.may_try(Lock::Box(BoxToken::one([2; 8])), from(1)).unwrap();
        clock.advance(Duration::from_secs(6));
        tries.may_try(lock, from(1)).unwrap();
    }

    #[test]
    fn who_goes_from_box_to_box_is_stopped_as_well() {
        let (tries, _) = tries();
        for box_number in 0..60 {
            let lock = Lock::Box(BoxToken::one([box_number; 8]));
            tries.may_try(lock, from(1)).unwrap();
            tries.was_wrong(lock, from(1));
        }
        assert!(tries.may_try(Lock::Box(BoxToken::one([99; 8])), from(1)).is_err());
    }

    #[test]
    fn being_right_costs_nothing() {
        let (tries, _) = tries();
        let lock = Lock::Letter(DropId([1; 16]));
        assert!((0..1000).all(|_| tries.may_try(lock, from(1)).is_ok()));
    }
}
