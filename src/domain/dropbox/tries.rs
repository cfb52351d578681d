//! How often somebody may be wrong, write, or make boxes.
//!
//! What is counted belongs to a box and a network at once: who guesses from one network locks nobody
//! out who comes from another. Guests without an address count as [`Guests`] says: all of them as
//! one that may do ten times as much, so behind a proxy that is not listed anybody can keep the
//! owner of a known box out. What is counted for all boxes together is not counted for them.
//!
//! A try is counted before it is known whether it is right, and given back when it was: otherwise
//! all that are made at the same time would be free.

use std::net::IpAddr;
use std::sync::Arc;

use super::DropBoxPolicy;
use super::guests::Guests;
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
    wrong: Guests<Lock>,
    wrong_in_all: Buckets<IpAddr>,
    messages: Guests<BoxToken>,
    bytes: Guests<()>,
    made: Buckets<IpAddr>,
}

impl Tries {
    /// Full buckets.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, policy: &DropBoxPolicy) -> Self {
        Self {
            clock,
            wrong: Guests::new(policy.wrong_secrets, WRONG),
            wrong_in_all: Buckets::new(policy.wrong_secrets_in_all, WRONG),
            messages: Guests::new(policy.messages_for_one, "the number of messages for one box"),
            bytes: Guests::new(policy.bytes_per_minute_for_network, "the number of bytes"),
            made: Buckets::new(policy.made, "the number of boxes and letters that are made"),
        }
    }

    /// Refuses who was wrong too often, and counts nothing; for what comes before a try and costs
    /// much.
    ///
    /// # Errors
    /// [`Fault::RateLimited`].
    pub fn may_try(&self, lock: Lock, from: Option<IpAddr>) -> Result<(), Fault> {
        let now = self.clock.now();
        self.wrong.require(lock, from, 1, now)?;
        from.map_or(Ok(()), |from| self.wrong_in_all.require(network_of(from), 1, now))
    }

    /// Counts a try, about a lock that there is or about one that there is not. It stays counted
    /// unless it [was not wrong](Try::was_not_wrong).
    ///
    /// # Errors
    /// [`Fault::RateLimited`] for who was wrong too often, or tries too much at the same time.
    pub fn begin(&self, lock: Lock, from: Option<IpAddr>) -> Result<Try<'_>, Fault> {
        let now = self.clock.now();
        self.wrong.take(lock, from, 1, now)?;
        let in_all = from.map(|from| self.wrong_in_all.take(network_of(from), 1, now));
        if let Some(Err(fault)) = in_all {
            self.wrong.give_back(lock, from, 1, now);
            return Err(fault);
        }
        Ok(Try { tries: self, lock, from })
    }

    /// Counts messages for one box.
    ///
    /// # Errors
    /// [`Fault::RateLimited`].
    pub fn messages(&self, to: BoxToken, from: Option<IpAddr>, count: u64) -> Result<(), Fault> {
        self.messages.take(to, from, count, self.clock.now())
    }

    /// Counts bytes that somebody leaves.
    ///
    /// # Errors
    /// [`Fault::RateLimited`].
    pub fn bytes(&self, from: Option<IpAddr>, bytes: u64) -> Result<(), Fault> {
        self.bytes.take((), from, bytes, self.clock.now())
    }

    /// Refuses what [`Self::bytes`] would refuse, and counts nothing.
    ///
    /// # Errors
    /// [`Fault::RateLimited`].
    pub fn may_send(&self, from: Option<IpAddr>, bytes: u64) -> Result<(), Fault> {
        self.bytes.require((), from, bytes, self.clock.now())
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

/// A try that was counted.
#[must_use]
pub struct Try<'a> {
    tries: &'a Tries,
    lock: Lock,
    from: Option<IpAddr>,
}

impl Try<'_> {
    /// Counts it no longer: the secret was right, or nobody can tell.
    pub fn was_not_wrong(self) {
        let now = self.tries.clock.now();
        self.tries.wrong.give_back(self.lock, self.from, 1, now);
        if let Some(from) = self.from {
            self.tries.wrong_in_all.give_back(network_of(from), 1, now);
        }
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
            let _wrong = tries.begin(lock, from(1)).unwrap();
        }
        let refused = tries.may_try(lock, from(1));
        assert!(matches!(refused, Err(Fault::RateLimited { .. })), "{refused:?}");
        assert!(tries.begin(lock, from(1)).is_err());
        let _other_network = tries.begin(lock, from(2)).unwrap();
        let _other_box = tries.begin(Lock::Box(BoxToken::one([2; 8])), from(1)).unwrap();
        clock.advance(Duration::from_secs(6));
        let _later = tries.begin(lock, from(1)).unwrap();
    }

    #[test]
    fn who_goes_from_box_to_box_is_stopped_as_well() {
        let (tries, clock) = tries();
        for box_number in 0..60 {
            let lock = Lock::Box(BoxToken::one([box_number; 8]));
            let _wrong = tries.begin(lock, from(1)).unwrap();
        }
        let other = Lock::Box(BoxToken::one([99; 8]));
        assert!(tries.may_try(other, from(1)).is_err());
        for _ in 0..20 {
            assert!(tries.begin(other, from(1)).is_err());
        }
        clock.advance(Duration::from_secs(1));
        assert!(tries.begin(other, from(1)).is_ok(), "who was refused tried nothing");
    }

    #[test]
    fn being_right_costs_nothing() {
        let (tries, _) = tries();
        let lock = Lock::Letter(DropId([1; 16]));
        for _ in 0..1000 {
            tries.begin(lock, from(1)).unwrap().was_not_wrong();
        }
    }

    #[test]
    fn what_is_tried_at_the_same_time_is_counted() {
        let (tries, _) = tries();
        let lock = Lock::Box(BoxToken::one([1; 8]));
        let open: Vec<_> = (0..10).map(|_| tries.begin(lock, from(1)).unwrap()).collect();
        assert!(tries.begin(lock, from(1)).is_err());
        open.into_iter().for_each(Try::was_not_wrong);
        let _next = tries.begin(lock, from(1)).unwrap();
    }

    #[test]
    fn more_messages_at_once_than_in_a_minute_are_not_refused_for_ever() {
        let policy = DropBoxPolicy { messages_for_one: 3, ..DropBoxPolicy::default() };
        let clock = Arc::new(TestClock::at(Timestamp::from_micros(1_700_000_000_000_000)));
        let tries = Tries::new(clock, &policy);
        tries.messages(BoxToken::one([1; 8]), from(1), 7).unwrap();
        assert!(tries.messages(BoxToken::one([1; 8]), from(1), 1).is_err());
    }
}
