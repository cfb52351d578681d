//! One bucket for each network that guests come from.
//!
//! Guests of whom no address is known share one bucket for each key, ten times as large. They are
//! on the same machine, or behind a proxy that the operator has not listed: then strangers are among
//! them, and whoever owns a box should not be kept out of it by the first of them.

use std::hash::Hash;
use std::net::IpAddr;

use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;
use crate::domain::limits::{Buckets, network_of};

/// How many times as much guests without an address may do, all of them together.
const UNKNOWN: u64 = 10;

/// Buckets of everybody, for each key.
pub struct Guests<Key> {
    quota: u64,
    networks: Buckets<(Key, IpAddr)>,
    unknown: Buckets<Key>,
}

impl<Key: Eq + Hash + Send + Sync + 'static> Guests<Key> {
    /// Full buckets that hold `quota` for each network, 0 for any amount; `what` says what is
    /// counted.
    #[must_use]
    pub fn new(quota: u64, what: &'static str) -> Self {
        let unknown = Buckets::new(quota.saturating_mul(UNKNOWN), what);
        Self { quota, networks: Buckets::new(quota, what), unknown }
    }

    /// Takes so much, or nothing. More than a bucket holds counts as a full one: what is allowed at
    /// once elsewhere is not refused for ever here.
    ///
    /// # Errors
    /// [`Fault::RateLimited`].
    pub fn take(
        &self,
        key: Key,
        from: Option<IpAddr>,
        amount: u64,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let amount = amount.min(self.quota);
        match from.map(network_of) {
            Some(from) => self.networks.take((key, from), amount, now),
            None => self.unknown.take(key, amount, now),
        }
    }

    /// Refuses what [`Self::take`] would refuse, and takes nothing.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn require(
        &self,
        key: Key,
        from: Option<IpAddr>,
        amount: u64,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let amount = amount.min(self.quota);
        match from.map(network_of) {
            Some(from) => self.networks.require((key, from), amount, now),
            None => self.unknown.require(key, amount, now),
        }
    }

    /// Puts back what was taken for nothing.
    pub fn give_back(&self, key: Key, from: Option<IpAddr>, amount: u64, now: Timestamp) {
        let amount = amount.min(self.quota);
        match from.map(network_of) {
            Some(from) => self.networks.give_back((key, from), amount, now),
            None => self.unknown.give_back(key, amount, now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

    fn of(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([203, 0, 113, last]))
    }

    #[test]
    fn each_network_has_its_own_and_the_unknown_ones_have_ten() {
        let guests = Guests::new(2, "tests");
        for (from, most) in [(of(1), 2), (of(2), 2), (None, 20)] {
            assert!((0..most).all(|_| guests.take((), from, 1, NOW).is_ok()));
            assert!(guests.require((), from, 1, NOW).is_err());
            assert!(guests.take((), from, 1, NOW).is_err());
            guests.give_back((), from, 1, NOW);
            guests.take((), from, 1, NOW).unwrap();
        }
    }

    #[test]
    fn what_is_more_than_a_bucket_waits_for_a_full_one() {
        let guests = Guests::new(2, "tests");
        guests.take((), of(1), 5, NOW).unwrap();
        assert!(matches!(guests.take((), of(1), 5, NOW), Err(Fault::RateLimited { .. })));
    }
}
