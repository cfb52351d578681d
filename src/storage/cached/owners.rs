//! Whose an account is. It is noted with everything that is read, and looked up at changes alone, so
//! noting has to be cheap: the latest are kept, behind one lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;
use hashlink::LruCache;

use crate::domain::ids::AccountNumber;

/// By what name the latest accounts are remembered elsewhere.
pub(super) struct AccountOwners<N>(Mutex<LruCache<AccountNumber, N, RandomState>>);

impl<N: Clone> AccountOwners<N> {
    /// At most so many.
    pub(super) fn new(entries: u64) -> Self {
        let entries = usize::try_from(entries).unwrap_or(usize::MAX);
        Self(Mutex::new(LruCache::with_hasher(entries, RandomState::default())))
    }

    fn latest(&self) -> MutexGuard<'_, LruCache<AccountNumber, N, RandomState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes whose these are. That never changes.
    pub(super) fn note(&self, entries: impl IntoIterator<Item = (AccountNumber, N)>) {
        let mut latest = self.latest();
        for (account, name) in entries {
            latest.insert(account, name);
        }
    }

    pub(super) fn get(&self, account: AccountNumber) -> Option<N> {
        self.latest().peek(&account).cloned()
    }

    pub(super) fn knows(&self, account: AccountNumber) -> bool {
        self.latest().contains_key(&account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_known() {
        let owners = AccountOwners::new(2);
        let [one, two, three] = [1, 2, 3].map(AccountNumber);
        owners.note([(one, "one"), (two, "two")]);
        owners.note([(one, "one"), (three, "three")]);
        assert_eq!((owners.get(one), owners.get(three)), (Some("one"), Some("three")));
        assert!(!owners.knows(two), "it is the one that was noted the longest ago");
    }
}
