//! How long to wait before a request is repeated, and when to give up.

use std::time::{Duration, SystemTime};

use super::entropy::Entropy;
use super::http_date;

/// Bounds for repeating a request that failed in a way that may pass.
///
/// The pause before try n is drawn evenly between nothing and `first_pause` doubled n times (full
/// jitter), so that many bots that failed together do not come back together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often a request is tried in all; at least once.
    pub attempts: u32,
    /// Upper bound of the first pause.
    pub first_pause: Duration,
    /// Upper bound of any pause that the client chooses itself.
    pub longest_pause: Duration,
    /// The longest `Retry-After` that is waited for. When the gateway asks for more, the request
    /// fails at once and the error says how long the gateway asked for. The inbox is asked again
    /// after this long at the latest.
    pub longest_retry_after: Duration,
    /// All pauses of one request together.
    pub total_pause: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 6,
            first_pause: Duration::from_millis(200),
            longest_pause: Duration::from_secs(10),
            longest_retry_after: Duration::from_secs(60),
            total_pause: Duration::from_secs(120),
        }
    }
}

impl RetryPolicy {
    /// The pause after `failures` failed tries that waited `waited` so far; `None` means give up.
    pub(super) fn pause(
        &self,
        failures: u32,
        waited: Duration,
        retry_after: Option<Duration>,
        entropy: &Entropy,
    ) -> Option<Duration> {
        if failures >= self.attempts {
            return None;
        }
        let own = self.backoff(failures, entropy);
        let pause = match retry_after {
            Some(asked) if asked > self.longest_retry_after => return None,
            // Jitter on top of what was asked for: never sooner, and not all at the same moment.
            Some(asked) => asked.saturating_add(own.min(self.first_pause)),
            None => own,
        };
        (waited.saturating_add(pause) <= self.total_pause).then_some(pause)
    }

    /// A jittered pause for the given number of failures in a row, without a limit to that number.
    pub(super) fn backoff(&self, failures: u32, entropy: &Entropy) -> Duration {
        let doubled = self.first_pause.saturating_mul(1 << failures.saturating_sub(1).min(20));
        entropy.up_to(doubled.min(self.longest_pause))
    }
}

/// Reads `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3).
pub(super) fn parse_retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::from(u32::MAX))));
    }
    let until = http_date::parse(text)?;
    Some(until.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pause(failures: u32, waited: Duration, retry_after: Option<Duration>) -> Option<Duration> {
        RetryPolicy::default().pause(failures, waited, retry_after, &Entropy::from_seed([1; 32]))
    }

    #[test]
    fn pauses_grow_up_to_the_bound_and_then_no_more() {
        let policy = RetryPolicy::default();
        let entropy = Entropy::from_seed([3; 32]);
        for (failures, bound) in [(1, 200), (2, 400), (4, 1600), (40, 10_000), (u32::MAX, 10_000)] {
            let longest = (0..200).map(|_| policy.backoff(failures, &entropy)).max();
            assert!(longest <= Some(Duration::from_millis(bound)), "{failures}: {longest:?}");
            assert!(longest > Some(Duration::from_millis(bound / 2)), "{failures}: {longest:?}");
        }
    }

    #[test]
    fn what_the_gateway_asks_for_is_a_minimum() {
        let asked = 5 * SECOND;
        let pause = pause(1, Duration::ZERO, Some(asked));
        assert!(pause >= Some(asked) && pause <= Some(asked + SECOND), "{pause:?}");
    }

    #[test]
    fn it_gives_up_after_the_last_try_or_too_long_a_wait() {
        assert_eq!(pause(6, Duration::ZERO, None), None);
        assert_eq!(pause(1, Duration::ZERO, Some(61 * SECOND)), None);
        assert_eq!(pause(2, 100 * SECOND, Some(50 * SECOND)), None);
        assert!(pause(5, Duration::ZERO, None).is_some());
    }

    #[test]
    fn no_number_of_seconds_is_too_many() {
        let (entropy, longest) = (Entropy::from_seed([1; 32]), Duration::MAX);
        let policy = RetryPolicy {
            first_pause: longest,
            longest_pause: longest,
            longest_retry_after: longest,
            total_pause: longest,
            ..RetryPolicy::default()
        };
        assert_eq!(policy.pause(1, longest, Some(longest), &entropy), Some(longest));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = UNIX_EPOCH + 784_111_777 * SECOND;
        assert_eq!(parse_retry_after("120", now), Some(120 * SECOND));
        assert_eq!(parse_retry_after(" 0 ", now), Some(Duration::ZERO));
        assert_eq!(parse_retry_after("Sun, 06 Nov 1994 08:49:47 GMT", now), Some(10 * SECOND));
        assert_eq!(parse_retry_after("Sun, 06 Nov 1994 08:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(parse_retry_after("soon", now), None);
        assert!(parse_retry_after("99999999999999999999999", now).is_some());
    }
}
