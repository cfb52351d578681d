//! Whose an account is. It is noted with everything that is read, and looked up at changes alone, so
//! noting has to be cheap: the latest are kept, behind one lock.

use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use hashlink::LruCache;

/// Whose numbers of our own are, the latest of them.
pub(super) struct Owners<K, V>(Mutex<LruCache<K, V, RandomState>>);

impl<K: Eq + Hash, V: Clone> Owners<K, V> {
    /// At most so many.
    pub(super) fn new(entries: u64) -> Self {
        let entries = usize::try_from(entries).unwrap_or(usize::MAX);
        Self(Mutex::new(LruCache::with_hasher(entries, RandomState::default())))
    }

    fn latest(&self) -> MutexGuard<'_, LruCache<K, V, RandomState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes whose these are. That never changes.
    pub(super) fn note(&self, entries: impl IntoIterator<Item = (K, V)>) {
        let mut latest = self.latest();
        for (key, owner) in entries {
            latest.insert(key, owner);
        }
    }

    pub(super) fn get(&self, key: &K) -> Option<V> {
        self.latest().peek(key).cloned()
    }

    pub(super) fn knows(&self, key: &K) -> bool {
        self.latest().contains_key(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_known() {
        let owners = Owners::new(2);
        owners.note([(1, "one"), (2, "two")]);
        owners.note([(1, "one"), (3, "three")]);
        assert_eq!((owners.get(&1), owners.get(&3)), (Some("one"), Some("three")));
        assert!(!owners.knows(&2), "it is the one that was noted the longest ago");
    }
}
