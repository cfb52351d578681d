//! So much in an hour for each of many, in memory. The hour of each begins with what it does first.

use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moka::sync::Cache;

use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Keys that are remembered; one that is forgotten begins anew.
const REMEMBERED: u64 = 100_000;

/// What somebody did in an hour.
struct Hour {
    until: Timestamp,
    count: u64,
}

/// A count for each key.
pub struct Hourly<Key> {
    most: u64,
    what: &'static str,
    hours: Cache<Key, Arc<Mutex<Hour>>>,
}

impl<Key: Eq + Hash + Send + Sync + 'static> Hourly<Key> {
    /// Nobody has done anything, and may do it `most` times in an hour; `what` says what is counted.
    #[must_use]
    pub fn new(most: u64, what: &'static str) -> Self {
        let hours = Cache::builder().max_capacity(REMEMBERED).time_to_idle(2 * HOUR).build();
        Self { most, what, hours }
    }

    /// Counts it.
    ///
    /// # Errors
    /// [`Fault::RateLimited`] with the time until the hour is over.
    pub fn take(&self, key: Key, now: Timestamp) -> Result<(), Fault> {
        let hour = || Arc::new(Mutex::new(Hour { until: now.plus(HOUR), count: 0 }));
        let hour = self.hours.get_with(key, hour);
        // Numbers are in order whatever panicked beside them.
        let mut hour = hour.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back does not make anybody wait for longer than an hour.
        if hour.until <= now || hour.until > now.plus(HOUR) {
            *hour = Hour { until: now.plus(HOUR), count: 0 };
        }
        if hour.count >= self.most {
            let micros = hour.until.as_micros().saturating_sub(now.as_micros());
            let retry_after = Duration::from_micros(micros.unsigned_abs());
            return Err(Fault::RateLimited { what: self.what, retry_after });
        }
        hour.count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_much_is_done_in_an_hour() {
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let hourly = Hourly::new(2, "tests");
        hourly.take(1, at(0)).unwrap();
        hourly.take(1, at(600)).unwrap();
        let refused = hourly.take(1, at(600));
        let Err(Fault::RateLimited { retry_after, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!(retry_after, Duration::from_secs(3000));
        hourly.take(2, at(600)).unwrap();
        assert!(hourly.take(1, at(3599)).is_err());
        hourly.take(1, at(3600)).unwrap();
    }
}
