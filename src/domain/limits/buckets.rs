//! One token bucket for each of many.

use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moka::sync::Cache;

use super::bucket::Bucket;
use super::{REMEMBERED, WINDOW};
use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;

/// One bucket for each key. A key that is forgotten begins with a full one.
pub struct Buckets<Key> {
    quota: u64,
    what: &'static str,
    buckets: Cache<Key, Arc<Mutex<Bucket>>>,
}

impl<Key: Eq + Hash + Send + Sync + 'static> Buckets<Key> {
    /// Full buckets that hold `quota`, 0 for any amount; `what` says what is counted.
    #[must_use]
    pub fn new(quota: u64, what: &'static str) -> Self {
        // After a window without a request a bucket is full, and as good as a new one.
        let buckets = Cache::builder().max_capacity(REMEMBERED).time_to_idle(2 * WINDOW).build();
        Self { quota, what, buckets }
    }

    /// Takes so much from the bucket of `key`, or nothing.
    ///
    /// # Errors
    /// [`Fault::RateLimited`] with the time after which there is enough; [`Fault::TooLarge`] when
    /// there never will be.
    pub fn take(&self, key: Key, amount: u64, now: Timestamp) -> Result<(), Fault> {
        self.ask(key, amount, now, |bucket| bucket.take(amount, now))
    }

    /// Refuses what [`Self::take`] would refuse, and takes nothing.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn require(&self, key: Key, amount: u64, now: Timestamp) -> Result<(), Fault> {
        self.ask(key, amount, now, |bucket| {
            bucket.take(amount, now)?;
            bucket.give_back(amount);
            Ok(())
        })
    }

    /// Puts back what was taken for nothing.
    pub fn give_back(&self, key: Key, amount: u64, now: Timestamp) {
        if self.quota > 0 {
            self.with(key, now, |bucket| bucket.give_back(amount));
        }
    }

    fn ask(
        &self,
        key: Key,
        amount: u64,
        now: Timestamp,
        ask: impl FnOnce(&mut Bucket) -> Result<(), Duration>,
    ) -> Result<(), Fault> {
        if self.quota == 0 || amount == 0 {
            return Ok(());
        }
        if amount > self.quota {
            return Err(Fault::TooLarge { what: self.what, actual: amount, limit: self.quota });
        }
        let missing = self.with(key, now, ask);
        missing.map_err(|retry_after| Fault::RateLimited { what: self.what, retry_after })
    }

    fn with<T>(&self, key: Key, now: Timestamp, work: impl FnOnce(&mut Bucket) -> T) -> T {
        let full = || Arc::new(Mutex::new(Bucket::full(self.quota, now)));
        let bucket = self.buckets.get_with(key, full);
        // A number is in order whatever panicked beside it.
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut bucket)
    }
}
