//! A connection that brings requests, as far as rules care.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The connection of one client. It is equal to its clones alone.
#[derive(Clone, Debug, Default)]
pub struct Line(Arc<AtomicBool>);

impl Line {
    /// Notes that its client hung up as one does who has read what it was sent.
    pub fn end_well(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether its client hung up like that.
    #[must_use]
    pub fn has_ended_well(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl PartialEq for Line {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Line {}
