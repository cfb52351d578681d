//! Counting what is missing from an inbox, markers that nobody has read included.

use sealpost_sdk::types;

use crate::domain::clock::Timestamp;
use crate::domain::inbox::{Gap, GapReason};

/// The messages that are missing for one reason, as far as a reader needs to know them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    reason: GapReason,
    count: u64,
    span: Option<(Timestamp, Timestamp)>,
}

impl Missing {
    /// Nothing yet.
    pub(super) fn new(reason: GapReason) -> Self {
        Self { reason, count: 0, span: None }
    }

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
    /// twice without reading; returns whether it did. What is gone and what is set aside, and so
    /// still there to be counted once more, are kept apart. A body that is no marker's counts as
    /// one message that is gone.
    pub(super) fn add_marker(&mut self, body: &[u8], accepted_at: Timestamp) -> bool {
        let marker = read_marker(body);
        let is_loss = marker.is_none_or(|marker| marker.0);
        if is_loss != self.reason.is_loss() {
            return false;
        }
        match marker {
            Some((_, count, from, to)) => self.add(count, from, to),
            None => self.add(1, accepted_at, accepted_at),
        }
        true
    }

    /// Adds what is missing at another place, too.
    pub(super) fn absorb(&mut self, other: Self) {
        if let Some((from, to)) = other.span {
            self.add(other.count, from, to);
        }
    }

    /// Whether the messages are gone, and not only out of the way.
    pub(super) fn is_loss(&self) -> bool {
        self.reason.is_loss()
    }

    /// When the last of the messages was accepted.
    pub(super) fn last(&self) -> Option<Timestamp> {
        self.span.map(|(_, last)| last)
    }

    /// The marker to leave, unless nothing is missing.
    pub(super) fn into_gap(self) -> Option<Gap> {
        let (from, to) = self.span?;
        Some(Gap { reason: self.reason, count: self.count, from, to })
    }
}

/// Whether the messages are gone, how many they are, and when they were accepted.
fn read_marker(body: &[u8]) -> Option<(bool, u64, Timestamp, Timestamp)> {
    let gap: types::Gap = serde_json::from_slice(body).ok()?;
    let time = |text: &str| text.parse().ok().map(jiff::Timestamp::as_microsecond);
    let (from, to) = (time(&gap.from)?, time(&gap.to)?);
    let is_loss = gap.reason != types::GapReason::SetAside;
    Some((is_loss, gap.count, Timestamp::from_micros(from), Timestamp::from_micros(to)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unread_marker_is_counted_with_what_it_stands_for() {
        let at = Timestamp::from_micros;
        let mut first = Missing::new(GapReason::Trimmed);
        first.add(3, at(1_000_001), at(5_000_000));
        let marker = first.into_gap().unwrap();

        let mut second = Missing::new(GapReason::SignedInAgain);
        second.add(2, at(4_000_000), at(9_000_000));
        assert!(second.add_marker(marker.to_json().as_bytes(), at(8_000_000)));
        let expected = Gap {
            reason: GapReason::SignedInAgain,
            count: 5,
            from: at(1_000_001),
            to: at(9_000_000),
        };
        assert_eq!(second.into_gap(), Some(expected));
    }

    #[test]
    fn what_is_set_aside_is_not_counted_with_what_is_gone() {
        let at = Timestamp::from_micros;
        let mut aside = Missing::new(GapReason::SetAside);
        aside.add(1, at(1_000_000), at(1_000_000));
        let marker = aside.into_gap().unwrap().to_json();
        let mut gone = Missing::new(GapReason::Expired);
        assert!(!gone.add_marker(marker.as_bytes(), at(0)));
        assert!(aside.add_marker(marker.as_bytes(), at(0)));
        assert!(!aside.add_marker(b"no marker", at(0)));
        assert_eq!((gone.into_gap(), aside.into_gap().map(|gap| gap.count)), (None, Some(2)));
    }

    #[test]
    fn nothing_missing_leaves_no_marker() {
        assert_eq!(Missing::new(GapReason::SignedInAgain).into_gap(), None);
    }
}
