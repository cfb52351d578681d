//! A cache that takes nothing older than the last change.
//!
//! A read may start before a change and come back after it; if its result were kept, the change
//! would be forgotten again. So each cache counts changes: a reader notes the count before it asks
//! the inner store, and what it brings is kept only if the count is still the same. Comparing and
//! keeping happen under one lock, and so do counting and forgetting; there is no moment in between.
//! Hits never touch the lock. A change anywhere makes all reads that are under way at that moment
//! bring nothing, which costs another read and no more.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moka::sync::Cache;

use crate::domain::Fault;

/// A cache that takes nothing older than the last change.
pub(super) struct Remembered<K, V> {
    cache: Cache<K, V>,
    changes: Mutex<u64>,
}

/// The number of changes when a read began.
#[derive(Clone, Copy)]
pub(super) struct Before(u64);

impl<K, V> Remembered<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(super) fn new(entries: u64, life: Duration) -> Self {
        let cache = Cache::builder().max_capacity(entries).time_to_live(life).build();
        Self { cache, changes: Mutex::new(0) }
    }

    /// Entries that are not all of one size: `weight` says of how many usual ones one takes the place.
    pub(super) fn weighed(entries: u64, life: Duration, weight: fn(&V) -> u32) -> Self {
        let cache = Cache::builder().max_capacity(entries).time_to_live(life);
        let cache = cache.weigher(move |_, value| weight(value)).build();
        Self { cache, changes: Mutex::new(0) }
    }

    pub(super) fn get(&self, key: &K) -> Option<V> {
        self.cache.get(key)
    }

    fn changes(&self) -> MutexGuard<'_, u64> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be called before the inner store is asked.
    pub(super) fn before(&self) -> Before {
        Before(*self.changes())
    }

    /// Keeps what the inner store said, unless something has changed since.
    pub(super) fn keep(&self, before: Before, entries: impl IntoIterator<Item = (K, V)>) {
        let changes = self.changes();
        if *changes == before.0 {
            for (key, value) in entries {
                self.cache.insert(key, value);
            }
        }
    }

    /// To be called after a change.
    pub(super) fn forget(&self, keys: impl IntoIterator<Item = K>) {
        let mut changes = self.changes();
        *changes += 1;
        for key in keys {
            self.cache.invalidate(&key);
        }
    }

    pub(super) fn forget_everything(&self) {
        let mut changes = self.changes();
        *changes += 1;
        self.cache.invalidate_all();
    }

    /// Answers from memory where it can; `read` is asked for the rest.
    pub(super) async fn get_or_read<F>(
        &self,
        keys: &[K],
        key_of: impl Fn(&V) -> K,
        read: impl FnOnce(Vec<K>) -> F,
    ) -> Result<Vec<V>, Fault>
    where
        F: Future<Output = Result<Vec<V>, Fault>>,
    {
        let mut found = Vec::with_capacity(keys.len());
        let mut unknown = Vec::new();
        // A single key is the usual question.
        let mut asked = HashSet::with_capacity(if keys.len() > 1 { keys.len() } else { 0 });
        for key in keys.iter().filter(|key| keys.len() == 1 || asked.insert((*key).clone())) {
            match self.get(key) {
                Some(value) => found.push(value),
                None => unknown.push(key.clone()),
            }
        }
        if !unknown.is_empty() {
            let before = self.before();
            let read = read(unknown).await?;
            self.keep(before, read.iter().map(|value| (key_of(value), value.clone())));
            found.extend(read);
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    /// Key and value of the entries.
    type Entry = (u8, &'static str);

    fn cache() -> Remembered<u8, Entry> {
        Remembered::new(100, Duration::from_secs(60))
    }

    async fn read(cache: &Remembered<u8, Entry>, keys: &[u8], says: &'static str) -> Vec<Entry> {
        let inner = |unknown: Vec<u8>| async move {
            Ok(unknown.into_iter().map(|key| (key, says)).collect())
        };
        cache.get_or_read(keys, |entry| entry.0, inner).await.unwrap()
    }

    #[tokio::test]
    async fn what_was_read_is_not_read_again() {
        let cache = cache();
        assert_eq!(read(&cache, &[1, 2, 1], "first").await, [(1, "first"), (2, "first")]);
        assert_eq!(read(&cache, &[2, 3], "second").await, [(2, "first"), (3, "second")]);
    }

    #[tokio::test]
    async fn what_was_forgotten_is_read_again() {
        let cache = cache();
        read(&cache, &[1, 2], "old").await;
        cache.forget([1]);
        assert_eq!(read(&cache, &[1, 2], "new").await, [(2, "old"), (1, "new")]);
        cache.forget_everything();
        assert_eq!(read(&cache, &[2], "newer").await, [(2, "newer")]);
    }

    #[tokio::test]
    async fn a_slow_read_brings_nothing_back_that_changed_meanwhile() {
        let cache = cache();
        let (answer, database) = oneshot::channel();
        let slow = cache.get_or_read(
            &[1],
            |entry: &Entry| entry.0,
            |_| async { Ok(vec![database.await.unwrap()]) },
        );
        let change = async {
            cache.forget([1]);
            answer.send((1, "old")).unwrap();
        };
        let (slow, ()) = tokio::join!(slow, change);
        assert_eq!(slow.unwrap(), [(1, "old")], "it began before the change");
        assert_eq!(read(&cache, &[1], "new").await, [(1, "new")]);
    }
}
