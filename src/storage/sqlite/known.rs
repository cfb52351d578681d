//! Guards that hold, as far as the one writer knows: nobody else raises a generation.

use std::collections::HashSet;

use crate::domain::inbox::Guard;

/// How many are remembered, at most.
const GUARDS: usize = 100_000;

/// Guards that were compared with the tables, and held. Changes may raise generations: whoever makes
/// one forgets all of them.
#[derive(Default)]
pub(super) struct KnownGuards(HashSet<Guard>);

impl KnownGuards {
    /// Whether this one surely holds.
    pub(super) fn hold(&self, guard: Guard) -> bool {
        self.0.contains(&guard)
    }

    /// Remembers guards that hold.
    pub(super) fn add(&mut self, guards: impl Iterator<Item = Guard>) {
        if self.0.len() > GUARDS {
            self.0.clear();
        }
        self.0.extend(guards);
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
