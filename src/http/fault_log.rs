//! The one place where a failed request is logged.

use std::error::Error;

use super::request_id::RequestId;
use crate::domain::Fault;

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

/// An error and its causes in one line.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_names_every_cause_once() {
        let disk = std::io::Error::other("disk full");
        let fault = Fault::unavailable("the store", Some(disk.into()));
        assert_eq!(chain(&fault), "not available now: the store: disk full");
    }
}
