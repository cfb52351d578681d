//! How much all drop boxes and letters hold together, and how much they may.
//!
//! The number is not exact: the store is asked every few minutes, and what this process adds
//! meanwhile is added here. What goes makes room when the store is asked the next time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;

/// What a box or a letter counts for, whatever is in it.
pub const FOR_ONE: u64 = 1024;

/// Between two times that the store is asked.
const PAUSE: Duration = Duration::from_secs(5 * 60);

/// What is counted when there is no room left, for [`Fault::TooLarge`].
pub const FULL: &str = "all drop boxes here are full: the number of bytes in them";

/// What there is.
pub struct Stock {
    most: u64,
    numbers: Mutex<Numbers>,
}

#[derive(Default)]
struct Numbers {
    /// What the store said.
    stored: u64,
    /// What came since it was asked.
    added: u64,
    /// Bytes of files that are coming in just now.
    coming: u64,
    /// When the store is asked again; at the beginning of time the first time.
    ask_at: Timestamp,
}

impl Stock {
    /// Nothing, as far as is known yet; `most` is how much there may be, 0 for any amount.
    #[must_use]
    pub fn new(most: u64) -> Self {
        Self { most, numbers: Mutex::new(Numbers::default()) }
    }

    /// Refuses what there is no room for.
    ///
    /// # Errors
    /// [`Fault::TooLarge`].
    pub fn require(&self, bytes: u64) -> Result<(), Fault> {
        self.fits(&self.numbers(), bytes)
    }

    /// Notes what was stored.
    pub fn add(&self, bytes: u64) {
        let mut numbers = self.numbers();
        numbers.added = numbers.added.saturating_add(bytes);
    }

    /// A file that is to come in.
    #[must_use]
    pub fn file(self: &Arc<Self>) -> ComingFile {
        ComingFile { stock: self.clone(), bytes: 0 }
    }

    /// Whether the store has to be asked.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.most > 0 && self.numbers().ask_at <= now
    }

    /// What was added before the store is asked, for [`Self::counted`].
    #[must_use]
    pub fn added(&self) -> u64 {
        self.numbers().added
    }

    /// Notes what the store said; `added` is what it knew already.
    pub fn counted(&self, stored: u64, added: u64, now: Timestamp) {
        let mut numbers = self.numbers();
        numbers.stored = stored;
        numbers.added = numbers.added.saturating_sub(added);
        numbers.ask_at = now.plus(PAUSE);
    }

    fn fits(&self, numbers: &Numbers, bytes: u64) -> Result<(), Fault> {
        let sum = [numbers.added, numbers.coming, bytes];
        let sum = sum.into_iter().fold(numbers.stored, u64::saturating_add);
        if self.most > 0 && sum > self.most {
            // How much is here is nobody's business; the first size that is too large will do.
            let (actual, limit) = (self.most.saturating_add(1), self.most);
            return Err(Fault::TooLarge { what: FULL, actual, limit });
        }
        Ok(())
    }

    fn numbers(&self) -> MutexGuard<'_, Numbers> {
        // Numbers are in order whatever panicked beside them.
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file that is coming in, whose bytes have their room until this is dropped.
pub struct ComingFile {
    stock: Arc<Stock>,
    bytes: u64,
}

impl ComingFile {
    /// Makes room for so many bytes more.
    ///
    /// # Errors
    /// [`Fault::TooLarge`] when there is none.
    pub fn grow(&mut self, bytes: u64) -> Result<(), Fault> {
        let mut numbers = self.stock.numbers();
        self.stock.fits(&numbers, bytes)?;
        numbers.coming = numbers.coming.saturating_add(bytes);
        self.bytes = self.bytes.saturating_add(bytes);
        Ok(())
    }
}

impl Drop for ComingFile {
    fn drop(&mut self) {
        let mut numbers = self.stock.numbers();
        numbers.coming = numbers.coming.saturating_sub(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

    #[test]
    fn what_is_stored_added_and_coming_counts() {
        let stock = Arc::new(Stock::new(100));
        stock.counted(50, 0, NOW);
        stock.add(20);
        let mut file = stock.file();
        file.grow(20).unwrap();
        stock.require(10).unwrap();
        assert!(matches!(stock.require(11), Err(Fault::TooLarge { actual: 101, limit: 100, .. })));
        assert!(file.grow(11).is_err());
        drop(file);
        stock.require(30).unwrap();
    }

    #[test]
    fn the_store_knows_what_was_added_before_it_was_asked() {
        let stock = Stock::new(100);
        assert!(stock.is_due(NOW));
        stock.add(20);
        let before = stock.added();
        stock.add(30);
        stock.counted(20, before, NOW);
        assert!(!stock.is_due(NOW) && stock.is_due(NOW.plus(PAUSE)));
        stock.require(50).unwrap();
        assert!(stock.require(51).is_err());
    }

    #[test]
    fn without_a_limit_nothing_is_refused_or_counted() {
        let stock = Stock::new(0);
        stock.add(u64::MAX);
        stock.require(u64::MAX).unwrap();
        assert!(!stock.is_due(NOW));
    }
}
