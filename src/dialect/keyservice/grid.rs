//! When refusals leave that follow from a secret.
//!
//! Whether a token is known or a secret is right takes a little longer or shorter to find out. So
//! whatever is refused of a request that may carry a secret leaves at a multiple of [`STEP`] after
//! the request came: who measures learns how many steps it took, which is one for all that differ in
//! a secret alone. What is not refused leaves at once: who gets it has the secret, and reading shall
//! be as quick as it can.

use std::time::Duration;

use axum::http::StatusCode;
use tokio::time::{Instant, sleep_until};

use super::asked::Operation;

/// Between two moments at which refusals leave: many times what comparing takes, and little to wait.
const STEP: Duration = Duration::from_millis(20);

/// Whether an answer with this status leaves at such a moment.
pub(super) fn is_for(operation: Operation, status: StatusCode) -> bool {
    let is_refused = status.is_client_error() || status.is_server_error();
    is_refused && operation.follows_from_secret()
}

/// Waits for the next such moment of a request that came at `arrived`.
pub(super) async fn reach(arrived: Instant) {
    let steps = arrived.elapsed().as_micros() / STEP.as_micros() + 1;
    let wait = u32::try_from(steps).ok().and_then(|steps| STEP.checked_mul(steps));
    // What is too far away to be a time took longer than any request may.
    if let Some(until) = wait.and_then(|wait| arrived.checked_add(wait)) {
        sleep_until(until).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    #[test]
    fn what_its_owner_reads_leaves_at_once() {
        for operation in [Operation::Read, Operation::Delete, Operation::File] {
            assert!(is_for(operation, StatusCode::NOT_FOUND));
            assert!(is_for(operation, StatusCode::SERVICE_UNAVAILABLE));
            assert!(!is_for(operation, StatusCode::OK));
            assert!(!is_for(operation, StatusCode::NOT_MODIFIED));
        }
        assert!(!is_for(Operation::Put, StatusCode::NOT_FOUND), "it shows no secret");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_leaves_at_the_next_step() {
        for (worked, leaves) in [(0, 20), (1, 20), (19, 20), (20, 40), (1234, 1240)] {
            let arrived = Instant::now();
            sleep(Duration::from_millis(worked)).await;
            reach(arrived).await;
            assert_eq!(arrived.elapsed(), Duration::from_millis(leaves), "{worked}");
        }
    }
}
