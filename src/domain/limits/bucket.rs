//! One token bucket.

use std::time::Duration;

use super::WINDOW;
use crate::domain::clock::Timestamp;

const WINDOW_MICROS: u128 = WINDOW.as_micros();

/// A bucket that holds its quota and fills up within a window, on a clock that is handed to it.
///
/// The level is kept in tokens times the window's microseconds, so that nothing is lost to rounding
/// however slowly it fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    quota: u64,
    level: u128,
    at: Timestamp,
}

impl Bucket {
    /// A full one.
    #[must_use]
    pub fn full(quota: u64, now: Timestamp) -> Self {
        Self { quota, level: u128::from(quota) * WINDOW_MICROS, at: now }
    }

    /// Takes so many tokens, or none.
    ///
    /// # Errors
    /// How long it takes until there are enough; for more than the quota, how long a bucket of that
    /// size would take.
    pub fn take(&mut self, amount: u64, now: Timestamp) -> Result<(), Duration> {
        self.fill(now);
        let wanted = u128::from(amount) * WINDOW_MICROS;
        match self.level.checked_sub(wanted) {
            Some(rest) => {
                self.level = rest;
                Ok(())
            }
            None => Err(self.time_for(wanted - self.level)),
        }
    }

    /// Puts back what was taken for nothing.
    pub fn give_back(&mut self, amount: u64) {
        self.level = (self.level + u128::from(amount) * WINDOW_MICROS).min(self.size());
    }

    /// How many tokens there are, and how long it takes until it is full.
    pub fn standing(&mut self, now: Timestamp) -> (u64, Duration) {
        self.fill(now);
        let left = u64::try_from(self.level / WINDOW_MICROS).unwrap_or(u64::MAX);
        (left, self.time_for(self.size() - self.level))
    }

    fn size(&self) -> u128 {
        u128::from(self.quota) * WINDOW_MICROS
    }

    /// A clock that was set back fills nothing, and from then on counts as it is: waiting until it
    /// has caught up would leave the bucket empty for as long.
    fn fill(&mut self, now: Timestamp) {
        let passed = now.as_micros().saturating_sub(self.at.as_micros());
        self.at = now;
        let Ok(passed) = u128::try_from(passed) else { return };
        let gained = passed.min(WINDOW_MICROS) * u128::from(self.quota);
        self.level = (self.level + gained).min(self.size());
    }

    fn time_for(&self, missing: u128) -> Duration {
        let micros = missing.div_ceil(u128::from(self.quota.max(1)));
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_micros(millis * 1000)
    }

    #[test]
    fn it_fills_evenly_and_never_over_its_size() {
        let mut bucket = Bucket::full(6, at(0));
        assert_eq!(bucket.take(6, at(0)), Ok(()));
        assert_eq!(bucket.take(1, at(0)), Err(Duration::from_secs(10)));
        assert_eq!(bucket.take(1, at(9_999)), Err(Duration::from_millis(1)));
        assert_eq!(bucket.take(1, at(10_000)), Ok(()));
        assert_eq!(bucket.standing(at(3_600_000)), (6, Duration::ZERO));
        bucket.give_back(100);
        assert_eq!(bucket.standing(at(3_600_000)).0, 6);
    }

    #[test]
    fn nothing_is_lost_to_rounding() {
        let mut bucket = Bucket::full(1, at(0));
        bucket.take(1, at(0)).unwrap();
        for milli in 1..60_000 {
            assert!(bucket.take(1, at(milli)).is_err(), "{milli}");
        }
        assert_eq!(bucket.take(1, at(60_000)), Ok(()));
    }

    #[test]
    fn a_clock_that_is_set_back_fills_nothing_and_goes_on_from_there() {
        let mut bucket = Bucket::full(1, at(3_600_000));
        bucket.take(1, at(3_600_000)).unwrap();
        assert_eq!(bucket.take(1, at(0)), Err(WINDOW));
        assert_eq!(bucket.take(1, at(59_999)), Err(Duration::from_millis(1)));
        assert_eq!(bucket.take(1, at(60_000)), Ok(()));
    }

    #[test]
    fn the_largest_numbers_do_no_harm() {
        let mut bucket = Bucket::full(u64::MAX, at(0));
        assert_eq!(bucket.take(u64::MAX, at(0)), Ok(()));
        bucket.give_back(u64::MAX);
        let far = Timestamp::from_micros(i64::MAX);
        assert_eq!(bucket.standing(far), (u64::MAX, Duration::ZERO));
    }
}
