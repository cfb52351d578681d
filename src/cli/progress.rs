//! How far long work has come: a bar on a terminal, a line now and then elsewhere.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::Instant;

use super::output::Output;
use crate::app::moving::Watcher;

/// Between two lines where there is no terminal.
const PAUSE: Duration = Duration::from_secs(10);

const BAR: &str = "{wide_bar} {human_pos} of {human_len} {msg}, {per_sec}, {eta} left";

/// How far some work has come. Everything that is said while it goes on is said through it, or the
/// bar and the words would run into each other.
pub(super) struct Progress {
    out: Output,
    /// What is counted, in the plural.
    unit: &'static str,
    total: u64,
    done: u64,
    begun: Instant,
    said: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Nothing is done yet.
    pub(super) fn new(out: Output, unit: &'static str, total: u64) -> Self {
        let begun = Instant::now();
        let shown = out == Output::Text && io::stderr().is_terminal();
        let bar = shown.then(|| {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
            // The template is a constant; should it be wrong, there is a bar of the usual form.
            let style = ProgressStyle::with_template(BAR);
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.with_message(unit)
        });
        Self { out, unit, total, done: 0, begun, said: begun, bar }
    }

    /// So much more is done.
    pub(super) fn advance(&mut self, count: u64) {
        self.done += count;
        if let Some(bar) = &self.bar {
            bar.set_position(self.done);
        } else if self.said.elapsed() >= PAUSE {
            self.said = Instant::now();
            self.remark(&in_words(self.unit, self.done, self.total, self.begun.elapsed()));
        }
    }

    /// Says something beside it.
    pub(super) fn remark(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.out.remark(text)),
            None => self.out.remark(text),
        }
    }

    /// Takes the bar away and says how far the work has come.
    pub(super) fn finish(self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.out.remark(&in_words(self.unit, self.done, self.total, self.begun.elapsed()));
    }
}

/// Watches over a move, of which nobody knows how long it is before it begins.
pub(super) struct Watched {
    out: Output,
    progress: Option<Progress>,
}

impl Watched {
    pub(super) fn new(out: Output) -> Self {
        Self { out, progress: None }
    }

    /// As [`Progress::finish`].
    pub(super) fn finish(self) {
        if let Some(progress) = self.progress {
            progress.finish();
        }
    }
}

impl Watcher for Watched {
    fn begins(&mut self, rows: u64) {
        self.progress = Some(Progress::new(self.out, "rows", rows));
    }

    fn advanced(&mut self, rows: u64) {
        if let Some(progress) = &mut self.progress {
            progress.advance(rows);
        }
    }
}

/// `300 of 1000 rows, 150 a second, 5 s left`.
fn in_words(unit: &str, done: u64, total: u64, took: Duration) -> String {
    let counted = format!("{done} of {total} {unit}");
    // Less than a second says nothing about the next one.
    let seconds = took.as_secs();
    match done.checked_div(seconds) {
        Some(rate) if rate > 0 && done < total => {
            format!("{counted}, {rate} a second, {} s left", (total - done) / rate)
        }
        Some(rate) if rate > 0 => format!("{counted}, {rate} a second"),
        _ => counted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_time_left_follow_from_what_was_done() {
        let words = |done, seconds| in_words("rows", done, 1000, Duration::from_secs(seconds));
        assert_eq!(words(0, 0), "0 of 1000 rows");
        assert_eq!(words(300, 2), "300 of 1000 rows, 150 a second, 4 s left");
        assert_eq!(words(1000, 5), "1000 of 1000 rows, 200 a second");
    }
}
