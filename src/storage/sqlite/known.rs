//! Guards that hold, as far as the one writer knows: nobody else raises a generation.

use crate::domain::inbox::Guard;
use crate::storage::own::OwnSet;

/// How many are remembered, at most.
const GUARDS: usize = 100_000;

/// Guards that were compared with the tables, and held. Changes may raise generations: whoever makes
/// one forgets all of them.
#[derive(Default)]
pub(super) struct KnownGuards(OwnSet<Guard>);

impl KnownGuards {
    /// Whether this one surely holds.
    pub(super) fn hold(&self, guard: Guard) -> bool {
        self.0.contains(&guard)
    }

    /// Remembers a guard that holds.
    pub(super) fn add(&mut self, guard: Guard) {
        if self.0.len() >= GUARDS {
            self.0.clear();
        }
        self.0.insert(guard);
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
