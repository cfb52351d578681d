//! What happened in the last hour, in steps of some seconds.
//!
//! The parts of the gateway only count up ([`crate::domain::measures`]). Here two readings become what
//! happened between them, and the steps of an hour are kept in memory; nobody takes any where there is
//! no console.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Serialize;
use tokio::time::{MissedTickBehavior, interval};

use crate::domain::clock::Timestamp;
use crate::domain::measures::{BOUNDS, Distribution};

/// Between two readings.
pub const STEP: Duration = Duration::from_secs(5);

/// Steps that are kept: those of an hour.
const KEPT: usize = 720;

/// What the parts of the gateway had counted at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The moment.
    pub at: Timestamp,
    /// Answers to clients that were no failures.
    pub answered: u64,
    /// Answers that refused something, 4xx.
    pub refused: u64,
    /// Answers that the gateway failed at or was closed to, 5xx.
    pub failed: u64,
    /// Messages that somebody sent, whatever became of them.
    pub sent: u64,
    /// Those of them that were stored.
    pub stored: u64,
    /// Those of them whose list of devices was stale.
    pub stale: u64,
    /// Messages that were handed out for the first time.
    pub delivered: u64,
    /// Messages that were handed out again.
    pub redelivered: u64,
    /// Messages that were acknowledged.
    pub acknowledged: u64,
    /// How long messages waited for the transaction that stored them, until that was on disk.
    pub storing: Distribution,
    /// How long messages waited for their readers.
    pub delivering: Distribution,
    /// What waits in all inboxes, and since when the oldest message is kept; if that is known.
    pub backlog: Option<(u64, Option<Timestamp>)>,
    /// Sockets that are open.
    pub sockets: u64,
    /// Polls that wait.
    pub polls: u64,
}

/// What happened in one step. Rates are those of a second, times are milliseconds; what nothing is
/// known of is absent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Its end, in seconds since 1970.
    pub at: i64,
    /// Answers that were no failures.
    pub answered: f64,
    /// Answers that refused something.
    pub refused: f64,
    /// Answers that failed.
    pub failed: f64,
    /// Messages that were stored.
    pub stored: f64,
    /// Messages that were handed out for the first time.
    pub delivered: f64,
    /// Messages that were handed out again.
    pub redelivered: f64,
    /// Messages that were acknowledged.
    pub acknowledged: f64,
    /// How many of a hundred messages came with a stale list of devices.
    pub stale_percent: Option<f64>,
    /// Storing a message: half took no longer.
    pub storing_p50: Option<f64>,
    /// 99 of a hundred took no longer.
    pub storing_p99: Option<f64>,
    /// From when it was stored until it was handed to a reader: half waited no longer.
    pub delivering_p50: Option<f64>,
    /// 99 of a hundred waited no longer.
    pub delivering_p99: Option<f64>,
    /// What waits in all inboxes.
    pub waiting: Option<u64>,
    /// The age of the oldest message that is kept, in seconds.
    pub oldest_seconds: Option<i64>,
    /// Sockets that are open.
    pub sockets: u64,
    /// Polls that wait.
    pub polls: u64,
}

impl Point {
    /// What happened between two readings; nothing when no time has passed.
    #[must_use]
    pub fn between(before: &Reading, after: &Reading) -> Option<Self> {
        let micros = after.at.as_micros().saturating_sub(before.at.as_micros());
        if micros <= 0 {
            return None;
        }
        let seconds = micros as f64 / 1e6;
        let rate = |of: fn(&Reading) -> u64| {
            rounded(of(after).saturating_sub(of(before)) as f64 / seconds)
        };
        let sent = after.sent.saturating_sub(before.sent);
        let stale = after.stale.saturating_sub(before.stale);
        let storing = less(&after.storing, &before.storing);
        let delivering = less(&after.delivering, &before.delivering);
        let oldest = after.backlog.and_then(|(_, oldest)| oldest);
        Some(Self {
            at: after.at.as_seconds(),
            answered: rate(|it| it.answered),
            refused: rate(|it| it.refused),
            failed: rate(|it| it.failed),
            stored: rate(|it| it.stored),
            delivered: rate(|it| it.delivered),
            redelivered: rate(|it| it.redelivered),
            acknowledged: rate(|it| it.acknowledged),
            stale_percent: (sent > 0).then(|| rounded(stale as f64 / sent as f64 * 100.0)),
            storing_p50: quantile(&storing, 0.5),
            storing_p99: quantile(&storing, 0.99),
            delivering_p50: quantile(&delivering, 0.5),
            delivering_p99: quantile(&delivering, 0.99),
            waiting: after.backlog.map(|(waiting, _)| waiting),
            oldest_seconds: oldest.map(|at| (after.at.as_seconds() - at.as_seconds()).max(0)),
            sockets: after.sockets,
            polls: after.polls,
        })
    }
}

/// Three decimals are all that a chart can show.
fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

/// What was counted from one moment to another.
fn less(after: &Distribution, before: &Distribution) -> Distribution {
    let place = |place: usize| after.counts[place].saturating_sub(before.counts[place]);
    Distribution {
        counts: std::array::from_fn(place),
        micros: after.micros.saturating_sub(before.micros),
    }
}

