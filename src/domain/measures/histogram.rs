//! How often something took how long.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Up to which times are told apart, in microseconds: from a look into memory to a message that
/// waits for hours.
pub const BOUNDS: [u64; 20] = [
    10,
    50,
    100,
    250,
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    10_000_000,
    60_000_000,
    600_000_000,
    3_600_000_000,
];

/// Counts durations by their length.
#[derive(Debug, Default)]
pub struct Histogram {
    /// Those of up to each of the bounds, and of more than the bound before; the last ones are longer
    /// than all.
    counts: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

/// What a [`Histogram`] has counted, at one moment or nearly so: others go on counting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Distribution {
    /// How many there were up to each of the [`BOUNDS`] and above the one before; then those above all
    /// of them.
    pub counts: [u64; BOUNDS.len() + 1],
    /// All of them together, in microseconds.
    pub micros: u64,
}

impl Histogram {
    /// Counts one.
    pub fn observe(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let place = BOUNDS.partition_point(|bound| *bound < micros);
        self.counts[place].fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// What was counted.
    #[must_use]
    pub fn read(&self) -> Distribution {
        Distribution {
            counts: std::array::from_fn(|place| self.counts[place].load(Ordering::Relaxed)),
            micros: self.micros.load(Ordering::Relaxed),
        }
    }
}

impl Distribution {
    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_counted_below_the_first_bound_that_it_does_not_exceed() {
        let histogram = Histogram::default();
        for micros in [0, 10, 11, 3_600_000_000, 3_600_000_001] {
            histogram.observe(Duration::from_micros(micros));
        }
        let found = histogram.read();
        assert_eq!((found.counts[0], found.counts[1]), (2, 1));
        assert_eq!((found.counts[BOUNDS.len() - 1], found.counts[BOUNDS.len()]), (1, 1));
        assert_eq!((found.count(), found.micros), (5, 7_200_000_022));
    }

    #[test]
    fn the_bounds_are_in_order() {
        assert!(BOUNDS.is_sorted());
    }
}
