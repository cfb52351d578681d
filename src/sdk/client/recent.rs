//! A map of bounded size that forgets what was not used for long.
//!
//! Two halves: new and used entries go to the young one; when that is full, the old one is dropped
//! whole and the young one takes its place. No lists to keep, no scan, every step constant.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::SystemTime;

/// The bounded map; each entry remembers when it was written.
pub(super) struct RecentMap<K, V> {
    half: usize,
    young: HashMap<K, (V, SystemTime)>,
    old: HashMap<K, (V, SystemTime)>,
}

impl<K: Hash + Eq + Copy, V> RecentMap<K, V> {
    /// Never holds more than `capacity` entries (two at least), and always the last half of that.
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self { half: (capacity / 2).max(1), young: HashMap::new(), old: HashMap::new() }
    }

    pub(super) fn insert(&mut self, key: K, value: V, now: SystemTime) {
        self.old.remove(&key);
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, (value, now));
    }

    /// The entry, unless it was written before `oldest`.
    pub(super) fn get(&mut self, key: &K, oldest: SystemTime) -> Option<&V> {
        if let Some((value, written)) = self.old.remove(key) {
            self.insert(*key, value, written);
        }
        if self.young.get(key).is_some_and(|(_, written)| *written < oldest) {
            self.young.remove(key);
        }
        self.young.get(key).map(|(value, _)| value)
    }

    pub(super) fn contains(&self, key: &K) -> bool {
        self.young.contains_key(key) || self.old.contains_key(key)
    }

    pub(super) fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn an_odd_or_small_capacity_is_a_bound_too() {
        for (capacity, most) in [(0, 2), (1, 2), (2, 2), (3, 3), (7, 7)] {
            let mut map = RecentMap::with_capacity(capacity);
            for key in 0..50 {
                map.insert(key, key, at(1));
                assert!(map.young.len() + map.old.len() <= most, "{capacity}");
            }
        }
    }

    #[test]
    fn it_never_grows_beyond_its_capacity_and_keeps_what_is_used() {
        let mut map = RecentMap::with_capacity(10);
        for key in 0..100 {
            map.insert(key, key, at(1));
            assert!(map.get(&0, at(0)).is_some(), "forgot a used entry at {key}");
            assert!(map.young.len() + map.old.len() <= 10);
        }
        assert!(!map.contains(&1));
        assert!((96..100).all(|key| map.contains(&key)));
    }

    #[test]
    fn old_entries_are_not_given_out() {
        let mut map = RecentMap::with_capacity(4);
        map.insert(1, "one", at(10));
        assert_eq!(map.get(&1, at(10)), Some(&"one"));
        assert_eq!(map.get(&1, at(11)), None);
        assert!(!map.contains(&1));
    }

    #[test]
    fn writing_again_replaces_and_removing_removes() {
        let mut map = RecentMap::with_capacity(2);
        map.insert(1, "one", at(1));
        map.insert(2, "two", at(1));
        map.insert(1, "uno", at(5));
        assert_eq!(map.get(&1, at(5)), Some(&"uno"));
        map.remove(&1);
        assert_eq!(map.get(&1, at(0)), None);
    }
}