/// The time that this share of all did not exceed, in milliseconds: as if those between two bounds
/// were spread evenly. Above the last bound it is that one.
fn quantile(distribution: &Distribution, share: f64) -> Option<f64> {
    let count = distribution.count();
    if count == 0 {
        return None;
    }
    let wanted = count as f64 * share;
    let (mut below, mut lower) = (0.0, 0.0);
    for (bound, of) in BOUNDS.iter().zip(distribution.counts) {
        let (upper, of) = (*bound as f64, of as f64);
        if of > 0.0 && below + of >= wanted {
            let part = (wanted - below) / of;
            return Some(rounded((lower + (upper - lower) * part) / 1e3));
        }
        (below, lower) = (below + of, upper);
    }
    Some(rounded(lower / 1e3))
}

/// Reads what the parts of the gateway have counted by now.
pub type Reader = Box<dyn Fn() -> BoxFuture<'static, Reading> + Send + Sync>;

/// The steps of the last hour.
pub struct Figures {
    reader: Reader,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    last: Option<Reading>,
    /// The oldest first.
    points: VecDeque<Point>,
}

impl Figures {
    /// None yet.
    #[must_use]
    pub fn new(reader: Reader) -> Self {
        Self { reader, kept: Mutex::default() }
    }

    /// Takes a reading at every step, for ever; the caller ends it by dropping it.
    pub async fn run(&self) {
        let mut steps = interval(STEP);
        steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            steps.tick().await;
            self.take().await;
        }
    }

    /// Takes a reading now.
    pub async fn take(&self) {
        let reading = (self.reader)().await;
        let mut kept = self.kept();
        // What was counted in no time belongs to the step that comes.
        if kept.last.is_some_and(|last| last.at == reading.at) {
            return;
        }
        let last = kept.last.replace(reading);
        let Some(point) = last.and_then(|last| Point::between(&last, &reading)) else { return };
        if kept.points.len() >= KEPT {
            kept.points.pop_front();
        }
        kept.points.push_back(point);
    }

    /// The steps that ended after this second, the oldest first.
    #[must_use]
    pub fn since(&self, second: i64) -> Vec<Point> {
        self.kept().points.iter().filter(|point| point.at > second).copied().collect()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use futures_util::FutureExt;

    use super::*;
    use crate::domain::measures::Histogram;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn what_happened_between_two_readings_is_given_for_a_second() {
        let before = Reading { at: at(100), answered: 7, sent: 10, stale: 1, ..Reading::default() };
        let backlog = Some((3, Some(at(90))));
        let after = Reading {
            at: at(110),
            answered: 12,
            sent: 14,
            stale: 2,
            backlog,
            ..Reading::default()
        };
        let point = Point::between(&before, &after).unwrap();
        assert_eq!((point.at, point.answered, point.failed), (110, 0.5, 0.0));
        assert_eq!((point.stale_percent, point.waiting), (Some(25.0), Some(3)));
        assert_eq!((point.oldest_seconds, point.storing_p50), (Some(20), None));
        assert_eq!(Point::between(&after, &before), None, "a clock that was set back");
    }

    #[test]
    fn without_messages_no_share_of_them_is_stale() {
        let (before, after) = (
            Reading { at: at(1), ..Reading::default() },
            Reading { at: at(2), ..Reading::default() },
        );
        assert_eq!(Point::between(&before, &after).unwrap().stale_percent, None);
    }

    #[test]
    fn a_quantile_lies_between_the_bounds_of_those_that_reach_it() {
        let histogram = Histogram::default();
        assert_eq!(quantile(&histogram.read(), 0.5), None);
        for _ in 0..98 {
            histogram.observe(Duration::from_micros(700));
        }
        histogram.observe(Duration::from_millis(40));
        histogram.observe(Duration::from_secs(7200));
        let found = histogram.read();
        let half = quantile(&found, 0.5).unwrap();
        assert!((0.5..=1.0).contains(&half), "{half}");
        assert_eq!(quantile(&found, 0.99), Some(50.0));
        assert_eq!(quantile(&found, 1.0), Some(3_600_000.0), "the last bound");
    }

    #[tokio::test]
    async fn an_hour_of_steps_is_kept_and_handed_out_from_any_moment_on() {
        let second = Arc::new(AtomicU64::new(0));
        let reader: Reader = Box::new(move || {
            let second = second.fetch_add(5, Ordering::Relaxed);
            let at = at(i64::try_from(second).unwrap());
            async move { Reading { at, ..Reading::default() } }.boxed()
        });
        let figures = Figures::new(reader);
        for _ in 0..KEPT + 3 {
            figures.take().await;
        }
        let points = figures.since(0);
        assert_eq!((points.len(), points[0].at), (KEPT, 15));
        let last = points[KEPT - 1].at;
        assert_eq!(figures.since(last - 5).len(), 1);
        assert_eq!(figures.since(last).len(), 0);
    }
}
