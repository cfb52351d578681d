//! Wrap keys that were agreed on before, so that a known device costs two AES blocks.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use crate::envelope::wrap_key::WrapKey;
use crate::keys::AgreementKey;

/// Entries that a cache holds unless told otherwise; each takes less than half a KiB.
const DEFAULT_CAPACITY: usize = 65_536;

/// A bounded cache of wrap keys, shared by reference between tasks and threads.
///
/// The secret of two key pairs never changes, so an entry is never out of date. When the cache is
/// full, an entry that was not used lately gives way (the clock rule). Keys are wiped from memory
/// when they leave and when the cache is dropped.
///
/// ```
/// use sealpost_sdk::envelope::WrapCache;
///
/// let cache = WrapCache::with_capacity(1_000);
/// assert!(cache.is_empty());
/// ```
pub struct WrapCache {
    table: RwLock<Table>,
}

/// What the lock protects.
pub(super) struct Table {
    /// Own public key, then the other's.
    by_owner: HashMap<AgreementKey, ByPeer>,
    /// Every entry of `by_owner` once, in the order in which the hand passes them.
    ring: Vec<Arc<Entry>>,
    hand: usize,
    capacity: usize,
}

/// The keys that one key pair shares with others.
pub(super) struct ByPeer(HashMap<AgreementKey, Arc<Entry>>);

struct Entry {
    owner: AgreementKey,
    peer: AgreementKey,
    key: WrapKey,
    /// Set by readers, cleared by the passing hand.
    used: AtomicBool,
}

impl WrapCache {
    /// A cache for 65,536 devices.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(DEFAULT_CAPACITY)
    }

    /// A cache for so many devices, at least one.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        let table = Table { by_owner: HashMap::new(), ring: Vec::new(), hand: 0, capacity };
        Self { table: RwLock::new(table) }
    }

    /// The number of keys held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.read().ring.len()
    }

    /// Whether no key is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets and wipes every key.
    pub fn clear(&self) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        table.by_owner.clear();
        table.ring.clear();
        table.hand = 0;
    }

    /// Holds the lock for as many look-ups as an envelope needs. Readers do not exclude each other.
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Table> {
        // A panic elsewhere leaves at worst an entry in one of the two places: still a right key.
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps keys that were missing.
    pub(super) fn insert(
        &self,
        owner: AgreementKey,
        keys: impl IntoIterator<Item = (AgreementKey, WrapKey)>,
    ) {
        let entries: Vec<_> =
            keys.into_iter().map(|(peer, key)| Arc::new(Entry::new(owner, peer, key))).collect();
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        for entry in entries {
            table.insert(entry);
        }
    }
}

impl Default for WrapCache {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for WrapCache {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("WrapCache").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Table {
    /// The keys that this key pair shares with others.
    pub(super) fn of(&self, owner: &AgreementKey) -> Option<&ByPeer> {
        self.by_owner.get(owner)
    }

    fn insert(&mut self, entry: Arc<Entry>) {
        let known = self.by_owner.get(&entry.owner);
        if known.is_some_and(|peers| peers.0.contains_key(&entry.peer)) {
            return;
        }
        if self.ring.len() >= self.capacity {
            self.replace_one(&entry);
        } else {
            self.ring.push(Arc::clone(&entry));
        }
        let peers = self.by_owner.entry(entry.owner).or_insert_with(|| ByPeer(HashMap::new()));
        peers.0.insert(entry.peer, entry);
    }

    /// Moves the hand to an entry that was not used since it last passed, and puts `new` there.
    ///
    /// Every mark is cleared in passing, so the second round finds one at the latest.
    fn replace_one(&mut self, new: &Arc<Entry>) {
        loop {
            let hand = self.hand;
            self.hand = (hand + 1) % self.ring.len().max(1);
            let Some(place) = self.ring.get_mut(hand) else {
                return;
            };
            if place.used.swap(false, Ordering::Relaxed) {
                continue;
            }
            let old = std::mem::replace(place, Arc::clone(new));
            self.forget(&old);
            return;
        }
    }

