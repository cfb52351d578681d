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
use tracing::Instrument;

use super::course::Course;
use super::fault_log::chain;
use super::shares::{Share, Shares};
use crate::domain::Fault;
use crate::domain::ids::AccountNumber;
use crate::domain::trace;

/// Whatever is finished without its client.
#[derive(Debug)]
pub struct Leftovers {
    tasks: Mutex<JoinSet<()>>,
    most: usize,
    /// One account that hangs up on everything must not use up the place of others.
    shares: Arc<Shares<AccountNumber>>,
    patience: Duration,
}

/// Work that is handed over when it is dropped before its end.
pub struct Finishing<T: Send + 'static> {
    leftovers: Arc<Leftovers>,
    whose: Whose,
    /// Looks at what came of it when its client has gone.
    late: fn(T),
    /// Gone once it is done.
    work: Option<BoxFuture<'static, T>>,
}

/// Whose work it is, and which of it is handed over.
#[derive(Debug)]
pub enum Whose {
    /// All work of an account.
    Account(Option<AccountNumber>),
    /// A request, once it [may change something](Course::begin_work).
    Request(Arc<Course>),
}

impl Whose {
    fn is_due(&self) -> bool {
        match self {
            Self::Account(_) => true,
            Self::Request(course) => course.is_at_work(),
        }
    }

    fn account(&self) -> Option<AccountNumber> {
        match self {
            Self::Account(account) => *account,
            Self::Request(course) => course.account(),
        }
    }
}

/// Says in the log why work failed whose client has gone, if that is our fault.
pub fn log_late(fault: &Fault) {
    if fault.is_ours() {
        tracing::warn!("work whose client has gone failed: {}", chain(fault));
    }
}

impl Leftovers {
    /// Finishes at most so many pieces of work at the same time, a quarter of them for one account,
    /// each within `patience`.
    #[must_use]
    pub fn new(most: usize, patience: Duration) -> Self {
        let shares = Arc::new(Shares::new((most as u64 / 4).max(1)));
        Self { tasks: Mutex::default(), most, shares, patience }
    }

    /// Work that is brought to its end, whatever becomes of whoever waits for it; `late` looks at
    /// what came of it when nobody does.
    pub fn finishing<T: Send>(
        self: &Arc<Self>,
        whose: Whose,
        work: BoxFuture<'static, T>,
        late: fn(T),
    ) -> Finishing<T> {
        Finishing { leftovers: self.clone(), whose, late, work: Some(work) }
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

    fn take(
        &self,
        account: Option<AccountNumber>,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        // Without a runtime the program is at its end.
        let Ok(runtime) = Handle::try_current() else { return };
        let mut tasks = self.tasks();
        while tasks.try_join_next().is_some() {}
        let share = self.share(account).filter(|_| tasks.len() < self.most);
        let Some(share) = share else {
            tracing::warn!(most = self.most, "broke off work whose client has gone");
            return;
        };
        let patience = self.patience;
        let in_time = async move {
            let _share = share;
            if timeout(patience, work).await.is_err() {
                tracing::warn!("broke off work whose client has gone, and which took too long");
            }
        };
        // What is logged of it still belongs to its request, and so does whom it asks.
        match trace::current() {
            None => tasks.spawn_on(in_time.in_current_span(), &runtime),
            Some(trace) => tasks.spawn_on(trace.during(in_time).in_current_span(), &runtime),
        };
    }

    /// A place for one more piece of an account's work, if there is any; nobody's needs none.
    fn share(&self, account: Option<AccountNumber>) -> Option<Option<Share<AccountNumber>>> {
        match account {
            Some(account) => self.shares.take(account, 1).map(Some),
            None => Some(None),
        }
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
        let is_due = self.whose.is_due();
        // What has panicked cannot go on.
        if let Some(work) = self.work.take().filter(|_| is_due && !thread::panicking()) {
            let late = self.late;
            self.leftovers.take(self.whose.account(), async move { late(work.await) });
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
        let mut finishing = leftovers.finishing(Whose::Account(None), work, drop);
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
            let finishing = leftovers.finishing(Whose::Request(course.clone()), work, drop);
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
        drop(leftovers.finishing(Whose::Account(None), endless, drop));
        drop(leftovers.finishing(Whose::Account(None), one_more, drop));
        assert!(is_done.await.is_err(), "no room");
        leftovers.close(PATIENCE).await;
    }

    #[tokio::test(start_paused = true)]
    async fn one_account_leaves_places_to_others() {
        let leftovers = leftovers(8);
        let whose = |number| Whose::Account(Some(AccountNumber(number)));
        let mut waiting = Vec::new();
        for (account, has_place) in [(1, true), (1, true), (1, false), (2, true)] {
            let (go, work, is_done) = work();
            drop(leftovers.finishing(whose(account), work, drop));
            waiting.push((go, is_done, has_place));
        }
        for (go, is_done, has_place) in waiting {
            let _ = go.send(());
            assert_eq!(is_done.await.is_ok(), has_place);
        }
        leftovers.close(PATIENCE).await;
        let (go, work, is_done) = work();
        drop(leftovers.finishing(whose(1), work, drop));
        let _ = go.send(());
        assert!(is_done.await.is_ok(), "the places are free again");
    }

    #[tokio::test]
    async fn somebody_looks_at_what_came_of_it() {
        static SEEN: Mutex<Vec<u8>> = Mutex::new(Vec::new());
        let leftovers = leftovers(1);
        let late = |outcome| SEEN.lock().unwrap().push(outcome);
        drop(leftovers.finishing(Whose::Account(None), async { 7 }.boxed(), late));
        leftovers.close(PATIENCE).await;
        assert_eq!(*SEEN.lock().unwrap(), [7]);
    }
}
