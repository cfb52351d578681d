//! A server that does not answer.

use std::future::Future;
use std::io::ErrorKind;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::BoxStream;
use sqlx::Error;
use tokio::time::{Sleep, sleep};

/// What is said of it.
pub(super) fn silence() -> Error {
    Error::Io(ErrorKind::TimedOut.into())
}

/// Answers that have to come in time, all of them: the last one is an error otherwise.
pub(super) struct Bounded<'a, T, F> {
    answers: Option<BoxStream<'a, Result<T, Error>>>,
    deadline: Pin<Box<Sleep>>,
    /// What is to be done when they do not.
    late: Option<F>,
}

impl<'a, T, F: FnOnce() + Unpin> Bounded<'a, T, F> {
    pub(super) fn new(
        answers: BoxStream<'a, Result<T, Error>>,
        patience: Duration,
        late: F,
    ) -> Self {
        Self { answers: Some(answers), deadline: Box::pin(sleep(patience)), late: Some(late) }
    }
}

impl<T, F: FnOnce() + Unpin> Stream for Bounded<'_, T, F> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(answers) = &mut self.answers else { return Poll::Ready(None) };
        if let Poll::Ready(answer) = answers.as_mut().poll_next(context) {
            return Poll::Ready(answer);
        }
        if self.deadline.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        self.answers = None;
        if let Some(late) = self.late.take() {
            late();
        }
        Poll::Ready(Some(Err(silence())))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use futures_util::{StreamExt, stream};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn answers_that_stop_are_ended_with_an_error() {
        let noted = AtomicBool::new(false);
        let some = stream::iter([Ok(1), Ok(2)]).chain(stream::pending()).boxed();
        let note = || noted.store(true, Ordering::SeqCst);
        let mut answers = Bounded::new(some, Duration::from_secs(3), note);
        assert!(matches!(answers.next().await, Some(Ok(1))));
        assert!(matches!(answers.next().await, Some(Ok(2))));
        assert!(matches!(answers.next().await, Some(Err(Error::Io(_)))));
        assert!(answers.next().await.is_none() && noted.load(Ordering::SeqCst));
    }
}