    fn forget(&mut self, entry: &Entry) {
        let Some(peers) = self.by_owner.get_mut(&entry.owner) else {
            return;
        };
        peers.0.remove(&entry.peer);
        if peers.0.is_empty() {
            self.by_owner.remove(&entry.owner);
        }
    }
}

impl ByPeer {
    /// The key shared with this one, marked as used.
    pub(super) fn get(&self, peer: &AgreementKey) -> Option<&WrapKey> {
        let entry = self.0.get(peer)?;
        // Written only once a round: a line that many threads read should stay unwritten.
        if !entry.used.load(Ordering::Relaxed) {
            entry.used.store(true, Ordering::Relaxed);
        }
        Some(&entry.key)
    }
}

impl Entry {
    fn new(owner: AgreementKey, peer: AgreementKey, key: WrapKey) -> Self {
        Self { owner, peer, key, used: AtomicBool::new(false) }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::keys::AgreementSecret;

    fn secret(byte: u8) -> AgreementSecret {
        AgreementSecret::from_bytes([byte; 32])
    }

    fn remember(cache: &WrapCache, own: &AgreementSecret, peer: &AgreementSecret) {
        let key = WrapKey::new(&own.shared_secret(&peer.public()).unwrap());
        cache.insert(own.public(), [(peer.public(), key)]);
    }

    fn knows(cache: &WrapCache, own: &AgreementSecret, peer: &AgreementSecret) -> bool {
        let table = cache.read();
        table.of(&own.public()).is_some_and(|peers| peers.get(&peer.public()).is_some())
    }

    #[test]
    fn a_full_cache_forgets_what_was_not_used() {
        let cache = WrapCache::with_capacity(2);
        let [own, first, second, third] = [1, 2, 3, 4].map(secret);
        remember(&cache, &own, &first);
        remember(&cache, &own, &second);
        assert!(knows(&cache, &own, &first));
        remember(&cache, &own, &third);
        assert_eq!(cache.len(), 2);
        assert!(knows(&cache, &own, &first) && knows(&cache, &own, &third));
        assert!(!knows(&cache, &own, &second));
    }

    #[test]
    fn a_cache_whose_entries_are_all_in_use_still_takes_new_ones() {
        let cache = WrapCache::with_capacity(3);
        let own = secret(1);
        for byte in 2..40 {
            remember(&cache, &own, &secret(byte));
            assert!(knows(&cache, &own, &secret(byte)));
            assert!(cache.len() <= 3);
        }
        assert_eq!(cache.len(), 3);
    }

    #[test]
    fn an_entry_takes_less_than_half_a_kib_with_its_places() {
        let places = size_of::<(AgreementKey, Arc<Entry>)>() + size_of::<Arc<Entry>>();
        // Both tables may be only half full, and an Arc counts twice.
        assert!(size_of::<Entry>() + 16 + 2 * places < 512, "{}", size_of::<Entry>());
    }

    #[test]
    fn keys_of_one_owner_are_not_those_of_another() {
        let cache = WrapCache::new();
        let [own, other, peer] = [1, 2, 3].map(secret);
        remember(&cache, &own, &peer);
        assert!(!knows(&cache, &other, &peer));
        assert!(!knows(&cache, &peer, &own));
    }

    #[test]
    fn the_same_key_twice_takes_one_place_and_clearing_takes_all() {
        let cache = WrapCache::new();
        let [own, peer] = [1, 2].map(secret);
        remember(&cache, &own, &peer);
        remember(&cache, &own, &peer);
        assert_eq!(cache.len(), 1);
        cache.clear();
        assert!(cache.is_empty() && !knows(&cache, &own, &peer));
    }

    #[test]
    fn an_owner_without_entries_leaves_nothing_behind() {
        let cache = WrapCache::with_capacity(1);
        let [own, other, peer] = [1, 2, 3].map(secret);
        remember(&cache, &own, &peer);
        remember(&cache, &other, &peer);
        assert_eq!(cache.read().by_owner.len(), 1);
    }
}
