//! The client's two questions about time: what is it, and wake me later.
//!
//! Both are behind one trait so that a test holds the clock and never waits.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where a bot takes its time from; give your own to
/// [`BotBuilder::clock`](super::BotBuilder::clock) in tests.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock: tokens carry it, and the age of cached session lists is counted with it.
    fn now(&self) -> SystemTime;

    /// Resolves after `duration`; the pauses between repeated requests.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The clock of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the client reads the clock")]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// Whole seconds since 1970, as tokens want them.
pub(super) fn unix_seconds(clock: &dyn Clock) -> i64 {
    let since = clock.now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
