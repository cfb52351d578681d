//! The connections that write: what they can be asked, and the transaction around a group.

use super::claims::{ReleaseJob, RowsJob};
use crate::storage::acceptance::AcceptJob;

/// What the writers can be asked. Everything rare is a transaction of its own ([`super::change`]).
pub(super) enum Job {
    /// Store messages.
    Accept(AcceptJob),
    /// Let go of rows that a reader holds.
    Release(ReleaseJob),
    /// Delete rows that a reader is done with.
    Acknowledge(RowsJob),
}
