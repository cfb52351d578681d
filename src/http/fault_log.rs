//! The one place where a failed request is logged.

use super::request_id::RequestId;
use crate::domain::Fault;

pub use crate::domain::error::chain;

/// Logs a fault with its causes if it is ours. What callers do wrong is told to them alone.
pub fn log(fault: &Fault, id: &RequestId) {
    if !fault.is_ours() {
        return;
    }
    let chain = chain(fault);
    match fault {
        Fault::Unavailable { .. } => tracing::warn!(request_id = %id, "{chain}"),
        _ => tracing::error!(request_id = %id, "{chain}"),
    }
}
