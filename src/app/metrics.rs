//! What the parts of the gateway have counted, put together for whoever watches it.

use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::timeout;

use crate::console;
use crate::console::figures::{Reader, Reading};
use crate::delivery::hub::Hub;
use crate::domain::account::Dialect;
use crate::domain::clock::Timestamp;
use crate::domain::limits::Kind;
use crate::domain::measures::{Outcome, Stage};
use crate::domain::ports::Backlog;
use crate::domain::{Fault, Gateway};
use crate::http::gate::Gate;
use crate::http::metrics::Page;
use crate::http::places::Places;
use crate::http::traffic::Traffic;
use crate::telemetry::metrics::Readings;

/// What waits in inboxes is counted at most so far.
const MOST_WAITING: u32 = 100_000;

/// For so long it is good, however often somebody asks.
const GOOD_FOR: Duration = Duration::from_secs(15);

/// How long the database may take for it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whoever counts something.
pub(super) struct Metrics {
    pub(super) gateway: Arc<Gateway>,
    pub(super) hub: Arc<Hub>,
    pub(super) gate: Arc<Gate>,
    pub(super) sockets: Arc<Places>,
    pub(super) traffic: Arc<Traffic>,
    pub(super) database: &'static str,
    pub(super) started_at: Timestamp,
    pub(super) sample: Arc<Sample>,
}

/// What was last counted in the database.
#[derive(Default)]
pub(super) struct Sample(Mutex<Kept>);

#[derive(Clone, Copy, Default)]
struct Kept {
    /// When somebody last began to count.
    begun_at: Option<Timestamp>,
    /// What it came to; unknown when the database did not answer.
    backlog: Option<Backlog>,
}

impl Metrics {
    /// A page that is written anew whenever somebody asks for it.
    pub(super) fn page(self) -> Page {
        let metrics = Arc::new(self);
        Arc::new(move || {
            let metrics = metrics.clone();
            Box::pin(async move {
                let readings = metrics.read().await;
                readings.text().map_err(|error| Fault::internal("writing metrics", error))
            })
        })
    }

    /// The same numbers for the console, as they are when it asks.
    pub(super) fn reader(metrics: Arc<Self>) -> Reader {
        Box::new(move || {
            let metrics = metrics.clone();
            Box::pin(async move { metrics.reading().await })
        })
    }

    async fn reading(&self) -> Reading {
        let measures = &self.gateway.measures;
        let of = |outcome| {
            let counts = Dialect::ALL.map(|dialect| measures.messages(dialect, outcome).value());
            counts.iter().sum::<u64>()
        };
        let answers = self.traffic.answers();
        // What operators ask for at the console is no client's traffic.
        let is_operators = |route: &str| {
            let rest = route.strip_prefix(console::PLACE);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let from_clients = || answers.iter().filter(|it| !is_operators(&it.route));
        let with = |classes: &[&str]| {
            let those = from_clients().filter(|answer| classes.contains(&answer.class));
            those.map(|answer| answer.count).sum::<u64>()
        };
        let delivering = measures.stage(Stage::Deliver).read();
        let backlog = self.backlog().await;
        Reading {
            at: self.gateway.clock.now(),
            answered: with(&["1xx", "2xx", "3xx"]),
            refused: with(&["4xx"]),
            failed: with(&["5xx"]),
            sent: Outcome::ALL.map(of).iter().sum(),
            stored: of(Outcome::Accepted) + of(Outcome::AcceptedForSome),
            stale: of(Outcome::StaleSessions),
            delivered: delivering.count(),
            redelivered: measures.redelivered.value(),
            acknowledged: measures.acknowledged.value(),
            storing: measures.stage(Stage::Commit).read(),
            delivering,
            backlog: backlog.map(|backlog| (backlog.waiting, backlog.oldest)),
            sockets: self.sockets.taken() as u64,
            polls: measures.polls.value(),
        }
    }

    async fn read(&self) -> Readings {
        let Self { gateway, traffic, .. } = self;
        let measures = &gateway.measures;
        let mut stages: Vec<_> =
            Stage::ALL.map(|stage| (stage.as_str(), measures.stage(stage).read())).into();
        stages.push(("wake", self.hub.wakes().read()));
        let answers = traffic.answers().into_iter().map(|it| (it.route, it.class, it.count));
        let limiter = self.gate.limiter();
        Readings {
            version: env!("CARGO_PKG_VERSION"),
            database: self.database,
            started_at: self.started_at,
            resident_bytes: resident_bytes(),
            stages,
            answers: answers.collect(),
            overloads: [("429", traffic.too_many.value()), ("503", traffic.unavailable.value())],
            messages: self.messages(),
            limited: Kind::ALL.map(|kind| (kind.as_str(), limiter.refused(kind))).into(),
            redelivered: measures.redelivered.value(),
            acknowledged: measures.acknowledged.value(),
            received: traffic.received.value(),
            sent: traffic.sent.value(),
            sockets: self.sockets.taken() as u64,
            polls: measures.polls.value(),
            backlog: self.backlog().await,
            load: gateway.store.load(),
            now: gateway.clock.now(),
        }
    }

    fn messages(&self) -> Vec<(&'static str, &'static str, u64)> {
        let measures = &self.gateway.measures;
        let of = |dialect: Dialect| {
            Outcome::ALL.map(|outcome| {
                let count = measures.messages(dialect, outcome).value();
                (dialect.as_str(), outcome.as_str(), count)
            })
        };
        Dialect::ALL.into_iter().flat_map(of).collect()
    }

    /// What waits, counted anew when that was long ago. Others are told meanwhile what was known
    /// before.
    async fn backlog(&self) -> Option<Backlog> {
        let gateway = &self.gateway;
        if self.sample.is_due(gateway.clock.now()) {
            let counted = timeout(PATIENCE, gateway.store.backlog(MOST_WAITING)).await;
            let counted = counted.map_err(|_| Fault::unavailable("counting took too long", None));
            match counted.flatten() {
                Ok(backlog) => self.sample.kept().backlog = Some(backlog),
                Err(fault) => {
                    tracing::debug!(%fault, "cannot count what waits");
                    self.sample.kept().backlog = None;
                }
            }
        }
        self.sample.kept().backlog
    }
}

impl Sample {
    /// Whether to count now; whoever is told so is the only one for a while.
    fn is_due(&self, now: Timestamp) -> bool {
        let mut kept = self.kept();
        // A clock that was set back does not keep an old count for long.
        let is_good = kept.begun_at.is_some_and(|begun| begun <= now && now < begun.plus(GOOD_FOR));
        if !is_good {
            kept.begun_at = Some(now);
        }
        !is_good
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The memory that this process has, on Linux: `VmRSS` in `/proc/self/status`, proc(5), in KiB.
fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_counted_again_when_that_was_long_ago_and_by_one_at_a_time() {
        let sample = Sample::default();
        let at = |seconds| Timestamp::from_micros(0).plus(Duration::from_secs(seconds));
        assert!(sample.is_due(at(100)));
        assert!(!sample.is_due(at(100)));
        assert!(!sample.is_due(at(114)));
        assert!(sample.is_due(at(115)));
        assert!(sample.is_due(at(50)), "a clock that was set back");
    }
}
