//! The one place where a failed request is logged.

use tracing::Span;
use tracing::field::display;

use super::request_id::RequestId;
use crate::domain::Fault;

pub use crate::domain::error::chain;

/// Logs a fault with its causes if it is ours. What callers do wrong is told to them alone.
pub fn log(fault: &Fault, id: &RequestId) {
    if !fault.is_ours() {
        return;
    }
    let chain = chain(fault);
    // The span around a request says it already; on a socket there is none.
    let request_id = Span::current().is_none().then(|| display(id));
    match fault {
        Fault::Unavailable { .. } => tracing::warn!(request_id, "{chain}"),
        _ => tracing::error!(request_id, "{chain}"),
    }
}
