//! How much of something shared one account, or one address, holds.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What each holder has; those that hold nothing are not remembered.
#[derive(Debug)]
pub struct Shares<Holder> {
    most: u64,
    held: Mutex<HashMap<Holder, u64>>,
}

/// What a holder took, given back on drop.
#[derive(Debug)]
pub struct Share<Holder: Copy + Eq + Hash> {
    shares: Arc<Shares<Holder>>,
    holder: Holder,
    amount: u64,
}

impl<Holder: Copy + Eq + Hash> Shares<Holder> {
    /// Everybody may hold `most` at the same time.
    pub fn new(most: u64) -> Self {
        Self { most, held: Mutex::default() }
    }

    /// Takes so much for a holder, if it may hold that much more. Who holds nothing may always
    /// take: what is larger than a share is worked on alone.
    pub fn take(self: &Arc<Self>, holder: Holder, amount: u64) -> Option<Share<Holder>> {
        if amount > 0 {
            let mut held = self.held();
            let before = held.get(&holder).copied().unwrap_or_default();
            let after = before.saturating_add(amount);
            if before > 0 && after > self.most {
                return None;
            }
            held.insert(holder, after);
        }
        Some(Share { shares: self.clone(), holder, amount })
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Holder, u64>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Holder: Copy + Eq + Hash> Share<Holder> {
    /// Becomes as large as this, if its holder may hold that much; returns whether it did. What is
    /// all that somebody holds may be larger than a share here, too.
    pub(super) fn grow(&mut self, amount: u64) -> bool {
        let mut held = self.shares.held();
        let before = held.get(&self.holder).copied().unwrap_or_default();
        let others = before.saturating_sub(self.amount);
        let after = others.saturating_add(amount);
        let may = amount > self.amount && (others == 0 || after <= self.shares.most);
        if may {
            held.insert(self.holder, after);
            self.amount = amount;
        }
        may || amount <= self.amount
    }
}

impl<Holder: Copy + Eq + Hash> Share<Holder> {
    /// Becomes as small as this.
    pub fn shrink(&mut self, amount: u64) {
        let less = self.amount.saturating_sub(amount);
        if let Some(held) = self.shares.held().get_mut(&self.holder) {
            *held = held.saturating_sub(less);
        }
        self.amount -= less;
    }
}

impl<Holder: Copy + Eq + Hash> Drop for Share<Holder> {
    fn drop(&mut self) {
        if let Entry::Occupied(mut held) = self.shares.held().entry(self.holder) {
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
    use crate::domain::ids::AccountNumber;

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
    fn a_share_grows_as_far_as_there_is_room_beside_the_others() {
        let shares = Arc::new(Shares::new(10));
        let (mut one, other) = (shares.take(ANNA, 4).unwrap(), shares.take(ANNA, 4).unwrap());
        assert!(!one.grow(7));
        assert!(one.grow(6) && one.grow(5));
        assert!(shares.take(ANNA, 1).is_none());
        drop(other);
        assert!(one.grow(11), "alone");
        drop(one);
        assert!(shares.held().is_empty());
    }

    #[test]
    fn a_share_shrinks_to_what_is_needed() {
        let shares = Arc::new(Shares::new(10));
        let mut one = shares.take(ANNA, 10).unwrap();
        one.shrink(4);
        one.shrink(5);
        let other = shares.take(ANNA, 6).unwrap();
        assert!(shares.take(ANNA, 1).is_none());
        one.shrink(0);
        drop((one, other));
        assert!(shares.held().is_empty());
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
