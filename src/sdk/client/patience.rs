//! How long a listener waits for a gateway that does not answer, and when it gives up.

use std::time::Duration;

use super::bot::Core;
use super::error::RequestError;

/// Counts failures in a row of something that has to go on for as long as it takes.
///
/// A gateway that has answered once is waited for: a bot outlives its restart. One that was never
/// reached is given up after as many tries as any request has: most likely its address is wrong.
#[derive(Default)]
pub(super) struct Patience {
    failures: u32,
    /// Whether the gateway has answered so far, if only to say that it is busy.
    reached: bool,
}

impl Patience {
    /// Something succeeded, so the next failure is the first one.
    pub(super) fn renew(&mut self) {
        self.failures = 0;
        self.reached = true;
    }

    /// Something succeeded that may be over soon: the failures so far still count.
    pub(super) fn reached(&mut self) {
        self.reached = true;
    }

    /// The pause before the next try, or `None` when no further try makes sense.
    pub(super) fn pause_after(&mut self, error: &RequestError, core: &Core) -> Option<Duration> {
        self.reached |= error.status().is_some();
        let goes_on = error.is_temporary()
            && (self.reached || self.failures.saturating_add(1) < core.gateway.retry.attempts);
        goes_on.then(|| self.pause(error, core))
    }

    /// The pause before the next try, whatever the failure was.
    pub(super) fn pause(&mut self, error: &RequestError, core: &Core) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let retry = core.gateway.retry;
        let own = retry.backoff(self.failures, &core.entropy);
        let asked = error.retry_after().unwrap_or_default().min(retry.longest_retry_after);
        asked.max(own)
    }
}
