//! How fast members may go: the limits that HushNet's documentation recommends, or none.

use std::sync::Arc;

use crate::domain::clock::Clock;

/// The limits of all members.
pub struct Allowances {
    _clock: Arc<dyn Clock>,
}

impl Allowances {
    /// No limits at all.
    #[must_use]
    pub fn unlimited(clock: Arc<dyn Clock>) -> Self {
        Self { _clock: clock }
    }
}
