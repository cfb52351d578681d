//! Work whose client has gone, and which is brought to its end all the same.
//!
//! A handler that is dropped between the commit of a message and the hint to its readers would let
//! them wait until they look by themselves. So what was begun is handed over when its client hangs
//! up, or has waited for too long, and finished without it. Nothing is spawned for a request whose
//! client waits for the answer.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::thread;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::course::Course;

/// Whatever is finished without its client.
#[derive(Debug)]
pub struct Leftovers {
    tasks: Mutex<JoinSet<()>>,
    most: usize,
    patience: Duration,
}

/// Work that is handed over when it is dropped before its end.
pub struct Finishing<T: Send + 'static> {
    leftovers: Arc<Leftovers>,
    /// Which work is handed over: all, or what has begun to change something.
    course: Option<Arc<Course>>,
    /// Gone once it is done.
    work: Option<BoxFuture<'static, T>>,
}

impl Leftovers {
    /// Finishes at most so many pieces of work at the same time, each within `patience`.
    #[must_use]
    pub fn new(most: usize, patience: Duration) -> Self {
        Self { tasks: Mutex::default(), most, patience }
    }

    /// Work that is brought to its end, whatever becomes of whoever waits for it.
    pub fn finishing<T: Send>(self: &Arc<Self>, work: BoxFuture<'static, T>) -> Finishing<T> {
        Finishing { leftovers: self.clone(), course: None, work: Some(work) }
    }

    /// The same for a request, once it [may change something](Course::begin_work).
    pub fn finishing_request<T: Send>(
        self: &Arc<Self>,
        course: Arc<Course>,
        work: BoxFuture<'static, T>,
    ) -> Finishing<T> {
        Finishing { leftovers: self.clone(), course: Some(course), work: Some(work) }
    }

    /// Waits until nothing is left, and breaks off what is not done in time. To be called when nobody
    /// begins anything any more.
    pub async fn close(&self, patience: Duration) {
        let all = async {
            loop {
                let mut tasks = std::mem::take(&mut *self.tasks());
                if tasks.is_empty() {
                    return;
                }
                while tasks.join_next().await.is_some() {}
            }
        };
        if timeout(patience, all).await.is_err() {
            tracing::warn!("broke off work whose client has gone, since it did not end in time");
        }
    }

    fn take(&self, work: impl Future<Output = ()> + Send + 'static) {
        // Without a runtime the program is at its end.
        let Ok(runtime) = Handle::try_current() else { return };
        let mut tasks = self.tasks();
        while tasks.try_join_next().is_some() {}
        if tasks.len() >= self.most {
            tracing::warn!(most = self.most, "broke off work whose client has gone");
            return;
        }
        let patience = self.patience;
        let in_time = async move {
            if timeout(patience, work).await.is_err() {
                tracing::warn!("broke off work whose client has gone, and which took too long");
            }
        };
        tasks.spawn_on(in_time, &runtime);
    }

    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send> Future for Finishing<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let Some(work) = &mut self.work else { return Poll::Pending };
        let outcome = ready!(work.as_mut().poll(context));
        self.work = None;
        Poll::Ready(outcome)
    }
}

impl<T: Send + 'static> Drop for Finishing<T> {
    fn drop(&mut self) {
        let is_due = self.course.as_ref().is_none_or(|course| course.is_at_work());
        // What has panicked cannot go on.
        if let Some(work) = self.work.take().filter(|_| is_due && !thread::panicking()) {
            self.leftovers.take(async move { drop(work.await) });
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::sync::oneshot;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn leftovers(most: usize) -> Arc<Leftovers> {
        Arc::new(Leftovers::new(most, PATIENCE))
    }

    /// Work that ends when the first one is told, and then tells the second.
    fn work() -> (oneshot::Sender<()>, BoxFuture<'static, ()>, oneshot::Receiver<()>) {
        let ((go, gone), (done, is_done)) = (oneshot::channel(), oneshot::channel());
        let work = async move {
            let _ = gone.await;
            let _ = done.send(());
        };
        (go, work.boxed(), is_done)
    }

    #[tokio::test]
    async fn what_is_dropped_is_finished_before_the_close_is_over() {
        let leftovers = leftovers(1);
        let (go, work, is_done) = work();
        let mut finishing = leftovers.finishing(work);
        assert!((&mut finishing).now_or_never().is_none());
        drop(finishing);
        let _ = go.send(());
        leftovers.close(PATIENCE).await;
        assert!(is_done.await.is_ok());
    }

    #[tokio::test]
    async fn a_request_is_finished_once_it_is_at_work_and_dropped_before() {
        for at_work in [false, true] {
            let leftovers = leftovers(1);
            let course = Arc::new(Course::default());
            let (go, work, is_done) = work();
            let finishing = leftovers.finishing_request(course.clone(), work);
            if at_work {
                course.begin_work();
            }
            drop(finishing);
            let _ = go.send(());
            leftovers.close(PATIENCE).await;
            assert_eq!(is_done.await.is_ok(), at_work);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_an_end_to_what_is_left_in_number_and_in_time() {
        let leftovers = leftovers(1);
        let ((_go, endless, _), (_other, one_more, is_done)) = (work(), work());
        drop(leftovers.finishing(endless));
        drop(leftovers.finishing(one_more));
        assert!(is_done.await.is_err(), "no room");
        leftovers.close(PATIENCE).await;
    }
}
