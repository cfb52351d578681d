//! How long somebody who failed is left alone.

use std::time::Duration;

/// So many failures may be those of a moment: what was to be carried is tried again as it is.
pub(super) const HICCUPS: u32 = 2;

/// After so many failures nothing is tried again before there is something new.
pub(super) const MOST_FAILURES: u32 = 10;

/// The longest time.
pub(super) const LONGEST: Duration = Duration::from_secs(3600);

/// How long somebody is left alone who has failed so many times in a row.
pub(super) fn pause(failures: u32) -> Duration {
    match failures {
        0 | 1 => Duration::from_secs(1),
        2 => Duration::from_secs(5),
        more => {
            let doubled = 30_u64.saturating_mul(1 << (more - 3).min(10));
            Duration::from_secs(doubled).min(LONGEST)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_an_hour() {
        let pauses: Vec<_> = (1..=10).map(|failures| pause(failures).as_secs()).collect();
        assert_eq!(pauses, [1, 5, 30, 60, 120, 240, 480, 960, 1920, 3600]);
        assert_eq!(pause(u32::MAX), LONGEST);
    }
}
