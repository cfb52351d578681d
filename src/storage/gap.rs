//! Counting what is missing from an inbox, markers that nobody has read included.

use sealpost_sdk::types;

use crate::domain::clock::Timestamp;
use crate::domain::inbox::{Gap, GapReason};

/// The messages that were waiting, as far as a reader needs to know them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Missing {
    count: u64,
    span: Option<(Timestamp, Timestamp)>,
}

impl Missing {
    /// Adds `count` messages that were accepted between two moments.
    pub(super) fn add(&mut self, count: u64, from: Timestamp, to: Timestamp) {
        if count == 0 {
            return;
        }
        self.count += count;
        let (first, last) = self.span.unwrap_or((from, to));
        self.span = Some((first.min(from), last.max(to)));
    }

    /// Adds what an unread marker stands for, so that nothing is forgotten when a device signs in
    /// twice without reading. A body that is no marker's counts as one message.
    pub(super) fn add_marker(&mut self, body: &[u8], accepted_at: Timestamp) {
        match read_marker(body) {
            Some((count, from, to)) => self.add(count, from, to),
            None => self.add(1, accepted_at, accepted_at),
        }
    }

    /// The marker to leave, unless nothing is missing.
    pub(super) fn into_gap(self, reason: GapReason) -> Option<Gap> {
        let (from, to) = self.span?;
        Some(Gap { reason, count: self.count, from, to })
    }
}

fn read_marker(body: &[u8]) -> Option<(u64, Timestamp, Timestamp)> {
    let gap: types::Gap = serde_json::from_slice(body).ok()?;
    let time = |text: &str| text.parse().ok().map(jiff::Timestamp::as_microsecond);
    let (from, to) = (time(&gap.from)?, time(&gap.to)?);
    Some((gap.count, Timestamp::from_micros(from), Timestamp::from_micros(to)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unread_marker_is_counted_with_what_it_stands_for() {
        let at = Timestamp::from_micros;
        let mut first = Missing::default();
        first.add(3, at(1_000_001), at(5_000_000));
        let marker = first.into_gap(GapReason::SignedInAgain).unwrap();

        let mut second = Missing::default();
        second.add(2, at(4_000_000), at(9_000_000));
        second.add_marker(marker.to_json().as_bytes(), at(8_000_000));
        let expected = Gap {
            reason: GapReason::SignedInAgain,
            count: 5,
            from: at(1_000_001),
            to: at(9_000_000),
        };
        assert_eq!(second.into_gap(GapReason::SignedInAgain), Some(expected));
    }

    #[test]
    fn nothing_missing_leaves_no_marker() {
        assert_eq!(Missing::default().into_gap(GapReason::SignedInAgain), None);
    }
}
