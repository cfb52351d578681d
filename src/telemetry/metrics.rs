//! Metrics as text, in the format that Prometheus reads (OpenMetrics 1.0).
//!
//! The parts of the gateway count for themselves ([`crate::domain::measures`] and others like it); here
//! is what all of that is called. The library only writes: its own histograms take a lock for each
//! observation.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use crate::domain::clock::Timestamp;
use crate::domain::measures::{BOUNDS, Distribution};
use crate::domain::ports::{Backlog, Load};

/// All that is shown, as it was at one moment or nearly so.
#[derive(Clone, Debug)]
pub struct Readings {
    /// The program's version.
    pub version: &'static str,
    /// Which database there is.
    pub database: &'static str,
    /// When the process opened its data directory.
    pub started_at: Timestamp,
    /// The present moment.
    pub now: Timestamp,
    /// The memory that the process has, in bytes, where the system says so.
    pub resident_bytes: Option<u64>,
    /// How long each stage has taken, by its name.
    pub stages: Vec<(&'static str, Distribution)>,
    /// Answers by route and class of status.
    pub answers: Vec<(String, &'static str, u64)>,
    /// Answers that told clients to come again, by their status.
    pub overloads: [(&'static str, u64); 2],
    /// Messages by dialect and what became of them.
    pub messages: Vec<(&'static str, &'static str, u64)>,
    /// Refusals by the limit that was reached.
    pub limited: Vec<(&'static str, u64)>,
    /// Messages that were handed out again.
    pub redelivered: u64,
    /// Messages that were acknowledged.
    pub acknowledged: u64,
    /// Bytes that came in.
    pub received: u64,
    /// Bytes that went out.
    pub sent: u64,
    /// Sockets that are open.
    pub sockets: u64,
    /// Polls that wait.
    pub polls: u64,
    /// What waits in all inboxes, if that is known.
    pub backlog: Option<Backlog>,
    /// What the store is doing.
    pub load: Load,
}

impl Readings {
    /// The text.
    ///
    /// # Errors
    /// When a text cannot be written into memory, which does not happen.
    pub fn text(self) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }
}

impl Collector for Readings {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let mut page = Page(encoder);
        self.process(&mut page)?;
        self.requests(&mut page)?;
        self.messages(&mut page)?;
        self.readers(&mut page)?;
        self.store(&mut page)
    }
}

impl Readings {
    fn process(&self, page: &mut Page<'_>) -> Result<(), fmt::Error> {
        let mut build =
            page.metric(("sealpost_build", "Which gateway this is", None), MetricType::Info)?;
        build.encode_info(&[("version", self.version), ("database", self.database)])?;
        page.gauge(
            ("process_start_time", "When it opened its data directory, since 1970", SECONDS),
            &seconds(self.started_at.as_micros()),
        )?;
        let Some(bytes) = self.resident_bytes else { return Ok(()) };
        page.gauge(("process_resident_memory", "The memory that the process has", BYTES), &bytes)
    }

    fn requests(&self, page: &mut Page<'_>) -> Result<(), fmt::Error> {
        let mut stages = page.metric(
            ("sealpost_stage", "How long each stage of a message's way has taken", SECONDS),
            MetricType::Histogram,
        )?;
        for (stage, distribution) in &self.stages {
            let labels = [("stage", *stage)];
            write_histogram(stages.encode_family(&labels)?, distribution)?;
        }
        page.counters(
            ("sealpost_requests", "Answers by route and class of status", None),
            self.answers.iter().map(|(route, class, count)| {
                ([("route", route.as_str()), ("status", *class)], *count)
            }),
        )?;
        page.counters(
            ("sealpost_overload_answers", "Answers that told clients to come again", None),
            self.overloads.iter().map(|(status, count)| ([("status", *status)], *count)),
        )?;
        page.counters(
            ("sealpost_limited", "Refusals by the limit that was reached", None),
            self.limited.iter().map(|(kind, count)| ([("limit", *kind)], *count)),
        )?;
        page.counter(("sealpost_received", "What clients sent", BYTES), self.received)?;
        page.counter(("sealpost_sent", "What clients were sent", BYTES), self.sent)
    }

    fn messages(&self, page: &mut Page<'_>) -> Result<(), fmt::Error> {
        page.counters(
            ("sealpost_messages", "Messages that were sent, by what became of them", None),
            self.messages.iter().map(|(dialect, outcome, count)| {
                ([("dialect", *dialect), ("outcome", *outcome)], *count)
            }),
        )?;
        page.counter(
            ("sealpost_redelivered_messages", "Messages that were handed out again", None),
            self.redelivered,
        )?;
        page.counter(
            ("sealpost_acknowledged_messages", "Messages that readers took care of", None),
            self.acknowledged,
        )
    }

    fn readers(&self, page: &mut Page<'_>) -> Result<(), fmt::Error> {
        page.gauge(("sealpost_sockets", "Sockets that are open", None), &self.sockets)?;
        page.gauge(("sealpost_long_polls", "Polls that wait", None), &self.polls)?;
        let Some(backlog) = self.backlog else { return Ok(()) };
        page.gauge(
            ("sealpost_inbox_messages", "What waits in all inboxes, counted so far", None),
            &backlog.waiting,
        )?;
        let age =
            backlog.oldest.map_or(0, |at| self.now.as_micros().saturating_sub(at.as_micros()));
        page.gauge(
            ("sealpost_inbox_oldest_age", "The age of the oldest message that is kept", SECONDS),
            &seconds(age.max(0)),
        )
    }

    fn store(&self, page: &mut Page<'_>) -> Result<(), fmt::Error> {
        let Load { connections, .. } = self.load;
        page.counter(
            ("sealpost_commit_groups", "Transactions that were committed", None),
            self.load.commit_groups,
        )?;
        page.counter(
            ("sealpost_commit_requests", "The requests that shared them", None),
            self.load.commit_requests,
        )?;
        page.counter(
            ("sealpost_commit_failures", "Transactions that failed", None),
            self.load.commit_failures,
        )?;
        page.gauge(
            ("sealpost_write_queue_requests", "Requests that wait for their transaction", None),
            &self.load.waiting_writes,
        )?;
        page.gauge(
            ("sealpost_write_queue", "About what they hold in memory", BYTES),
            &self.load.waiting_bytes,
        )?;
        let busy = connections.open.saturating_sub(connections.idle);
        let mut open = page.metric(
            ("sealpost_database_connections", "Connections that requests share", None),
            MetricType::Gauge,
        )?;
        for (state, count) in [("busy", busy), ("idle", connections.idle)] {
            open.encode_family(&[("state", state)])?.encode_gauge(&count)?;
        }
        page.gauge(
            ("sealpost_database_connections_limit", "How many there may be", None),
            &connections.most,
        )
    }
}

/// Name, help, unit.
type Heading = (&'static str, &'static str, Option<&'static Unit>);

const SECONDS: Option<&Unit> = Some(&Unit::Seconds);

const BYTES: Option<&Unit> = Some(&Unit::Bytes);

/// Where metrics are written, one after the other.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn metric(
        &mut self,
        (name, help, unit): Heading,
        kind: MetricType,
    ) -> Result<MetricEncoder<'_>, fmt::Error> {
        self.0.encode_descriptor(name, help, unit, kind)
    }

    fn counter(&mut self, heading: Heading, count: u64) -> Result<(), fmt::Error> {
        write_counter(self.metric(heading, MetricType::Counter)?, count)
    }

    fn counters<Labels: EncodeLabelSet>(
        &mut self,
        heading: Heading,
        counts: impl Iterator<Item = (Labels, u64)>,
    ) -> Result<(), fmt::Error> {
        let mut family = self.metric(heading, MetricType::Counter)?;
        for (labels, count) in counts {
            write_counter(family.encode_family(&labels)?, count)?;
        }
        Ok(())
    }

    fn gauge(
        &mut self,
        heading: Heading,
        value: &impl prometheus_client::encoding::EncodeGaugeValue,
    ) -> Result<(), fmt::Error> {
        self.metric(heading, MetricType::Gauge)?.encode_gauge(value)
    }
}

fn write_counter(mut metric: MetricEncoder<'_>, count: u64) -> Result<(), fmt::Error> {
    metric.encode_counter::<NoLabelSet, u64, f64>(&count, None)
}

fn write_histogram(
    mut metric: MetricEncoder<'_>,
    distribution: &Distribution,
) -> Result<(), fmt::Error> {
    let bounds = BOUNDS.iter().map(|bound| *bound as f64 / 1e6).chain([f64::INFINITY]);
    let buckets: Vec<(f64, u64)> = bounds.zip(distribution.counts).collect();
    let sum = distribution.micros as f64 / 1e6;
    metric.encode_histogram::<NoLabelSet>(sum, distribution.count(), &buckets, None)
}

fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::measures::Histogram;

