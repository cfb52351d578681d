//! The trace that a request belongs to, as whoever sent it named it.
//!
//! The gateway is a station on the way of somebody else's trace: it names the trace in its log, and hands
//! on what it was told to those whom it asks for the sake of that request. What it does later, by itself,
//! belongs to no trace. W3C Trace Context, <https://www.w3.org/TR/trace-context/>; `tracestate`, a free
//! text that a client chooses, goes nowhere.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// The header that names a trace.
pub const TRACEPARENT: &str = "traceparent";

/// `00-`, 32 digits of the trace, `-`, 16 of the caller's span, `-`, 2 of flags.
const LENGTH: usize = 55;

/// The places of the three `-`.
const DASHES: [usize; 3] = [2, 35, 52];

/// The only flag that is known: somebody keeps what is said of this trace.
const SAMPLED: u8 = 1;

/// A trace, and the span in it from which a request comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceParent(Arc<str>);

impl TraceParent {
    /// Reads the header; `None` for what is not as it must be (section 3.2 of the specification). Of a
    /// later version that part is read which this one has.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let head = bytes.get(..LENGTH)?;
        let is_well_formed = head.iter().enumerate().all(|(place, byte)| match byte {
            b'-' => DASHES.contains(&place),
            b'0'..=b'9' | b'a'..=b'f' => !DASHES.contains(&place),
            _ => false,
        });
        let is_whole = match &head[..2] {
            b"00" => bytes.len() == LENGTH,
            b"ff" => false,
            _ => bytes.get(LENGTH).is_none_or(|next| *next == b'-'),
        };
        let names_nothing = |part: &[u8]| part.iter().all(|digit| *digit == b'0');
        if !is_well_formed
            || !is_whole
            || names_nothing(&head[3..35])
            || names_nothing(&head[36..52])
        {
            return None;
        }
        let flags = u8::from_str_radix(text.get(53..LENGTH)?, 16).ok()? & SAMPLED;
        Some(Self(format!("00{}{flags:02x}", text.get(2..53)?).into()))
    }

    /// The header as it is handed on.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The trace, 32 digits.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        self.0.get(3..35).unwrap_or_default()
    }

    /// The span in it from which the request comes, 16 digits.
    #[must_use]
    pub fn span_id(&self) -> &str {
        self.0.get(36..52).unwrap_or_default()
    }

    /// Whether the caller keeps what is said of this trace.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.0.ends_with("01")
    }

    /// Does `work` for the sake of a request of this trace.
    pub fn during<Work: Future>(self, work: Work) -> During<Work> {
        During { trace: self, work: Some(Box::pin(work)) }
    }
}

/// The trace of the request for which something is done at this moment.
#[must_use]
pub fn current() -> Option<TraceParent> {
    CURRENT.with_borrow(Clone::clone)
}

thread_local! {
    static CURRENT: RefCell<Option<TraceParent>> = const { RefCell::new(None) };
}

/// Work that is done for the sake of a request.
pub struct During<Work> {
    trace: TraceParent,
    /// Gone once it is dropped.
    work: Option<Pin<Box<Work>>>,
}

impl<Work: Future> Future for During<Work> {
    type Output = Work::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Work::Output> {
        let _before = Before::set(&self.trace);
        let Some(work) = &mut self.work else { return Poll::Pending };
        work.as_mut().poll(context)
    }
}

impl<Work> Drop for During<Work> {
    /// What the work leaves to others when it is dropped is still for the sake of the request.
    fn drop(&mut self) {
        let _before = Before::set(&self.trace);
        self.work = None;
    }
}

/// What was current before, and will be again.
struct Before(Option<TraceParent>);

impl Before {
    fn set(trace: &TraceParent) -> Self {
        Self(CURRENT.replace(Some(trace.clone())))
    }
}

impl Drop for Before {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_trace_is_handed_on_as_it_came() {
        let trace = TraceParent::parse(GOOD).unwrap();
        assert_eq!(trace.as_str(), GOOD);
        assert_eq!(trace.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!((trace.span_id(), trace.is_sampled()), ("00f067aa0ba902b7", true));
        let not_kept = TraceParent::parse(&GOOD.replace("-01", "-00")).unwrap();
        assert!(!not_kept.is_sampled());
    }

    #[test]
    fn of_what_is_not_known_that_is_handed_on_which_is() {
        let parsed = |text: &str| TraceParent::parse(text).map(|trace| trace.as_str().to_owned());
        let later = GOOD.replacen("00-", "cc-", 1);
        assert_eq!(parsed(&later).as_deref(), Some(GOOD));
        assert_eq!(parsed(&format!("{later}-what-the-future-holds")).as_deref(), Some(GOOD));
        let (flags, known) = (GOOD.replace("-01", "-ff"), GOOD);
        assert_eq!(parsed(&flags).as_deref(), Some(known));
        assert_eq!(parsed(&GOOD.replace("-01", "-fe")), Some(GOOD.replace("-01", "-00")));
    }

    #[test]
    fn what_is_not_well_formed_is_ignored() {
        let zeros = |from: &str| GOOD.replace(from, &"0".repeat(from.len()));
        for bad in [
            "",
            "00",
            &GOOD[..54],
            &format!("{GOOD}-more"),
            &format!("{GOOD} "),
            &format!(" {GOOD}"),
            &GOOD.to_uppercase(),
            &GOOD.replacen("00-", "ff-", 1),
            &GOOD.replacen("00-", "0g-", 1),
            &GOOD.replacen('-', "_", 1),
            &GOOD.replace("-01", "0-1"),
            &format!("{}.", GOOD.replacen("00-", "01-", 1)),
            &zeros("4bf92f3577b34da6a3ce929d0e0e4736"),
            &zeros("00f067aa0ba902b7"),
            &GOOD.replace("4bf92f", "4bf92é"),
        ] {
            assert_eq!(TraceParent::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_trace_is_current_as_long_as_its_work_is_done() {
        let trace = TraceParent::parse(GOOD).unwrap();
        assert_eq!(current(), None);
        let seen = trace.clone().during(async { current() }).now_or_never().flatten();
        assert_eq!(seen, Some(trace.clone()));
        let waiting = trace.during(std::future::pending::<()>()).now_or_never();
        assert_eq!((waiting, current()), (None, None));
    }
}
