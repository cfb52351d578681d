//! Requests that come at a rate, whoever is ready for them.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::numbers::{count, float};

/// When each request is due.
///
/// Timers know whole milliseconds, so requests come together in each of them: the same ones to
/// everybody who is measured.
#[derive(Clone, Copy)]
pub struct Pace {
    start: Instant,
    each_second: f64,
}

/// Requests of some messages each, at a rate.
#[derive(Clone, Copy)]
pub struct Arrivals {
    pub batch: usize,
    pub each_second: f64,
}

/// Requests at a rate, for somebody who takes all that are due at once.
pub struct Line {
    pace: Pace,
    next: usize,
    end: usize,
    /// When the one who waited for the next request woke up.
    woke: Option<Instant>,
}

/// What somebody finds who looks for requests.
pub enum Found {
    /// These, by their places, and the moments from which they have waited.
    Due(Range<usize>, Vec<Instant>),
    /// None yet; the next one comes then.
    Later(Instant),
    /// There will be no more.
    End,
}

impl Pace {
    /// From this moment on.
    pub fn new(each_second: f64) -> Self {
        Self { start: Instant::now(), each_second }
    }

    /// When a request is due.
    pub fn due(&self, place: usize) -> Instant {
        let milliseconds = (float(place) / self.each_second * 1e3).ceil();
        self.start + Duration::from_secs_f64(milliseconds / 1e3)
    }
}

impl Line {
    /// So many requests, from this moment on.
    pub fn new(requests: usize, each_second: f64) -> Self {
        Self { pace: Pace::new(each_second), next: 0, end: requests, woke: None }
    }

    /// Takes all that are due. Who is told to wait asks again when the time has come.
    pub fn take(&mut self) -> Found {
        let (first, now) = (self.next, Instant::now());
        if first == self.end {
            return Found::End;
        }
        while self.next < self.end && self.pace.due(self.next) <= now {
            self.next += 1;
        }
        if self.next == first {
            self.woke = None;
            return Found::Later(self.pace.due(first));
        }
        // A timer's own lateness is not the program's.
        let woke = self.woke.take();
        let since =
            |place| woke.map_or(self.pace.due(place), |woke| woke.max(self.pace.due(place)));
        Found::Due(first..self.next, (first..self.next).map(since).collect())
    }

    /// Says that a wait is over.
    pub fn wake(&mut self) {
        self.woke = Some(Instant::now());
    }
}

impl Arrivals {
    /// How many requests so many messages make.
    pub fn requests(&self, messages: usize) -> usize {
        count(float(messages) / float(self.batch))
    }

    /// The messages of some requests.
    pub fn messages(&self, requests: &Range<usize>) -> Range<usize> {
        requests.start * self.batch..requests.end * self.batch
    }
}