    #[test]
    fn a_histogram_is_cumulative_and_in_seconds() {
        let histogram = Histogram::default();
        for micros in [5, 700, 2_000_000, 7_200_000_000] {
            histogram.observe(Duration::from_micros(micros));
        }
        let readings = Readings {
            version: "1.2.3",
            database: "sqlite",
            started_at: Timestamp::from_micros(1_500_000),
            now: Timestamp::from_micros(0),
            resident_bytes: None,
            stages: vec![("commit", histogram.read())],
            answers: Vec::new(),
            overloads: [("429", 0), ("503", 0)],
            messages: Vec::new(),
            limited: Vec::new(),
            redelivered: 0,
            acknowledged: 0,
            received: 0,
            sent: 0,
            sockets: 0,
            polls: 0,
            backlog: None,
            load: Load::default(),
        };
        let text = readings.text().unwrap();
        for line in [
            "# TYPE sealpost_stage_seconds histogram",
            "# UNIT sealpost_stage_seconds seconds",
            "sealpost_stage_seconds_sum{stage=\"commit\"} 7202.000705",
            "sealpost_stage_seconds_count{stage=\"commit\"} 4",
            "sealpost_stage_seconds_bucket{le=\"0.00001\",stage=\"commit\"} 1",
            "sealpost_stage_seconds_bucket{le=\"0.001\",stage=\"commit\"} 2",
            "sealpost_stage_seconds_bucket{le=\"2.5\",stage=\"commit\"} 3",
            "sealpost_stage_seconds_bucket{le=\"3600.0\",stage=\"commit\"} 3",
            "sealpost_stage_seconds_bucket{le=\"+Inf\",stage=\"commit\"} 4",
            "sealpost_build_info{version=\"1.2.3\",database=\"sqlite\"} 1",
            "process_start_time_seconds 1.5",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
        assert!(!text.contains("sealpost_inbox_messages"), "what is not known is not shown");
    }
}
