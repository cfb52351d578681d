//! Nonces that were used, for as long as their signatures would be good.
//!
//! They are in the memory of this process, so a signature of before it began is refused. Gateways
//! that serve the same members from one database (PostgreSQL) each have a memory of their own, and
//! claim each nonce in the database as well: one small commit for each strong request. On SQLite
//! there is one process, which does so only for clients whose clock is ahead, and for half a minute
//! after it began: their signatures are good beyond its end.

use std::collections::HashSet;
use std::mem;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::weak::WINDOW;
use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;
use crate::sdk::keys::VerifyingKey;

/// From the earliest moment at which a signature is good to the last, and a second for rounding.
const GOOD: Duration = Duration::from_secs(2 * WINDOW.as_secs() + 1);

/// So many nonces are kept of one such time. More are refused, since forgetting one would let its
/// request in again.
const MOST: usize = 500_000;

type Nonce = ([u8; 32], [u8; 16]);

/// The nonces of one or two such times.
#[derive(Debug)]
pub(super) struct Nonces {
    /// The first second whose nonces are all known.
    began: i64,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    since: Timestamp,
    young: HashSet<Nonce>,
    old: HashSet<Nonce>,
}

impl Nonces {
    pub(super) fn new(began: Timestamp) -> Self {
        let second = Duration::from_micros(999_999);
        Self { began: began.plus(second).as_seconds(), used: Mutex::default() }
    }

    /// Whether all nonces of that second that were used are known.
    pub(super) fn remember(&self, second: i64) -> bool {
        second >= self.began
    }

    /// Whether a signature of that second, made where the clock is ahead of ours, may have been used
    /// before this process began, or may still be good after the next one has begun.
    pub(super) fn may_outlive(&self, second: i64, now: Timestamp) -> bool {
        let window = i64::try_from(WINDOW.as_secs()).unwrap_or(i64::MAX);
        second > now.as_seconds() || second <= self.began.saturating_add(window)
    }

    /// Notes a nonce; false when it was used before.
    ///
    /// # Errors
    /// [`Fault::Unavailable`] when there is no room for it.
    pub(super) fn claim(
        &self,
        key: &VerifyingKey,
        nonce: [u8; 16],
        now: Timestamp,
    ) -> Result<bool, Fault> {
        let nonce = (key.to_bytes(), nonce);
        // A set is in order whatever panicked beside it.
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if now >= used.since.plus(GOOD) {
            used.old = mem::take(&mut used.young);
            used.since = now;
        }
        if used.old.contains(&nonce) || used.young.contains(&nonce) {
            return Ok(false);
        }
        if used.young.len() >= MOST {
            return Err(Fault::unavailable("too many nonces are remembered", None));
        }
        Ok(used.young.insert(nonce))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdk::keys::SigningKey;

    const START: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

    #[test]
    fn a_nonce_is_good_once_for_as_long_as_it_could_come_again() {
        let nonces = Nonces::new(START);
        let key = |seed| SigningKey::from_seed(&[seed; 32]).verifying_key();
        let claim = |seed, nonce, seconds| {
            nonces.claim(&key(seed), [nonce; 16], START.plus(Duration::from_secs(seconds))).unwrap()
        };
        assert!(claim(1, 1, 0));
        assert!(!claim(1, 1, 0));
        assert!(claim(2, 1, 0) && claim(1, 2, 0));
        assert!(!claim(1, 1, 60) && !claim(1, 1, 61) && !claim(1, 2, 121));
    }

    #[test]
    fn what_was_before_the_beginning_is_not_known() {
        let nonces = Nonces::new(START.plus(Duration::from_micros(1)));
        assert!(!nonces.remember(1_700_000_000) && nonces.remember(1_700_000_001));
        assert!(Nonces::new(START).remember(1_700_000_000));
        let later = START.plus(Duration::from_secs(100));
        let may = |second| Nonces::new(START).may_outlive(second, later);
        assert!(may(1_700_000_030) && !may(1_700_000_031));
        assert!(!may(1_700_000_100) && may(1_700_000_101));
    }
}
