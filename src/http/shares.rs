//! How much of something shared one account holds.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::ids::AccountNumber;

/// What each account holds; accounts that hold nothing are not remembered.
#[derive(Debug)]
pub(super) struct Shares {
    most: u64,
    held: Mutex<HashMap<AccountNumber, u64>>,
}

/// What an account took, given back on drop.
#[derive(Debug)]
pub(super) struct Share {
    shares: Arc<Shares>,
    account: AccountNumber,
    amount: u64,
}

impl Shares {
    /// Every account may hold `most` at the same time.
    pub(super) fn new(most: u64) -> Self {
        Self { most, held: Mutex::default() }
    }

    /// Takes so much for an account, if it may hold that much more. Who holds nothing may always
    /// take: what is larger than a share is worked on alone.
    pub(super) fn take(self: &Arc<Self>, account: AccountNumber, amount: u64) -> Option<Share> {
        if amount > 0 {
            let mut held = self.held();
            let before = held.get(&account).copied().unwrap_or_default();
            let after = before.saturating_add(amount);
            if before > 0 && after > self.most {
                return None;
            }
            held.insert(account, after);
        }
        Some(Share { shares: self.clone(), account, amount })
    }

    fn held(&self) -> MutexGuard<'_, HashMap<AccountNumber, u64>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Entry::Occupied(mut held) = self.shares.held().entry(self.account) {
            *held.get_mut() = held.get().saturating_sub(self.amount);
            if *held.get() == 0 {
                held.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANNA: AccountNumber = AccountNumber(1);
    const BERT: AccountNumber = AccountNumber(2);

    #[test]
    fn an_account_holds_its_share_and_leaves_the_rest_to_others() {
        let shares = Arc::new(Shares::new(10));
        let first = shares.take(ANNA, 8).unwrap();
        let _empty = shares.take(ANNA, 0).unwrap();
        let _second = shares.take(ANNA, 2).unwrap();
        assert!(shares.take(ANNA, 1).is_none());
        assert!(shares.take(BERT, 10).is_some());
        drop(first);
        assert!(shares.take(ANNA, 8).is_some());
    }

    #[test]
    fn what_is_larger_than_a_share_is_taken_alone_and_nothing_is_left_behind() {
        let shares = Arc::new(Shares::new(10));
        let large = shares.take(ANNA, u64::MAX).unwrap();
        assert!(shares.take(ANNA, 1).is_none());
        drop(large);
        drop(shares.take(BERT, 0));
        assert!(shares.held().is_empty());
    }
}
